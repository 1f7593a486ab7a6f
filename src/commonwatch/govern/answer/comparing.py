"""A selection beside a baseline, as incidents in columns of codes: what the explaining of differences works on.

Rules held here: every code stands for a value as this reader is shown it; what is withheld, empty or a token has no
code; incidents without a contributor or a time fine enough are left out and counted; nothing here depends on the order
the engine gives rows in.

An incident is what one contributor had within one hour (or within the selection, where that is shorter) with the same
value in every dimension compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from commonwatch.errors import InvalidInput
from commonwatch.events.fields import FieldName
from commonwatch.events.rungs import DAY, EARLY_ANCHOR, HOUR
from commonwatch.govern.answer import dims
from commonwatch.govern.answer.asking import Asking, instant_text
from commonwatch.govern.answer.dims import DIMS, Dim, column
from commonwatch.govern.answer.filters import Predicates, interval
from commonwatch.govern.query import Compare, Filter, Interval
from commonwatch.govern.relation import Window, number

WEEK = 7 * DAY
#: What is compared, in the order of an explanation's words.
COMPARED = (
    "family", "rule", "category", "class", "severity", "src_ip", "src_country", "dst_port", "proto", "domain", "action",
    "sector", "region", "size",
)  # fmt: skip
#: Dimensions that say nothing new where one of the first kind tells the sides apart.
_ORGS, _SOURCES = ("sector", "region", "size"), ("src_ip", "src_country")
_TIED = {"org": _ORGS, **dict.fromkeys(_ORGS, _ORGS), **dict.fromkeys((*_SOURCES, "area"), _SOURCES)}
#: A value in fewer incidents than this part of both sides (and than three) is no candidate.
_RARE = 1_000
Against = Literal["interval", "prev4w", "rest", "filter"]
Codes = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


class Attribute(NamedTuple):
    """A dimension compared: its key, its label, and the values its codes stand for."""

    key: str
    label: str
    values: list[str]


class Incidents(NamedTuple):
    """One side: a code per attribute and incident (-1: none), contributor, piece of time, and how many events."""

    codes: list[Codes]
    orgs: Codes
    pieces: Longs
    events: int
    left_out: int


class Comparison(NamedTuple):
    """Both sides, what tells them apart (`time`, dimension keys, `area`), and from when to when the selection is."""

    query: str
    watermark: str
    against: Against
    varied: frozenset[str]
    attributes: list[Attribute]
    selection: Incidents
    baseline: Incidents


class Sides(NamedTuple):
    """The predicates of both sides. `start` and `piece` (microseconds) cut time into pieces."""

    against: Against
    varied: frozenset[str]
    selection: Predicates
    baseline: Predicates
    start: int
    piece: int


def sides(asked: Compare, asking: Asking, watermark: int) -> Sides:
    """What is compared with what. Raises InvalidInput where nothing is selected."""
    found = asked.filter
    if not (found.time or found.dims or found.area):
        todo = "select a time, a value or a network first"
        raise InvalidInput("everything is selected: there is nothing to compare it with", where="filter", todo=todo)
    here = asking.predicates(found, watermark)
    start, end = interval(found.time, watermark)
    piece = end - start if end - start <= DAY + HOUR else DAY
    for against in _ways(asked):
        there, varied = _BASELINES[against](asked, asking, watermark)
        sound = Sides(against, varied, here, _without(there, here), start if found.time else EARLY_ANCHOR, piece)
        if against != "prev4w" or found.base or _any(asking, sound.baseline):
            break
    return sound


#: The clause fields a comparison shows something of, beside those its filters read.
SHOWN: frozenset[FieldName] = frozenset({"time", "owner", *(f for key in COMPARED if (f := DIMS[key].field))})


def compare(asking: Asking, pair: Sides, query: str, watermark: int) -> Comparison:
    """Both sides as codes over the same values."""
    tied = {key for name in pair.varied for key in _TIED.get(name, (name,))}
    by = [DIMS[key] for key in COMPARED if key not in tied]
    size = min(HOUR, pair.piece)
    tables = [_grouped(asking, by, found, (pair.start, size)) for found in (pair.selection, pair.baseline)]
    kept = [_whole(table) for table in tables]
    both, split = pa.concat_tables(kept), kept[0].num_rows
    coded = [(dim, *_coded(asking, dim, at, both, split)) for at, dim in enumerate(by)]
    if pair.varied & {*DIMS, "area"}:
        coded = [c for c in coded if not _tells(c[2], split)]
    attributes = [Attribute(dim.key, dim.label, values) for dim, values, _ in coded if values]
    columns = [codes for _, values, codes in coded if values]
    made = [
        _incidents(table, whole, [c[part] for c in columns], pair)
        for table, whole, part in zip(tables, kept, (slice(split), slice(split, None)), strict=True)
    ]
    return Comparison(query, instant_text(watermark), pair.against, pair.varied, attributes, made[0], made[1])


def _ways(asked: Compare) -> Sequence[Against]:
    base = asked.filter.base
    if asked.baseline is not None:
        return ("filter",)
    if isinstance(base, Interval):
        return ("interval",)
    if base == "prev4w" and not asked.filter.time:
        todo = "select a time, or compare with the rest"
        raise InvalidInput("no time is selected, so there are no weeks before it", where="filter.base", todo=todo)
    if base:
        return (base,)
    return ("prev4w", "rest") if asked.filter.time else ("rest",)


def _from_filter(asked: Compare, asking: Asking, watermark: int) -> tuple[Predicates, frozenset[str]]:
    here, there = asked.filter, asked.baseline or Filter()
    keys = {key for key in {*here.dims, *there.dims} if here.dims.get(key) != there.dims.get(key)}
    keys |= {"time"} if here.time != there.time else set()
    keys |= {"area"} if here.area != there.area else set()
    return asking.predicates(there, watermark), frozenset(keys)


def _from_interval(asked: Compare, asking: Asking, watermark: int) -> tuple[Predicates, frozenset[str]]:
    base = asked.filter.base
    there = msgspec.structs.replace(asked.filter, time=base if isinstance(base, Interval) else None)
    return asking.predicates(there, watermark), frozenset({"time"})


def _from_rest(asked: Compare, asking: Asking, watermark: int) -> tuple[Predicates, frozenset[str]]:
    here = asked.filter
    if here.time:
        return asking.predicates(msgspec.structs.replace(here, time=None), watermark), frozenset({"time"})
    keys = {*here.dims, *(["area"] if here.area else [])}
    return asking.predicates(Filter(), watermark), frozenset(keys)


def _from_weeks(asked: Compare, asking: Asking, watermark: int) -> tuple[Predicates, frozenset[str]]:
    """The same hours and weekdays of four weeks before, ending at least a day before the selection."""
    start, end = interval(asked.filter.time, watermark)
    made = asking.predicates(msgspec.structs.replace(asked.filter, time=None), watermark)
    first = -(-(end - start + DAY) // WEEK)
    spans = [(start - n * WEEK, end - n * WEEK) for n in range(first, first + 4)]
    time = column("time")
    tests = [
        exp.and_(
            exp.GTE(this=time.copy(), expression=number(low)), exp.LT(this=time.copy(), expression=number(high))
        )
        for low, high in spans
    ]  # fmt: skip
    made.needs.append("time")
    made.shown.append(exp.or_(*tests))
    made.window = Window(spans[-1][0], spans[0][1] + asking.table.coarsest)
    return made, frozenset({"time"})


_BASELINES = {"filter": _from_filter, "interval": _from_interval, "rest": _from_rest, "prev4w": _from_weeks}


def _without(there: Predicates, here: Predicates) -> Predicates:
    """The baseline without what is selected: an event is on one side."""
    selected = exp.and_(*(test.copy() for test in here.shown))
    outside = exp.Not(this=exp.Coalesce(this=exp.paren(selected), expressions=[exp.false()]))
    return Predicates([*there.shown, outside], there.raw, [*there.needs, *here.needs], there.window)


def _any(asking: Asking, found: Predicates) -> bool:
    view = asking.view(found, [])
    rows = asking.run(exp.select(number(1).as_("one")).from_(view).where(*found.shown).limit(1))
    return bool(rows.num_rows)


def _grouped(asking: Asking, by: Sequence[Dim], found: Predicates, grid: tuple[int, int]) -> pa.Table:
    """One row per incident: `org`, `at` (start of its bin), a column per group key, `n` events."""
    view = asking.view(found, ["org", "time", "grain", *(c for d in by for c in d.needs)])
    keys = [column("org").as_("org"), _binned(*grid).as_("at")]
    keys += [k.as_(f"g{at}_{i}") for at, dim in enumerate(by) for i, k in enumerate(dims.group(dim, asking.table))]
    counted = exp.cast(exp.Count(this=exp.Star()), "BIGINT").as_("n")
    tree = exp.select(*keys, counted).from_(view).where(*found.shown)
    return asking.run(tree.group_by(*(number(i + 1) for i in range(len(keys)))))


def _binned(start: int, size: int) -> exp.Expr:
    """The start of the bin of the shown time, on the selection's own grid; null where coarser than a day."""
    anchor = EARLY_ANCHOR + (start - EARLY_ANCHOR) % size
    time = column("time")
    since = exp.paren(exp.Sub(this=time, expression=number(anchor)))
    at = exp.Sub(this=time.copy(), expression=exp.Mod(this=since, expression=number(size)))
    return exp.Case().when(exp.LTE(this=column("grain"), expression=number(DAY)), at)


