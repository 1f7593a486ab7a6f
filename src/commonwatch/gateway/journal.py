"""The gateway's durable memory: offsets, spool, quarantine, indicators, counts. SQLite, WAL, synchronous=FULL.

Rules held here: what was read and what is to be sent change in one transaction (`commit`), so a kill at any moment
leaves either both or neither; a batch leaves the spool only for a receipt (`acknowledge`) or, with its reason, into the
set-aside (`set_aside`), where it is kept; a bounded number of acknowledged batches stays, for a hub that is restored
from a backup; a transaction that fails for want of room leaves nothing behind, not even itself; counts are kept in the
same transactions and so never drift.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, path TEXT NOT NULL, inode INTEGER NOT NULL, head_size INTEGER NOT NULL,
  head BLOB NOT NULL, generation TEXT NOT NULL, position INTEGER NOT NULL, size INTEGER NOT NULL, format TEXT NOT NULL,
  state BLOB NOT NULL, done INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_inode ON files (inode);
CREATE TABLE IF NOT EXISTS spool (
  seq INTEGER PRIMARY KEY, batch_uid INTEGER NOT NULL UNIQUE, rows INTEGER NOT NULL, policy TEXT NOT NULL,
  bytes INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS set_aside (
  batch_uid INTEGER PRIMARY KEY, rows INTEGER NOT NULL, policy TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
  body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS kept (
  seq INTEGER PRIMARY KEY, batch_uid INTEGER NOT NULL UNIQUE, rows INTEGER NOT NULL, policy TEXT NOT NULL,
  bytes INTEGER NOT NULL, body BLOB NOT NULL, stored INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS quarantine (
  source TEXT NOT NULL, generation TEXT NOT NULL, position INTEGER NOT NULL, reason TEXT NOT NULL, head BLOB NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY (source, generation, position));
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS indicators (id TEXT PRIMARY KEY, body BLOB NOT NULL, received INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS alerts (id TEXT PRIMARY KEY, body BLOB NOT NULL, received INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS statements (digest TEXT PRIMARY KEY, body BLOB NOT NULL, told INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS evidence (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, what TEXT NOT NULL, body BLOB NOT NULL);
"""
#: Most rows kept in quarantine; the oldest go first.
QUARANTINE_ROWS = 100_000


class Mark(msgspec.Struct):
    """How far one file has been read. `position` is behind the last record taken, in (decompressed) bytes."""

    id: int
    source: str
    path: str
    inode: int
    head_size: int
    head: bytes
    generation: str
    position: int = 0
    size: int = 0
    format: str = ""
    state: bytes = b""
    done: bool = False


class Spooled(msgspec.Struct, frozen=True):
    """One batch waiting to be sent: sealed under the policy with digest `policy`."""

    seq: int
    batch_uid: int
    rows: int
    policy: str
    body: bytes


class Bad(msgspec.Struct, frozen=True):
    """One quarantined record."""

    source: str
    generation: str
    position: int
    reason: str
    head: bytes


