"""Keeps a reader's alerts in step with policy and store: recomputed before they are read, told when they change.

Rules held here: alerts are computed from what this reader is shown and from nothing else, so a new policy epoch
recomputes them before the next answer; a reader who cannot tell organisations apart has no alert and no hint of one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from commonwatch.agreements.reader import Reader
from commonwatch.detect.alert import DAY, LIVE, Alert, Origin, advance
from commonwatch.detect.outbreak.onsets import GAP, counted, findings, onsets
from commonwatch.detect.ports import AlertStore, Governed

#: How far back is looked: a gap before the oldest onset that can still matter, and some days more.
LOOK_BACK = 2 * GAP + 3 * DAY
YOUNG = "fewer than 14 days of history: what is new to a member may be old"


class Watch:
    """The alerts of all readers."""

    def __init__(self, governed: Governed, store: AlertStore, clock: Callable[[], int] | None = None) -> None:
        self._governed, self._store = governed, store
        self._clock = clock or (lambda: time.time_ns() // 1_000)
        self._lock = threading.Lock()

    def refresh(self, reader: Reader) -> list[Alert]:
        """Recompute if the policy, the store or the hour moved; returns the alerts that are new or changed."""
        audience = f"{reader.org} {reader.purpose}"
        with self._lock:
            standing, now = self._governed.standing(reader), self._clock()
            last = self._store.standing(audience)
            if last is not None and last[:2] == (standing.epoch, standing.watermark) and now < last[2]:
                return []
            changed = self._examine(reader, audience, now)
            until = min(standing.good_until, now + DAY // 24)
            self._store.put(audience, changed, (standing.epoch, standing.watermark, until))
            return changed

    def alerts(self, reader: Reader, limit: int = 100) -> Sequence[Alert]:
        """This reader's alerts as of now: live ones first, the strongest first, then the latest that ended."""
        self.refresh(reader)
        known = self._store.alerts(f"{reader.org} {reader.purpose}").values()
        shown = [a for a in known if a.state != "withdrawn"]
        return sorted(shown, key=lambda a: (a.state not in LIVE, -a.score / a.threshold, -a.last, a.id))[:limit]

    def _examine(self, reader: Reader, audience: str, now: int) -> list[Alert]:
        standing = self._governed.standing(reader)
        start, end = now - LOOK_BACK, now + DAY
        active = self._governed.active(reader, start, end)
        settled = counted(onsets(self._governed.sightings(reader, start, end)), active)
        members = max(self._governed.members(reader), len({a.owner for a in active}))
        young = bool(active) and min(a.time for a in active) > now - GAP
        origin = Origin(audience, "all", now, standing.epoch, standing.watermark, (YOUNG,) if young else ())
        return advance(self._store.alerts(audience), findings(settled, members, now), origin)
