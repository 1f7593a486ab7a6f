"""Looking: observables out of events into the index, indicators against the index, events against indicators held."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

from commonwatch.events.address import Scope, parse
from commonwatch.events.event import Event
from commonwatch.events.labels import EventClass, Label, Severity
from commonwatch.gateway.lookback.index import Index, Key, Match, read_label, written
from commonwatch.wire.messages import IndicatorItem

#: Column -> (clause field, how its value is written in an indicator).
_PLAIN: Final = {"domain": "domain", "url": "url", "mail_from": "mail_from"}
_HASHES: Final = ("file_sha256", "file_sha1", "file_md5")
_SIDES: Final = ("src_ip", "dst_ip")
#: Matches told to the hub at a time.
MANY: Final = 2_000
_RULE: Final = "indicator seen here"
_DETECTED, _OBSERVED = 15, 3
_MATCH_CLASS: Final = 2004


class Lookback:
    """One gateway's look-back. Thread-safe: the collector notes, the downlink asks."""

    def __init__(self, index: Index, key: bytes, held: Iterable[IndicatorItem] = ()) -> None:
        self._index, self._key = index, key
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, int]] = {}
        self._by_id: dict[str, str] = {}
        self._new = 0
        self._take_up(held)
        #: whether there may be matches that the hub was not told of
        self.waiting = True

    def _take_up(self, items: Iterable[IndicatorItem]) -> None:
        for item in items:
            if (old := self._by_id.get(item.id)) is not None and old != item.value:
                self._held.pop(old, None)
            self._by_id[item.id] = item.value
            self._held[item.value] = item.id, item.valid_until or 1 << 62

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    def arrived(self, items: Sequence[IndicatorItem], now: int) -> int:
        """Check indicators that came against what was seen; how many matches are new."""
        with self._lock:
            fresh = [i for i in items if i.value not in self._held or self._held[i.value][0] != i.id]
            self._take_up(items)
        return self._keep([i.value for i in fresh if (i.valid_until or now + 1) > now], now)

    def withdrawn(self, ids: Iterable[str]) -> None:
        """Indicators that are shared no more."""
        with self._lock:
            for named in ids:
                value = self._by_id.pop(named, None)
                if value is not None and self._held.get(value, ("", 0))[0] == named:
                    del self._held[value]

    def note(self, rows: Iterable[tuple[Label, Event]], now: int) -> int:
        """Take events into the index, and check them against the indicators held; how many matches are new."""
        found: dict[Key, list[int]] = {}
        for label, event in rows:
            for field, value in observables(event):
                _add(found, Key(value, field, written(label)), event)
        if not found:
            return 0
        self._index.see(found, now)
        with self._lock:
            hit = {k.value for k in found if k.value in self._held and self._held[k.value][1] > now}
        return self._keep(sorted(hit), now)

    def _keep(self, values: Sequence[str], now: int) -> int:
        new = self._index.match(self._index.find(values), now) if values else 0
        if new:
            with self._lock:
                self._new += new
            self.waiting = True
        return new

    def news(self) -> int:
        """How many matches were made since this was last asked."""
        with self._lock:
            found, self._new = self._new, 0
        return found

    def untold(self) -> list[tuple[Match, Label, Event]]:
        """Matches the hub was not told of, as events of class `match` under the labels of what was seen."""
        found = self._index.untold(MANY)
        self.waiting = len(found) == MANY
        return [(m, _label(m), self._event(m)) for m in found]

    def told(self, matches: Iterable[Match]) -> None:
        """These were dealt with."""
        self._index.told(matches)

    def _event(self, match: Match) -> Event:
        uid = blake2b(digest_size=16, key=self._key, person=b"commonwatch-look")
        for part in (match.value, match.field, match.label, str(match.day)):
            uid.update(len(part.encode()).to_bytes(4, "big") + part.encode())
        event = Event(
            event_class=EventClass.MATCH, class_uid=_MATCH_CLASS, activity_id=1, time=match.first, end_time=match.last,
            count=min(match.count, (1 << 32) - 1), severity_id=Severity.MEDIUM, is_alert=True, action_id=_OBSERVED,
            disposition_id=_DETECTED, product_vendor="Commonwatch", product_name="Commonwatch gateway",
            rule_uid="look-back", rule_name=_RULE,
        )  # fmt: skip
        event.event_uid = uid.digest()
        _put(event, match.field, match.value)
        return event


def observables(event: Event) -> Iterable[tuple[str, str]]:
    """(clause field, value) of everything in an event that an indicator may name; addresses only from outside."""
    for side in _SIDES:
        address = getattr(event, side)
        if address is not None and getattr(event, f"{side[:3]}_scope") == Scope.OUTSIDE:
            yield side, str(address)
    for column, field in _PLAIN.items():
        if (value := getattr(event, column)) is not None:
            yield field, value
    for column in _HASHES:
        if (digest := getattr(event, column)) is not None:
            yield "file_hash", digest.hex()


def _add(found: dict[Key, list[int]], key: Key, event: Event) -> None:
    known, count = found.get(key), event.count or 1
    if known is None:
        found[key] = [event.time, event.end_time or event.time, count]
    else:
        known[0] = min(known[0], event.time)
        known[1] = max(known[1], event.end_time or event.time)
        known[2] += count


def _label(match: Match) -> Label:
    seen = read_label(match.label)
    return Label(EventClass.MATCH, seen.tlp, Severity.MEDIUM, seen.site)


def _put(event: Event, field: str, value: str) -> None:
    """The observable in its column."""
    if field in _SIDES:
        setattr(event, field, parse(value))
        setattr(event, f"{field[:3]}_scope", int(Scope.OUTSIDE))
    elif field == "file_hash":
        digest = bytes.fromhex(value)
        setattr(event, {32: "file_sha256", 20: "file_sha1", 16: "file_md5"}[len(digest)], digest)
    else:
        setattr(event, field, value)