class Journal:
    """One connection, guarded by a lock; safe from several threads."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk ends some transactions by itself
                    self._db.execute("ROLLBACK")
                raise

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    # Reading and spooling -------------------------------------------------------------------------------------------

    def marks(self) -> list[Mark]:
        """Every file known."""
        return [Mark(*row) for row in self._all(_MARKS)]

    def forget_marks(self, ids: Iterable[int]) -> None:
        """Forget files that were read to their end and deleted."""
        with self._transaction() as db:
            db.executemany("DELETE FROM files WHERE id = ?", [(one,) for one in ids])

    def next_mark(self) -> int:
        """A number for a new file."""
        return int(self._all("SELECT coalesce(max(id), 0) + 1 FROM files")[0][0])

    def next_seq(self) -> int:
        """The number of the next batch; never used twice."""
        return int.from_bytes(self.note("seq") or b"\x00", "big") + 1

    def commit(
        self, marks: Iterable[Mark], batches: Sequence[Spooled], counts: Mapping[str, int], bad: Sequence[Bad], at: int,
        *, settled: Sequence[tuple[str, str, int]] = (),
    ) -> None:  # fmt: skip
        """What was read and what came of it, in one transaction.

        `settled`: (source, generation, position) of records that are in quarantine no longer.
        """
        with self._transaction() as db:
            db.executemany(_SAVE_MARK, [_row(mark) for mark in marks])
            db.executemany(
                "INSERT INTO spool VALUES (?,?,?,?,?,?)",
                [(b.seq, b.batch_uid, b.rows, b.policy, len(b.body), b.body) for b in batches],
            )
            db.executemany(
                "INSERT OR REPLACE INTO quarantine VALUES (?,?,?,?,?,?)",
                [(b.source, b.generation, b.position, b.reason, b.head, at) for b in bad],
            )
            db.executemany("DELETE FROM quarantine WHERE (source, generation, position) = (?, ?, ?)", settled)
            if bad:
                db.execute(_CUT_QUARANTINE, (QUARANTINE_ROWS,))
            if batches:
                self._keep(db, "seq", batches[-1].seq.to_bytes(8, "big"))
            self._count(db, counts)

    # Sending --------------------------------------------------------------------------------------------------------

    def waiting(self, limit: int) -> list[tuple[int, int]]:
        """(batch_uid, rows) of the oldest batches in the spool."""
        rows = self._all("SELECT batch_uid, rows FROM spool ORDER BY seq LIMIT ?", (limit,))
        return [(int(uid), int(n)) for uid, n in rows]

    def batch(self, batch_uid: int) -> Spooled | None:
        """One batch of the spool."""
        rows = self._all("SELECT seq, batch_uid, rows, policy, body FROM spool WHERE batch_uid = ?", (batch_uid,))
        return Spooled(*rows[0]) if rows else None

    def replace(self, batch: Spooled, dropped: int) -> None:
        """Put a batch narrowed to a new policy in its own place; `dropped` rows of it may not leave any more."""
        with self._transaction() as db:
            db.execute(
                "UPDATE spool SET rows = ?, policy = ?, bytes = ?, body = ? WHERE batch_uid = ?",
                (batch.rows, batch.policy, len(batch.body), batch.body, batch.batch_uid),
            )
            self._count(db, {"spooled": -dropped, "not_agreed": dropped})

    def drop(self, batch_uid: int, rows: int) -> None:
        """Forget a batch that no agreement lets leave any more."""
        with self._transaction() as db:
            db.execute("DELETE FROM spool WHERE batch_uid = ?", (batch_uid,))
            self._count(db, {"spooled": -rows, "not_agreed": rows})

    def acknowledge(self, batch_uid: int, counts: Mapping[str, int], *, keep: int = 0, stored: int = 0) -> None:
        """The hub has it. The newest `keep` bytes of what it has are kept (`offer_again`)."""
        with self._transaction() as db:
            if keep:
                db.execute(_KEEP, (stored, batch_uid))
                db.execute(_CUT_KEPT, (keep,))
            gone = db.execute("DELETE FROM spool WHERE batch_uid = ?", (batch_uid,)).rowcount
            self._count(db, counts if gone else {})

    def last_kept(self) -> int:
        """The number of the last batch that was acknowledged and is kept; 0 without any."""
        return int(self._all("SELECT coalesce(max(seq), 0) FROM kept")[0][0])

    def offer_again(self, after: int) -> int:
        """Put acknowledged batches with higher numbers back into the spool: the hub lost them. How many."""
        with self._transaction() as db:
            found = db.execute(_SUM_KEPT, (after,)).fetchone()
            db.execute(_OFFER_AGAIN, (after,))
            db.execute("DELETE FROM kept WHERE seq > ?", (after,))
            batches, rows, stored = (int(value) for value in found)
            self._count(db, {"sent": -rows, "acknowledged": -rows, "stored": -stored, "offered_again": rows})
        return batches

    def set_aside(self, batch_uid: int, reason: str, at: int) -> None:
        """The hub refuses this batch for good: keep it apart, with the reason."""
        with self._transaction() as db:
            db.execute(_SET_ASIDE, (reason, at, batch_uid))
            rows = db.execute("SELECT rows FROM spool WHERE batch_uid = ?", (batch_uid,)).fetchone()
            db.execute("DELETE FROM spool WHERE batch_uid = ?", (batch_uid,))
            self._count(db, {"refused": rows[0] if rows else 0, "sent": rows[0] if rows else 0})

    def set_aside_reasons(self) -> list[tuple[int, int, str]]:
        """(batch_uid, rows, reason) of every batch set aside."""
        rows = self._all("SELECT batch_uid, rows, reason FROM set_aside ORDER BY at")
        return [(int(uid), int(n), str(reason)) for uid, n, reason in rows]

    def depth(self) -> tuple[int, int, int]:
        """Batches, events and bytes in the spool."""
        row = self._all("SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM spool")[0]
        return int(row[0]), int(row[1]), int(row[2])

    # Receiving and remembering --------------------------------------------------------------------------------------

    def save_indicators(self, items: Iterable[tuple[str, bytes]], at: int) -> None:
        """Keep indicators (id, JSON); the newest word on an id wins, its first arrival stays."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO indicators VALUES (?,?,?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                [(key, body, at) for key, body in items],
            )

    def withdraw_indicators(self, ids: Iterable[str]) -> None:
        """Forget indicators that are no longer shared."""
        with self._transaction() as db:
            db.executemany("DELETE FROM indicators WHERE id = ?", [(key,) for key in ids])

    def indicators(self) -> list[tuple[bytes, int]]:
        """(JSON, microseconds of first arrival) of every indicator."""
        return [(b, r) for b, r in self._all(_INDICATORS)]

    def save_alert(self, key: str, body: bytes, at: int) -> None:
        """Keep an alert."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO alerts VALUES (?,?,?)", (key, body, at))

    def keep_evidence(self, at: int, what: str, body: bytes) -> None:
        """Keep what speaks against the hub; nothing ever deletes it."""
        with self._transaction() as db:
            db.execute("INSERT INTO evidence (at, what, body) VALUES (?,?,?)", (at, what, body))

    def evidence(self) -> list[tuple[int, str, bytes]]:
        """(when, what, body) of everything that speaks against the hub."""
        rows = self._all("SELECT at, what, body FROM evidence ORDER BY id")
        return [(int(at), str(what), body) for at, what, body in rows]

    def save_statement(self, digest: str, body: bytes) -> None:
        """Keep what the owner said here; nothing ever unsays it."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO statements VALUES (?, ?, 0)", (digest, body))

    def statements(self) -> list[tuple[str, bytes, bool]]:
        """(digest, envelope, whether the hub has it) of everything the owner said here."""
        return [(str(d), b, bool(t)) for d, b, t in self._all("SELECT digest, body, told FROM statements")]

    def told_statement(self, digest: str) -> None:
        """The hub has it."""
        with self._transaction() as db:
            db.execute("UPDATE statements SET told = 1 WHERE digest = ?", (digest,))

    def note(self, name: str) -> bytes | None:
        """A remembered value: the snapshot, the checkpoint, the clock's floor."""
        rows = self._all("SELECT value FROM notes WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def remember(self, name: str, value: bytes) -> None:
        """Keep a value under a name."""
        with self._transaction() as db:
            self._keep(db, name, value)

    def forget(self, name: str) -> None:
        """Remember no value under a name any more."""
        with self._transaction() as db:
            db.execute("DELETE FROM notes WHERE name = ?", (name,))

    def add_counts(self, counts: Mapping[str, int]) -> None:
        """Count what has no other transaction."""
        with self._transaction() as db:
            self._count(db, counts)

    def counts(self) -> dict[str, int]:
        """Every count by name; reasons stand behind a colon (`skipped:stats`)."""
        return {str(name): int(value) for name, value in self._all("SELECT name, value FROM counts")}

    def quarantined(self, limit: int = 100) -> list[Bad]:
        """The newest quarantined records; all of them for -1."""
        query = "SELECT source, generation, position, reason, head FROM quarantine ORDER BY rowid DESC LIMIT ?"
        return [Bad(*row) for row in self._all(query, (limit,))]

    @staticmethod
    def _count(db: sqlite3.Connection, counts: Mapping[str, int]) -> None:
        db.executemany(
            "INSERT INTO counts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            [(name, value) for name, value in counts.items() if value],
        )

    @staticmethod
    def _keep(db: sqlite3.Connection, name: str, value: bytes) -> None:
        db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))


