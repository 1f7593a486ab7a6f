"""The policy a gateway enforces: a verified snapshot of its owner's documents, and the edge made from it.

Rules held here: only what the owner signed counts, and what it said once cannot be unsaid by leaving it out
(`agreements.snapshot.verify_snapshot`); what the owner says at the gateway itself counts at once, whether or not the
hub passes it on; a snapshot of another owner is refused; lifecycle is judged at the gateway's
proven time; equal digests mean that equal things may leave, so a waiting batch is looked at again exactly when the
digest changes; an expired snapshot is no policy.
"""

from __future__ import annotations

import hashlib
import threading
from typing import NamedTuple

import msgspec

from commonwatch.agreements.chain import keys_of
from commonwatch.agreements.edge import Ceilings
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.signing import envelope_from, thumbprint
from commonwatch.agreements.snapshot import VerifiedSnapshot, verify_snapshot
from commonwatch.agreements.statement import verify_statement
from commonwatch.errors import SignatureError
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.edge import Edge, Keys
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.state import Identity

SNAPSHOT = "snapshot"
#: Seconds after which lifecycles and what the owner said here are looked at again without a new snapshot.
REFRESH_SECONDS = 2.0


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
    """Holds the newest verified snapshot, on disk too, and gives the policy that follows from it now. Thread-safe."""

    def __init__(self, journal: Journal, identity: Identity, keys: Keys, clock: Clock) -> None:
        self._journal = journal
        self._identity = identity
        self._keys = keys
        self._clock = clock
        self._verified: VerifiedSnapshot | None = None
        self._policy: Policy | None = None
        self._looked = float("-inf")
        self._lock = threading.RLock()

    @property
    def number(self) -> int:
        """The highest snapshot number accepted."""
        return 0 if self._verified is None else self._verified.snapshot.number

    def owner_keys(self) -> list[str]:
        """Thumbprints of the keys that speak for the owner: the pinned one, and those it introduced since."""
        said = () if self._verified is None else self._verified.statements
        return keys_of(self._identity.org, thumbprint(self._identity.owner_key), said)

    def held(self) -> VerifiedSnapshot | None:
        """The newest snapshot, fresh or not."""
        return self._verified

    def restore(self) -> None:
        """Take up the snapshot from before a restart; an expired one still bars older ones,
        and a machine without a clock of its own knows at least how late it was then. Raises SignatureError."""
        body = self._journal.note(SNAPSHOT)
        if body is not None:
            verified = self._open(body, 0)
            self._clock.prove(verified.snapshot.issued)
            self._take(verified)

    def offer(self, body: bytes) -> None:
        """A snapshot from the hub: kept if it verifies, else SignatureError and nothing changes."""
        with self._lock:
            verified = self._open(body, self._clock.now())
            self._clock.prove(verified.snapshot.issued)
            self._journal.remember(SNAPSHOT, body)
            self._take(verified)

    def _open(self, body: bytes, now: int) -> VerifiedSnapshot:
        """The snapshot, if it may follow the one held."""
        last = None if self._verified is None else self._verified.snapshot
        who = self._identity
        found = verify_snapshot(body, who.hub_key, who.owner_key, self.number, now, last=last)
        if found.snapshot.owner != who.org:
            raise SignatureError("the snapshot is of another owner", where="owner", todo="enrol the gateway again")
        return found

    def _take(self, verified: VerifiedSnapshot) -> None:
        with self._lock:
            self._verified = verified
            self._looked = float("-inf")
            self.policy()

    def policy(self) -> Policy | None:
        """What may leave now; None without a fresh snapshot."""
        with self._lock:
            verified, now = self._verified, self._clock.now()
            if verified is None or now >= verified.snapshot.expires:
                return None
            if self._clock.tick() - self._looked >= REFRESH_SECONDS:
                self._looked = self._clock.tick()
                self._renew(verified, now)
            return self._policy

    def _renew(self, verified: VerifiedSnapshot, now: int) -> None:
        """Make a new edge only where something changed."""
        said = tuple(verify_statement(envelope_from(body)) for _, body, _ in self._journal.statements())
        docs, snapshot = verified.owner_documents(now, said), verified.snapshot
        if self._policy is not None and self._policy.digest == digest_of(docs):
            self._policy = self._policy._replace(number=snapshot.number, expires=snapshot.expires)
        else:
            self._policy = policy_of(docs, snapshot.number, snapshot.expires, self._keys)
