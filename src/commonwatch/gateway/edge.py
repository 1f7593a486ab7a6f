"""Edge enforcement: for every label what may leave, and every value brought down to that before it leaves.

Rules held here: a label without a ceiling is not sent at all; a field without a ceiling is dropped; every other value
leaves at its ceiling's point (the held point), and the batch says so in its profiles. Tokens are made with edge keys
derived from the owner's root, which the hub never has. Labels travel, because the hub decides by them. Nothing outside
the wire columns ever leaves; the tool's own connection number and the raw record stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, NamedTuple, cast

from commonwatch.agreements.lattice import Point, parse_point
from commonwatch.events.address import network_of
from commonwatch.events.columns import COLUMNS, COMMUNITY_ID_NEEDS, Column, disclosable
from commonwatch.events.event import Event
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName
from commonwatch.events.labels import Label
from commonwatch.events.rungs import floor_time, port_range, rung
from commonwatch.privacy.pseudonym import derive, det_one, identity_one, mailbox_one, pfx_one

Ceiling = Mapping[FieldName, str]
Cells = list[Any]
Columns = dict[str, Cells]
_ADDRESS = FAMILIES["address"].precisions
_SUBNET, _NETWORK = _ADDRESS.index("subnet"), _ADDRESS.index("network")
_REMEMBERED = 100_000
#: What the hub knows of every batch: whose it is. Held exactly, whatever the ceiling.
_KNOWN: dict[str, str] = dict.fromkeys(("owner", "owner_sector", "owner_region", "owner_size"), "exact")
_LABELS = frozenset({"time", "severity_id"})
_VALUES = tuple(c for c in disclosable() if c.name not in {"org_uid", *_LABELS})


class Keys(NamedTuple):
    """Edge keys of one owner, and the key for the hub's own layer (`for_hub` is all that ever leaves)."""

    pfx: bytes
    det: bytes
    names: Mapping[str, bytes]
    for_hub: bytes


def edge_keys(root: bytes, owner: str) -> Keys:
    """The keys derived from the owner's root."""
    names = {ns: derive(root, "edge", ns, 0, owner=owner) for ns in ("user", "host", "sensor", "mail")}
    return Keys(
        pfx=derive(root, "edge", "ip", 0, owner=owner),
        det=derive(root, "edge", "ip", 0, owner=owner, length=16),
        names=names,
        for_hub=derive(root, "hub", "owner", 0),
    )


class Out(NamedTuple):
    """One wire column made from one value column: `make` per non-null value (None: as it is)."""

    name: str
    make: Callable[[Any], Any] | None


class Plan(NamedTuple):
    """What leaves for one label: the held profile, the value columns read, and what each becomes."""

    profile: dict[str, str]
    columns: tuple[str, ...]
    outs: tuple[tuple[Out, ...], ...]
    time: Callable[[int], int]


class Edge:
    """Applies one policy's ceilings to labelled events."""

    def __init__(self, ceiling: Callable[[Label], Ceiling | None], keys: Keys) -> None:
        self._ceiling = ceiling
        self._keys = keys
        self._plans: dict[Label, Plan | None] = {}
        self._pfx = lru_cache(_REMEMBERED)(partial(pfx_one, key=keys.pfx))
        self._det = lru_cache(_REMEMBERED)(partial(det_one, key=keys.det))

    def plan(self, label: Label) -> Plan | None:
        """What leaves for a label; None: nothing."""
        if label not in self._plans:
            ceiling = self._ceiling(label)
            self._plans[label] = None if ceiling is None else self.plan_at(ceiling)
        return self._plans[label]

    def enforce(self, rows: Sequence[tuple[Label, Event]]) -> tuple[Columns, list[dict[str, str]], int]:
        """Wire columns of the rows that may leave, their held profiles, and how many rows may not.

        Rows are grouped by label; order carries nothing.
        """
        groups: dict[Label, list[Event]] = {}
        for label, event in rows:
            group = groups.get(label)
            if group is None:
                groups[label] = [event]
            else:
                group.append(event)
        built = Table()
        kept = 0
        for label, events in groups.items():
            if (plan := self.plan(label)) is not None:
                built.add(label, plan, events)
                kept += len(events)
        return built.columns, built.profiles, len(rows) - kept

    def plan_at(self, ceiling: Ceiling) -> Plan:
        """What leaves under this very ceiling."""
        points = {f: parse_point(FIELDS[f].family, name) for f, name in ceiling.items()}
        made = [(c.name, outs) for c in _VALUES if (outs := self._outs(c, points))]
        profile = {**{str(f): n for f, n in ceiling.items() if n != "withheld"}, **_KNOWN}
        step = FAMILIES["time"].precisions[max(1, points["time"].precision)] if "time" in points else "window"
        return Plan(profile, tuple(n for n, _ in made), tuple(o for _, o in made), partial(floor_time, precision=step))

    def _outs(self, column: Column, points: Mapping[FieldName, Point]) -> tuple[Out, ...]:
        """The wire columns of one value column at the point its field is held at."""
        field = cast("FieldName", column.field)
        point = points.get(field)
        if point is None or point.precision == 0 == point.linkage:
            return ()
        if column.name == "community_id":
            exact = all(points.get(f) == parse_point(FIELDS[f].family, "exact") for f in COMMUNITY_ID_NEEDS)
            return (Out(column.name, None),) if exact else ()
        if column.kind == "addr":
            return self._address(column.name, point)
        if point == parse_point(FIELDS[field].family, "exact"):
            return (Out(column.name, None),)
        make = self._lower(column, field, point)
        return () if make is None else (Out(column.name, make),)

    def _address(self, name: str, point: Point) -> tuple[Out, ...]:
        net = f"{name.removesuffix('_ip')}_net"
        if point == parse_point("address", "exact"):
            return (Out(name, None),)
        if point.linkage:
            token = Out(name, self._pfx if point.precision >= _SUBNET else self._det)
            return (token, Out(net, network_of)) if point.precision >= _NETWORK else (token,)
        return (Out(name, network_of),) if point.precision == _NETWORK else ()

    def _lower(self, column: Column, field: FieldName, point: Point) -> Callable[[Any], Any] | None:
        """How a value that is no address is brought down; None where nothing of it is shown."""
        family = FAMILIES[FIELDS[field].family]
        precision = family.precisions[point.precision]
        if point.linkage and family.name == "identity":
            return partial(identity_one, key=self._keys.names[field], namespace=cast("Any", field))
        if point.linkage and family.name == "mailbox":
            token = partial(mailbox_one, key=self._keys.names["mail"], domain=precision == "domain")
            return _each(token) if column.kind == "list" else token
        if column.kind in {"u8", "u16", "u32"} and (
            family.name in {"address", "term"} or column.name == "time_quality"
        ):
            return _as_it_is if point.precision >= family.precisions.index(column.follows) else None
        if family.name == "port":
            return _range_start
        return partial(rung, family.name, precision, column.name)