_NAMES = Mark.__struct_fields__
_MARKS = f"SELECT {', '.join(_NAMES)} FROM files ORDER BY id"  # noqa: S608 - names of our own Struct
_SAVE_MARK = f"INSERT OR REPLACE INTO files ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608
_CUT_QUARANTINE = (
    "DELETE FROM quarantine WHERE rowid <= (SELECT rowid FROM quarantine ORDER BY rowid DESC LIMIT 1 OFFSET ?)"
)
_SET_ASIDE = (
    "INSERT OR REPLACE INTO set_aside SELECT batch_uid, rows, policy, ?, ?, body FROM spool WHERE batch_uid = ?"
)
_KEEP = "INSERT OR REPLACE INTO kept SELECT seq, batch_uid, rows, policy, bytes, body, ? FROM spool WHERE batch_uid = ?"
_CUT_KEPT = (
    "DELETE FROM kept WHERE seq <= (SELECT seq FROM"
    " (SELECT seq, sum(bytes) OVER (ORDER BY seq DESC) AS total FROM kept) WHERE total > ? ORDER BY seq DESC LIMIT 1)"
)
_SUM_KEPT = "SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(stored), 0) FROM kept WHERE seq > ?"
_OFFER_AGAIN = "INSERT OR IGNORE INTO spool SELECT seq, batch_uid, rows, policy, bytes, body FROM kept WHERE seq > ?"
_INDICATORS = "SELECT body, received FROM indicators ORDER BY received DESC, id"


def _row(mark: Mark) -> tuple[object, ...]:
    return tuple(getattr(mark, name) for name in _NAMES)
