"""The one way from a listener to the segments: room is waited for, messages are sorted, and synced in groups.

Rules held here: `take` says whether the messages are on disk, so whoever acknowledges may do it then and only then;
many small takes share one sync, and when it fails none of them was taken; where there is no room, senders that can wait
wait, and those that cannot are counted as lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from commonwatch.gateway.keeping.room import Room
from commonwatch.gateway.listening.routing import Router
from commonwatch.gateway.listening.segments import Segments

#: Seconds between syncs, and between looks for room.
SYNC, ROOM = 0.05, 0.2


class Intake:
    """Shared by all listeners of a gateway. `counts` says what came and what was lost, by listener."""

    def __init__(self, segments: Segments, say: Callable[[str], None], room: Room) -> None:
        self.segments, self.counts = segments, Counter[str]()
        self._say, self._router, self._room = say, Router(), room
        self._synced: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether there is no room now."""
        return self.segments.full or self._room.full

    async def room(self) -> None:
        """Wait until there is room."""
        while self.full and not self._closed:
            self._say("no room for what is received: listeners wait until the hub takes what is spooled")
            await asyncio.sleep(ROOM)

    def put(self, listener: str, messages: Sequence[bytes]) -> asyncio.Future[bool]:
        """Append messages; the result tells whether they came to be on disk."""
        for name, sorted_ in self._router.sort(messages).items():
            self.segments.put(name, sorted_)
        self.counts[f"received:{listener}"] += len(messages)
        return self._synced

    async def take(self, listener: str, messages: Sequence[bytes]) -> bool:
        """Append messages; whether they are on disk."""
        return await asyncio.shield(self.put(listener, messages))

    async def take_surely(self, listener: str, messages: Sequence[bytes]) -> None:
        """Append messages of a sender that cannot send them again; returns when they are on disk."""
        await self.room()
        while not await self.take(listener, messages) and not self._closed:
            await asyncio.sleep(ROOM)
            await self.room()

    def lose(self, listener: str, number: int, why: str) -> None:
        """Messages that could not be taken in."""
        self.counts[f"lost:{listener}"] += number
        self._say(f"{listener}: messages were lost: {why}")

    async def sync_always(self) -> None:
        """Sync in groups until cancelled."""
        try:
            while True:
                await asyncio.sleep(SYNC)
                done, self._synced = self._synced, asyncio.get_running_loop().create_future()
                done.set_result(await asyncio.to_thread(self._sync))
        finally:
            self._closed = True
            self._synced.set_result(self._sync())

    def _sync(self) -> bool:
        try:
            self.segments.sync()
        except OSError as fault:
            self._room.failed(fault)
            self._say(f"what was received could not be written: {fault.strerror}; senders are told")
            return False
        return True
