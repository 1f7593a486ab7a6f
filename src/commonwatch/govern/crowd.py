"""Several readers who ask the same thing at once: one question over their decision tables laid together.

Rules held here: every row of the relation belongs to one reader (`relation.READER`), by that reader's own decisions;
what one is shown never depends on who else is in the crowd (tested); answers are taken apart by reader before they
leave.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import count

import numpy as np
import pyarrow as pa
from sqlglot import exp

from commonwatch.govern.answer.asking import LIMITS, Reading
from commonwatch.govern.answer.filters import Predicates
from commonwatch.govern.decide.compiling import Compiled
from commonwatch.govern.decide.decisions import FOREVER
from commonwatch.govern.decide.table import Band, ranged
from commonwatch.govern.relation import READER, Kept, keep, relation
from commonwatch.store import Session, Store

#: Decision rows that are laid together at most, readers aside that have more alone; crowds kept for the next time.
MOST_ROWS, MOST_READERS, MOST_KEPT = 1_000_000, 128, 8


class Crowd:
    """The relation of several readers in one session: what `observe` asks, in the place of one reader's `Asking`."""

    def __init__(self, store: Store, session: Session, members: Sequence[Compiled], kept: Sequence[Kept]) -> None:
        self._store, self._session, self._kept = store, session, kept
        self.decisions = [d for member in members for d in member.table.decisions]

    def view(self, found: Predicates, columns: Iterable[str]) -> Reading:
        """The relation for a question, as this session's secure view, under the alias `v`."""
        names = [READER, *found.needs, *columns]
        view = self._session.define(relation(self._store, self._kept, names, found.window, found.raw))
        view.set("alias", exp.TableAlias(this=exp.to_identifier("v")))
        return view

    def run(self, query: exp.Expr) -> pa.Table:
        """Run a query over this session's view."""
        return self._session.run(query, LIMITS)


class Crowds:
    """Tables laid together, kept as long as their members' tables are the same. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store, self._serial, self._lock = store, count(), threading.Lock()
        self._known: OrderedDict[tuple[int, ...], tuple[tuple[Compiled, ...], Kept]] = OrderedDict()

    def kept(self, members: Sequence[Compiled]) -> tuple[Kept, ...]:
        """The members' decisions in the store, each with the number of its member."""
        if not any(member.table.bands for member in members):
            return ()
        key = tuple(id(member) for member in members)
        with self._lock:
            known = self._known.get(key)
            if known is None:
                name = f"crowd{next(self._serial)}"
                known = self._known[key] = tuple(members), keep(self._store, _together(members), name)
                while len(self._known) > MOST_KEPT:
                    self._store.drop(self._known.popitem(last=False)[1][1].table.name)
            self._known.move_to_end(key)
            return (known[1],)

    def withdraw(self) -> None:
        """The policy changed: everything laid together goes."""
        with self._lock:
            known, self._known = self._known, OrderedDict()
        for _, kept in known.values():
            self._store.drop(kept.table.name)


def split(members: Sequence[Compiled]) -> list[list[Compiled]]:
    """Members in groups small enough to be laid together."""
    groups: list[list[Compiled]] = []
    rows = 0
    for member in members:
        rows += member.table.rows
        if not groups or rows > MOST_ROWS or len(groups[-1]) >= MOST_READERS:
            groups.append([])
            rows = member.table.rows
        groups[-1].append(member)
    return groups


def _together(members: Sequence[Compiled]) -> Band:
    parts = []
    for number, member in enumerate(members):
        if member.table.bands:
            rows = ranged(member.table.bands).rows
            parts.append(rows.append_column(READER, pa.array(np.full(rows.num_rows, number, np.int32))))
    return Band(-FOREVER, FOREVER, pa.concat_tables(parts), ranged=True)
