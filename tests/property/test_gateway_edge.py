"""The edge on random events and ceilings: every value leaves exactly at its rung, nothing else leaves, and never more
after the agreements became stricter."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.agreements.lattice import leq, meet, parse_point, point_name, points
from commonwatch.events.address import Address, network_of, parse
from commonwatch.events.columns import COLUMNS, COMMUNITY_ID_NEEDS, disclosable
from commonwatch.events.event import Event
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName
from commonwatch.events.labels import EventClass, Label, Severity, Tlp
from commonwatch.events.rungs import floor_time, rung
from commonwatch.gateway.edge import Edge, edge_keys
from commonwatch.gateway.narrow import narrow
from commonwatch.privacy.pseudonym import det_one, identity_one, mailbox_one, pfx_one
from commonwatch.wire.columns import WIRE_COLUMNS

KEYS = edge_keys(bytes(range(32)), "baker")
NOW = 1_764_000_000_000_000
KNOWN = ("owner", "owner_sector", "owner_region", "owner_size")
VALUE_FIELDS: list[FieldName] = [f for f in FIELDS if f not in KNOWN]
LABELS = [
    Label(EventClass.INTRUSION, Tlp.AMBER, Severity.HIGH, "shop"),
    Label(EventClass.DNS, Tlp.RED, Severity.LOW, ""),
]

addresses = st.sampled_from(["203.0.113.9", "10.0.0.7", "2001:db8:1:2::3", "198.51.100.1"]).map(parse)
words = st.sampled_from(
    ["alpha", "user@example.org", "www.shop.example.co.uk", "http://u:p@h.example/x?y=z", "CVE-2024-3094"]
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "addr": addresses, "txt": words, "dict": words, "list": st.lists(words, max_size=2).map(tuple),
    "bool": st.booleans(),
    "u8": st.integers(1, 3), "u16": st.integers(0, 65_535), "u32": st.integers(0, 2**32 - 1),
    "u64": st.integers(0, 2**40), "ts": st.integers(NOW - 10**12, NOW),
}  # fmt: skip
SIZES = {"file_sha256": 32, "file_sha1": 20, "file_md5": 16}


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Events with any columns filled."""
    values: dict[str, Any] = {}
    for column in disclosable():
        if column.name in {
            "org_uid",
            "time",
            "severity_id",
            "is_alert",
            "class_uid",
            "count",
            "time_quality",
            "source_format",
        }:
            continue
        if draw(st.booleans()):
            size = SIZES.get(column.name)
            values[column.name] = draw(st.binary(min_size=size, max_size=size) if size else VALUES[column.kind])
    uid = draw(st.binary(min_size=16, max_size=16))
    return Event(
        event_class=EventClass.INTRUSION, class_uid=2004, time=draw(VALUES["ts"]), event_uid=uid,
        count=draw(VALUES["u32"]), is_alert=draw(st.booleans()), source_format=1, **values,
    )  # fmt: skip


@st.composite
def ceilings(draw: st.DrawFn) -> dict[FieldName, str]:
    """Named points for some fields; time is always there."""
    chosen = draw(st.lists(st.sampled_from(VALUE_FIELDS), unique=True))
    found = {f: draw(st.sampled_from(sorted(points(FIELDS[f].family)))) for f in chosen}
    return found | {"time": draw(st.sampled_from([n for n in points("time") if n != "withheld"]))}


rows = st.lists(
    st.tuples(st.sampled_from(LABELS), events()), min_size=1, max_size=4, unique_by=lambda r: r[1].event_uid
)


def expected(column: str, value: Any, ceiling: dict[FieldName, str]) -> Any:
    """What the reference says leaves of one value that is no address."""
    field = COLUMNS[column].field
    assert field is not None
    family = FIELDS[field].family
    point = parse_point(family, ceiling.get(field, "withheld"))
    precision = FAMILIES[family].precisions[point.precision]
    if value is None or value == ():
        return None
    if point.linkage and precision != "exact" and family == "identity":
        return identity_one(value, KEYS.names[field], field)  # type: ignore[arg-type]
    if point.linkage and precision != "exact" and family == "mailbox":
        tokens = [mailbox_one(v, KEYS.names["mail"], domain=precision == "domain") for v in _many(value)]
        return tuple(tokens) if isinstance(value, tuple) else tokens[0]
    if column == "community_id":
        return value if all(ceiling.get(f) == "exact" for f in COMMUNITY_ID_NEEDS) else None
    shown = rung(family, precision, column, value)
    if family == "port" and precision == "range":
        return int(str(shown).partition("-")[0])
    if column.endswith("_scope"):
        return value if shown is not None else None
    return None if shown == () else shown


