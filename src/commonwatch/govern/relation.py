"""The relation: events as one reader may see them, as a tree of typed nodes for `store` to make a SECURE VIEW of.

Rules held here: SQL only floors and keeps (every other rung is a stored column); agreements are parameters in a table,
joined on one integer, never a branch per agreement; a parameter that is the same in all rows becomes a constant;
`raw` predicates may only say what the shown predicate implies (`engine.md` 5.3), so they change speed, never answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow.compute as pc
from sqlglot import exp

from commonwatch.events.columns import COLUMNS
from commonwatch.events.rungs import EARLY_ANCHOR
from commonwatch.govern.decide.decisions import FOREVER
from commonwatch.govern.decide.shown import BITS_OF, WORD_BITS, Bit
from commonwatch.govern.decide.table import PARAMETERS, WORD_NAMES, Band
from commonwatch.store import Store, typed
from commonwatch.store.layout import PHYSICAL

#: Columns of the relation that are for `govern` alone and never leave it.
INTERNAL = ("event_uid", "shuffle", "arrival", "event_class", "handling")
_TIMES = ("time", "end_time")
#: In a table of several readers' decisions, whose a row is; 0 in a table of one.
READER = "reader"


class Kept(NamedTuple):
    """A band of the decision table as the store keeps it, and the parameters that are the same in all its rows."""

    band: Band
    table: exp.Table
    constant: dict[str, int | None]
    always: tuple[int, ...]
    ever: tuple[int, ...]


def keep(store: Store, band: Band, name: str) -> Kept:
    """Put a band into the store's memory, and find what is constant in it."""
    constant: dict[str, int | None] = {}
    for parameter in PARAMETERS:
        distinct = pc.unique(band.rows[parameter])
        if len(distinct) == 1:
            constant[parameter] = distinct[0].as_py()
    always, ever = [], []
    for word in WORD_NAMES:
        values = pc.unique(band.rows[word]).to_pylist()
        always.append(_fold(values, every=True))
        ever.append(_fold(values, every=False))
    return Kept(band, store.keep(name, band.rows), constant, tuple(always), tuple(ever))


def _fold(values: list[int], *, every: bool) -> int:
    total = (1 << WORD_BITS) - 1 if every else 0
    for value in values:
        total = total & value if every else total | value
    return total


class Window(NamedTuple):
    """Raw event times a question can touch, microseconds, [start, end)."""

    start: int = -FOREVER
    end: int = FOREVER


def relation(
    store: Store,
    kept: Sequence[Kept],
    columns: Iterable[str],
    window: Window,
    raw: Sequence[exp.Expr] = (),
) -> exp.Expr:
    """The relation with the given columns, for events whose raw time lies in `window` and where all of `raw` holds."""
    names = list(dict.fromkeys(columns))
    branches = [
        _branch(store.relation, k, names, window, raw)
        for k in kept
        if k.band.start < window.end and k.band.end > window.start
    ]
    if not branches:
        return _nothing(names)
    tree: exp.Expr = branches[0]
    for branch in branches[1:]:
        tree = exp.union(tree, branch, distinct=False, copy=False)
    return tree


def _branch(
    source: Callable[[list[str]], exp.Select], kept: Kept, names: Sequence[str], window: Window, raw: Sequence[exp.Expr]
) -> exp.Select:
    shown = [_column(name, kept).as_(name, quoted=True) for name in names]
    where = _bounds(kept, window) + [r.copy() for r in raw]
    used = {"handling"} | {c.name for tree in (*shown, *where) for c in tree.find_all(exp.Column) if c.table == "e"}
    base = source([c for c in PHYSICAL if c in used]).subquery("e", copy=False)
    join = exp.EQ(this=_e("handling"), expression=_p("handling"))
    found = exp.select(*shown, copy=False).from_(base, copy=False).join(kept.table.as_("p"), on=join, copy=False)
    return found.where(*where, copy=False) if where else found


