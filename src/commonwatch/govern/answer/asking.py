"""One request under one decision table: its session, its relation, and the typed queries over it.

Rules held here: counts are counts of rows this reader may see; ties are broken by shown values, or, where those are
very many tokens, by the reader's own shuffle, never by arrival or by a held value; a bin is never finer than the
coarsest time precision behind it; every answer says its bin, its epoch and as of when.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from commonwatch.errors import InvalidInput
from commonwatch.events.rungs import DAY, EARLY_ANCHOR, HOUR, MINUTE
from commonwatch.govern.answer import dims
from commonwatch.govern.answer.dims import DIMS, Dim, column
from commonwatch.govern.answer.filters import Compiling, Predicates, predicates
from commonwatch.govern.answer.tokens import Vault
from commonwatch.govern.decide.compiling import Compiled
from commonwatch.govern.decide.decisions import Decision
from commonwatch.govern.decide.table import Table
from commonwatch.govern.query import Filter
from commonwatch.govern.relation import Window, number, relation
from commonwatch.govern.snapshot import Part, Snapshot, through
from commonwatch.store import Limits, Session, Store

BINS: dict[str, int] = {"15m": 15 * MINUTE, "1h": HOUR, "6h": 6 * HOUR, "1d": DAY, "1w": 7 * DAY}
#: The column that names the decision in rows that count by decision.
BEHIND = "behind"
#: Tied tokens that are made only to choose between them.
TIED = 64
LIMITS = Limits(seconds=30.0, rows=2_000_000)
#: What a question reads from.
Reading = exp.Table | exp.Subquery
Groups = list[tuple[list[str | None], int]]


class Using(NamedTuple):
    """What one request is answered with: table, keys, the reader's shuffle of the day, and its snapshot if any."""

    compiled: Compiled
    vault: Vault
    shuffle: int
    snapshot: Snapshot | None = None


