"""Governed snapshots: the relation of a reader who asks often, kept in memory, so that questions need no join.

Rules held here (`engine.md` 6): a snapshot holds shown columns only, of event times whose decision cannot change by
the clock before it ends; what lies at a bound of age, and what arrived since, is read through the live relation and
added. It is good for one policy epoch and one set of numbers, never beyond its hours, and gone after a compaction. It
changes how fast an answer comes, never the answer (tested).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count, pairwise
from typing import NamedTuple

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
ALWAYS = frozenset({"event_class", "time", "grain", "dno", "shuffle"})
#: No question runs longer than this.
LINGER_SECONDS = 90.0


class Snapshot(NamedTuple):
    """A kept relation: its table and columns, the event times it holds, what had arrived, when it was made."""

    table: exp.Table
    name: str
    columns: frozenset[str]
    spans: tuple[Window, ...]
    rows: int
    arrival: int
    compactions: int
    made_at: int
    numbers: object


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
        self._gone: deque[tuple[float, str]] = deque()
        self._serial = count()

    def find(self, compiled: Compiled) -> Snapshot | None:
        """The reader's snapshot if it is good for this table, now, and the store has not moved rows since."""
        table = compiled.table
        with self._lock:
            found = self._kept.get(table.reader)
            if found is None:
                return None
            good = found.numbers is table.numbers and found.compactions == self._store.compactions
            if not good or not found.made_at <= table.now < found.made_at + LIFE:
                self._drop(table.reader)
                return None
            self._kept.move_to_end(table.reader)
            return found

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
            return len(missed) >= HOT and self._store.rows >= self.worth and not self._building.locked()

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
        name, (arrival, _), compactions = f"s{next(self._serial)}", store.watermark(), store.compactions
        before = [arrived(arrival, after=False)]
        columns = self._wanted(table.reader)
        tree = united([relation(store, compiled.kept, sorted(columns), span, before) for span in free])
        with self._building:
            kept, rows = store.materialise(name, tree)
        made = Snapshot(kept, name, columns, tuple(free), rows, arrival, compactions, table.now, table.numbers)
        with self._lock:
            self._drop(table.reader)
            self._kept[table.reader] = made
            while sum(s.rows for s in self._kept.values()) > MOST_ROWS and self._kept:
                self._drop(next(iter(self._kept)))
        return made

    def _drop(self, reader: Reader) -> None:
        """Nobody finds it any more; its table goes when no question can still be reading it."""
        now, gone = time.monotonic(), self._kept.pop(reader, None)
        if gone:
            self._gone.append((now, gone.name))
        while self._gone and now - self._gone[0][0] > LINGER_SECONDS:
            with suppress(CommonwatchError):
                self._store.drop(self._gone.popleft()[1])


class Part(NamedTuple):
    """What a question needs of the relation: columns, raw event times, predicates on shown and on stored columns."""

    names: Sequence[str]
    window: Window
    shown: Sequence[exp.Expr]
    raw: Sequence[exp.Expr]


def through(snapshot: Snapshot, store: Store, compiled: Compiled, part: Part) -> exp.Expr:
    """The same relation as `relation()` gives, mostly read from the snapshot; `shown` only narrows it early."""
    columns = [exp.column(n, table="v", quoted=True) for n in part.names]
    kept = exp.Select(expressions=columns).from_(_aliased(snapshot.table), copy=False)
    trees: list[exp.Expr] = [kept.where(*(test.copy() for test in part.shown), copy=False) if part.shown else kept]
    moving = (meet(gap, part.window) for gap in gaps(snapshot.spans))
    trees += [relation(store, compiled.ranged(store), part.names, w, part.raw) for w in moving if w]
    if store.watermark()[0] != snapshot.arrival:
        fresh = [*part.raw, arrived(snapshot.arrival, after=True)]
        found = (meet(span, part.window) for span in snapshot.spans)
        trees += [relation(store, compiled.ranged(store), part.names, w, fresh, recent=True) for w in found if w]
    return united(trees)


def united(trees: Sequence[exp.Expr]) -> exp.Expr:
    """All rows of all of them."""
    tree = trees[0]
    for other in trees[1:]:
        tree = exp.union(tree, other, distinct=False, copy=False)
    return tree


def _aliased(table: exp.Table) -> exp.Table:
    found = table.copy()
    found.set("alias", exp.TableAlias(this=exp.to_identifier("v")))
    return found
