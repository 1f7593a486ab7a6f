"""The store: one file of events, one writer, many readers through sessions.

Rules held here: a batch is stored exactly once, however often it is sent, and is on disk before `append` returns;
batches that come while one is written are written together (`append.py`); its handling numbers are given in the same
transaction; `arrival` rises by one per stored batch; a plain view anywhere refuses to start.
"""

# ruff: noqa: S608 - table and column names come from `layout` and from our own serial numbers, never from outside
from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa
from sqlglot import exp

from commonwatch.errors import Conflict, Unavailable
from commonwatch.store import batch as batches
from commonwatch.store import engine, layout, rewrite
from commonwatch.store.append import Waiting, Writing
from commonwatch.store.batch import StoredBatch
from commonwatch.store.compact import settle
from commonwatch.store.erase import deleted
from commonwatch.store.gate import Gate
from commonwatch.store.handling import Dictionary, Handling
from commonwatch.store.session import Session, assert_secure, render


class Store:
    """Events of one hub. Open with `Store.open`; close when done. Safe from several threads."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._con, self._folder = con, folder.resolve()
        self._gate = Gate()
        self._writer = threading.Lock()
        self._names = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._handlings = Dictionary(con)
        row = con.execute("SELECT max(arrival), max(received), sum(n)::BIGINT FROM store.main.batch").fetchone()
        self._arrival, self._received, self._rows = (value or 0 for value in row or (0, 0, 0))
        self._removals = 0
        self._waiting: list[Waiting] = []

    @classmethod
    def open(cls, folder: Path, *, memory_limit: str | None = None, threads: int | None = None) -> Self:
        """Open (or make) the store in `folder`. `memory_limit` such as "2GB"; default half the machine's."""
        try:
            con = engine.connect(folder, memory_limit, threads)
            engine.migrate(con)
        except duckdb.IOException:
            raise Conflict("the event store is open in another process", todo="stop the other hub first") from None
        assert_secure(con)
        return cls(con, folder)

    def append(self, batch: StoredBatch) -> int:
        """Store a batch, durably; returns how many rows were stored now (0: this batch was stored before)."""
        mine = Waiting(batch)
        with self._names:
            self._waiting.append(mine)
        with self._writer:
            if not mine.done:
                with self._names:
                    group, self._waiting = self._waiting, []
                self._write(group)
        if mine.failed:
            raise Unavailable("a batch could not be stored", todo="it will be sent again")
        return mine.stored

    def _write(self, group: list[Waiting]) -> None:
        """Store what waits. Whatever goes wrong, everyone learns how its own batch fared."""
        try:
            with self._cursor() as cursor:
                writing = Writing(cursor, self._handlings, self._arrival)
                for batch in writing.store(group):
                    self._arrival, self._received = self._arrival + 1, max(self._received, batch.received)
                    self._rows += batch.rows
        finally:
            for each in group:
                each.failed, each.done = each.failed or not each.done, True

    def has(self, batch_uid: int) -> bool:
        """Whether this batch is stored."""
        with engine.constant_errors(), self._cursor() as cursor:
            found = cursor.execute("SELECT 1 FROM store.main.batch WHERE batch_uid = ?", [batches.signed(batch_uid)])
            return found.fetchone() is not None

    def last_batch(self, gateway: str) -> int:
        """The number of the last batch of a gateway that is stored; 0 without any."""
        with engine.constant_errors(), self._cursor() as cursor:
            found = cursor.execute("SELECT max(seq) FROM store.main.batch WHERE gateway = ?", [gateway]).fetchone()
        return int(found[0] or 0) if found else 0

    def watermark(self) -> tuple[int, int]:
        """(arrival number of the last stored batch, its receive time in microseconds); zeros when empty."""
        return self._arrival, self._received

    @property
    def rows(self) -> int:
        """How many events were stored, about: only for choosing how to ask, never to be shown."""
        return self._rows

    @property
    def handlings(self) -> list[Handling]:
        """Every handling number given so far. A new list when it grows; do not change it."""
        return self._handlings.all

    @property
    def removals(self) -> int:
        """How often rows were removed since this store was opened."""
        return self._removals

    def moment(self) -> tuple[int, int] | None:
        """A mark of what is stored now; None while something is written. Equal marks, equal rows in between."""
        return None if self._writer.locked() else (self._arrival, self._removals)

    def relation(self, columns: list[str]) -> exp.Select:
        """All events, both tables, with the given physical columns: the raw side, for `govern` alone."""
        return _union(list(layout.EVENT_TABLES), columns)

    @contextmanager
    def session(self, name: str = "") -> Iterator[Session]:
        """A session of its own cursor; `name` makes it reachable for `cancel`."""
        with self._gate.passing(), self._open(name) as session:
            yield session

    @contextmanager
    def _open(self, name: str) -> Iterator[Session]:
        with engine.constant_errors():
            session = Session(self._con.cursor())
        with self._names:
            self._sessions[name] = session
        try:
            yield session
        finally:
            with self._names:
                if self._sessions.get(name) is session:
                    del self._sessions[name]
            session.close()

    def cancel(self, name: str) -> bool:
        """Stop the session of that name; whether there was one."""
        with self._names:
            session = self._sessions.get(name)
        if session is None:
            return False
        session.cancel()
        return True

    def keep(self, name: str, rows: pa.Table) -> exp.Table:
        """Keep a small table (a decision table) in memory, never on disk."""
        with engine.constant_errors(), self._cursor() as cursor:
            cursor.register("incoming_rows", rows)
            cursor.execute(f'CREATE OR REPLACE TABLE memory.gov."{name}" AS SELECT * FROM incoming_rows')
            cursor.unregister("incoming_rows")
        return exp.table_(name, db="gov", catalog="memory", quoted=True)

    def materialise(self, name: str, query: exp.Expr) -> tuple[exp.Table, int]:
        """Keep the result of a query, compressed, in memory under `name`; its node and how many rows it has."""
        with engine.constant_errors(), self._cursor() as cursor:
            cursor.execute(f'CREATE TABLE snap.main."{name}" AS {render(query)}')
            cursor.execute("CHECKPOINT snap")
            found = cursor.execute(f'SELECT count(*) FROM snap.main."{name}"').fetchone()
        return exp.table_(name, db="main", catalog="snap", quoted=True), int(found[0]) if found else 0

    def gather(self, name: str, query: exp.Expr) -> exp.Table:
        """Keep the result of a query in memory as it comes, for a short while."""
        with engine.constant_errors(), self._cursor() as cursor:
            cursor.execute(f'CREATE TABLE memory.gov."{name}" AS {render(query)}')
        return exp.table_(name, db="gov", catalog="memory", quoted=True)

    def drop(self, name: str) -> None:
        """Forget a kept table or result; no error when it is gone already."""
        with engine.constant_errors(), self._cursor() as cursor:
            cursor.execute(f'DROP TABLE IF EXISTS memory.gov."{name}"')
            cursor.execute(f'DROP TABLE IF EXISTS snap.main."{name}"')

    def compact(self, before: int | None = None) -> int:
        """Move days that ended before `before` (microseconds; default: all) from tail to settled; rows moved."""
        with self._writer, engine.constant_errors(), self._cursor() as cursor:
            return settle(cursor, before)

    def erase(self, old: Mapping[str, int], *, owner: str | None = None) -> dict[str, int]:
        """Delete rows of owners from before a moment each (microseconds, by event and by arrival time), and everything
        of `owner`; then rewrite the file, so that no byte of them is left. Rows deleted, by owner. Appends wait.
        """
        with self._writer, engine.constant_errors():
            with self._cursor() as cursor:
                gone = deleted(cursor, self.handlings, old, owner)
            if gone or owner is not None:
                self._rewrite()
                self._removals += 1
        return gone

    def _rewrite(self) -> None:
        """A new file with what is left takes the old one's place; questions that run now are ended."""
        file, new = self._folder / engine.FILE, self._folder / "rewritten.duckdb"
        with self._cursor() as cursor:
            rewrite.copy(cursor, new)
        with self._gate.closed(self._cancel_all):
            self._con.execute("DETACH store")
            rewrite.exchange(new, file)
            self._con.execute(f"ATTACH {engine.quoted(str(file))} AS store")
            self._handlings = Dictionary(self._con)
            found = self._con.execute("SELECT count(*) FROM store.main.tail").fetchone()
            settled = self._con.execute("SELECT count(*) FROM store.main.settled").fetchone()
        self._rows = sum(row[0] for row in (found, settled) if row)

    def _cancel_all(self) -> None:
        with self._names:
            running = list(self._sessions.values())
        for session in running:
            session.cancel()

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file."""
        with self._writer, engine.constant_errors(), self._cursor() as cursor:
            cursor.execute("CHECKPOINT store")

    def close(self) -> None:
        """Close the file. Sessions still open end with the constant problem."""
        self._con.close()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._gate.passing():
            cursor = self._con.cursor()
            try:
                yield cursor
            finally:
                cursor.close()


def _union(tables: list[str], columns: list[str]) -> exp.Select:
    """The columns of all rows of the tables. Built without copying: it is part of every question."""
    parts = [
        exp.Select(expressions=[exp.column(c, quoted=True) for c in columns]).from_(_table(name), copy=False)
        for name in tables
    ]
    tree: exp.Select = parts[0]
    for part in parts[1:]:
        tree = exp.union(tree, part, distinct=False, copy=False)  # type: ignore[assignment]
    return tree


def _table(name: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(name), db=exp.to_identifier("main"), catalog=exp.to_identifier("store"))
