"""Signed snapshots of an owner's documents for its gateways: numbered, dated, re-issued on change and each minute.

Rules (`agreements.md` 11): numbers rise by one and each names its predecessor's digest, across restarts; valid for 15
minutes; every version of each agreement's chain, the newest charters, and every statement about them are inside, as the
very envelopes people signed. An owner whose gateways hold a newer number than ours gets none until that is healed.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator

import msgspec
from sqlalchemy.orm import Session

from commonwatch.agreements.decode import canonical, digest
from commonwatch.agreements.document import Agreement, CommunityCharter
from commonwatch.agreements.signing import SigningKey, sign_message
from commonwatch.agreements.snapshot import TYPE, VALID, Bundle, Snapshot, entry_of
from commonwatch.errors import Unavailable
from commonwatch.hub.meta import epoch as epochs
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.keys import KeyFile
from commonwatch.hub.meta.models import Organisation, SnapshotNumber
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.registry.live import Policy
from commonwatch.hub.registry.resolve import Held, Resolved, Said
from commonwatch.wire.messages import SnapshotMessage

MINUTE = 60 * MICROS


class Issued(msgspec.Struct, frozen=True):
    """The last snapshot of an owner: what it covered, when it was issued, and the message."""

    covered: str
    at: int
    message: SnapshotMessage


class Snapshots:
    """Issues them when asked. Thread-safe; one lock an owner."""

    def __init__(self, database: Database, keys: KeyFile, clock: Clock, policy: Policy) -> None:
        self.database, self.keys, self.clock, self.policy = database, keys, clock, policy
        self._issued: dict[str, Issued] = {}
        self._held: dict[str, int] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def current(self, org: str) -> SnapshotMessage:
        """The newest snapshot, made now when what it covers changed or it is a minute old. Raises Unavailable."""
        resolved = self.policy.resolved()
        if org in resolved.closed:
            todo = "restore a newer backup of the metadata"
            raise Unavailable("this hub is behind what the owner's gateways hold", todo=todo)
        covered = parts_of(org, resolved)
        with self._locks[org]:
            last, now = self._issued.get(org), self.clock.now()
            if last is None or last.covered != covered.stamp or now - last.at >= MINUTE:
                last = Issued(covered.stamp, now, self._issue(org, covered, now))
                self._issued[org] = last
            return last.message

    def held(self, org: str, number: int) -> None:
        """A gateway holds this number. Above what we issued, this hub is behind its own past: the owner is closed."""
        if number <= self._held.get(org, 0):
            return
        with self.database.write() as session:
            row = numbers(session, org)
            row.seen = max(row.seen, number)
            now = self.clock.now()
            if number > row.number:
                epoch = epochs.rise(session, now)
                record(session, now, "hub", "hub-behind", org=org, seen=number, issued=row.number, epoch=epoch)
        self._held[org] = number

    def _issue(self, org: str, covered: Covered, now: int) -> SnapshotMessage:
        with self.database.write() as session:
            row = numbers(session, org)
            made = Snapshot(
                owner=org, number=row.number + 1, issued=now, expires=now + VALID, previous=row.digest or None,
                documents=tuple(entry_of(held.verified) for held in covered.documents),
                statements=tuple(said.signed.digest for said in covered.statements),
            )  # fmt: skip
            payload = canonical(made)
            row.number, row.digest, row.issued = made.number, digest(payload), now
        signed = sign_message(TYPE, payload, SigningKey.from_seed(self.keys.need("hub", "hub")))
        envelopes = tuple(held.envelope for held in covered.documents)
        body = Bundle(signed, envelopes, tuple(said.envelope for said in covered.statements))
        return SnapshotMessage(made.number, msgspec.json.encode(body))


class Covered(msgspec.Struct, frozen=True):
    """What a snapshot of one owner contains, in the order it lists it."""

    documents: tuple[Held, ...]
    statements: tuple[Said, ...]

    @property
    def stamp(self) -> str:
        """Equal for equal contents."""
        return " ".join([h.verified.digest for h in self.documents] + [s.signed.digest for s in self.statements])


def parts_of(org: str, resolved: Resolved) -> Covered:
    """The owner's chains, its newest charter, the charters of communities its agreements name, and all statements."""
    documents = sorted(_documents(org, resolved), key=_place)
    names = {h.verified.document.id for h in documents} | {""}
    said = [s for name in names for s in resolved.statements.get(name, ())]
    return Covered(tuple(documents), tuple(sorted(said, key=lambda s: s.signed.digest)))


def _documents(org: str, resolved: Resolved) -> Iterator[Held]:
    own = resolved.documents.get(org, ())
    yield from (h for h in own if isinstance(h.verified.document, Agreement))
    charters = [h for h in own if not isinstance(h.verified.document, Agreement | CommunityCharter)]
    yield from charters[-1:]
    communities = {h.verified.document.community for h in own if isinstance(h.verified.document, Agreement)}
    yield from (resolved.charters[c] for c in sorted(filter(None, communities)) if c in resolved.charters)


def _place(held: Held) -> tuple[str, str, int]:
    entry = entry_of(held.verified)
    return (entry.kind, entry.id, entry.version)


def numbers(session: Session, org: str) -> SnapshotNumber:
    """The owner's row, locked; made when it is the first."""
    row = session.get(SnapshotNumber, org, with_for_update=True)
    if row is None:
        session.get(Organisation, org, with_for_update=True)
        row = session.get(SnapshotNumber, org)
    if row is None:
        row = SnapshotNumber(org=org, number=0, digest="", issued=0, seen=0)
        session.add(row)
        session.flush()
    return row
