"""Writing batches that wait together in one transaction: one flush for all of them.

Rules held here: what was stored before, or comes twice in one group, is stored no second time; of a batch that shares
its events with another gateway of the owner, what that one sent already is left out, by event id and within a day of
the batch's times; such a batch goes alone, as does one that needs new handling numbers, so that numbers are given one
batch after the other; either all of a transaction is on disk or nothing, and then all of it is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from commonwatch.store import batch as batches
from commonwatch.store import layout
from commonwatch.store.batch import StoredBatch
from commonwatch.store.handling import Dictionary, Plan

#: Rows that are written together at most, one batch aside that has more alone.
MOST_ROWS = 250_000
#: Events that two gateways of one owner sent: of that owner, and with a time at most so far from the batch's.
_NEAR = "INTERVAL 1 DAY"
_KNOWN = " UNION ALL ".join(
    f"SELECT e.event_uid FROM store.main.{table} e SEMI JOIN incoming_ids i ON e.event_uid = i.id"  # noqa: S608
    f" SEMI JOIN (SELECT no FROM store.main.handling WHERE owner = $owner) h ON e.handling = h.no"
    f' WHERE e."time" BETWEEN $first::TIMESTAMP - {_NEAR} AND $last::TIMESTAMP + {_NEAR}'
    for table in layout.EVENT_TABLES
)


class Waiting:
    """A batch made ready for the store, and how it fared. Making it refuses what cannot be stored (InvalidInput)."""

    def __init__(self, batch: StoredBatch) -> None:
        self.batch, self.stored = batch, 0
        self.done, self.failed = False, False
        self.labels, self.index = batches.labels(batch)
        self.rows = batches.table(batch, np.zeros(batch.rows, np.int32), 0)

    def plan(self, known: Dictionary) -> Plan:
        """The handling numbers it needs."""
        return known.plan(self.batch.org, self.labels, list(self.batch.profiles) or [{}])

    def leave_out(self, known: set[bytes]) -> None:
        """Leave out events that are stored already."""
        new = np.array([uid not in known for uid in self.rows.column("event_uid").to_pylist()], bool)
        self.rows, self.index = self.rows.filter(pa.array(new)), self.index[new]

    def numbered(self, plan: Plan, arrival: int) -> pa.Table:
        """Its rows with their handling and arrival numbers."""
        handling = np.array(plan.numbers, np.int32)[self.index] if self.labels else np.array([], np.int32)
        arrived = np.full(self.rows.num_rows, arrival, np.int64)
        rows = self.rows
        for name, values in (("handling", handling), ("arrival", arrived)):
            rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
        return rows


class Writing:
    """One turn of the writer, after arrival number `arrival`."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, known: Dictionary, arrival: int) -> None:
        self._cursor, self._known, self._arrival = cursor, known, arrival
        self._again: list[tuple[Waiting, Waiting]] = []

    def store(self, group: Sequence[Waiting]) -> Iterator[StoredBatch]:
        """Store the group; yields each batch once it is on disk."""
        for some in self._parts(self._fresh(group)):
            if some[0].batch.shared and not self._leave_out(some[0]):
                some[0].failed = True
                continue
            plans = [each.plan(self._known) for each in some]
            if not self._commit(some, plans):
                for each in some:
                    each.failed = True
                continue
            for each, plan in zip(some, plans, strict=True):
                self._known.adopt(plan)
                self._arrival, each.stored, each.done = self._arrival + 1, each.rows.num_rows, True
                yield each.batch
        for each, first in self._again:
            each.done, each.failed = first.done, first.failed

    def _fresh(self, group: Iterable[Waiting]) -> list[Waiting]:
        """Those that are not stored yet, each number once."""
        by_uid: dict[int, Waiting] = {}
        for each in group:
            first = by_uid.setdefault(batches.signed(each.batch.batch_uid), each)
            if first is not each:
                self._again.append((each, first))
        try:
            known = self._cursor.execute(
                "SELECT batch_uid FROM store.main.batch WHERE batch_uid IN (SELECT unnest(?::BIGINT[]))", [[*by_uid]]
            ).fetchall()
        except duckdb.Error:
            return []
        for (uid,) in known:
            by_uid.pop(uid).done = True
        return list(by_uid.values())

    def _leave_out(self, each: Waiting) -> bool:
        """Leave out what another gateway of the owner sent before. False: that could not be looked up."""
        times = pc.min_max(each.rows.column("time")).as_py()
        asked = {"owner": each.batch.org, "first": times["min"], "last": times["max"]}
        self._cursor.register("incoming_ids", pa.table({"id": each.rows.column("event_uid")}))
        try:
            known = self._cursor.execute(_KNOWN, asked).fetchall()
        except duckdb.Error:
            return False
        finally:
            self._cursor.unregister("incoming_ids")
        if known:
            each.leave_out({uid for (uid,) in known})
        return True

    def _parts(self, fresh: Sequence[Waiting]) -> Iterator[list[Waiting]]:
        """What is written in one transaction: several without new handling numbers, or one."""
        part: list[Waiting] = []
        for alone, some in groupby(fresh, key=lambda each: each.batch.shared or each.plan(self._known).adds):
            for each in some:
                if part and (alone or sum(p.batch.rows for p in part) + each.batch.rows > MOST_ROWS):
                    yield part
                    part = []
                part.append(each)
                if alone:
                    yield part
                    part = []
        if part:
            yield part

    def _commit(self, some: Sequence[Waiting], plans: Sequence[Plan]) -> bool:
        """One transaction: the batches' ids, new handling numbers, rows. False: nothing of it was stored."""
        arrivals = range(self._arrival + 1, self._arrival + 1 + len(some))
        rows = [each.numbered(plan, no) for each, plan, no in zip(some, plans, arrivals, strict=True)]
        cursor = self._cursor
        cursor.register("incoming_rows", pa.concat_tables(rows))
        try:
            cursor.execute("BEGIN")
            for each, plan, arrival in zip(some, plans, arrivals, strict=True):
                cursor.execute(
                    "INSERT INTO store.main.batch VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    batch_row(each.batch, each.rows.num_rows, arrival),
                )
                plan.write(cursor)
            cursor.execute("INSERT INTO store.main.tail SELECT * FROM incoming_rows")
            cursor.execute("COMMIT")
        except duckdb.Error:
            _roll_back(cursor)
            return False
        finally:
            cursor.unregister("incoming_rows")
        return True


def batch_row(batch: StoredBatch, rows: int, arrival: int) -> list[object]:
    """What is kept of a batch itself."""
    return [
        batches.signed(batch.batch_uid), batch.gateway, batch.org, batch.seq,
        batches.digest(batch), rows, arrival, batch.received,
    ]  # fmt: skip


def _roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        return