def _bounds(kept: Kept, window: Window) -> list[exp.Expr]:
    """Raw time bounds of the band and the question; per row where the band carries ranges."""
    start, end = max(kept.band.start, window.start), min(kept.band.end, window.end)
    bounds: list[exp.Expr] = []
    if start > -FOREVER:
        bounds.append(exp.GTE(this=_e("time"), expression=instant(start)))
    if end < FOREVER:
        bounds.append(exp.LT(this=_e("time"), expression=instant(end)))
    if kept.band.ranged:
        micros = exp.UnixMicros(this=_e("time"))
        bounds += [exp.GTE(this=micros, expression=_p("start")), exp.LT(this=micros.copy(), expression=_p("end"))]
    return bounds


def _column(name: str, kept: Kept) -> exp.Expr:
    if name in _TIMES:
        return _floored(name, kept)
    if name in PARAMETERS:
        return _parameter(name, kept)
    if name in INTERNAL:
        return _e(name)
    if name == READER:
        return _p(READER) if READER in kept.band.rows.column_names else typed(number(0), "INTEGER")
    return _kept(BITS_OF[name], kept)


def _floored(name: str, kept: Kept) -> exp.Expr:
    """Time brought down to the decision's grain; null where time is withheld."""
    micros = exp.UnixMicros(this=_e(name))
    grain = kept.constant.get("grain", -1)
    if grain == 1:
        return micros
    if grain is None:
        return null("BIGINT")
    since = exp.paren(exp.Sub(this=micros.copy(), expression=exp.Literal.number(EARLY_ANCHOR)), copy=False)
    return exp.Sub(this=micros, expression=exp.Mod(this=since, expression=_parameter("grain", kept)))


def _parameter(name: str, kept: Kept) -> exp.Expr:
    if name not in kept.constant:
        return _p(name)
    value = kept.constant[name]
    kind = "BIGINT" if name in {"grain", "fields"} or name in WORD_NAMES else "INTEGER"
    return null(kind) if value is None else typed(number(value), kind)


def _kept(bits: Sequence[Bit], kept: Kept) -> exp.Expr:
    """The stored column whose bit is set, else null."""
    case = exp.Case()
    for bit in bits:
        word, mask = bit.no // WORD_BITS, 1 << (bit.no % WORD_BITS)
        if kept.always[word] & mask:
            return case.else_(_e(bit.stored), copy=False) if case.args.get("ifs") else _e(bit.stored)
        if kept.ever[word] & mask:
            test = exp.BitwiseAnd(this=_p(WORD_NAMES[word]), expression=exp.Literal.number(mask))
            case = case.when(exp.GT(this=exp.paren(test, copy=False), expression=number(0)), _e(bit.stored), copy=False)
    return case if case.args.get("ifs") else null(PHYSICAL[bits[0].stored])


def _nothing(names: Sequence[str]) -> exp.Select:
    """A relation without rows, of the right types."""
    shown = [null(kind_of(name)).as_(name, quoted=True) for name in names]
    return exp.select(*shown).where(exp.false())


def kind_of(name: str) -> str:
    """The engine type of a column of the relation."""
    if name in _TIMES or name in {"grain", "fields"} or name in WORD_NAMES:
        return "BIGINT"
    if name in PARAMETERS or name == READER:
        return "INTEGER"
    return PHYSICAL[name] if name in PHYSICAL else PHYSICAL[BITS_OF[name][0].stored]


def instant(micros: int) -> exp.Expr:
    """A TIMESTAMP literal."""
    text = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000, tzinfo=None)
    return typed(exp.Literal.string(text.isoformat(" ")), "TIMESTAMP")


def number(value: int) -> exp.Expr:
    """An integer literal, negative ones included."""
    return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))


def null(kind: str) -> exp.Expr:
    """A typed null."""
    return typed(exp.null(), kind)


def raw_column(name: str) -> exp.Column:
    """A stored column inside the relation, for implied predicates."""
    return _e(name)


def arrived(arrival: int, *, after: bool) -> exp.Expr:
    """A raw predicate: the event was stored after this arrival number, or not."""
    return (exp.GT if after else exp.LTE)(this=_e("arrival"), expression=number(arrival))


def _e(name: str) -> exp.Column:
    return exp.column(name, table="e", quoted=True)


def _p(name: str) -> exp.Column:
    return exp.column(name, table="p", quoted=True)


#: Every shown column of an event, by its canonical name.
SHOWN = tuple(name for name in COLUMNS if name in BITS_OF or name in _TIMES)