class Asking:
    """A session with what it needs to turn questions into governed results.

    `paged`: decision number -> rows on the page that was made. `counted`: the same of the events an aggregate took in,
    where `counting` was asked for and the answer's own scan could count them; it belongs to the last answer made.
    """

    def __init__(self, store: Store, session: Session, using: Using) -> None:
        self.store, self.session = store, session
        self.compiled, self.vault, self.shuffle, self.snapshot = using
        self.table: Table = self.compiled.table
        self.used: set[str] = set()
        self.paged: dict[int, int] = {}
        self.counting = False
        self.counted: dict[int, int] | None = None

    def dno(self, decision: Decision) -> int:
        """The number of one of the table's decisions."""
        return self.table.numbers.no(decision)

    def predicates(self, found: Filter, watermark: int) -> Predicates:
        """The filter as predicates under this reader's table."""
        return predicates(found, Compiling(self.table, self.vault, watermark, self._names))

    def view(self, found: Predicates, columns: Iterable[str], window: Window | None = None) -> Reading:
        """The relation for a question under the alias `v`: this session's secure view, or kept tables alone.

        Kept tables hold nothing this reader may not see, so nothing needs to be kept from the question's predicates.
        """
        names = list(dict.fromkeys([*found.needs, *columns])) or ["event_class"]
        within = window or found.window
        self.used |= set(names)
        if self.snapshot and self.snapshot.columns >= set(names):
            part = Part(names, within, found.shown, found.raw)
            tree, live = through(self.snapshot, self.store, self.compiled, part)
            if not live:
                return exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier("v")))
        else:
            tree = relation(self.store, self.compiled.kept, names, within, found.raw)
        view = self.session.define(tree)
        view.set("alias", exp.TableAlias(this=exp.to_identifier("v")))
        return view

    def run(self, query: exp.Expr) -> pa.Table:
        """Run a query over this session's view. Rows that count by decision are taken out, into `counted`."""
        rows = self.session.run(query, LIMITS)
        if BEHIND not in rows.column_names:
            return rows
        behind = rows.filter(pc.is_valid(rows[BEHIND]))
        self.counted = dict(zip(behind[BEHIND].to_pylist(), behind["n"].to_pylist(), strict=True))
        return rows.filter(pc.is_null(rows[BEHIND]))

    def _counts(self, found: Predicates) -> bool:
        """Whether a scan shall count by decision too: where reading what the filter reads twice would cost more."""
        return self.counting and (self.snapshot is None or bool(set(found.needs) - {"time"}))

    def _grouping(self, keys: Sequence[exp.Expr], found: Predicates, columns: Iterable[str]) -> exp.Select:
        """Counts by named keys, and beside them by decision (column BEHIND, null in all other rows) where it is due."""
        counts = self._counts(found)
        view = self.view(found, [*columns, "dno"] if counts else columns)
        made = [*keys, column("dno").as_(BEHIND), _count()] if counts else [*keys, _count()]
        tree = _from(made, view)
        tree = tree.where(*found.shown, copy=False) if found.shown else tree
        numbers: list[exp.Expr] = [exp.Literal.number(i + 1) for i in range(len(keys))]
        if not counts:
            return tree.group_by(*numbers, copy=False)
        sets = [exp.Tuple(expressions=numbers), exp.Tuple(expressions=[exp.Literal.number(len(keys) + 1)])]
        tree.set("group", exp.Group(grouping_sets=[exp.GroupingSets(expressions=sets)]))
        return tree

    def top(self, dim: Dim, found: Predicates, limit: int) -> tuple[Groups, int, int]:
        """The most frequent shown values with their counts, the count of all other values, and of all rows."""
        rows, names = self._ranked(dim, found, limit)
        groups = self._merged([dim], rows, [names])[:limit]
        total = self._total(found) if dim.many else _first(rows, "all_n")
        if not rows.num_rows and not dim.many:
            total = self._total(found)
        return groups, _first(rows, "shown_n") - sum(n for _, n in groups), total

    def _ranked(self, dim: Dim, found: Predicates, limit: int) -> tuple[pa.Table, list[str]]:
        """The largest groups. Of tokens those that tie with the last: all, or, where they are many, by the shuffle."""
        if not dim.keyed:
            return self._best(dim, found, limit, tied=False)
        rows, names = self._best(dim, found, limit + TIED, tied=False)
        if rows.num_rows <= limit:
            return rows, names
        least = rows["n"][limit - 1].as_py()
        if rows.num_rows == limit + TIED and rows["n"][-1].as_py() == least:
            self.counted = None  # what is given is read anew
            return self._best(dim, found, limit, tied=True)
        return rows.filter(pc.greater_equal(rows["n"], least)), names

    def _best(self, dim: Dim, found: Predicates, limit: int, *, tied: bool) -> tuple[pa.Table, list[str]]:
        tree, names = self._grouped(dim, found, tied=tied)
        behind = bool(tree.args["group"].args.get("grouping_sets"))
        everything, shown = _sum_over(_value() if behind else None), _sum_over(dims.has_value(dim, names))
        outer = _from(_all(), tree.subquery("g", copy=False))
        outer = outer.select(everything.as_("all_n"), shown.as_("shown_n"), copy=False)
        kept = dims.has_value(dim, names)
        kept = exp.or_(kept, exp.Not(this=_value())) if behind else kept
        best = _from(_all(), outer.subquery("g", copy=False)).where(kept, copy=False)
        most = limit + len(self.table.decisions) if behind else limit
        best = best if dim.shape == "code" else best.limit(most, copy=False)
        order: list[exp.Expr] = [_value()] if behind else []
        order += [exp.Ordered(this=_g("n"), desc=True), *self._ties(dim, names, tied=tied)]
        rows = self.run(best.order_by(*order, copy=False))
        return (rows if dim.shape == "code" else rows.slice(0, limit)), names

    def distinct(self, dim: Dim, found: Predicates) -> int:
        """How many different values are shown."""
        tree, names = self._grouped(dim, found, tied=False)
        kept = dims.has_value(dim, names)
        if not tree.args["group"].args.get("grouping_sets"):
            counted = _from([_count()], tree.subquery("g", copy=False)).where(kept, copy=False)
            return _first(self.run(counted), "n")
        many = exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=kept))
        total = exp.cast(exp.Sum(this=_g("n")), "BIGINT").as_("n")
        made = [_g(BEHIND).as_(BEHIND), exp.cast(many, "BIGINT").as_("values"), total]
        counted = _from(made, tree.subquery("g", copy=False)).group_by(exp.Literal.number(1), copy=False)
        return _first(self.run(counted), "values")

    def histogram(self, found: Predicates, asked: str) -> tuple[list[tuple[int, int]], int, str]:
        """(start of bin, count) in order; how many rows have no time fine enough; the bin that was used."""
        keys = [binned(BINS["1w"], BINS[asked]).as_("bin"), column("grain").as_("grain")]
        rows = self.run(self._grouping(keys, found, ["time", "grain"]))
        starts, grains, counts = (rows[name].to_pylist() for name in ("bin", "grain", "n"))
        name = _finest(asked, [g for g, b in zip(grains, starts, strict=True) if b is not None])
        bins: dict[int, int] = {}
        for start, n in zip(starts, counts, strict=True):
            if start is not None:
                bins[floored(start, BINS[name])] = bins.get(floored(start, BINS[name]), 0) + n
        return sorted(bins.items()), sum(counts) - sum(bins.values()), name

    def bin(self, asked: str, found: Predicates) -> str:
        """The bin asked for, or the finest that the time precision of every row in question allows."""
        view = self.view(found, ["grain"])
        fine = exp.LTE(this=column("grain"), expression=number(BINS["1w"]))
        rows = self.run(exp.select(exp.Max(this=column("grain")).as_("n")).from_(view).where(*found.shown, fine))
        return _finest(asked, [rows["n"][0].as_py() or 1])

    def cube(self, by: Sequence[Dim], found: Predicates, size: int | None) -> list[tuple[tuple[Any, ...], int]]:
        """((bin start or None,) + shown texts, count) of every combination in order; withheld and empty differ."""
        columns = [c for d in by for c in (*d.needs, *d.flags)] + (["time", "grain"] if size else [])
        keys: list[exp.Expr] = [binned(size, size)] if size else []
        layout = []
        for dim in by:
            group = [*dims.group(dim, self.table), dims.granted(dim)]
            layout.append([f"g{len(keys) + i}" for i in range(len(group))])
            keys += group
        named = [k.as_(f"g{i}") for i, k in enumerate(keys)]
        rows = self.run(self._grouping(named, found, columns))
        return self._cells(by, rows, layout, timed=size is not None)

    def _cells(
        self, by: Sequence[Dim], rows: pa.Table, layout: list[list[str]], *, timed: bool
    ) -> list[tuple[tuple[Any, ...], int]]:
        columns: list[list[Any]] = [rows["g0"].to_pylist()] if timed else []
        for dim, names in zip(by, layout, strict=True):
            shown = dims.texts(dim, self.table, self.vault, [rows[n].to_pylist() for n in names[:-1]])
            empty = {True: dims.ABSENT_TEXT, False: dims.WITHHELD_TEXT}
            flags = rows[names[-1]].to_pylist()
            columns.append([empty[bool(g)] if t is None else t for t, g in zip(shown, flags, strict=True)])
        merged: dict[tuple[Any, ...], int] = {}
        for key, n in zip(zip(*columns, strict=True), rows["n"].to_pylist(), strict=True):
            merged[key] = merged.get(key, 0) + n
        untimed = [cell for cell in merged.items() if cell[0][0] is None]
        return sorted(cell for cell in merged.items() if cell[0][0] is not None) + sorted(untimed, key=_after_time)

    def taken(self, found: Predicates) -> dict[int, int]:
        """Decision number -> how many events the predicates find under it."""
        view = self.view(found, ["dno"])
        tree = exp.select(column("dno").as_("d"), _count()).from_(view).where(*found.shown)
        rows = self.run(tree.group_by(exp.Literal.number(1)))
        return dict(zip(rows["d"].to_pylist(), rows["n"].to_pylist(), strict=True))

    def ties(self) -> exp.Expr:
        """The reader's own order of rows that are otherwise equal."""
        return exp.BitwiseXor(this=column("shuffle"), expression=number(self.shuffle))

    def _grouped(self, dim: Dim, found: Predicates, *, tied: bool) -> tuple[exp.Select, list[str]]:
        keys = dims.group(dim, self.table)
        names = [f"g{i}" for i in range(len(keys))]
        named = [k.as_(n) for k, n in zip(keys, names, strict=True)]
        if not tied and not dim.many:  # one that is many makes several rows of one event
            return self._grouping(named, found, dim.needs), names
        view = self.view(found, [*dim.needs, "shuffle"] if tied else dim.needs)
        made = [*named, _count(), *([exp.Min(this=self.ties()).as_("tie")] if tied else [])]
        tree = _from(made, view)
        tree = tree.where(*found.shown, copy=False) if found.shown else tree
        return tree.group_by(*(exp.Literal.number(i + 1) for i in range(len(keys))), copy=False), names

    def _ties(self, dim: Dim, names: Sequence[str], *, tied: bool) -> list[exp.Expr]:
        if dim.keyed:
            return [_g("tie")] if tied else []
        return [exp.Ordered(this=_g(n), desc=False, nulls_first=False) for n in names]

    def _merged(self, by: Sequence[Dim], rows: pa.Table, layout: Sequence[Sequence[str]]) -> Groups:
        """Groups whose shown texts are equal are one group."""
        texts = [
            dims.texts(dim, self.table, self.vault, [rows[n].to_pylist() for n in names])
            for dim, names in zip(by, layout, strict=True)
        ]
        merged: dict[tuple[str | None, ...], int] = {}
        for key, n in zip(zip(*texts, strict=True), rows["n"].to_pylist(), strict=True):
            merged[key] = merged.get(key, 0) + n
        return sorted(((list(k), n) for k, n in merged.items()), key=lambda g: (-g[1], [t or "" for t in g[0]]))

    def _total(self, found: Predicates) -> int:
        view = self.view(found, [])
        tree = exp.select(_count()).from_(view)
        return _first(self.run(tree.where(*found.shown) if found.shown else tree), "n")

    def _names(self, dim: Dim) -> list[tuple[int, str]]:
        """The held (token number, name) pairs of a dimension that are shown as tokens to this reader."""
        key = column(dim.keyed or "")
        found = Predicates([], [], [*dim.needs], Window())
        pairs = set()
        for name in dim.columns:
            view = self.view(found, [])
            tokens = exp.Not(this=exp.Is(this=key.copy(), expression=exp.null()))
            values = exp.Not(this=exp.Is(this=column(name), expression=exp.null()))
            tree = exp.select(key.copy().as_("k"), column(name).as_("x")).distinct().from_(view).where(tokens, values)
            rows = self.run(tree)
            pairs |= set(zip(rows["k"].to_pylist(), rows["x"].to_pylist(), strict=True))
        return sorted(pairs)


def dim_of(key: str, where: str) -> Dim:
    """The dimension of that name (or of that column), or InvalidInput with the list of those there are."""
    found = DIMS.get(dims.ALIASES.get(key, key))
    if found is None:
        raise InvalidInput("no such dimension", where=where, todo=f"use one of {', '.join(DIMS)}")
    return found


def binned(coarsest: int, size: int) -> exp.Expr:
    """The start of the bin of the shown time; null where the shown time is coarser than `coarsest`."""
    time = column("time")
    since = exp.paren(exp.Sub(this=time, expression=number(EARLY_ANCHOR)))
    start = exp.Sub(this=time.copy(), expression=exp.Mod(this=since, expression=number(size)))
    return exp.Case().when(exp.LTE(this=column("grain"), expression=number(coarsest)), start)


def floored(micros: int, size: int) -> int:
    """The start of the bin an instant lies in."""
    return EARLY_ANCHOR + (micros - EARLY_ANCHOR) // size * size


def _finest(asked: str, grains: Sequence[int]) -> str:
    """The finest bin not finer than asked, nor than any grain."""
    coarsest = max([*grains, BINS[asked]])
    return next(name for name, size in BINS.items() if size >= coarsest)


def instant_text(micros: int) -> str:
    """RFC 3339 UTC; fractions only where there are any."""
    whole, rest = divmod(micros, 1_000_000)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:06d}Z" if rest else f"{text}Z"


