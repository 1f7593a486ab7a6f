"""The index on disk: value, field and label -> first and last time, count; and what matched. SQLite, its own file.

Rules held here: at most so many rows and no older than so many days, the ones seen longest ago go first; a match is
kept until a year after; one a day for each value, field and label is told to the hub. Lost rows cost a match, never an
event: the file is not synced at every commit.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from commonwatch.events.labels import EventClass, Label, Severity, Tlp

DAY = 86_400_000_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS seen(
  value TEXT NOT NULL, field TEXT NOT NULL, label TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  count INTEGER NOT NULL, PRIMARY KEY(value, field, label)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_last ON seen(last);
CREATE TABLE IF NOT EXISTS match(
  value TEXT NOT NULL, field TEXT NOT NULL, label TEXT NOT NULL, day INTEGER NOT NULL, first INTEGER NOT NULL,
  last INTEGER NOT NULL, count INTEGER NOT NULL, found INTEGER NOT NULL, told INTEGER NOT NULL,
  PRIMARY KEY(value, field, label, day)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS match_untold ON match(found) WHERE NOT told;
"""
_SEE = """
INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  first = min(first, excluded.first), last = max(last, excluded.last), count = count + excluded.count
"""
_MATCH = """
INSERT INTO match VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET
  first = min(first, excluded.first), last = max(last, excluded.last), count = max(count, excluded.count)
"""
_FIELDS = "value, field, label, day, first, last, count, found, told"
_KEPT = 366 * DAY
_MANY = 400


class Key(NamedTuple):
    """A value in one field under one label (`class:tlp:severity:site`)."""

    value: str
    field: str
    label: str


class Match(msgspec.Struct, frozen=True):
    """A value that an indicator names, seen here. Times in microseconds; `found`: when the match was made."""

    value: str
    field: str
    label: str
    day: int
    first: int
    last: int
    count: int
    found: int
    told: bool = False


class Index:
    """The file. Thread-safe."""

    def __init__(self, path: Path, *, rows: int = 500_000, days: int = 90) -> None:
        self._rows, self._days = rows, days
        self._lock = threading.RLock()
        path.touch(mode=0o600, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def see(self, found: Mapping[Key, Sequence[int]], now: int) -> None:
        """Add what was seen: key -> first, last, count. What is beyond the bounds goes."""
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany(_SEE, [(*key, *times) for key, times in found.items()])
            self._db.execute("DELETE FROM seen WHERE last < ?", (now - self._days * DAY,))
            over = self._db.execute("SELECT count(*) FROM seen").fetchone()[0] - self._rows
            if over > 0:
                oldest = "SELECT value, field, label FROM seen ORDER BY last LIMIT ?"
                self._db.execute(f"DELETE FROM seen WHERE (value, field, label) IN ({oldest})", (over,))  # noqa: S608
            self._db.execute("COMMIT")

    def find(self, values: Iterable[str]) -> list[tuple[Key, int, int, int]]:
        """What was seen of these values: key, first, last, count."""
        wanted, found = list(values), list[Any]()
        with self._lock:
            for start in range(0, len(wanted), _MANY):
                some = wanted[start : start + _MANY]
                query = f"SELECT * FROM seen WHERE value IN ({', '.join('?' * len(some))})"  # noqa: S608
                found += self._db.execute(query, some).fetchall()
        return [(Key(*row[:3]), row[3], row[4], row[5]) for row in found]

    def match(self, found: Iterable[tuple[Key, int, int, int]], now: int) -> int:
        """Keep matches; how many are new today."""
        rows = [(*key, last // DAY, first, last, count, now) for key, first, last, count in found]
        with self._lock:
            before = self._count()
            self._db.execute("BEGIN")
            self._db.executemany(_MATCH, rows)
            self._db.execute("DELETE FROM match WHERE found < ?", (now - _KEPT,))
            self._db.execute("COMMIT")
            return max(0, self._count() - before)

    def _count(self) -> int:
        count: int = self._db.execute("SELECT count(*) FROM match").fetchone()[0]
        return count

    def untold(self, limit: int) -> list[Match]:
        """Matches that the hub was not told of yet, the oldest first."""
        return self._matches("WHERE NOT told ORDER BY found LIMIT ?", limit)

    def matches(self, limit: int = 1_000) -> list[Match]:
        """The newest matches."""
        return self._matches("ORDER BY found DESC, value LIMIT ?", limit)

    def _matches(self, which: str, limit: int) -> list[Match]:
        with self._lock:
            rows = self._db.execute(f"SELECT {_FIELDS} FROM match {which}", (limit,)).fetchall()  # noqa: S608
        return [
            msgspec.convert(dict(zip(Match.__struct_fields__, row, strict=True)), Match, strict=False) for row in rows
        ]

    def told(self, matches: Iterable[Match]) -> None:
        """These were dealt with: sent, or not permitted."""
        done = "UPDATE match SET told = 1 WHERE value = ? AND field = ? AND label = ? AND day = ?"
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany(done, [(m.value, m.field, m.label, m.day) for m in matches])
            self._db.execute("COMMIT")


def written(label: Label) -> str:
    """A label as a key."""
    return f"{int(label.event_class)}:{int(label.tlp)}:{int(label.severity)}:{label.site}"


def read_label(text: str) -> Label:
    """The label of a key."""
    event_class, tlp, severity, site = text.split(":", 3)
    return Label(EventClass(int(event_class)), Tlp(int(tlp)), Severity(int(severity)), site)
