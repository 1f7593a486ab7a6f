"""Alerts, wired: detection reads governed cubes, its alerts are kept in SQLite, changes go to gateways and browsers.

Rules held here: every number behind an alert came out of `govern.ask` as this reader is shown it; organisations that
are withheld are left out, never guessed; telling is per organisation.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec

from commonwatch.agreements.reader import Reader
from commonwatch.detect.alert import Alert
from commonwatch.detect.ports import Active, Sighting, Standing
from commonwatch.detect.watch import Watch
from commonwatch.errors import Unavailable
from commonwatch.govern.answer.dims import ABSENT_TEXT, WITHHELD_TEXT
from commonwatch.govern.policy import PolicyView
from commonwatch.govern.query import Answer, Constraint, Cube, Filter, Interval, Query
from commonwatch.govern.taken import INSIDE, Use
from commonwatch.wire.messages import AlertMessage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = Constraint(outside=(WITHHELD_TEXT,))
_NAMED = Constraint(outside=(WITHHELD_TEXT, ABSENT_TEXT))
HOUR = 3_600_000_000
_FINE = frozenset({"15m", "1h", "6h", "1d"})
_alerts = msgspec.json.Decoder(Alert)
Rest = Callable[[float], object]
Tell = Callable[[str, AlertMessage], None]
#: Records an alert before it is told.
Recorded = Callable[[Reader, Alert], None]


class Asked(Protocol):
    """Govern, as far as alerts need it."""

    def standing(self, reader: Reader) -> Standing:
        """How the policy and the store stand for this reader."""

    def ask(self, reader: Reader, query: Query, *, use: Use) -> Answer:
        """Answer a typed query for a reader."""


class GovernedSightings:
    """`detect.ports.Governed` over govern's typed queries."""

    def __init__(self, govern: Asked, view: Callable[[], PolicyView]) -> None:
        self._govern, self._view = govern, view

    def standing(self, reader: Reader) -> Standing:
        """How the policy and the store stand."""
        return self._govern.standing(reader)

    def sightings(self, reader: Reader, start: int, end: int) -> Sequence[Sighting]:
        """Who saw which family in which hour, as far as this reader is shown all three."""
        question = _between(start, end, org=_SHOWN, family=_NAMED)
        answer = self._govern.ask(reader, Cube(by=("org", "family"), filter=question, bin="1h"), use=INSIDE)
        return [Sighting(str(c[1]), str(c[2]), _micros(str(c[0]))) for c in _cells(answer)]

    def active(self, reader: Reader, start: int, end: int) -> Sequence[Active]:
        """Who had any event this reader is shown, per six hours."""
        question = Cube(by=("org",), filter=_between(start, end, org=_SHOWN), bin="6h")
        answer = self._govern.ask(reader, question, use=INSIDE)
        return [Active(str(c[1]), _micros(str(c[0]))) for c in _cells(answer)]

    def members(self, reader: Reader) -> int:
        """How many organisations are in the reader's communities."""
        mine = set(reader.communities)
        return sum(bool(mine.intersection(org.communities)) for org in self._view().orgs.values())


class AlertTable:
    """`detect.ports.AlertStore` in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, check_same_thread=False, timeout=30)
        self._lock = threading.Lock()
        with self._lock, self._file:
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA secure_delete=ON")
            self._file.execute("CREATE TABLE IF NOT EXISTS standing(audience TEXT PRIMARY KEY, body TEXT NOT NULL)")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS alert(audience TEXT, id TEXT, body BLOB, PRIMARY KEY(audience, id))"
            )

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()

    def forget(self) -> None:
        """An owner left: everybody's alerts go, since any may tell of its events, without a byte left."""
        with self._lock:
            with self._file:
                self._file.execute("DELETE FROM alert")
                self._file.execute("DELETE FROM standing")
            self._file.execute("VACUUM")
            self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def alerts(self, audience: str) -> Mapping[str, Alert]:
        """All alerts of an audience, by id."""
        with self._lock:
            rows = self._file.execute("SELECT id, body FROM alert WHERE audience = ?", (audience,)).fetchall()
        return {row[0]: _alerts.decode(row[1]) for row in rows}

    def standing(self, audience: str) -> tuple[int, int, int] | None:
        """Epoch, watermark and end of validity at which the audience's alerts were computed."""
        with self._lock:
            row = self._file.execute("SELECT body FROM standing WHERE audience = ?", (audience,)).fetchone()
        return msgspec.json.decode(row[0], type=tuple[int, int, int]) if row else None

    def put(self, audience: str, alerts: Sequence[Alert], standing: tuple[int, int, int]) -> None:
        """Keep new and changed alerts and the standing, in one transaction."""
        rows = [(audience, alert.id, msgspec.json.encode(alert)) for alert in alerts]
        with self._lock, self._file:
            self._file.executemany("INSERT OR REPLACE INTO alert VALUES (?, ?, ?)", rows)
            self._file.execute(
                "INSERT OR REPLACE INTO standing VALUES (?, ?)", (audience, msgspec.json.encode(standing).decode())
            )


def step(
    watch: Watch, readers: Iterable[Reader], tell: Tell, record: Recorded | None = None, rest: Rest = lambda _: None
) -> int:
    """Bring readers' alerts up to date, log and tell what changed; returns how many messages went out.

    `rest` is called after each reader with the seconds that looking took.
    """
    told = 0
    for reader in readers:
        begun = time.monotonic()
        changed = _refreshed(watch, reader)
        for alert in changed:
            if record is not None:
                record(reader, alert)
            tell(reader.org, message(alert))
        told += len(changed)
        rest(time.monotonic() - begun)
    return told


def _refreshed(watch: Watch, reader: Reader) -> list[Alert]:
    try:
        return watch.refresh(reader)
    except Unavailable:
        return []


def message(alert: Alert) -> AlertMessage:
    """An alert as gateways and browsers hear it."""
    return AlertMessage(alert.id, alert.title, alert.last, severity=4, detail=listed(alert))


def listed(alert: Alert) -> dict[str, Any]:
    """An alert for lists on screen: RFC 3339 times, a sentence, a filter that shows the events, what is uncertain."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(alert))
    history = [{"at": _text(m.at), "state": m.state, "organisations": m.organisations} for m in alert.history]
    more = {
        "first": _text(alert.first),
        "last": _text(alert.last),
        "at": _text(alert.last),
        "title": alert.title,
        "text": _sentence(alert),
        "filter": {"dims": {"family": {"in": [alert.key[1]]}}},
        "uncalibrated": alert.calibration is None,
        "history": history,
    }
    return {**{k: v for k, v in found.items() if k != "watermark"}, **more}


def shown_events(alert: Alert) -> Filter:
    """The events an alert speaks of, as far as its reader is told whose they are."""
    return _between(alert.first, alert.last + HOUR, org=_SHOWN, family=Constraint(within=(alert.key[1],)))


def _sentence(alert: Alert) -> str:
    doubt = "; ".join(("its rate of false alarms is not calibrated", *alert.causes))
    return f"{alert.title} (threshold {alert.threshold:.0f}; {doubt})."


def _between(start: int, end: int, **dims: Constraint) -> Filter:
    return Filter(time=Interval(_text(start), _text(end)), dims=dims)


def _cells(answer: Answer) -> list[Sequence[Any]]:
    """Cells with a time fine enough to tell days apart."""
    return [r.cells for r in answer.rows if isinstance(r.cells[0], str)] if answer.bin in _FINE else []


def _micros(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def _text(at: int) -> str:
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="seconds").replace("+00:00", "Z")
