"""Publications: what each reader was given, brought up to date before anything is served.

Rules held here:
- an audience is an organisation with its purpose; each has its own table, dates and versions;
- before every answer the policy epoch, the store's watermark and `good_until` are compared: if the view may have
  changed, the publications are recomputed from governed observables first (the next read obeys);
- partners' intelligence joins what members saw on the same way, each under its giver's marking;
- if the policy cannot be known nothing is served (`Unavailable` passes through);
- what was handed over is remembered, because only that needs a `revoked` version later; it is recorded, for those it
  came from, before it leaves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from commonwatch.agreements.reader import Purpose, Reader
from commonwatch.errors import CommonwatchError, Unavailable
from commonwatch.govern.preview.shapes import Feed
from commonwatch.govern.taken import Origins, Use
from commonwatch.share.allow import AllowList
from commonwatch.share.change import Desk, Draft, statics
from commonwatch.share.imagined import feed
from commonwatch.share.indicators import LIFE_DAYS, Indicator, indicators_from, pattern
from commonwatch.share.partners import given_to, join, joined_only
from commonwatch.share.ports import (
    Ask,
    Change,
    Gone,
    Observable,
    Partners,
    PublicationStore,
    Record,
    Source,
    Standing,
    State,
    Version,
)
from commonwatch.share.stix import stamp

#: How indicators leave: through TAXII always for a token.
BY_TAXII, BY_LIST = Use("taxii", "token"), Use("indicators", "person")
#: How often publications are made anew because the agreements changed while they were.
TRIES = 4
_records = msgspec.json.Decoder(Indicator)


class News(NamedTuple):
    """What changed for an audience after a cursor: indicators shown, ids withdrawn, and the cursor to ask from next."""

    shown: list[Indicator]
    withdrawn: list[str]
    cursor: int


class Publications:
    """The publications of one hub, for all its readers."""

    def __init__(
        self,
        store: PublicationStore,
        source: Source,
        publisher: str,
        *,
        allow: Callable[[], AllowList] = AllowList,
        clock: Callable[[], int] | None = None,
        record: Record | None = None,
        partners: Partners | None = None,
    ) -> None:
        self.publisher = publisher
        self._partners = partners
        #: which version of partners' intelligence an audience's publications are of; unknown after a start
        self._joined: dict[str, int] = {}
        self._store, self._source, self._allow = store, source, allow
        self._clock = clock or (lambda: time.time_ns() // 1_000)
        self._record = record
        self._guard = threading.Lock()
        self._locks: dict[str, threading.RLock] = {}

    def refresh(self, reader: Reader) -> None:
        """Make the publications of this reader obey the policy and the store as they stand now."""
        for _ in range(TRIES):
            if self._refreshed_once(reader):
                return
        raise Unavailable("the agreements change all the time", todo="try again in a moment")

    def _refreshed_once(self, reader: Reader) -> bool:
        """One refresh; whether the policy stayed what it was meanwhile."""
        audience = audience_of(reader)
        with self._lock(audience):
            standing, state, now = self._source.standing(reader), self._store.state(audience), self._clock()
            joined = self._version()
            full = state is None or state.epoch != standing.epoch or now >= state.good_until
            full = full or self._joined.get(audience, 0) != joined
            if full or state is None:
                change = self._recompute(reader, standing, state, now)
            elif state.watermark != standing.watermark:
                change = self._continue(reader, standing, state, now)
            else:
                return True
            self._store.apply(audience, change, now)
            self._joined[audience] = joined
            return self._source.standing(reader).epoch == standing.epoch

    def refresh_all(self, readers: Sequence[Reader]) -> set[Reader]:
        """`refresh` for many readers, sharing the work; returns those whose policy and store are known.

        Who is brought up to date with others is not asked about once more for what came meanwhile.
        """
        everybody = dict.fromkeys(readers)
        lacking = {reader: lack for reader in everybody if (lack := self._lacking(reader))}
        done = self._refresh_together(lacking) if len(lacking) > 1 else set()
        return {reader for reader in everybody if reader in done or self._refreshed(reader)}

    def _refresh_together(self, lacking: Mapping[Reader, tuple[Standing, State]]) -> set[Reader]:
        """Continue those that only lack what was stored since, by one question for all; returns who was."""
        origins: dict[Reader, Origins] = {reader: {} for reader in lacking}
        try:
            found = self._source.observables_of({r: state.watermark for r, (_, state) in lacking.items()}, origins)
        except Unavailable:
            return set()
        done = set()
        for reader, seen in found.items():
            standing, before = lacking[reader]
            with self._lock(audience := audience_of(reader)):
                state, now = self._store.state(audience), self._clock()
                if state == before:
                    change = self._change(reader, standing, state, now, (seen, origins[reader]))
                    self._store.apply(audience, change, now)
                    done.add(reader)
        return done

    def _lacking(self, reader: Reader) -> tuple[Standing, State] | None:
        """How things stand for a reader that lacks nothing but what was stored since its state, else None."""
        try:
            standing, state = self._source.standing(reader), self._store.state(audience_of(reader))
        except CommonwatchError:
            return None
        if state is None or state.epoch != standing.epoch or self._clock() >= state.good_until:
            return None
        return (standing, state) if standing.watermark != state.watermark else None

    def _refreshed(self, reader: Reader) -> bool:
        try:
            self.refresh(reader)
        except Unavailable:
            return False
        return True

    def page(self, reader: Reader, ask: Ask, use: Use = BY_TAXII) -> Sequence[Version]:
        """A page of this reader's objects, after a refresh; they count as handed over, and are recorded before."""
        audience = audience_of(reader)
        with self._lock(audience):
            self.refresh(reader)
            found = self._store.page(audience, ask)
            ids = {version.of for version in found if version.of}
            self._handed(reader, use, ids)
            self._store.served(audience, ids)
        return found

    def more(self, reader: Reader, ask: Ask, after: int) -> bool:
        """Whether the question has further answers after a row (nothing is handed over by asking)."""
        return bool(self._store.page(audience_of(reader), ask._replace(after=after, limit=1)))

    def holds(self, reader: Reader, object_id: str) -> bool:
        """Whether this reader has the object; unknown and unreadable are the same."""
        self.refresh(reader)
        return self._store.holds(audience_of(reader), object_id)

    def news(self, reader: Reader, after: int, limit: int = 500) -> News:
        """What changed after a cursor (0 for everything), oldest first; shown indicators count as handed over."""
        audience = audience_of(reader)
        with self._lock(audience):
            entries = self._store.changed(audience, after, limit)
            shown = [_records.decode(e.record) for e in entries if e.status == "shown"]
            self._store.served(audience, {item.id for item in shown})
        withdrawn = [e.id for e in entries if e.status != "shown" and e.served]
        return News(shown, withdrawn, entries[-1].changed if entries else after)

    def origins(self, reader: Reader, ids: Iterable[str]) -> list[bytes]:
        """Sealed notes of what these indicators came from, for the record of who hands them out."""
        return list(self._store.origins(audience_of(reader), ids).values())

    def audiences(self) -> list[Reader]:
        """Everybody who has publications, as bare readers: roles and communities are the policy's word."""
        names = [name.split(" ") for name in self._store.audiences()]
        return [Reader(org, (), (), cast("Purpose", purpose)) for org, purpose in names]

    def withdrawn(self, reader: Reader, since: int) -> Sequence[Gone]:
        """What agreements took from this reader since a moment (microseconds), after a refresh."""
        self.refresh(reader)
        return self._store.withdrawn(audience_of(reader), since)

    def indicators(self, reader: Reader, limit: int = 200, use: Use = BY_LIST) -> list[dict[str, Any]]:
        """The newest indicators of this reader, for lists on screen; recorded before they are given."""
        audience = audience_of(reader)
        with self._lock(audience):
            self.refresh(reader)
            items = [_records.decode(e.record) for e in self._store.newest(audience, limit)]
            self._handed(reader, use, {item.id for item in items})
            self._store.served(audience, {item.id for item in items})
        return [_listed(item) for item in items]

    def feed(self, reader: Reader, now: Sequence[Observable], would: Sequence[Observable]) -> Feed:
        """What this reader would newly get if it could act on `would` instead of `now`; nothing is published."""
        return feed(Desk(audience_of(reader), self.publisher, self._clock()), self._allow(), now, would)

    def _recompute(self, reader: Reader, standing: Standing, state: State | None, now: int) -> Change:
        draft = Draft(Desk(audience_of(reader), self.publisher, now))
        origins: Origins = {}
        allow, seen = self._allow(), self._source.observables(reader, None, origins=origins)
        fresh = join(indicators_from(seen, allow, now), self._given(reader, allow, now))
        known = self._store.entries(draft.desk.audience, None)
        for key, old in known.items():
            if key not in fresh:
                draft.hide(old)
        for key, new in fresh.items():
            draft.show(new, known.get(key), touched=False)
        if state is None:
            draft.versions[:0] = statics(self.publisher)
        self._define(draft)
        moved = state is not None and state.epoch != standing.epoch
        change = draft.finish(State(standing.epoch, standing.watermark, standing.good_until), fresh=moved)
        return msgspec.structs.replace(change, origins=_by_key(origins, fresh))

    def _continue(self, reader: Reader, standing: Standing, state: State, now: int) -> Change:
        origins: Origins = {}
        seen = self._source.observables(reader, state.watermark, origins=origins)
        return self._change(reader, standing, state, now, (seen, origins))

    def _change(
        self, reader: Reader, standing: Standing, state: State, now: int, seen: tuple[Sequence[Observable], Origins]
    ) -> Change:
        """What these observables, seen since the state, change."""
        draft, (observables, origins) = Draft(Desk(audience_of(reader), self.publisher, now)), seen
        fresh = indicators_from(observables, self._allow(), now)
        if fresh:
            fresh = joined_only(fresh, self._given(reader, self._allow(), now))
        known = self._store.entries(draft.desk.audience, fresh)
        for key, new in fresh.items():
            draft.show(new, known.get(key), touched=True)
        self._define(draft)
        change = draft.finish(State(state.epoch, standing.watermark, state.good_until), fresh=False)
        return msgspec.structs.replace(change, origins=_by_key(origins, fresh))

    def _version(self) -> int:
        return 0 if self._partners is None else self._partners.version()

    def _given(self, reader: Reader, allow: AllowList, now: int) -> dict[str, Indicator]:
        return {} if self._partners is None else given_to(reader, self._partners, allow, now)

    def _handed(self, reader: Reader, use: Use, ids: Collection[str]) -> None:
        if self._record is not None:
            self._record.handed(reader, use, self.origins(reader, ids), len(ids))

    def _define(self, draft: Draft) -> None:
        """Markings the audience does not have yet come before what is marked with them."""
        audience = draft.desk.audience
        draft.versions[:0] = [v for v in draft.markings.values() if not self._store.holds(audience, v.id)]

    def _lock(self, audience: str) -> threading.RLock:
        with self._guard:
            return self._locks.setdefault(audience, threading.RLock())


def _by_key(origins: Origins, fresh: Mapping[str, Indicator]) -> dict[str, bytes]:
    """Notes by pattern, of what became an indicator."""
    found = {pattern(kind, value): body for (kind, value), body in origins.items() if kind in LIFE_DAYS}
    return {key: body for key, body in found.items() if key in fresh}


def audience_of(reader: Reader) -> str:
    """The name of a reader's publications; a slug holds no blank, so no two readers share one."""
    return f"{reader.org} {reader.purpose}"


def _listed(item: Indicator) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind,
        "value": item.value,
        "pattern": item.pattern,
        "valid_from": stamp(item.valid_from),
        "valid_until": stamp(item.valid_until),
        "confidence": item.confidence,
        "sources": item.sources,
        "first_seen": None if item.first_seen is None else stamp(item.first_seen),
        "last_seen": None if item.last_seen is None else stamp(item.last_seen),
        "sightings": item.sightings,
        "severity": item.severity,
        "malware": item.malware,
        "clauses": [str(clause) for clause in item.clauses],
    }