def _whole(table: pa.Table) -> pa.Table:
    """Incidents whose contributor and time are shown."""
    return table.filter(pc.and_(pc.is_valid(table["org"]), pc.is_valid(table["at"])))


def _coded(asking: Asking, dim: Dim, at: int, both: pa.Table, split: int) -> tuple[list[str], Codes]:
    """The values of a dimension that are frequent enough to tell of, in order, and a code per incident."""
    names = [name for name in both.column_names if name.startswith(f"g{at}_")]
    held = _distinct([both[name] for name in names])
    n = int(held.max(initial=-1)) + 1
    counts = [np.bincount(part, minlength=n) for part in (held[:split], held[split:])]
    often = np.flatnonzero(np.logical_or(*(c >= max(3, c.sum() // _RARE) for c in counts)))
    first = np.zeros(n, np.int64)
    first[held[::-1]] = np.arange(len(held))[::-1]
    rows = both.select(names).take(first[often])
    cells = [rows[name].to_pylist() for name in names]
    shown = dims.texts(dim, asking.table, asking.vault, cells)
    plain = [k is None for k in cells[0]] if dim.keyed else [True] * len(shown)
    values = sorted({text for text, is_plain in zip(shown, plain, strict=True) if text is not None and is_plain})
    places = {text: i for i, text in enumerate(values)}
    codes = np.full(n, -1, np.int32)
    codes[often] = [places[t] if t is not None and p else -1 for t, p in zip(shown, plain, strict=True)]
    return values, codes[held] if n else np.zeros(0, np.int32)


def _distinct(columns: Sequence[pa.ChunkedArray]) -> npt.NDArray[np.int64]:
    """A number per row, equal where all columns are."""
    made = np.zeros(len(columns[0]), np.int64)
    for cells in columns:
        if cells.null_count == len(cells):
            continue
        codes = cells.combine_chunks().dictionary_encode(null_encoding="encode")
        made = made * len(codes.dictionary) + codes.indices.to_numpy()
        made = pa.array(made).dictionary_encode().indices.to_numpy().astype(np.int64)
    return made


def _tells(codes: Codes, split: int) -> bool:
    """Whether each value lies on one side alone: then the dimension only repeats what was selected."""
    most = int(codes.max(initial=-1)) + 1
    here, there = (np.bincount(part[part >= 0], minlength=most) for part in (codes[:split], codes[split:]))
    return bool(most) and not np.minimum(here, there).any()


def _incidents(table: pa.Table, whole: pa.Table, codes: list[Codes], pair: Sides) -> Incidents:
    since = whole["at"].to_numpy() - pair.start
    week, inside = np.divmod(since, WEEK)
    pieces = week * -(-WEEK // pair.piece) + inside // pair.piece
    events = int(pc.sum(table["n"]).as_py() or 0)
    kept = int(pc.sum(whole["n"]).as_py() or 0)
    orgs = whole["org"].to_numpy().astype(np.int32)
    return Incidents(codes, orgs, pieces.astype(np.int64), kept, events - kept)
