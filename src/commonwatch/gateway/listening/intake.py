"""The one way from a listener to the segments: room is waited for, messages are sorted, and synced in groups.

Rules held here: `take` returns when the messages are on disk, so whoever acknowledges may do it then; many small takes
share one sync; where there is no room, senders that can wait wait, and those that cannot are counted as lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from commonwatch.gateway.listening.routing import Router
from commonwatch.gateway.listening.segments import Segments

#: Seconds between syncs, and between looks for room.
SYNC, ROOM = 0.05, 0.2


class Intake:
    """Shared by all listeners of a gateway. `counts` says what came and what was lost, by listener."""

    def __init__(self, segments: Segments, say: Callable[[str], None]) -> None:
        self.segments, self.counts = segments, Counter[str]()
        self._say, self._router = say, Router()
        self._synced = asyncio.Event()
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether there is no room now."""
        return self.segments.full

    async def room(self) -> None:
        """Wait until there is room."""
        while self.segments.full and not self._closed:
            self._say("no room for what is received: listeners wait until the hub takes what is spooled")
            await asyncio.sleep(ROOM)

    def put(self, listener: str, messages: Sequence[bytes]) -> asyncio.Event:
        """Append messages; the event is set when they are on disk."""
        for name, sorted_ in self._router.sort(messages).items():
            self.segments.put(name, sorted_)
        self.counts[f"received:{listener}"] += len(messages)
        return self._synced

    async def take(self, listener: str, messages: Sequence[bytes]) -> None:
        """Append messages; returns when they are on disk."""
        await self.put(listener, messages).wait()

    def lose(self, listener: str, number: int, why: str) -> None:
        """Messages that could not be taken in."""
        self.counts[f"lost:{listener}"] += number
        self._say(f"{listener}: messages were lost: {why}")

    async def sync_always(self) -> None:
        """Sync in groups until cancelled."""
        try:
            while True:
                await asyncio.sleep(SYNC)
                done, self._synced = self._synced, asyncio.Event()
                await asyncio.to_thread(self.segments.sync)
                done.set()
        finally:
            self._closed = True
            self.segments.sync()
            self._synced.set()
