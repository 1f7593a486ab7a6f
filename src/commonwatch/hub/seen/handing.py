"""Handing out what was computed before: indicators and alerts. Implements `share.ports.Record`.

Rules held here: what leaves is recorded for its owners when it leaves, each time it leaves, and before; what an alert
shows is counted anew when the alert changed, over the very events it speaks of.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from commonwatch.agreements.reader import Reader
from commonwatch.detect.alert import LIVE, Alert
from commonwatch.events.fields import FieldName
from commonwatch.govern.access import merged, opened
from commonwatch.govern.policy import Decided, DecisionLog
from commonwatch.govern.query import Filter
from commonwatch.govern.taken import Part, Taken, Use
from commonwatch.hub.alerts import shown_events
from commonwatch.share.ports import Handed

#: The clause fields an alert shows.
ALERTED: frozenset[FieldName] = frozenset({"time", "owner", "malware"})
_MOST_ALERTS = 4_096
_KINDS = {"taxii": "indicators-served", "gateway": "indicators-shared", "indicators": "indicators-listed"}
#: What an answer over everything the filter finds takes in of whom, as far as these fields go.
TookIn = Callable[[Reader, Filter, frozenset[FieldName]], tuple[Part, ...]]


class Handing:
    """Both, for one hub. Thread-safe."""

    def __init__(self, decisions: DecisionLog, took_in: TookIn) -> None:
        self._decisions, self._took_in, self._lock = decisions, took_in, threading.Lock()
        self._alerts: OrderedDict[tuple[str, str, bytes], tuple[Part, ...]] = OrderedDict()

    def handed(self, reader: Reader, use: Use, origins: Sequence[bytes], objects: int) -> None:
        """Record indicators before they leave."""
        self.handed_all([Handed(reader, use, origins, objects)])

    def handed_all(self, handed: Sequence[Handed]) -> None:
        """Record what leaves to several readers at once, before it leaves."""
        self._decisions.decided_all([_decided(each) for each in handed])

    def alerts(self, reader: Reader, use: Use, alerts: Iterable[Alert]) -> None:
        """Record a list of alerts before it leaves."""
        found = list(alerts)
        self._decisions.decided(reader, "alerts-listed", {"alerts": len(found)}, self._taken(reader, use, found))

    def alert(self, reader: Reader, alert: Alert) -> None:
        """Record an alert that is told."""
        detail = {"alert": alert.id, "state": alert.state, "detector": alert.detector}
        self._decisions.decided(reader, "alert", detail, self._taken(reader, Use("alert", "gateway"), [alert]))

    def _taken(self, reader: Reader, use: Use, alerts: Iterable[Alert]) -> Taken:
        parts = [part for alert in alerts if alert.state in LIVE for part in self._parts(reader, alert)]
        return Taken("alert", use.by, "", merged(parts))

    def _parts(self, reader: Reader, alert: Alert) -> tuple[Part, ...]:
        """One alert of each owner and set of clauses behind it."""
        key = (f"{reader.org} {reader.purpose}", alert.id, repr(alert).encode())
        with self._lock:
            known = self._alerts.get(key)
        if known is None:
            found = self._took_in(reader, shown_events(alert), ALERTED)
            known = tuple(Part(p.owner, p.clauses, p.fields, 1) for p in found)
            with self._lock:
                self._alerts[key] = known
                while len(self._alerts) > _MOST_ALERTS:
                    self._alerts.popitem(last=False)
        return known


def _decided(handed: Handed) -> Decided:
    surface = handed.use.surface or "indicators"
    taken = Taken(surface, handed.use.by, "", opened(handed.origins))
    return Decided(handed.reader, _KINDS.get(surface, surface), {"indicators": handed.objects}, taken)
