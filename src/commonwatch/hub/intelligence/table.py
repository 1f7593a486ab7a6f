"""What partners gave, by source, in its own SQLite file; sources with their state. Implements `share.ports.Partners`.

Rules held here: everything is kept with the organisation it was given to, its source and its marking; an unmarked
object takes its source's marking, TLP:RED unless that is set; a newer version replaces an older one, never the other
way; a document or list read whole withdraws what it no longer names; every value ends; what a source may fill is
bounded; credentials are encrypted and never shown. Query texts are put together from constants only.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from commonwatch.errors import Conflict, InvalidInput, NotFound
from commonwatch.events.labels import TLP_WORDS, Tlp
from commonwatch.ingest.intel import Candidate, Given
from commonwatch.share.indicators import DAY, LIFE_DAYS, life_end
from commonwatch.share.ports import Held

_SCHEMA = """
CREATE TABLE IF NOT EXISTS source(
  org TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, url TEXT NOT NULL, weight INTEGER NOT NULL,
  tlp INTEGER NOT NULL, community INTEGER NOT NULL, every INTEGER NOT NULL, auth BLOB NOT NULL, cursor TEXT NOT NULL,
  failures INTEGER NOT NULL, next_at INTEGER NOT NULL, last_ok INTEGER NOT NULL, error TEXT NOT NULL,
  refused TEXT NOT NULL, PRIMARY KEY(org, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS item(
  org TEXT NOT NULL, source TEXT NOT NULL, external_id TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
  parent TEXT NOT NULL, valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL, confidence INTEGER,
  modified INTEGER NOT NULL, tlp INTEGER NOT NULL, may_act INTEGER NOT NULL, attribute INTEGER NOT NULL,
  PRIMARY KEY(org, source, external_id, kind, value)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS item_parent ON item(org, source, parent);
CREATE INDEX IF NOT EXISTS item_until ON item(valid_until);
CREATE TABLE IF NOT EXISTS version(n INTEGER NOT NULL);
INSERT INTO version SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM version);
"""
#: Columns that files of earlier releases do not have.
_ADDED = ("paused", "inside", "life")
Kind = Literal["taxii", "misp", "misp-feed", "list", "upload"]
KINDS: tuple[Kind, ...] = ("taxii", "misp", "misp-feed", "list", "upload")
#: Values one source may hold; days after which anything ends, whatever its giver says.
MOST_ITEMS, MOST_DAYS = 500_000, 730
_SOURCE = (
    "org, name, kind, url, weight, tlp, community, every, auth, cursor, failures, next_at, last_ok, error, refused,"
    " paused, inside, life"
)
#: What may be changed of a source.
_SETTINGS = ("url", "weight", "tlp", "community", "every", "auth", "next_at", "paused", "inside", "life")
_HELD = """
SELECT i.org, i.source, s.weight, s.community, i.kind, i.value, i.external_id, i.valid_from, i.valid_until,
  i.confidence, i.tlp, i.may_act, i.attribute
FROM item i JOIN source s ON s.org = i.org AND s.name = i.source WHERE i.valid_until > ? AND i.valid_from <= ?
"""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where intelligence comes from. `every` in seconds; `auth` encrypted; times in microseconds.

    `inside`: whoever runs the hub set its address, so it may lie in the hub's own network. `life`: days after which a
    value ends whose giver names no end; 0: by its kind.
    """

    org: str
    name: str
    kind: Kind
    url: str = ""
    weight: int = 50
    tlp: int = int(Tlp.RED)
    community: bool = False
    every: int = 3_600
    auth: bytes = b""
    cursor: str = ""
    failures: int = 0
    next_at: int = 0
    last_ok: int = 0
    error: str = ""
    refused: str = "{}"
    paused: bool = False
    inside: bool = False
    life: int = 0


class Taken(msgspec.Struct, frozen=True):
    """What came of a document."""

    kept: int
    withdrawn: int
    refused: dict[str, int]


class Intelligence:
    """The file. Thread-safe; other processes may change it too."""

    def __init__(
        self,
        path: Path,
        communities: Callable[[str], frozenset[str]] = lambda _: frozenset(),
        clients: Callable[[str], frozenset[str]] = lambda _: frozenset(),
    ) -> None:
        self.communities, self.clients = communities, clients
        self._lock = threading.RLock()
        path.touch(mode=0o600, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        for pragma in ("journal_mode=WAL", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        _add_columns(self._db)
        self._known: tuple[int, int, list[Held]] = (0, 0, [])

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def version(self) -> int:
        """A number that grows with every change; 0 while nothing was ever kept."""
        with self._lock:
            found: int = self._db.execute("SELECT n FROM version").fetchone()[0]
        return found - 1

    def held(self, now: int) -> Sequence[Held]:
        """Everything that lives now, of all receivers. Read once a version and minute."""
        version, minute = self.version(), now // 60_000_000
        with self._lock:
            if self._known[:2] != (version, minute):
                rows = self._db.execute(_HELD, (now, now)).fetchall()
                self._known = version, minute, [_held(row) for row in rows]
            return self._known[2]

    def sources(self, org: str | None = None) -> list[Source]:
        """Every source, or those of an organisation."""
        where, values = ("", ()) if org is None else (" WHERE org = ?", (org,))
        with self._lock:
            rows = self._db.execute(f"SELECT {_SOURCE} FROM source{where} ORDER BY org, name", values).fetchall()  # noqa: S608
        return [_source(row) for row in rows]

    def source(self, org: str, name: str) -> Source:
        """One source. Raises NotFound."""
        found = next((s for s in self.sources(org) if s.name == name), None)
        if found is None:
            raise NotFound(f"no source {name!r}", where="name", todo="look at the list of sources")
        return found

    def due(self, now: int) -> list[Source]:
        """Sources that are to be fetched now."""
        return [s for s in self.sources() if s.kind != "upload" and not s.paused and s.next_at <= now]

    def add(self, source: Source) -> None:
        """A new source. Raises Conflict where there is one of that name, InvalidInput."""
        check(source)
        with self._change() as db:
            if db.execute("SELECT 1 FROM source WHERE org = ? AND name = ?", (source.org, source.name)).fetchone():
                raise Conflict(
                    "there is a source of that name", where="name", todo="choose another, or remove it first"
                )
            _put(db, source)

    def change(self, source: Source) -> None:
        """Keep other settings of a source; what it gave stays. Raises NotFound, InvalidInput."""
        check(source)
        moved = self.source(source.org, source.name).url != source.url
        names = (*_SETTINGS, "cursor") if moved else _SETTINGS
        values = [getattr(source, name) for name in _SETTINGS] + ([""] if moved else [])
        with self._change() as db:
            text = f"UPDATE source SET {', '.join(f'{n} = ?' for n in names)} WHERE org = ? AND name = ?"  # noqa: S608
            db.execute(text, (*values, source.org, source.name))
            db.execute("UPDATE version SET n = n + 1")

    def remove(self, org: str, name: str) -> None:
        """Forget a source and everything it gave. Raises NotFound."""
        self.source(org, name)
        with self._change() as db:
            db.execute("DELETE FROM item WHERE org = ? AND source = ?", (org, name))
            db.execute("DELETE FROM source WHERE org = ? AND name = ?", (org, name))
            db.execute("UPDATE version SET n = n + 1")

    def forget(self, org: str) -> None:
        """An organisation left: its sources and what they gave go without a byte left."""
        with self._change() as db:
            changed = db.execute("DELETE FROM item WHERE org = ?", (org,)).rowcount
            changed += db.execute("DELETE FROM source WHERE org = ?", (org,)).rowcount
            if changed:
                db.execute("UPDATE version SET n = n + 1")
        with self._lock:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def count(self, org: str, name: str, now: int) -> int:
        """Values of a source that live."""
        count = "SELECT count(*) FROM item WHERE org = ? AND source = ? AND valid_until > ?"
        with self._lock:
            found: int = self._db.execute(count, (org, name, now)).fetchone()[0]
        return found

    def take(self, source: Source, given: Given, now: int, cursor: str | None = None) -> Taken:
        """Keep what a document gave, in one transaction with the cursor behind it. Raises InvalidInput."""
        self.source(source.org, source.name)  # it may have been removed while it was fetched
        with self._change() as db:
            before = db.total_changes
            _drop_missing(db, source, given)
            for one in given.candidates:
                _keep(db, source, one, now)
            key = source.org, source.name
            gone = sum(
                db.execute("DELETE FROM item WHERE org = ? AND source = ? AND external_id = ?", (*key, i)).rowcount
                for i in given.withdrawn
            )
            db.execute("DELETE FROM item WHERE org = ? AND source = ? AND valid_until <= ?", (*key, now))
            if db.total_changes != before:
                db.execute("UPDATE version SET n = n + 1")
            _bound(db, key)
            refused = msgspec.json.encode(given.refused).decode()
            if cursor is not None:
                db.execute("UPDATE source SET cursor = ? WHERE org = ? AND name = ?", (cursor, *key))
            db.execute("UPDATE source SET refused = ? WHERE org = ? AND name = ?", (refused, *key))
        return Taken(len(given.candidates), gone, dict(given.refused))

    def went(self, source: Source, now: int, error: str = "", wait: int = 0) -> None:
        """How fetching ended: well, or with an error and the next try later each time (a day at most).

        `wait`: seconds the source asked us to wait at least.
        """
        failures = source.failures + 1 if error else 0
        later = min(source.every * 2 ** min(failures, 10), max(86_400, source.every))
        values = (
            failures,
            now + max(later, min(wait, 86_400)) * 1_000_000,
            source.last_ok if error else now,
            error[:300],
        )
        with self._change() as db:
            where = "WHERE org = ? AND name = ?"
            text = f"UPDATE source SET failures = ?, next_at = ?, last_ok = ?, error = ? {where}"  # noqa: S608
            db.execute(text, (*values, source.org, source.name))

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def check(source: Source) -> None:
    """Raises InvalidInput for what no source can be."""
    if source.kind not in KINDS:
        raise InvalidInput("no kind of source", where="kind", todo=f"use one of {', '.join(KINDS)}")
    if not 0 <= source.weight <= 100:
        raise InvalidInput("a weight is 0 to 100", where="weight", todo="correct it")
    if not 60 <= source.every <= 30 * 86_400:
        raise InvalidInput("a source is asked every minute to every 30 days", where="every", todo="correct it")
    if not 0 <= source.life <= MOST_DAYS:
        raise InvalidInput(f"a value lives 1 to {MOST_DAYS} days, or 0: by its kind", where="life", todo="correct it")
    if not 0 < len(source.name) <= 100 or not source.name.isprintable() or "/" in source.name:
        raise InvalidInput("a name has 1 to 100 characters and no slash", where="name", todo="correct it")


def tlp_of(word: str) -> int:
    """The number of a TLP word. Raises InvalidInput."""
    if word not in TLP_WORDS:
        raise InvalidInput(f"no TLP {word!r}", where="tlp", todo=f"use one of {', '.join(TLP_WORDS)}")
    return int(TLP_WORDS[word])


def _put(db: sqlite3.Connection, source: Source) -> None:
    slots = ", ".join("?" * len(Source.__struct_fields__))
    db.execute(f"INSERT INTO source({_SOURCE}) VALUES ({slots})", msgspec.structs.astuple(source))  # noqa: S608


def _add_columns(db: sqlite3.Connection) -> None:
    """What a file of an earlier release lacks."""
    there = {row[1] for row in db.execute("PRAGMA table_info(source)")}
    for name in _ADDED:
        if name not in there:
            was = int(name == "inside")  # every address was set at the hub then
            db.execute(f"ALTER TABLE source ADD COLUMN {name} INTEGER NOT NULL DEFAULT {was}")


def _source(row: Sequence[object]) -> Source:
    return msgspec.convert(dict(zip(Source.__struct_fields__, row, strict=True)), Source, strict=False)


def _held(row: Sequence[object]) -> Held:
    return msgspec.convert(dict(zip(Held.__struct_fields__, row, strict=True)), Held, strict=False)


def _drop_missing(db: sqlite3.Connection, source: Source, given: Given) -> None:
    """What documents that were read whole no longer name."""
    named = {(one.external_id, one.kind, one.value) for one in given.candidates}
    for parent in given.parents:
        where = "WHERE org = ? AND source = ? AND parent = ?"
        held = db.execute(f"SELECT external_id, kind, value FROM item {where}", (source.org, source.name, parent))  # noqa: S608
        gone = [key for key in held.fetchall() if key not in named]
        which = "org = ? AND source = ? AND external_id = ? AND kind = ? AND value = ?"
        db.executemany(f"DELETE FROM item WHERE {which}", [(source.org, source.name, *key) for key in gone])  # noqa: S608


def _own_end(source: Source, one: Candidate, since: int) -> int:
    """When a value ends whose giver names no end."""
    begun = max(since, one.modified)
    return begun + source.life * DAY if source.life else life_end(one.kind, begun)


def _keep(db: sqlite3.Connection, source: Source, one: Candidate, now: int) -> None:
    """One candidate: in place of its older versions, not of newer ones. What has ended is not kept."""
    key = source.org, source.name, one.external_id
    since = one.valid_from or one.modified or now
    until = _own_end(source, one, since) if one.valid_until is None else one.valid_until
    until = min(until, now + MOST_DAYS * DAY)
    newer = "SELECT 1 FROM item WHERE org = ? AND source = ? AND external_id = ? AND modified > ? LIMIT 1"
    if one.kind not in LIFE_DAYS or until <= now or db.execute(newer, (*key, one.modified)).fetchone():
        return
    db.execute(
        "DELETE FROM item WHERE org = ? AND source = ? AND external_id = ? AND modified < ?", (*key, one.modified)
    )
    tlp = source.tlp if one.tlp is None else one.tlp
    row = (*key, one.kind, one.value, one.parent, since, until, one.confidence, one.modified, tlp)
    put = "INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    db.execute(put, (*row, int(one.may_act), int(one.attribute)))


def _bound(db: sqlite3.Connection, key: tuple[str, str]) -> None:
    held = db.execute("SELECT count(*) FROM item WHERE org = ? AND source = ?", key).fetchone()[0]
    if held > MOST_ITEMS:
        raise InvalidInput(f"a source holds at most {MOST_ITEMS} values", where="source", todo="split it")