def _as_it_is(value: Any) -> Any:
    return value


def _each(make: Callable[[str], str]) -> Callable[[Iterable[str]], tuple[str, ...]]:
    return lambda values: tuple(map(make, values))


def _range_start(port: int) -> int | None:
    """A port at `range` travels as the first port of its range."""
    text = port_range(port)
    return None if text is None else int(text.partition("-")[0])


class Table:
    """Wire columns that grow group by group; a column a group does not have is null for it."""

    def __init__(self) -> None:
        self.columns: Columns = {}
        self.profiles: list[dict[str, str]] = []
        self._rows = 0

    def add(self, label: Label, plan: Plan, events: Sequence[Event]) -> None:
        """Add the rows of one label."""
        if plan.profile not in self.profiles:
            self.profiles.append(plan.profile)
        n = len(events)
        self._put("event_uid", [e.event_uid for e in events])
        self._put("time", [plan.time(e.time) for e in events])
        self._put("event_class", [int(label.event_class)] * n)
        self._put("tlp", [int(label.tlp)] * n)
        self._put("severity_id", [int(label.severity)] * n)
        self._put("profile", [self.profiles.index(plan.profile)] * n)
        if label.site:
            self._put("site_uid", [label.site] * n)
        absent: tuple[Cells, ...] = ([None] * n, [()] * n)
        for name, outs in zip(plan.columns, plan.outs, strict=True):
            cells = list(map(attrgetter(name), events))
            if cells not in absent:
                for out in outs:
                    self._out(out, cells)
        self._rows += n
        self.fill()

    def fill(self) -> None:
        """Nulls where this group had no value."""
        for cells in self.columns.values():
            cells.extend([None] * (self._rows - len(cells)))

    def _out(self, out: Out, cells: Cells) -> None:
        if out.make is not None:
            made = {v: None if v is None or v == () else out.make(v) for v in set(cells)}
            cells = [made[v] for v in cells]
        name, kind = out.name, COLUMNS[out.name].kind if out.name in COLUMNS else "addr"
        if kind == "addr":
            self._put(f"{name}_hi", [None if a is None else a[0] for a in cells])
            self._put(f"{name}_lo", [None if a is None else a[1] for a in cells])
        elif kind == "list":
            self._put(name, [v or None for v in cells])
        else:
            self._put(name, cells)

    def copy(self, name: str, cells: Cells) -> None:
        """Give the rows added last the cells of a column they do not have yet."""
        so_far = self.columns.setdefault(name, [None] * self._rows)
        so_far[self._rows - len(cells) :] = cells

    def _put(self, name: str, cells: Cells) -> None:
        """Append a group's cells behind those of earlier groups."""
        so_far = self.columns.get(name)
        if so_far is None:
            self.columns[name] = [None] * self._rows + cells if self._rows else cells
        else:
            so_far.extend(cells)
