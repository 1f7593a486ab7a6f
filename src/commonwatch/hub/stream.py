"""The downlink of a gateway: one held-open stream of NDJSON lines, from hello to the loss of the lease.

Order: hello, snapshot, what was missed (withdrawn and current indicators), audit checkpoint with the proof from the
size the gateway last held; then whatever happens, and a ping each 5 s. A new snapshot follows each change of the
owner's documents at once and each minute without one. Rules: a change of policy is told in the stream (snapshot,
withdrawals); without a policy that answers, or once the gateway is removed, it ends within a second; a gateway that
cannot keep up is cut off and comes back.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec

from commonwatch.audit.log import AuditLog
from commonwatch.errors import NotFound, Unavailable
from commonwatch.hub.live.leases import Leases
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.push import Accessed, Broadcaster, Listener, Notified, Pulse, Watermark
from commonwatch.hub.push import Epoch as EpochRose
from commonwatch.web.ports import Principal
from commonwatch.wire.messages import Checkpoint, Hello, Ping, SnapshotMessage, encode_line
from commonwatch.wire.messages import Downlink as Line

PING, CHECKPOINT, RENEW = 5.0, 10.0, 30.0


class SnapshotSource(Protocol):
    """Where signed snapshots come from."""

    def current(self, org: str) -> SnapshotMessage:
        """The newest snapshot of an owner, issued now when the last one is old or the policy changed."""

    def held(self, org: str, number: int) -> None:
        """A gateway of this owner says it holds this number."""


class Downlink:
    """Makes the streams of all gateways."""

    def __init__(  # noqa: PLR0917
        self, push: Broadcaster, pulse: Pulse, snapshots: SnapshotSource, audit: AuditLog | None, clock: Clock,
        leases: Leases,
    ) -> None:  # fmt: skip
        self.push, self.pulse, self.snapshots, self.audit = push, pulse, snapshots, audit
        self.clock, self.leases = clock, leases
        #: what the store has of a gateway: the number of its last batch (-1: not known here)
        self.last_batch: Callable[[str], int] = lambda _gateway: -1
        self._open: Counter[str] = Counter()

    def connected(self, gateway: str) -> bool:
        """Whether this gateway has a stream open."""
        return self._open[gateway] > 0

    async def lines(self, principal: Principal, last_snapshot: int, checkpoint: int) -> AsyncIterator[bytes]:
        """The lines for one gateway, until the lease is lost or the gateway goes."""
        stream = Stream(self, principal, checkpoint)
        await asyncio.to_thread(self.snapshots.held, principal.reader.org, last_snapshot)
        self._open[principal.id] += 1
        try:
            async with self.push.listen(principal.reader.org) as listener:
                with self.leases.hold(principal, listener, lasting=True):
                    async for message in stream.first():
                        yield encode_line(message)
                    while await self.leases.sure() and listener.ended is None:
                        for message in await stream.due(listener):
                            yield encode_line(message)
        finally:
            self._open[principal.id] -= 1

    def head(self, known: int) -> Checkpoint | None:
        """The signed head of the audit log, with the proof from the size a gateway knows; None without a log."""
        if self.audit is None:
            return None
        head = self.audit.checkpoint()
        fields = msgspec.structs.asdict(head)
        try:
            path = self.audit.consistency(known, head.size)["path"] if 0 < known <= head.size else []
        except NotFound:
            path = []
        return Checkpoint(**fields, proof_from=known, proof=path)


class Stream:
    """What one gateway has been told, and what is due."""

    def __init__(self, home: Downlink, principal: Principal, checkpoint: int) -> None:
        self.home, self.gateway, self.org = home, principal.id, principal.reader.org
        self.known, self.number = checkpoint, -1
        self.pinged = self.headed = self.renewed = time.monotonic() - random.uniform(0, PING / 2)  # noqa: S311

    async def first(self) -> AsyncIterator[Line]:
        """Everything a gateway must know on arrival."""
        snapshot = await self._snapshot()
        last = await asyncio.to_thread(self.home.last_batch, self.gateway)
        yield Hello(self.home.clock.now(), self.home.pulse.epoch(), last)
        for message in snapshot:
            yield message
        for line in self.home.push.backlog(self.org):
            yield line
        for message in await self._head():
            yield message

    async def due(self, listener: Listener) -> list[Line]:
        """What to say next: waits until the next ping at most."""
        message = await listener.next(max(0.0, PING - (time.monotonic() - self.pinged)))
        if listener.ended is not None:
            return []
        lines: list[Line] = []
        now = time.monotonic()
        if (isinstance(message, EpochRose) and self.org in message.owners) or now - self.renewed > RENEW:
            lines += await self._snapshot()
        if message is not None and not isinstance(message, Watermark | Notified | Accessed | EpochRose):
            lines.append(message)
        if now - self.headed > CHECKPOINT:
            lines += await self._head()
        if now - self.pinged >= PING:
            self.pinged = now
            lines.append(Ping(self.home.clock.now()))
        return lines

    async def _snapshot(self) -> list[Line]:
        """The newest snapshot when this gateway does not have it yet."""
        self.renewed = time.monotonic()
        try:
            snapshot = await asyncio.to_thread(self.home.snapshots.current, self.org)
        except Unavailable:
            return []
        if snapshot.number == self.number:
            return []
        self.number = snapshot.number
        return [snapshot]

    async def _head(self) -> list[Line]:
        """The newest checkpoint when the log grew."""
        self.headed = time.monotonic()
        head = await asyncio.to_thread(self.home.head, self.known)
        if head is None or head.size == self.known:
            return []
        self.known = head.size
        return [head]
