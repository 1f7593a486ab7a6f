"""Batches on their way to the hub: made ready under the policy of now, kept a while after the receipt, offered again.

Rules held here: a batch made under other agreements is brought down before it is sent; one that was sealed by a clock
that ran far ahead is sealed anew, because a hub refuses what comes from the future; what is acknowledged is kept within
a bound, and when the hub says it has fewer batches than it acknowledged (it was restored from a backup), they go back
into the spool. Their numbers are the same, so what the hub still has is not stored twice.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from commonwatch.errors import CommonwatchError
from commonwatch.gateway import protocol as p
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.downlink.policy import Policy, PolicyKeeper
from commonwatch.gateway.journal import Journal, Spooled
from commonwatch.gateway.narrow import narrow
from commonwatch.gateway.reading.collect import Sealer
from commonwatch.wire.batch import peek_header, unseal
from commonwatch.wire.messages import BatchReceipt

#: A batch made further ahead of the corrected clock than this is sealed anew, microseconds.
AHEAD = 3_600_000_000
#: Batches before the hub's last one that are offered again too: several fly at once, in any order.
OVERLAP = 64


class Outgoing:
    """The spool of one gateway, as it is sent. `keep` bytes of acknowledged batches are kept."""

    def __init__(self, journal: Journal, keeper: PolicyKeeper, sealer: Sealer, clock: Clock, keep: int) -> None:
        self._journal, self._keeper, self._sealer, self._clock, self._keep = journal, keeper, sealer, clock, keep
        self._public: Ed25519PublicKey = sealer.key.public_key()
        #: number of the last acknowledged batch when the stream was asked for
        self._settled = 0

    def prepare(self, batch_uid: int) -> Spooled | p.Event:
        """The batch as the policy allows it now, or what became of it instead."""
        batch, policy = self._journal.batch(batch_uid), self._keeper.policy()
        if batch is None:
            return p.Dropped(self._clock.tick(), batch_uid)
        if policy is None:
            return p.Failed(self._clock.tick(), batch_uid)
        try:
            return batch if self._is_ready(batch, policy) else self._make_anew(batch, policy)
        except CommonwatchError as error:
            self._journal.set_aside(batch_uid, f"not readable in the spool any more: {error}", self._clock.now())
            return p.Dropped(self._clock.tick(), batch_uid)

    def acknowledge(self, receipt: BatchReceipt) -> None:
        """The hub has it."""
        rows = {"sent": receipt.rows, "acknowledged": receipt.rows, "stored": receipt.stored}
        counts = {**rows, "duplicate_batches": int(receipt.duplicate)}
        self._journal.acknowledge(receipt.batch_uid, counts, keep=self._keep, stored=receipt.stored)

    def asked(self) -> None:
        """The stream is being asked for: what was acknowledged until now the hub must have."""
        self._settled = self._journal.last_kept()

    def compare(self, last: int) -> int:
        """The hub says the last batch of ours it has is number `last`: how many batches have to be sent again."""
        if last < 0 or last >= self._settled:
            return 0
        return self._journal.offer_again(last - OVERLAP)

    def _is_ready(self, batch: Spooled, policy: Policy) -> bool:
        return batch.policy == policy.digest and peek_header(batch.body).made_at <= self._clock.now() + AHEAD

    def _make_anew(self, batch: Spooled, policy: Policy) -> Spooled | p.Event:
        """Bring a batch made under other agreements, or by a wrong clock, down to the present ones."""
        header, columns = unseal(batch.body, self._public)
        left, profiles, dropped = narrow(columns, header.profiles, policy.edge)
        if not left:
            self._journal.drop(batch.batch_uid, batch.rows)
            return p.Dropped(self._clock.tick(), batch.batch_uid)
        at = self._clock.now()
        made = self._sealer.seal(left, profiles, policy, seq=batch.seq, at=at, uid=batch.batch_uid)
        self._journal.replace(made, dropped)
        return made
