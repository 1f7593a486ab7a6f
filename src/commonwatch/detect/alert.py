"""An alert: a finding of the platform as one class of readers may have it, with where it comes from (`detection.md` 4).

Rules held here: an alert is a finished object with provenance (detector, threshold, calibration, policy epoch); it is
extended, not repeated; it is told again only when its organisations grew by half; it is withdrawn when what is visible
no longer supports it, and expires when nothing more happened for 72 hours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

HOUR = 3_600_000_000
DAY = 24 * HOUR
EXPIRES = 72 * HOUR
LATE = 48 * HOUR
State = Literal["open", "acknowledged", "confirmed", "dismissed", "expired", "withdrawn"]
LIVE: frozenset[State] = frozenset({"open", "acknowledged", "confirmed"})


class Finding(msgspec.Struct, frozen=True):
    """A threshold was reached: which key, from the first to the last onset (microseconds), by how many, of how many."""

    kind: str
    key: str
    first: int
    last: int
    organisations: int
    threshold: int


class Moment(msgspec.Struct, frozen=True):
    """One step of an alert's life."""

    at: int
    state: State
    organisations: int


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Times in microseconds. `calibration` None is uncalibrated: the false-alert rate is not known."""

    id: str
    kind: Literal["outbreak", "hotspot", "campaign", "pattern"]
    key: tuple[str, str]
    zone: str
    first: int
    last: int
    organisations: int
    expected: float | None = None
    score: float
    threshold: float
    detector: str
    calibration: str | None = None
    budget: float | None = None
    causes: tuple[str, ...] = ()
    indicators: tuple[str, ...] = ()
    epoch: int
    watermark: int
    state: State = "open"
    history: tuple[Moment, ...] = ()

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.organisations} organisations newly saw {self.key[1]} within 24 h"


class Origin(msgspec.Struct, frozen=True):
    """For whom, under which policy and as of when alerts are made."""

    audience: str
    zone: str
    now: int
    epoch: int
    watermark: int
    causes: tuple[str, ...] = ()


def advance(known: Mapping[str, Alert], findings: Iterable[Finding], origin: Origin) -> list[Alert]:
    """The alerts that are new or changed, given those known by id."""
    live = {alert.key: alert for alert in known.values() if alert.state in LIVE}
    changed: list[Alert] = []
    for finding in findings:
        old = live.pop((finding.kind, finding.key), None)
        if old is None and finding.last >= origin.now - LATE:
            changed.append(_opened(finding, origin, known))
        elif old is not None and finding.organisations >= 1.5 * old.organisations:
            changed.append(_grown(old, finding, origin))
    changed += [_ended(old, origin) for old in live.values()]
    return changed


def _opened(finding: Finding, origin: Origin, known: Mapping[str, Alert]) -> Alert:
    count = finding.organisations
    opened = sum(alert.key == (finding.kind, finding.key) for alert in known.values())
    return Alert(
        id=_id(origin.audience, finding, opened),
        kind="outbreak",
        key=(finding.kind, finding.key),
        zone=origin.zone,
        first=finding.first,
        last=finding.last,
        organisations=count,
        score=float(count),
        threshold=float(finding.threshold),
        detector="fixed-k new in 24 h",
        causes=origin.causes,
        epoch=origin.epoch,
        watermark=origin.watermark,
        history=(Moment(origin.now, "open", count),),
    )


def _grown(old: Alert, finding: Finding, origin: Origin) -> Alert:
    count = finding.organisations
    return msgspec.structs.replace(
        old,
        first=min(old.first, finding.first),
        last=finding.last,
        organisations=count,
        score=float(count),
        epoch=origin.epoch,
        watermark=origin.watermark,
        history=(*old.history, Moment(origin.now, old.state, count)),
    )


def _ended(old: Alert, origin: Origin) -> Alert:
    state: State = "expired" if old.last < origin.now - EXPIRES else "withdrawn"
    step = Moment(origin.now, state, old.organisations)
    return msgspec.structs.replace(old, state=state, epoch=origin.epoch, history=(*old.history, step))


def _id(audience: str, finding: Finding, number: int) -> str:
    parts = (audience, finding.kind, finding.key, str(finding.first), str(number))
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return f"alert-{hashlib.sha256(text.encode()).hexdigest()[:24]}"
