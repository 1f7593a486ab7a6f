"""Observables: what a reader's relation holds that could become an indicator (`events.md` 10).

Rules held here: only governed columns decide; classes malware, intrusion, web and mail, or a denied firewall or login
event of medium severity or above; an address only where it is outside and shown exactly; never a token, never a
truncated network; times and counts are those this reader is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import pyarrow as pa
from sqlglot import exp

from commonwatch.agreements.lattice import TOP, top_of
from commonwatch.agreements.reader import ClauseRef
from commonwatch.agreements.terms.iep import Terms
from commonwatch.events.address import Address, Scope
from commonwatch.events.fields import FieldName
from commonwatch.events.labels import EventClass, Severity
from commonwatch.govern.answer.asking import Asking, Reading
from commonwatch.govern.answer.dims import column
from commonwatch.govern.answer.filters import Predicates
from commonwatch.govern.binding import Binding
from commonwatch.govern.crowd import Crowd
from commonwatch.govern.decide.decisions import Decision
from commonwatch.govern.decide.shown import BITS_OF, EXACT, FIELD_NO, WORD_BITS, Levels
from commonwatch.govern.decide.table import WORD_NAMES
from commonwatch.govern.relation import READER, Window, null, number, raw_column

ObservableKind = Literal["ip", "domain", "url", "sha256", "sha1", "md5", "mail"]
_ALWAYS = (EventClass.MALWARE, EventClass.INTRUSION, EventClass.WEB, EventClass.MAIL)
_DENIED_ONLY = (EventClass.FIREWALL, EventClass.AUTH)
#: Classes of events that can be worth acting on; no other event makes an observable.
WORTH = frozenset({*_ALWAYS, *_DENIED_ONLY})
_DENIED = 2
_HASHES = ("sha256", "sha1", "md5")


class Observable(msgspec.Struct, frozen=True, kw_only=True):
    """One value one reader may act on, with totals over all it may see. Times in microseconds, None where withheld.

    `count` is None where any volume is withheld, `sources` (different contributors) where any contributor is; `tlp` is
    the strictest of the rows; `malware` the one name shown exactly; `clauses` only those this reader may be told, and
    `hidden` that others stand behind it; `terms` bind whoever is given the value (None: the reader's own events).
    """

    kind: ObservableKind
    value: str
    event_class: str
    tlp: int
    severity: int | None
    first_seen: int | None
    last_seen: int | None
    count: int | None
    sources: int | None
    malware: str | None = None
    rules: tuple[str, ...] = ()
    clauses: tuple[ClauseRef, ...] = ()
    hidden: bool = False
    terms: Terms | None = None


class Sighting(NamedTuple):
    """One visible event of a malware family: contributor as shown (None where withheld), family, shown time."""

    owner: str | None
    family: str
    time: int


class _Source(NamedTuple):
    """Where values of a kind come from: the value's columns, what the relation needs, and what must hold.

    `shown`: whether a decision shows such values at all; where none does, nothing is asked.
    """

    kind: ObservableKind
    values: tuple[str, ...]
    needs: tuple[str, ...]
    where: list[exp.Expr]
    shown: Callable[[Levels], bool]


#: By kind and value: one row of totals for each source it was found in.
Found = dict[tuple[ObservableKind, str], list[dict[str, Any]]]
#: The clauses behind the decisions of these numbers, and whether there are others.
_Behind = Callable[[frozenset[int]], tuple[tuple[ClauseRef, ...], bool]]
#: Told of each observable's kind and value, and the numbers of the decisions that show it.
Note = Callable[[ObservableKind, str, frozenset[int]], None]
_BESIDE: tuple[FieldName, ...] = ("time", "owner", "volume", "severity", "signature", "malware")
_VALUES: dict[ObservableKind, tuple[FieldName, ...]] = {
    "ip": ("src_ip", "dst_ip"), "domain": ("domain",), "url": ("url",), "mail": ("mail_from",),
    "sha256": ("file_hash",), "sha1": ("file_hash",), "md5": ("file_hash",),
}  # fmt: skip
#: The clause fields an observable of each kind may show.
OBSERVED = {kind: frozenset((*fields, *_BESIDE)) for kind, fields in _VALUES.items()}


class Held(NamedTuple):
    """One reader's part of what was found: its numbers, its terms, who is told of origins, and since when."""

    asking: Asking
    binding: Binding
    note: Note | None = None
    since: int = 0


class Asked(Protocol):
    """Whoever asks: one reader, or a crowd of them."""

    def view(self, found: Predicates, columns: Iterable[str]) -> Reading:
        """The relation for a question, under the alias `v`."""

    def run(self, query: exp.Expr) -> pa.Table:
        """Run a query over it."""


def observables(
    asking: Asking, binding: Binding, since: int | None, note: Note | None = None, window: Window = Window()
) -> list[Observable]:  # fmt: skip
    """All observables, or those with an event stored after arrival number `since`, by kind and value.

    `window`: of events of these raw times only, which is for previews: readers never ask by raw time.
    """
    found = _found(asking, asking.table.decisions, since, window)
    return _told(found.get(0, {}), Held(asking, binding, note))


def shared(crowd: Crowd, readers: Sequence[Held]) -> list[list[Observable]]:
    """The same for several readers at once, in their order in the crowd, for each since its own arrival number."""
    found = _found(crowd, crowd.decisions, min(held.since for held in readers))
    return [_told(_since(found.get(number, {}), held.since), held) for number, held in enumerate(readers)]


def _found(
    asked: Asked, decisions: Iterable[Decision], since: int | None, window: Window = Window()
) -> dict[int, Found]:  # fmt: skip
    """By number of the reader, by kind and value: the rows with the totals of each source."""
    levels = {d.levels for d in decisions}
    sources = [source for source in _sources() if any(source.shown(each) for each in levels)]
    if not sources:
        return {}
    needs = [READER, *_CONTEXT, *(name for source in sources for name in source.needs)]
    raw = [_of_worth()]
    if since is not None:
        fresh = _fresh(asked, sources, needs, since)
        sources = [source for source in sources if source.kind in fresh]
        if not sources:
            return {}
        raw.append(exp.or_(*(_among(source, fresh[source.kind]) for source in sources)))
    view = asked.view(Predicates([], raw, [], window), needs)
    found: dict[int, Found] = {}
    for source in sources:
        for row in _of(asked, view, source):
            at = (source.kind, _value(source.kind, row))
            found.setdefault(row["reader"], {}).setdefault(at, []).append(row)
    return found if since is None else {reader: _since(rows, since) for reader, rows in found.items()}


def _since(found: Found, since: int) -> Found:
    """Values that this very reader is shown in an event stored since."""
    return {at: rows for at, rows in found.items() if max(row["latest"] for row in rows) > since}


def _told(found: Found, held: Held) -> list[Observable]:
    if held.note:
        for (kind, value), rows in found.items():
            held.note(kind, value, frozenset(dno for row in rows for dno in row["dno"]))
    behind = lru_cache(maxsize=None)(partial(_clauses, held.asking))
    made = (_observable(behind, kind, value, rows) for (kind, value), rows in sorted(found.items()))
    return [_bound(seen, held.binding) for seen in made]


def sightings(asking: Asking, since: int | None) -> list[Sighting]:
    """Visible malware and intrusion events with their family and time, in order of time."""
    view = asking.view(Predicates([], [], [], Window()), ["malware_family", "time", "org", "event_class", "arrival"])
    family, time = column("malware_family"), column("time")
    classes = exp.In(this=column("event_class"), expressions=[number(EventClass.MALWARE), number(EventClass.INTRUSION)])
    tree = exp.select(family.as_("family"), time.as_("time"), column("org").as_("org")).from_(view)
    tree = tree.where(classes, _there("malware_family"), _there("time"))
    if since is not None:
        tree = tree.where(exp.GT(this=column("arrival"), expression=number(since)))
    rows = asking.run(tree)
    shown = [asking.vault.text(t) for t in asking.table.texts["org"]]
    owners = [None if code is None else shown[code] for code in rows["org"].to_pylist()]
    made = map(Sighting, owners, rows["family"].to_pylist(), rows["time"].to_pylist())
    return sorted(made, key=lambda s: (s.time, s.family, s.owner or ""))


def _sources() -> Iterator[_Source]:
    for side in ("src", "dst"):
        values = (f"{side}_ip_hi", f"{side}_ip_lo")
        outside = exp.EQ(this=column(f"{side}_scope"), expression=number(Scope.OUTSIDE))
        plain = exp.Is(this=column(f"k_{side}_ip"), expression=exp.null())
        exact = exp.EQ(this=column(f"{side}_rung"), expression=number(EXACT))
        needs = (*values, f"{side}_scope", f"k_{side}_ip", f"{side}_rung")
        field = FIELD_NO["src_ip" if side == "src" else "dst_ip"]
        where = [outside, plain, exact, _there(values[0])]
        yield _Source("ip", values, needs, where, lambda levels, no=field: levels[no] == TOP("address"))  # type: ignore[misc]
    for kind, name in (("domain", "domain"), ("url", "url"), ("mail", "mail_from")):
        yield _exact(kind, name)  # type: ignore[arg-type]
    hashes = (("sha256", "file_sha256"), ("sha1", "file_sha1"), ("md5", "file_md5"))
    for at, (kind, name) in enumerate(hashes):
        found = _exact(kind, name)  # type: ignore[arg-type]
        better = [exp.Is(this=column(n), expression=exp.null()) for _, n in hashes[:at]]
        yield found._replace(needs=(*found.needs, *(n for _, n in hashes[:at])), where=[*found.where, *better])


def _exact(kind: ObservableKind, name: str) -> _Source:
    """A column where it is shown exactly: its first bit is that of the exact rung."""
    bit = BITS_OF[name][0]
    word = WORD_NAMES[bit.no // WORD_BITS]
    flag = exp.BitwiseAnd(this=column(word), expression=exp.Literal.number(1 << (bit.no % WORD_BITS)))
    where = [exp.NEQ(this=exp.paren(flag), expression=number(0)), _there(name)]
    return _Source(kind, (name,), (name, word), where, bit.picks)


def _there(name: str) -> exp.Expr:
    return exp.Not(this=exp.Is(this=column(name), expression=exp.null()))


def _worth() -> exp.Expr:
    """Whether an event's class, or what was done about it, makes its observables worth acting on."""
    always = exp.In(this=column("event_class"), expressions=[number(c) for c in _ALWAYS])
    denied = exp.and_(
        exp.In(this=column("event_class"), expressions=[number(c) for c in _DENIED_ONLY]),
        exp.EQ(this=column("action_id"), expression=number(_DENIED)),
        exp.GTE(this=column("severity_id"), expression=number(Severity.MEDIUM)),
    )
    return exp.or_(always, denied)


_CONTEXT = (
    "event_class", "severity_id", "action_id", "time", "org", "arrival", "rule_name", "malware_names", "count", "tlp",
    "dno",
)  # fmt: skip


def _fresh(
    asked: Asked, sources: Sequence[_Source], needs: Sequence[str], since: int
) -> dict[ObservableKind, list[dict[str, Any]]]:
    """The values of each kind that a visible event stored after arrival `since` shows; kinds without any are absent."""
    late = exp.GT(this=raw_column("arrival"), expression=number(since))
    view = asked.view(Predicates([], [_of_worth(), late], [], Window()), needs)
    tree: exp.Query = _kinded(0, sources[0], view)
    for at, source in enumerate(sources[1:], 1):
        tree = exp.union(tree, _kinded(at, source, view), distinct=True, copy=False)
    found: dict[ObservableKind, list[dict[str, Any]]] = {}
    for row in asked.run(tree).to_pylist():
        source = sources[row["source"]]
        values = (row["hi"], row["lo"]) if len(source.values) > 1 else (row["text"] or row["blob"],)
        found.setdefault(source.kind, []).append({f"x{i}": value for i, value in enumerate(values)})
    return found


def _kinded(source_no: int, source: _Source, view: Reading) -> exp.Select:
    """The values of one source, padded so that all sources fit into one answer."""
    names = ("hi", "lo") if len(source.values) > 1 else ("blob" if source.kind in _HASHES else "text",)
    filled = dict(zip(names, source.values, strict=True))
    padded = [
        (column(filled[name]) if name in filled else null(kind)).as_(name)
        for name, kind in (("hi", "BIGINT"), ("lo", "BIGINT"), ("text", "VARCHAR"), ("blob", "BLOB"))
    ]
    tree = exp.select(number(source_no).as_("source"), *padded).distinct()
    return tree.from_(view.copy()).where(*source.where, _worth())


def _of_worth() -> exp.Expr:
    """What `_worth` implies of the raw class, so that other events need not be looked at."""
    return exp.In(this=raw_column("event_class"), expressions=[number(c) for c in sorted(WORTH)])


def _among(source: _Source, keys: Sequence[dict[str, Any]]) -> exp.Expr:
    """That the raw value is one of `keys`: implied where the value is shown exactly. The last column decides enough."""
    last = len(source.values) - 1
    return exp.In(this=raw_column(source.values[last]), expressions=[_literal(key[f"x{last}"]) for key in keys])


def _literal(value: object) -> exp.Expr:
    """A value of a source as a typed literal."""
    if isinstance(value, int):
        return number(value)
    if isinstance(value, bytes):
        return exp.Unhex(this=exp.Literal.string(value.hex()))
    return exp.Literal.string(str(value))


def _of(asked: Asked, view: Reading, source: _Source) -> list[dict[str, Any]]:
    """One row per reader and value: totals over every event of the view that this reader is shown."""
    keys = [column(READER), *(column(v) for v in source.values)]
    named = [k.as_(name) for k, name in zip(keys, (READER, "x0", "x1"), strict=False)]
    tree = exp.Select(expressions=[*named, *_totals()]).from_(view.copy(), copy=False)
    tree = tree.where(*source.where, _worth(), copy=False)
    found: list[dict[str, Any]] = asked.run(tree.group_by(*_ordinals(len(keys)), copy=False)).to_pylist()
    return found


def _totals() -> list[exp.Expr]:
    return [
        exp.cast(exp.Count(this=exp.Star()), "BIGINT").as_("n"),
        exp.cast(exp.Count(this=column("org")), "BIGINT").as_("named"),
        exp.cast(exp.Count(this=column("count")), "BIGINT").as_("counted"),
        exp.cast(exp.Sum(this=column("count")), "BIGINT").as_("volume"),
        exp.Min(this=column("time")).as_("first"),
        exp.Max(this=column("time")).as_("last"),
        exp.Max(this=column("severity_id")).as_("severity"),
        exp.Max(this=column("tlp")).as_("tlp"),
        exp.Max(this=column("arrival")).as_("latest"),
        exp.Min(this=column("event_class")).as_("class"),
        *(exp.ArrayUniqueAgg(this=column(c)).as_(c) for c in ("org", "rule_name", "malware_names", "dno")),
    ]


def _ordinals(n: int) -> list[exp.Expr]:
    return [exp.Literal.number(i + 1) for i in range(n)]


def _value(kind: ObservableKind, row: dict[str, Any]) -> str:
    if kind == "ip":
        return str(Address(row["x0"], row["x1"]))
    return row["x0"].hex() if isinstance(row["x0"], bytes) else str(row["x0"])


def _bound(seen: Observable, binding: Binding) -> Observable:
    """With the terms that bind whoever is given it."""
    return msgspec.structs.replace(seen, terms=binding.terms(seen.clauses, hidden=seen.hidden))


def _observable(behind: _Behind, kind: ObservableKind, value: str, rows: Sequence[dict[str, Any]]) -> Observable:
    """Totals over the rows of a value (an address can be source and destination)."""
    n = sum(row["n"] for row in rows)
    orgs = {code for row in rows for code in row["org"] or () if code is not None}
    clauses, hidden = behind(frozenset(dno for row in rows for dno in row["dno"]))
    names = {name for row in rows for many in row["malware_names"] or () for name in many or ()}
    counted = sum(row["counted"] for row in rows)
    return Observable(
        kind=kind, value=value, event_class=EventClass(min(r["class"] for r in rows)).word,
        tlp=max(row["tlp"] for row in rows), severity=_most([row["severity"] for row in rows], max),
        first_seen=_most([row["first"] for row in rows], min), last_seen=_most([row["last"] for row in rows], max),
        count=sum(row["volume"] or 0 for row in rows) if counted == n else None,
        sources=len(orgs) if sum(row["named"] for row in rows) == n else None,
        malware=names.pop() if len(names) == 1 else None,
        rules=tuple(sorted({r for row in rows for r in row["rule_name"] or () if r is not None})),
        clauses=clauses, hidden=hidden,
    )  # fmt: skip


def _most(found: Sequence[int | None], pick: Callable[[Sequence[int]], int]) -> int | None:
    there = [f for f in found if f is not None]
    return pick(there) if there else None


def _clauses(asking: Asking, numbers: frozenset[int]) -> tuple[tuple[ClauseRef, ...], bool]:
    """The clauses behind the rows, where their owner is shown exactly; and whether there are others."""
    decisions = [asking.table.decisions[dno] for dno in numbers]
    named = [d for d in decisions if d.levels[FIELD_NO["owner"]] == top_of("owner")]
    return tuple(sorted({ref for d in named for ref in d.clauses})), len(named) < len(decisions)
