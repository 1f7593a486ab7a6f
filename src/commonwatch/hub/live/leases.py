"""Leases of every stream this process holds open, watched together: one task for ten thousand streams, not one each.

Rules held here (`agreements.md` 16): a stream whose reader a change of policy touches ends at once, with a word why;
who may go on opens a new one. Five times a second the policy must have answered, otherwise every stream ends; when a
session, token, gateway or membership may have changed, all are looked up again together, and who is no longer the very
same principal loses its stream. A stream that has ended never goes on.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from commonwatch.errors import Unavailable
from commonwatch.govern.changes import Scope
from commonwatch.hub.push import CONFIRM, SLICE, Listener, Pulse
from commonwatch.web.ports import Principal

#: Seconds between looks at the policy's pulse, and between looks at credentials nobody changed.
BEAT, LONG_BEAT = 0.2, 15.0
CHANGED, UNAVAILABLE, ENDED = "policy-changed", "policy-unavailable", "session-ended"


class Grants(Protocol):
    """Tells which principals still stand; `generation` moves when any session or token was ended here."""

    @property
    def generation(self) -> int:
        """Moves with every end of a credential."""

    def standing(self, principals: Collection[Principal]) -> set[Principal]:
        """Those whose credential still yields the same principal. Raises Unavailable."""


class Lease:
    """One stream's permission. `lasting`: a change of policy is told in the stream instead of ending it (gateways)."""

    def __init__(self, principal: Principal, listener: Listener, epoch: int, *, lasting: bool) -> None:
        self.principal, self.listener, self.epoch, self.lasting = principal, listener, epoch, lasting


class Leases:
    """All open streams of this process, by event loop. `ended` counts streams ended by a change, per organisation."""

    def __init__(self, pulse: Pulse, grants: Grants) -> None:
        self._pulse, self._grants = pulse, grants
        self._held: dict[asyncio.AbstractEventLoop, set[Lease]] = {}
        self._tasks: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        self._asking: dict[asyncio.AbstractEventLoop, asyncio.Task[bool]] = {}
        self._lock = threading.Lock()
        self.ended: Callable[[int, Counter[str]], None] = lambda _epoch, _streams: None

    @contextmanager
    def hold(self, principal: Principal, listener: Listener, *, lasting: bool = False) -> Iterator[Lease]:
        """A lease for as long as the block lasts. The listener is told when it ends."""
        loop, lease = asyncio.get_running_loop(), Lease(principal, listener, self._pulse.epoch(), lasting=lasting)
        with self._lock:
            held = self._held.setdefault(loop, set())
            held.add(lease)
        if (task := self._tasks.get(loop)) is None or task.done():
            self._tasks[loop] = asyncio.create_task(self._watch(held))
        try:
            yield lease
        finally:
            with self._lock:
                held.discard(lease)
                if not held:
                    self._held.pop(loop, None)
                    self._tasks.pop(loop).cancel()

    def count(self) -> int:
        """How many streams are held open."""
        with self._lock:
            return sum(map(len, self._held.values()))

    def changed(self, scope: Scope) -> None:
        """The policy changed: end the streams of whom it touches, now. From any thread."""
        with self._lock:
            loops = list(self._held)
        for loop in loops:
            with suppress(RuntimeError):  # a closed loop holds nothing open
                loop.call_soon_threadsafe(self._end_touched, loop, scope)

    async def sure(self) -> bool:
        """Whether the policy answers: by its last sign of life, else asked once more, for all who ask together."""
        if self._pulse.alive():
            return True
        loop = asyncio.get_running_loop()
        asking = self._asking.get(loop)
        if asking is None or asking.done():
            asking = self._asking[loop] = asyncio.create_task(self._confirm())
        return await asyncio.shield(asking)

    async def _confirm(self) -> bool:
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._pulse.confirm), CONFIRM)
        except TimeoutError:
            return False

    def _end_touched(self, loop: asyncio.AbstractEventLoop, scope: Scope) -> None:
        known: dict[object, bool] = {}
        ended: list[Listener] = []
        for lease in list(self._held.get(loop, ())):
            reader = lease.principal.reader
            if lease.epoch >= scope.epoch or lease.lasting or lease.listener.ended:
                continue
            if known.setdefault(reader, scope.touches(reader)):
                lease.listener.shut(CHANGED)
                ended.append(lease.listener)
        _wake(loop, ended)
        self.ended(scope.epoch, Counter(listener.org for listener in ended))

    async def _watch(self, held: set[Lease]) -> None:
        """Until nothing is held: the pulse, and credentials when anything moved."""
        seen: tuple[int, int] | None = None
        looked = 0.0
        while held:
            if not await self.sure():
                _end(held, UNAVAILABLE)
            state = (self._pulse.epoch(), self._grants.generation)
            if state != seen or time.monotonic() - looked > LONG_BEAT:
                seen, looked = state, time.monotonic()
                await self._look_again(held)
            await asyncio.sleep(BEAT)

    async def _look_again(self, held: set[Lease]) -> None:
        asked = {lease.principal for lease in held}
        try:
            fallen = await asyncio.to_thread(lambda: asked - self._grants.standing(asked))
        except Unavailable:
            _end(held, UNAVAILABLE)
            return
        if fallen:
            _end([lease for lease in held if lease.principal in fallen], ENDED)


def _wake(loop: asyncio.AbstractEventLoop, ended: list[Listener]) -> None:
    """Let them say goodbye, some at a time: answers to others, such as the one to the revocation, go between."""
    for listener in ended[:SLICE]:
        listener.wake()
    if rest := ended[SLICE:]:
        loop.call_soon(_wake, loop, rest)


def _end(leases: Collection[Lease], reason: str) -> None:
    for lease in list(leases):
        lease.listener.end(reason)
