"""The metadata database: one way to read, one way to write, on SQLite and on PostgreSQL.

Rules (`engine.md` 12.1): SQLite in WAL with `synchronous=FULL`, foreign keys, and BEGIN IMMEDIATE for every write:
a deferred read-then-write loses or fails. PostgreSQL reads see one instant (REPEATABLE READ); writers lock the rows
they depend on. A database that does not answer, or whose file was taken away, is `Unavailable`: never a stale answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from commonwatch.errors import Conflict, Unavailable

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON", "secure_delete=ON")


class Database:
    """Both ways in. Thread-safe. `writes` counts this process's transactions: who caches looks at it."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.url = url
        self.file = Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None
        if self.file is None:
            self.writer: Engine = create_engine(url, pool_pre_ping=True, pool_timeout=5, hide_parameters=True)
            self.reader: Engine = self.writer.execution_options(isolation_level="REPEATABLE READ")
        else:
            self.writer = sqlite_engine(url, "BEGIN IMMEDIATE")
            self.reader = sqlite_engine(url, "BEGIN")
        self.writes = 0
        self._inode: int | None = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads, at one instant. Raises Unavailable."""
        with answering(), Session(self.reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction: committed when the block ends, undone when it raises. Raises Unavailable or Conflict."""
        with answering(), Session(self.writer, expire_on_commit=False) as session, session.begin():
            yield session
        self.writes += 1

    def watch_file(self) -> None:
        """Refuse when the SQLite file is gone or was replaced under us: open handles would go on with a dead file."""
        if self.file is None:
            return
        try:
            inode = os.stat(self.file).st_ino
        except OSError as error:
            raise Unavailable("the metadata database file is gone", todo="restore it and restart the hub") from error
        if self._inode is None:
            self._inode = inode
        if inode != self._inode:
            raise Unavailable("the metadata database file was replaced", todo="restart the hub")

    def close(self) -> None:
        """Close all connections."""
        self.writer.dispose()
        self.reader.dispose()


@contextmanager
def answering() -> Iterator[None]:
    """Turn what the driver raises into our errors; driver texts may quote values, so they are never passed on."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(
            "the metadata changed meanwhile, or it exists already", todo="look again, then repeat"
        ) from error
    except SQLAlchemyError as error:
        if state_of(error).startswith(("23", "40")):
            raise Conflict("the metadata changed meanwhile, or does not fit", todo="look again, then repeat") from error
        todo = "see that the database runs and is reachable"
        raise Unavailable("the metadata database does not answer", todo=todo) from error


def state_of(error: SQLAlchemyError) -> str:
    """PostgreSQL's SQLSTATE: class 23 is an integrity violation, 40 a lost race. Empty for anything else."""
    told = getattr(getattr(error, "orig", None), "args", ())
    return str(told[0].get("C", "")) if told and isinstance(told[0], dict) else ""


def sqlite_engine(url: str, begin: str) -> Engine:
    """An engine whose transactions open with `begin`."""
    pool = {"pool_size": 8, "max_overflow": 24, "pool_timeout": 5}
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False}, **pool)

    def prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine
