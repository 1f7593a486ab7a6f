"""The publication table: what each audience was given, in its own SQLite file (`share/ports.py`, PublicationStore).

Rules held here: a change is one transaction; every row an audience gets has its own microsecond, later than all before
it (never earlier than the clock), so that a client that pages by time misses nothing; pages are read by index alone,
whatever the size of the table; deleted content is overwritten (`secure_delete`). Query texts are put together from
constants and `?` marks only, never from values.
"""

# ruff: noqa: S608

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commonwatch.share.ports import EVER, Ask, Change, Entry, Gone, State, Version

_SCHEMA = """
CREATE TABLE IF NOT EXISTS audience(
  name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, watermark INTEGER NOT NULL, good_until INTEGER NOT NULL,
  clock INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry(
  audience TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL, status TEXT NOT NULL,
  record BLOB NOT NULL, created INTEGER NOT NULL, versioned INTEGER NOT NULL, changed INTEGER NOT NULL,
  served INTEGER NOT NULL, PRIMARY KEY(audience, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS withdrawn(
  audience TEXT NOT NULL, at INTEGER NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL, served INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS withdrawn_at ON withdrawn(audience, at);
CREATE INDEX IF NOT EXISTS entry_changed ON entry(audience, changed);
CREATE INDEX IF NOT EXISTS entry_unserved ON entry(audience, id) WHERE NOT served;
CREATE TABLE IF NOT EXISTS version(
  audience TEXT NOT NULL, added INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, version INTEGER NOT NULL,
  body BLOB NOT NULL, of TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY(audience, added));
CREATE TABLE IF NOT EXISTS origin(
  audience TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY(audience, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_id ON entry(audience, id);
CREATE UNIQUE INDEX IF NOT EXISTS version_id ON version(audience, id, version);
CREATE INDEX IF NOT EXISTS version_of ON version(audience, of);
CREATE INDEX IF NOT EXISTS version_last ON version(audience, added) WHERE last;
CREATE INDEX IF NOT EXISTS version_type ON version(audience, type, added) WHERE last;
"""
_ENTRY = "key, id, generation, status, record, created, versioned, changed, served"
_VERSION = "id, type, version, body, of, added"
_MANY = 500
_YEAR = 366 * 86_400_000_000