def _from(columns: Sequence[exp.Expr], source: exp.Expr) -> exp.Select:
    """A selection built without copying its parts."""
    made: exp.Select = exp.Select(expressions=list(columns)).from_(source, copy=False)
    return made


def _all() -> list[exp.Expr]:
    return [exp.Star()]


def _count() -> exp.Expr:
    return exp.cast(exp.Count(this=exp.Star()), "BIGINT").as_("n")


def _value() -> exp.Expr:
    """Over a subquery `g`: whether a row is a group of values, not one that counts by decision."""
    return exp.Is(this=_g(BEHIND), expression=exp.null())


def _sum_over(where: exp.Expr | None = None) -> exp.Expr:
    this: exp.Expr = exp.Sum(this=_g("n"))
    if where is not None:
        this = exp.Filter(this=this, expression=exp.Where(this=where))
    return exp.cast(exp.Coalesce(this=exp.Window(this=this), expressions=[number(0)]), "BIGINT")


def _g(name: str) -> exp.Column:
    return exp.column(name, table="g", quoted=True)


def _first(rows: pa.Table, name: str) -> int:
    return int(rows[name][0].as_py()) if rows.num_rows else 0


def _after_time(cell: tuple[tuple[Any, ...], int]) -> tuple[Any, ...]:
    return cell[0][1:]