def _many(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


def address(columns: dict[str, list[Any]], name: str, row: int) -> Address | None:
    """An address of a row."""
    high = columns.get(f"{name}_hi", [None] * 99)[row]
    return None if high is None else Address(high, columns[f"{name}_lo"][row])


def check_address(columns: dict[str, list[Any]], name: str, row: int, value: Address | None, ceiling: Any) -> None:
    """An address and the network beside it are what the point says."""
    point = parse_point("address", ceiling.get(name, "withheld"))
    precision = FAMILIES["address"].precisions[point.precision]
    shown, net = address(columns, name, row), address(columns, name.replace("_ip", "_net"), row)
    if value is None or ceiling.get(name, "withheld") == "withheld":
        assert shown is net is None
    elif precision == "exact":
        assert (shown, net) == (value, None)
    elif point.linkage:
        above = point.precision >= FAMILIES["address"].precisions.index("subnet")
        assert shown == (pfx_one(value, KEYS.pfx) if above else det_one(value, KEYS.det))
        assert net == (network_of(value) if precision == "network" else None)
    else:
        assert (shown, net) == (network_of(value) if precision == "network" else None, None)


@settings(max_examples=50)
@given(rows, ceilings())
def test_every_value_leaves_at_its_rung_and_nothing_else_leaves(rows: Any, ceiling: dict[FieldName, str]) -> None:
    columns, profiles, dropped = Edge(lambda label: ceiling if label == LABELS[0] else None, KEYS).enforce(rows)
    kept = {e.event_uid: e for label, e in rows if label == LABELS[0]}
    assert dropped == len(rows) - len(kept)
    assert set(columns) <= set(WIRE_COLUMNS)
    assert profiles == (
        [{**{f: p for f, p in ceiling.items() if p != "withheld"}, **dict.fromkeys(KNOWN, "exact")}] if kept else []
    )
    assert {len(cells) for cells in columns.values()} <= {len(kept)}
    for row, uid in enumerate(columns.get("event_uid", [])):
        event = kept[uid]
        assert columns["time"][row] == floor_time(event.time, ceiling["time"])
        assert (columns["event_class"][row], columns["tlp"][row], columns["severity_id"][row]) == (2, 2, 4)
        for column in disclosable():
            if column.kind == "addr":
                check_address(columns, column.name, row, getattr(event, column.name), ceiling)
            elif column.name not in {"org_uid", "time", "severity_id"}:
                got = columns.get(column.name, [None] * len(kept))[row]
                assert got == expected(column.name, getattr(event, column.name), ceiling), column.name


@settings(max_examples=50)
@given(rows, ceilings(), ceilings(), st.booleans())
def test_stricter_agreements_lower_what_waits_and_never_raise_it(
    rows: Any, before: dict[FieldName, str], after: dict[FieldName, str], dropped_class: bool
) -> None:
    held_columns, held_profiles, _ = Edge(lambda _: before, KEYS).enforce(rows)
    now = Edge(lambda label: None if dropped_class and label == LABELS[1] else after, KEYS)
    columns, profiles, dropped = narrow(_as_opened(held_columns), held_profiles, now)
    kept = {e.event_uid: e for label, e in rows if not (dropped_class and label == LABELS[1])}
    assert dropped == len(rows) - len(kept)
    assert set(columns.get("event_uid", [])) == set(kept)
    least = {
        f: meet(
            parse_point(FIELDS[f].family, before.get(f, "withheld")),
            parse_point(FIELDS[f].family, after.get(f, "withheld")),
        )
        for f in VALUE_FIELDS
    }
    for profile in profiles:
        for name, point in profile.items():
            if name not in KNOWN:
                assert leq(parse_point(FIELDS[name].family, point), least[name])  # type: ignore[index]
    for row, uid in enumerate(columns.get("event_uid", [])):
        held_to = profiles[columns["profile"][row]]
        shown: dict[FieldName, str] = {f: held_to[f] for f in VALUE_FIELDS if f in held_to}
        assert columns["time"][row] == floor_time(kept[uid].time, point_name("time", least["time"]))
        for column in disclosable():
            if column.kind == "addr":
                check_address(columns, column.name, row, getattr(kept[uid], column.name), shown)
            elif column.name not in {"org_uid", "time", "severity_id"}:
                got = columns.get(column.name, [None] * len(kept))[row]
                assert _same(got, expected(column.name, getattr(kept[uid], column.name), shown)), column.name


def _as_opened(columns: Any) -> dict[str, list[Any]]:
    """Columns as a batch that waited gives them back: lists of values are lists."""
    return {n: [list(v) if isinstance(v, tuple) else v for v in cells] for n, cells in columns.items()}


def _same(got: Any, wanted: Any) -> bool:
    return (tuple(got) if isinstance(got, list) else got) == wanted


@given(rows, ceilings())
def test_agreements_that_did_not_change_change_nothing_that_waits(rows: Any, ceiling: dict[FieldName, str]) -> None:
    edge = Edge(lambda _: ceiling, KEYS)
    columns, profiles, _ = edge.enforce(rows)
    again, profiles_again, dropped = narrow(columns, profiles, edge)
    assert dropped == 0
    order = [again["event_uid"].index(uid) for uid in columns["event_uid"]]
    names = set(columns) - {"profile"}
    assert {n: [again[n][i] for i in order] for n in names} == {n: columns[n] for n in names}
    assert profiles_again == profiles


def test_lists_of_a_batch_that_waited_are_lowered_at_every_point() -> None:
    lists = {"mail_to": ("a@x.example", "b@y.example"), "attack_tactics": ("TA0001",), "malware_names": ("m",)}
    event = Event(event_class=EventClass.INTRUSION, class_uid=2004, time=NOW, event_uid=bytes(16), **lists)
    for name in lists:
        field = COLUMNS[name].field
        assert field is not None
        held, profiles, _ = Edge(lambda _, f=field: {f: "exact", "time": "exact"}, KEYS).enforce([(LABELS[0], event)])
        for point in points(FIELDS[field].family):
            edge = Edge(lambda _, f=field, p=point: {f: p, "time": "exact"}, KEYS)
            columns, _, dropped = narrow(_as_opened(held), profiles, edge)
            fresh, _, _ = edge.enforce([(LABELS[0], event)])
            assert dropped == 0
            assert columns.get(name) == fresh.get(name)
