"""The policy a gateway enforces: a verified snapshot of its owner's documents, and the edge made from it.

Rules held here: only what the owner signed counts (`agreements.snapshot` checks hub and owner signatures, rollback,
freeze and mix-and-match); lifecycle is judged at the gateway's proven time; equal digests mean that equal things may
leave, so a waiting batch is looked at again exactly when the digest changes; an expired snapshot is no policy.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from commonwatch.agreements.edge import Ceilings
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.edge import Edge, Keys
from commonwatch.gateway.journal import Journal

SNAPSHOT = "snapshot"
NUMBER = "snapshot-number"
#: Seconds after which lifecycles (start, end, suspension) are looked at again without a new snapshot.
REFRESH_SECONDS = 10.0


class Verified(NamedTuple):
    """A verified snapshot. Times in microseconds; `documents(now)` are the owner's documents in their states then."""

    number: int
    issued: int
    expires: int
    documents: Callable[[int], OwnerDocuments]


#: (bytes, highest number seen, time) -> verified snapshot; raises SignatureError or InvalidInput.
Verify = Callable[[bytes, int, int], Verified]


class Policy(NamedTuple):
    """What may leave now. `expires` in microseconds; `number` is the snapshot's."""

    number: int
    expires: int
    digest: str
    edge: Edge


def policy_of(docs: OwnerDocuments, number: int, expires: int, keys: Keys) -> Policy:
    """The policy of an owner's documents as they stand."""
    return Policy(number, expires, digest_of(docs), Edge(Ceilings(docs).of, keys))


def digest_of(docs: OwnerDocuments) -> str:
    """Equal for equal documents in equal states."""
    return hashlib.sha256(msgspec.json.encode(docs, order="deterministic")).hexdigest()


class PolicyKeeper:
    """Holds the newest verified snapshot, on disk too, and gives the policy that follows from it now."""

    def __init__(self, journal: Journal, verify: Verify, keys: Keys, clock: Clock) -> None:
        self._journal = journal
        self._verify = verify
        self._keys = keys
        self._clock = clock
        self._verified: Verified | None = None
        self._policy: Policy | None = None
        self._looked = float("-inf")
        self._lock = threading.RLock()
        self.number = int(journal.note(NUMBER) or b"0")

    def restore(self) -> None:
        """Take up the snapshot from before a restart; raises what `offer` raises."""
        body = self._journal.note(SNAPSHOT)
        if body is not None:
            self._take(self._verify(body, self.number, self._clock.now()))

    def offer(self, body: bytes) -> None:
        """A snapshot from the hub: kept if it verifies, else SignatureError or InvalidInput and nothing changes."""
        verified = self._verify(body, self.number, self._clock.now())
        self._clock.prove(verified.issued)
        self._journal.remember(SNAPSHOT, body)
        self._journal.remember(NUMBER, b"%d" % verified.number)
        self._take(verified)

    def _take(self, verified: Verified) -> None:
        with self._lock:
            self.number = max(self.number, verified.number)
            self._verified, self._looked = verified, float("-inf")
            self.policy()

    def policy(self) -> Policy | None:
        """What may leave now; None without a fresh snapshot."""
        with self._lock:
            verified, now = self._verified, self._clock.now()
            if verified is None or now >= verified.expires:
                return None
            if self._clock.tick() - self._looked >= REFRESH_SECONDS:
                self._looked = self._clock.tick()
                self._renew(verified, now)
            return self._policy

    def _renew(self, verified: Verified, now: int) -> None:
        """Make a new edge only where something changed."""
        docs = verified.documents(now)
        digest = digest_of(docs)
        if self._policy is not None and self._policy.digest == digest:
            self._policy = self._policy._replace(number=verified.number, expires=verified.expires)
        else:
            self._policy = policy_of(docs, verified.number, verified.expires, self._keys)
