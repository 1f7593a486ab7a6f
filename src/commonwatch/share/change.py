"""What a refresh changes: the indicators a reader may have now, against those it was given before. Pure.

Rules held here:
- a pattern no longer visible gets a last `revoked` version where the reader was served it, and vanishes where not;
- one whose life ended vanishes; seen again it goes on under the same id;
- `revoked` is final: the same pattern shared again is the next generation with a new id;
- a sighting that may no longer be told, of a value that partners still give, is revoked alone; a later one is new;
- growing counts make a new version at most once an hour, unless they doubled; anything less than growth at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from commonwatch.share import marking, stix
from commonwatch.share.indicators import Indicator, dated
from commonwatch.share.ports import Change, Entry, Gone, State, Version

HOUR = 3_600_000_000
_TICK = 1_000
_records = msgspec.json.Decoder(Indicator)


class Desk(msgspec.Struct, frozen=True):
    """For whom and as whom objects are written, and when."""

    audience: str
    publisher: str
    now: int


class Draft:
    """Collects what one refresh changes."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.entries: list[Entry] = []
        self.versions: list[Version] = []
        self.markings: dict[str, Version] = {}
        self.gone: list[str] = []
        self.dropped: list[str] = []
        self.withdrawn: list[Gone] = []
        self.look_again = desk.now + 366 * 24 * HOUR

    def show(self, new: Indicator, old: Entry | None, *, touched: bool) -> None:
        """A pattern this reader may have now. `touched`: it was seen again since the last refresh."""
        if old is None or old.status == "revoked":
            self._open(new, (old.generation + 1) if old is not None else 1)
        elif old.status == "shown":
            self._update(new, old)
        elif touched or dated(new, old.created).valid_until > self.desk.now:
            self._publish(dated(new, self.desk.now), old, None)

    def hide(self, old: Entry) -> None:
        """A pattern this reader may not have any more."""
        if old.status != "shown":
            return
        record = _records.decode(old.record)
        self.gone.append(old.id)
        if record.valid_until <= self.desk.now:
            self.entries.append(msgspec.structs.replace(old, status="ended"))
        elif old.served:
            self.entries.append(msgspec.structs.replace(old, status="revoked"))
            self._write(record, old, None, revoked=True)
        else:
            self.dropped.append(old.key)
        if record.seen:  # what only a partner gave, no agreement took back
            self.withdrawn.append(Gone(id=old.id, generation=old.generation, served=old.served))

    def finish(self, state: State, *, fresh: bool) -> Change:
        """The change, with the moment to look again."""
        state = msgspec.structs.replace(state, good_until=min(state.good_until, self.look_again))
        return Change(
            state=state, entries=self.entries, versions=self.versions, gone=self.gone, dropped=self.dropped,
            withdrawn=self.withdrawn, fresh=fresh,
        )  # fmt: skip

    def _open(self, new: Indicator, generation: int) -> None:
        now, record = self.desk.now, dated(new, self.desk.now)
        object_id = stix.indicator_id(self.desk.publisher, record.pattern, generation)
        status: Literal["shown"] = "shown"
        blank = Entry(
            key=record.pattern, id=object_id, generation=generation, status=status, record=b"", created=now, versioned=0
        )
        self._publish(record, blank, None)

    def _update(self, new: Indicator, old: Entry) -> None:
        now, before = self.desk.now, _records.decode(old.record)
        new = dated(new, before.valid_from if before.first_seen is None else now)
        new = msgspec.structs.replace(new, id=old.id, unseen=before.unseen + (before.seen and not new.seen))
        if new.valid_until <= now:
            self.hide(old)
        elif new == before:
            self._look_again(new.valid_until)
        elif _can_wait(before, new) and now - old.versioned < HOUR:
            self._look_again(min(before.valid_until, old.versioned + HOUR))
        else:
            self._publish(new, old, before)

    def _publish(self, new: Indicator, old: Entry, before: Indicator | None) -> None:
        record = msgspec.structs.replace(new, id=old.id)
        self._look_again(record.valid_until)
        at = self._write(record, old, before)
        kept = msgspec.structs.replace(old, status="shown", record=msgspec.json.encode(record), versioned=at)
        self.entries.append(kept)

    def _write(self, item: Indicator, old: Entry, before: Indicator | None, *, revoked: bool = False) -> int:
        """New versions of the objects whose content differs from `before`; returns their time (microseconds)."""
        at, created = max(self.desk.now, old.versioned + _TICK), stix.stamp(old.created)
        self._mark(item)
        for new, known in zip(self._objects(item, created), self._objects(before, created), strict=True):
            if new is not None and new != known:
                final = {**new, "modified": stix.stamp(at), **({"revoked": True} if revoked else {})}
                body = stix.encode(final)
                self.versions.append(Version(id=new["id"], type=new["type"], version=at, body=body, of=item.id))
            elif new is None and known is not None:
                body = stix.encode({**known, "modified": stix.stamp(at), "revoked": True})
                self.versions.append(Version(id=known["id"], type=known["type"], version=at, body=body, of=item.id))
        return at

    def _mark(self, item: Indicator) -> None:
        """Whoever gets the object gets the definition of its marking first."""
        if item.terms is not None and (name := marking.iep_marking(item.terms)) not in self.markings:
            made = marking.iep_definition(item.terms, self.desk.publisher)
            self.markings[name] = _static(made)

    def _look_again(self, at: int) -> None:
        self.look_again = min(self.look_again, at)

    def _objects(self, item: Indicator | None, created: str) -> tuple[stix.Stix | None, stix.Stix | None]:
        if item is None:
            return None, None
        desk = self.desk
        return (
            stix.indicator(item, desk.publisher, created, created),
            stix.sighting(item, desk.publisher, desk.audience, created, created) if item.seen else None,
        )


def statics(publisher: str) -> Iterable[Version]:
    """The identity, markings and extension every audience gets first."""
    yield from map(_static, stix.statics(publisher))


def _static(document: stix.Stix) -> Version:
    at = stix.micros(str(document.get("modified") or document["created"]))
    return Version(id=document["id"], type=document["type"], version=at, body=stix.encode(document))


def _can_wait(old: Indicator, new: Indicator) -> bool:
    """Whether only counts and the last time grew, by less than double."""
    grown = msgspec.structs.replace(new, sightings=old.sightings, last_seen=old.last_seen)
    if grown != old or (old.sightings is None) != (new.sightings is None):
        return False
    if old.sightings is not None and new.sightings is not None:
        more = old.sightings <= new.sightings < 2 * old.sightings
    else:
        more = True
    return more and (new.last_seen or 0) >= (old.last_seen or 0)
