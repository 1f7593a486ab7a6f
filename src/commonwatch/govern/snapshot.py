"""Governed snapshots: the relation of a reader who asks often, kept in memory, so that questions need no join.

Rules held here (`engine.md` 6): a snapshot holds shown columns only, of event times whose decision cannot change by
the clock before it ends, and of what had arrived when it was made. Its edge is a second, small table of what it lacks:
what lies at a bound of age, and what arrived since; it is good for one decision table, and made anew as often as that
is worth it. What even the edge lacks is read through the live relation and added. A snapshot is good for one policy
epoch and one set of numbers, never beyond its hours, and gone when rows were removed from the store. It changes how
fast an answer comes, never the answer (tested).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count, pairwise
from typing import NamedTuple, Self

from sqlglot import exp

from commonwatch.agreements.reader import Reader
from commonwatch.errors import CommonwatchError
from commonwatch.events.rungs import HOUR
from commonwatch.govern.decide.compiling import Compiled
from commonwatch.govern.decide.decisions import FOREVER, Cut
from commonwatch.govern.relation import Window, arrived, relation
from commonwatch.store import Store

#: How long a snapshot may serve, and how many stretches of event times it may be made of.
LIFE, MOST_SPANS = 6 * HOUR, 24
#: Stored events below which questions are quick enough without one; rows all snapshots together may hold.
WORTH, MOST_ROWS = 500_000, 20_000_000
#: A reader's questions within this many seconds that make it a reader who asks often.
HOT, HOT_SECONDS, MOST_NOTED = 2, 60.0, 60
#: An edge is made anew after so many times as long as it took to make: then a twentieth of the time goes into it.
RARELY = 20.0
ALWAYS = frozenset({"event_class", "time", "grain", "dno", "shuffle"})
#: No question runs longer than this.
LINGER_SECONDS = 90.0


class Edge(NamedTuple):
    """What a snapshot lacks under one decision table, up to an arrival number; `table` None where that is nothing."""

    table: exp.Table | None
    name: str
    compiled: Compiled
    arrival: int


class Snapshot(NamedTuple):
    """A kept relation: its table and columns, the event times it holds, what had arrived, when it was made."""

    table: exp.Table
    name: str
    columns: frozenset[str]
    spans: tuple[Window, ...]
    rows: int
    stored: int
    arrival: int
    removals: int
    made_at: int
    numbers: object
    edge: Edge | None = None


def spans(cuts: Iterable[Cut], now: int) -> list[Window]:
    """Event times no bucket of any cut touches between `now` and the end of a snapshot's life."""
    moving = sorted((cut.bucket(now)[0], cut.bucket(now + LIFE)[1]) for cut in cuts)
    free, at = [], -FOREVER
    for start, end in moving:
        if start > at:
            free.append(Window(at, start))
        at = max(at, end)
    return [*free, Window(at, FOREVER)]


def gaps(free: Sequence[Window]) -> list[Window]:
    """What lies between the spans."""
    return [Window(a.end, b.start) for a, b in pairwise(free)]


def meet(one: Window, other: Window) -> Window | None:
    """The event times in both."""
    start, end = max(one.start, other.start), min(one.end, other.end)
    return Window(start, end) if start < end else None