class PublicationTable:
    """Publications in one SQLite file; reads go on while a change is written."""

    def __init__(self, path: Path) -> None:
        self._writer, self._reader = _connect(path), _connect(path)
        self._writing, self._reading = threading.Lock(), threading.Lock()
        with self._writing:
            noted = self._writer.execute("SELECT 1 FROM sqlite_master WHERE name = 'origin'").fetchone()
            self._writer.executescript(_SCHEMA)
            if not noted:  # a table of before notes were kept: everything is looked at again before it is served
                self._writer.execute("UPDATE audience SET good_until = 0")

    def close(self) -> None:
        """Let go of the file."""
        with self._writing, self._reading:
            self._writer.close()
            self._reader.close()

    def state(self, audience: str) -> State | None:
        """Up to where this audience's publications are right."""
        rows = self._read("SELECT epoch, watermark, good_until FROM audience WHERE name = ?", (audience,))
        return State(*rows[0]) if rows else None

    def entries(self, audience: str, keys: Iterable[str] | None) -> Mapping[str, Entry]:
        """Entries by key: all of the audience, or those named."""
        if keys is None:
            rows = self._read(f"SELECT {_ENTRY} FROM entry WHERE audience = ?", (audience,))
        else:
            rows = [
                row
                for some in _batches(keys)
                for row in self._read(
                    f"SELECT {_ENTRY} FROM entry WHERE audience = ? AND key IN ({_marks(some)})", (audience, *some)
                )
            ]
        return {entry.key: entry for entry in map(_entry, rows)}

    def changed(self, audience: str, after: int, limit: int) -> Sequence[Entry]:
        """Entries that changed after a cursor, oldest change first."""
        order = f"SELECT {_ENTRY} FROM entry WHERE audience = ? AND changed > ? ORDER BY changed LIMIT ?"
        return [_entry(row) for row in self._read(order, (audience, after, limit))]

    def newest(self, audience: str, limit: int) -> Sequence[Entry]:
        """Entries shown now, newest change first."""
        order = f"SELECT {_ENTRY} FROM entry WHERE audience = ? AND status = 'shown' ORDER BY changed DESC LIMIT ?"
        return [_entry(row) for row in self._read(order, (audience, limit))]

    def page(self, audience: str, ask: Ask) -> Sequence[Version]:
        """Versions of this audience that answer the question, by date added."""
        where, values = ["audience = ?", "added > ?"], [audience, min(ask.after, EVER)]
        for column, wanted in (("id", ask.ids), ("type", ask.types)):
            if wanted:
                where.append(f"{column} IN ({_marks(wanted)})")
                values += wanted
        which, instants = _which(ask.versions)
        where.append(which)
        index = "INDEXED BY version_id" if ask.ids else ""
        query = f"SELECT {_VERSION} FROM version {index} WHERE {' AND '.join(where)} ORDER BY added LIMIT ?"
        rows = self._read(query, (*values, *instants, ask.limit))
        return [Version(id=r[0], type=r[1], version=r[2], body=r[3], of=r[4], added=r[5]) for r in rows]

    def holds(self, audience: str, object_id: str) -> bool:
        """Whether any version of the object is in this audience's table."""
        return bool(self._read("SELECT 1 FROM version WHERE audience = ? AND id = ? LIMIT 1", (audience, object_id)))

    def forget(self, org: str) -> None:
        """An owner left: its own publications go, and of everybody's what is no longer shown, without a byte left."""
        with self._change() as write:
            for table, column in (("audience", "name"), ("entry", "audience"), ("version", "audience")):
                write.execute(f"DELETE FROM {table} WHERE {column} >= ? AND {column} < ?", (f"{org} ", f"{org}!"))
            hidden = "SELECT audience, id FROM entry WHERE status != 'shown'"
            write.execute(f"DELETE FROM version WHERE (audience, of) IN ({hidden})")
            write.execute("DELETE FROM entry WHERE status != 'shown'")
        with self._writing, self._reading:
            self._writer.execute("VACUUM")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def audiences(self) -> Sequence[str]:
        """Everybody who has publications here."""
        return [row[0] for row in self._read("SELECT name FROM audience ORDER BY name", ())]

    def withdrawn(self, audience: str, since: int) -> Sequence[Gone]:
        """What agreements took from this audience since a moment, oldest first."""
        order = "SELECT id, generation, served, at FROM withdrawn WHERE audience = ? AND at >= ? ORDER BY at, id"
        return [
            Gone(id=r[0], generation=r[1], served=bool(r[2]), at=r[3]) for r in self._read(order, (audience, since))
        ]

    def served(self, audience: str, ids: Iterable[str]) -> None:
        """Remember that the audience was handed these indicators."""
        for some in _batches(ids):
            where = f"INDEXED BY entry_unserved WHERE audience = ? AND id IN ({_marks(some)}) AND NOT served"
            keys = self._read(f"SELECT key FROM entry {where}", (audience, *some))
            if keys:
                with self._change() as write:
                    done = "UPDATE entry SET served = 1 WHERE audience = ? AND key = ?"
                    write.executemany(done, [(audience, key) for (key,) in keys])

    def origins(self, audience: str, ids: Iterable[str]) -> Mapping[str, bytes]:
        """Notes of what these indicators came from, by id; those not shown any more have none."""
        found: dict[str, bytes] = {}
        for some in _batches(ids):
            joined = "entry e INDEXED BY entry_id JOIN origin o ON o.audience = e.audience AND o.key = e.key"
            where = f"e.audience = ? AND e.status = 'shown' AND e.id IN ({_marks(some)})"
            found |= dict(self._read(f"SELECT e.id, o.body FROM {joined} WHERE {where}", (audience, *some)))
        return found

    def apply(self, audience: str, change: Change, now: int) -> None:
        """Carry out one refresh in one transaction."""
        with self._change() as write:
            found = write.execute("SELECT clock FROM audience WHERE name = ?", (audience,)).fetchone()
            clock = max(now, found[0] + 1 if found else 0)
            for some in _batches(change.gone):
                write.execute(f"DELETE FROM version WHERE audience = ? AND of IN ({_marks(some)})", (audience, *some))
            for some in _batches(change.dropped):
                write.execute(f"DELETE FROM entry WHERE audience = ? AND key IN ({_marks(some)})", (audience, *some))
            clock = _put_versions(write, audience, change.versions, clock)
            _put_withdrawn(write, audience, change, clock)
            clock = _put_entries(write, audience, change.entries, clock)
            _put_origins(write, audience, change)
            if change.fresh:
                write.execute("DELETE FROM version WHERE audience = ? AND NOT last", (audience,))
                write.execute("UPDATE version SET first = 1 WHERE audience = ? AND NOT first", (audience,))
            state = change.state
            write.execute(
                "INSERT OR REPLACE INTO audience VALUES (?, ?, ?, ?, ?)",
                (audience, state.epoch, state.watermark, min(state.good_until, EVER), clock),
            )

    def _read(self, query: str, values: Sequence[Any]) -> list[Any]:
        with self._reading:
            return self._reader.execute(query, values).fetchall()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _put_versions(write: sqlite3.Connection, audience: str, versions: Sequence[Version], clock: int) -> int:
    """Add versions, each with its own microsecond; returns the next free one."""
    rows = []
    for number, version in enumerate(versions):
        earlier = write.execute(
            "UPDATE version SET last = 0 WHERE audience = ? AND id = ? AND last", (audience, version.id)
        ).rowcount
        place = (audience, clock + number, version.id, version.type, version.version, version.body, version.of)
        rows.append((*place, int(not earlier), 1))
    write.executemany("INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return clock + len(rows)


def _put_withdrawn(write: sqlite3.Connection, audience: str, change: Change, clock: int) -> None:
    """Each with the moment of its entry's change, which listeners are told; those older than a year are forgotten."""
    moments = {entry.id: clock + number for number, entry in enumerate(change.entries)}
    rows = [(audience, moments.get(g.id, clock), g.id, g.generation, int(g.served)) for g in change.withdrawn]
    write.executemany("INSERT INTO withdrawn VALUES (?, ?, ?, ?, ?)", rows)
    if rows:
        write.execute("DELETE FROM withdrawn WHERE at < ?", (clock - _YEAR,))


def _put_entries(write: sqlite3.Connection, audience: str, entries: Sequence[Entry], clock: int) -> int:
    rows = [
        (audience, e.key, e.id, e.generation, e.status, e.record, e.created, e.versioned, clock + number, int(e.served))
        for number, e in enumerate(entries)
    ]
    write.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return clock + len(rows)


def _put_origins(write: sqlite3.Connection, audience: str, change: Change) -> None:
    """Notes of what is shown; what is shown no more has none."""
    for some in _batches([*change.dropped, *(e.key for e in change.entries if e.status != "shown")]):
        write.execute(f"DELETE FROM origin WHERE audience = ? AND key IN ({_marks(some)})", (audience, *some))
    put = "INSERT INTO origin VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body"
    rows = [(audience, key, body) for key, body in change.origins.items()]
    write.executemany(f"{put} WHERE body != excluded.body", rows)


def _which(versions: Sequence[str | int]) -> tuple[str, list[int]]:
    """The condition for last, first, all or named instants (any of them)."""
    if "all" in versions:
        return "1", []
    parts = [word for word in ("last", "first") if word in versions]
    instants = [v for v in versions if isinstance(v, int)]
    if instants:
        parts.append(f"version / 1000 IN ({_marks(instants)})")
    return f"({' OR '.join(parts) or '0'})", [instant // 1_000 for instant in instants]


def _entry(row: Sequence[Any]) -> Entry:
    return Entry(
        key=row[0], id=row[1], generation=row[2], status=row[3], record=row[4], created=row[5], versioned=row[6],
        changed=row[7], served=bool(row[8]),
    )  # fmt: skip


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    items = list(values)
    for start in range(0, len(items), _MANY):
        yield items[start : start + _MANY]
