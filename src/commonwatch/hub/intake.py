"""Batches from gateways: verified, then stored durably, then acknowledged. In that order, always.

Rules: a batch is believed only when its gateway is enrolled and active, its signature is that gateway's, and it names
that gateway's organisation; sent twice it is stored once and acknowledged again; order does not matter; what is refused
is remembered by digest and reason, never by content, and says what to do. A gateway that holds a newer snapshot than
this hub ever issued proves that the hub was restored from an old backup: then nothing is accepted until that is healed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import func, select

from commonwatch.errors import CommonwatchError, InvalidInput, NotAuthenticated, SignatureError, Unavailable
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import Gateway, Quarantined, SnapshotNumber
from commonwatch.hub.meta.outbox import record
from commonwatch.store.batch import StoredBatch
from commonwatch.store.handling import Profile
from commonwatch.wire.batch import BatchHeader, peek, unseal
from commonwatch.wire.messages import BatchReceipt

DAY = 86_400_000_000
MOST_QUARANTINED = 1_000
Append = Callable[[StoredBatch], int]


class Intake:
    """Takes sealed batches; `append` is the store's, durable when it returns."""

    def __init__(self, database: Database, clock: Clock, append: Append) -> None:
        self.database, self.clock, self.append = database, clock, append
        self.stored: Callable[[StoredBatch], None] = lambda _batch: None
        self._issued: dict[str, int] = {}

    def accept(self, body: bytes) -> bytes:
        """Store one sealed batch; the receipt as JSON. Raises NotAuthenticated, SignatureError, InvalidInput."""
        gateway = self._gateway(peek(body))
        try:
            header, columns = self._open(gateway, body)
        except (SignatureError, InvalidInput) as error:
            self._quarantine(gateway, body, error)
            raise
        batch = self._batch(header, columns)
        stored = self.append(batch)
        if stored:
            self.stored(batch)
        receipt = BatchReceipt(header.batch_uid, header.rows, stored, duplicate=stored == 0)
        return msgspec.json.encode(receipt)

    def _gateway(self, name: str) -> Gateway:
        with self.database.read() as session:
            row = session.get(Gateway, name)
        if row is None or not row.active:
            todo = "enrol the gateway again with a new code"
            raise NotAuthenticated("this gateway is not enrolled, or was removed", where="header.gateway", todo=todo)
        return row

    def _open(self, gateway: Gateway, body: bytes) -> tuple[BatchHeader, dict[str, list[Any]]]:
        header, columns = unseal(body, Ed25519PublicKey.from_public_bytes(bytes.fromhex(gateway.key)))
        if header.gateway != gateway.id or header.org != gateway.org:
            todo = "a gateway sends the events of the organisation that enrolled it, and no other's"
            raise SignatureError("the batch is for another organisation", where="header.org", todo=todo)
        if header.made_at > self.clock.now() + DAY:
            todo = "correct the gateway's clock; it learns the hub's time with every answer"
            raise InvalidInput("the batch was made more than a day in the future", where="header.made_at", todo=todo)
        self._check_snapshot(header)
        return header, columns

    def _check_snapshot(self, header: BatchHeader) -> None:
        """The edge cannot have applied a snapshot that was never issued: we would be behind our own past."""
        if header.snapshot <= self._issued.get(header.org, -1):
            return
        with self.database.read() as session:
            row = session.get(SnapshotNumber, header.org)
        self._issued[header.org] = row.number if row else 0
        if header.snapshot > self._issued[header.org]:
            todo = "the hub was restored from an old backup: restore a newer backup of its metadata"
            raise Unavailable(
                "a gateway holds a newer policy snapshot than this hub", where="header.snapshot", todo=todo
            )

    def _batch(self, header: BatchHeader, columns: dict[str, list[Any]]) -> StoredBatch:
        profiles = cast("tuple[Profile, ...]", tuple(header.profiles))
        return StoredBatch(
            batch_uid=header.batch_uid, gateway=header.gateway, org=header.org, received=self.clock.now(),
            columns=columns, profiles=profiles, seq=header.seq, rules_version=header.rules_version,
            policy_no=header.snapshot, shared=header.shared,
        )  # fmt: skip

    def _quarantine(self, gateway: Gateway, body: bytes, error: CommonwatchError) -> None:
        """Remember that, by whom and why; the first time also in the audit log. Bounded for each gateway."""
        digest, now = hashlib.sha256(body).hexdigest(), self.clock.now()
        reason = f"{error.code} at {error.where}" if error.where else error.code
        with self.database.write() as session:
            row = session.get(Quarantined, digest)
            if row is not None:
                row.times += 1
                return
            mine = select(func.count()).select_from(Quarantined).where(Quarantined.gateway == gateway.id)
            if (session.scalar(mine) or 0) < MOST_QUARANTINED:
                row = Quarantined(digest=digest, gateway=gateway.id, reason=reason, size=len(body), at=now, times=1)
                session.add(row)
                record(session, now, gateway.id, "batch-refused", org=gateway.org, reason=reason, digest=digest)