class Snapshots:
    """Snapshots by reader, bounded in rows, built aside by one thread at a time."""

    def __init__(self, store: Store, worth: int = WORTH) -> None:
        self.worth = worth
        self._store, self._lock, self._building = store, threading.Lock(), threading.Lock()
        self._kept: OrderedDict[Reader, Snapshot] = OrderedDict()
        self._asked: dict[Reader, list[tuple[float, frozenset[str]]]] = {}
        self._edges: dict[str, Edge] = {}
        self._due: dict[str, float] = {}
        self._gone: deque[tuple[float, str]] = deque()
        self._serial = count()
        self._late: list[Reader] = []  # whose snapshots a question found stale before `withdraw` came

    def find(self, compiled: Compiled) -> Snapshot | None:
        """The reader's snapshot with its edge, if it is good for this table, now, and no row was removed since."""
        table = compiled.table
        with self._lock:
            found = self._kept.get(table.reader)
            if found is None:
                return None
            good = found.numbers is table.numbers and found.removals == self._store.removals
            if not good or not found.made_at <= table.now < found.made_at + LIFE:
                self._drop(table.reader)
                self._late += [table.reader] if found.numbers is not table.numbers else []
                return None
            self._kept.move_to_end(table.reader)
            edge = self._edges.get(found.name)
            if edge and edge.compiled is compiled and edge.arrival == self._store.watermark()[0]:
                return found._replace(edge=edge)
            edge = edge if edge and edge.compiled is compiled else None
            if time.monotonic() < self._due.get(found.name, 0.0):
                return found._replace(edge=edge)
            self._due[found.name] = time.monotonic() + HOT_SECONDS
        return found._replace(edge=self._edged(found, compiled) or edge)

    def _edged(self, snapshot: Snapshot, compiled: Compiled) -> Edge | None:
        """Make the snapshot's edge now."""
        began, arrival = time.monotonic(), self._store.watermark()[0]
        tree, name = (
            lacking(snapshot, self._store, compiled, Part.whole(snapshot.columns), arrival),
            f"{snapshot.name}e",
        )
        try:
            kept = None if tree is None else self._store.gather(f"{name}{next(self._serial)}", tree)
        except CommonwatchError:
            return None
        made = Edge(kept, kept.name if kept else "", compiled, arrival)
        now = time.monotonic()
        with self._lock:
            current = self._kept.get(compiled.table.reader)
            if current is None or current.name != snapshot.name:
                self._gone.append((now, made.name))
                return made
            self._forget_edge(snapshot.name)
            self._edges[snapshot.name] = made
            self._due[snapshot.name] = now + RARELY * (now - began)
        return made

    def asked(self, reader: Reader, columns: frozenset[str]) -> bool:
        """Note a question's columns; whether the reader asks so often that a (wider) snapshot is worth making."""
        now = time.monotonic()
        with self._lock:
            if len(self._asked) > 10_000:
                self._asked.clear()
            recent = [a for a in self._asked.get(reader, []) if now - a[0] < HOT_SECONDS]
            self._asked[reader] = [*recent[-MOST_NOTED:], (now, columns)]
            kept = self._kept.get(reader)
            missed = [a for a in self._asked[reader] if not kept or not a[1] <= kept.columns]
            grown = kept is not None and self._store.rows - kept.stored > max(self.worth, kept.rows // 4)
            wanted = len(missed) >= HOT or grown
            return wanted and self._store.rows >= self.worth and not self._building.locked()

    def _wanted(self, reader: Reader) -> frozenset[str]:
        """The columns of the reader's questions of late."""
        with self._lock:
            return frozenset().union(ALWAYS, *(columns for _, columns in self._asked.get(reader, [])))

    def make(self, compiled: Compiled) -> Snapshot | None:
        """Make the reader's snapshot now; None where its agreements have too many bounds of age."""
        table, store = compiled.table, self._store
        free = spans(table.cuts, table.now)
        if len(free) > MOST_SPANS:
            return None
        name, stored = f"s{next(self._serial)}", store.rows
        (arrival, _), removals = store.watermark(), store.removals
        before = [arrived(arrival, after=False)]
        columns = self._wanted(table.reader)
        tree = united([relation(store, compiled.kept, sorted(columns), span, before) for span in free])
        with self._building:
            kept, rows = store.materialise(name, tree)
        made = Snapshot(kept, name, columns, tuple(free), rows, stored, arrival, removals, table.now, table.numbers)
        with self._lock:
            self._drop(table.reader)
            self._kept[table.reader] = made
            while sum(s.rows for s in self._kept.values()) > MOST_ROWS and self._kept:
                self._drop(next(iter(self._kept)))
        return made

    def withdraw(self) -> list[Reader]:
        """The policy changed: every snapshot and edge goes at once, and a question that reads one ends; whose went."""
        with self._lock:
            readers, self._late = [*self._late, *self._kept], []
            for reader in list(self._kept):
                self._drop(reader)
            names = [name for _, name in self._gone]
            self._gone.clear()
        for name in names:
            with suppress(CommonwatchError):
                self._store.drop(name)
        return readers

    def _drop(self, reader: Reader) -> None:
        """Nobody finds it any more; its tables go when no question can still be reading them."""
        gone = self._kept.pop(reader, None)
        if gone:
            self._gone.append((time.monotonic(), gone.name))
            self._forget_edge(gone.name)
            self._due.pop(gone.name, None)
        while self._gone and time.monotonic() - self._gone[0][0] > LINGER_SECONDS:
            with suppress(CommonwatchError):
                self._store.drop(self._gone.popleft()[1])

    def _forget_edge(self, snapshot: str) -> None:
        edge = self._edges.pop(snapshot, None)
        if edge and edge.table:
            self._gone.append((time.monotonic(), edge.name))


class Part(NamedTuple):
    """What a question needs of the relation: columns, raw event times, predicates on shown and on stored columns."""

    names: Sequence[str]
    window: Window
    shown: Sequence[exp.Expr]
    raw: Sequence[exp.Expr]

    @classmethod
    def whole(cls, columns: Iterable[str]) -> Self:
        """Everything."""
        return cls(sorted(columns), Window(), (), ())


class Through(NamedTuple):
    """The relation read through a snapshot. `live`: part of it is read from the store, below a policy."""

    tree: exp.Expr
    live: bool


def through(snapshot: Snapshot, store: Store, compiled: Compiled, part: Part) -> Through:
    """The same relation as `relation()` gives, mostly read from the snapshot; `shown` only narrows it early."""
    missing = lacking(snapshot, store, compiled, part, None)
    tables = [snapshot.table, *([snapshot.edge.table] if snapshot.edge and snapshot.edge.table else [])]
    trees = [_read(table, part, narrow=missing is not None) for table in tables]
    return Through(united([*trees, missing] if missing is not None else trees), missing is not None)


def lacking(snapshot: Snapshot, store: Store, compiled: Compiled, part: Part, arrival: int | None) -> exp.Expr | None:
    """The live relation of what neither snapshot nor edge holds, up to an arrival number; None where they hold all."""
    edge = snapshot.edge if snapshot.edge and snapshot.edge.compiled is compiled else None
    known = edge.arrival if edge else snapshot.arrival
    upto = [] if arrival is None else [arrived(arrival, after=False)]
    trees: list[exp.Expr] = []
    if not edge:
        moving = [w for gap in gaps(snapshot.spans) if (w := meet(gap, part.window))]
        old = [*part.raw, arrived(known, after=False)]
        trees += [relation(store, compiled.ranged(), part.names, w, old) for w in moving]
    if store.watermark()[0] != known:
        fresh = [*part.raw, arrived(known, after=True), *upto]
        trees.append(relation(store, compiled.ranged(), part.names, part.window, fresh))
    return united(trees) if trees else None


def _read(table: exp.Table, part: Part, *, narrow: bool) -> exp.Select:
    """The part's columns of a kept table, narrowed by what is shown where a view would keep that above."""
    found = table.copy()
    found.set("alias", exp.TableAlias(this=exp.to_identifier("v")))
    columns = [exp.column(n, table="v", quoted=True) for n in part.names]
    tree = exp.Select(expressions=columns).from_(found, copy=False)
    return tree.where(*(test.copy() for test in part.shown), copy=False) if narrow and part.shown else tree


def united(trees: Sequence[exp.Expr]) -> exp.Expr:
    """All rows of all of them."""
    tree = trees[0]
    for other in trees[1:]:
        tree = exp.union(tree, other, distinct=False, copy=False)
    return tree
