"""What sharing needs from whoever composes it: governed observables, and a table that keeps what was published.

Nothing here is an event: an observable was computed from the columns as this reader is shown them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from commonwatch.agreements.reader import ClauseRef, Reader
from commonwatch.agreements.terms.iep import Terms
from commonwatch.govern.taken import Origins, Use

EVER = 2**62


class Observable(Protocol):
    """A value worth acting on with totals over all this reader may see (`events.md` 10). Times in microseconds."""

    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def first_seen(self) -> int | None: ...
    @property
    def last_seen(self) -> int | None: ...
    @property
    def count(self) -> int | None: ...
    @property
    def sources(self) -> int | None: ...
    @property
    def tlp(self) -> int: ...
    @property
    def severity(self) -> int | None: ...
    @property
    def malware(self) -> str | None: ...
    @property
    def clauses(self) -> tuple[ClauseRef, ...]: ...
    @property
    def terms(self) -> Terms | None: ...


class Standing(Protocol):
    """Policy epoch, how far the store has come, and until when the reader's view cannot change by the clock alone."""

    @property
    def epoch(self) -> int: ...
    @property
    def watermark(self) -> int: ...
    @property
    def good_until(self) -> int: ...


class Source(Protocol):
    """Govern, as far as sharing needs it. Every method raises `Unavailable` when the policy cannot be known."""

    def standing(self, reader: Reader) -> Standing: ...
    def observables(
        self, reader: Reader, since: int | None, *, origins: Origins | None = None
    ) -> Sequence[Observable]: ...
    def observables_of(
        self, since: Mapping[Reader, int], origins: Mapping[Reader, Origins]
    ) -> Mapping[Reader, Sequence[Observable]]: ...


class Handed(NamedTuple):
    """What is handed to one reader: through which surface, sealed notes of where it came from, how many objects."""

    reader: Reader
    use: Use
    origins: Sequence[bytes]
    objects: int


class Record(Protocol):
    """Told of what is handed out, before it leaves: it is recorded for whoever it came from, or it does not leave."""

    def handed(self, reader: Reader, use: Use, origins: Sequence[bytes], objects: int) -> None: ...
    def handed_all(self, handed: Sequence[Handed]) -> None: ...


class State(msgspec.Struct, frozen=True):
    """Up to where an audience's publications are right: epoch, store watermark, and the next moment to look again."""

    epoch: int
    watermark: int
    good_until: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One pattern as one audience has it. `record` is the indicator as JSON, as it was last published.

    `generation` rises when a revoked pattern is shared again; `created` is its first publication in this generation,
    `versioned` the last, `changed` the moment of the last change, shown or withdrawn; `served`: the audience got it.
    """

    key: str
    id: str
    generation: int
    status: Literal["shown", "ended", "revoked"]
    record: bytes
    created: int
    versioned: int
    changed: int = 0
    served: bool = False


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one STIX object for one audience. `version` and `added` are microseconds; `body` is JSON.

    `of` is the indicator the object belongs to, empty for markings and identities.
    """

    id: str
    type: str
    version: int
    body: bytes
    of: str = ""
    added: int = 0


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """An indicator that agreements no longer allow: its id, whether the audience had got it, and when it went."""

    id: str
    generation: int
    served: bool
    at: int = 0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one refresh does, applied in one transaction.

    `gone` are indicators whose objects all vanish before `versions` are added; `dropped` are keys to forget; `fresh`
    drops every version of anything but the last. `origins` are sealed notes by key of what each came from.
    `withdrawn` is written down for the certificate of the withdrawal.
    """

    state: State
    entries: Sequence[Entry] = ()
    versions: Sequence[Version] = ()
    gone: Sequence[str] = ()
    dropped: Sequence[str] = ()
    withdrawn: Sequence[Gone] = ()
    fresh: bool = False
    origins: Mapping[str, bytes] = {}


class Ask(NamedTuple):
    """One question to an audience's collection. `after` is exclusive; `versions` is last, first, all, or instants."""

    after: int = 0
    limit: int = 100
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    versions: tuple[str | int, ...] = ("last",)


class PublicationStore(Protocol):
    """Keeps, per audience, what was published. Thread-safe; `apply` is one transaction."""

    def state(self, audience: str) -> State | None: ...
    def entries(self, audience: str, keys: Iterable[str] | None) -> Mapping[str, Entry]: ...
    def changed(self, audience: str, after: int, limit: int) -> Sequence[Entry]: ...
    def newest(self, audience: str, limit: int) -> Sequence[Entry]: ...
    def apply(self, audience: str, change: Change, now: int) -> None: ...
    def page(self, audience: str, ask: Ask) -> Sequence[Version]: ...
    def holds(self, audience: str, object_id: str) -> bool: ...
    def served(self, audience: str, ids: Iterable[str]) -> None: ...
    def audiences(self) -> Sequence[str]: ...
    def withdrawn(self, audience: str, since: int) -> Sequence[Gone]: ...
    def origins(self, audience: str, ids: Iterable[str]) -> Mapping[str, bytes]: ...


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner says of one value, as the organisation it was given to keeps it. Times in microseconds.

    `weight`: how far the source is trusted, 0 to 100; `community`: its AMBER may go to the receiver's communities.
    """

    receiver: str
    source: str
    weight: int
    community: bool
    kind: str
    value: str
    external_id: str
    valid_from: int
    valid_until: int
    confidence: int | None
    tlp: int
    may_act: bool
    attribute: bool


class Partners(Protocol):
    """Partners' intelligence that is kept. `version` changes with everything that changes what is held."""

    def version(self) -> int: ...
    def held(self, now: int) -> Sequence[Held]: ...
    def communities(self, org: str) -> frozenset[str]: ...
    def clients(self, org: str) -> frozenset[str]: ...
