"""Fan-out to whoever listens now: gateways' streams and browsers' notices. In process, bounded, from any thread.

Rules: a message reaches only the organisation it is meant for; a listener that does not keep up is cut off and comes
back for the whole state, it never slows the others; what a reconnecting gateway must know is kept here, per
organisation and bounded, until it is withdrawn. Nothing here decides who may see what: callers publish per audience.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec

from commonwatch.web.ports import NotificationInfo
from commonwatch.wire.messages import AlertMessage, IndicatorItem, Indicators, Withdraw

#: Messages waiting for one listener, and things kept for one organisation's reconnecting gateways.
MOST_WAITING, MOST_KEPT = 256, 50_000
CHUNK = 500
#: Seconds a policy that gave no sign of life gets for an answer before streams end.
CONFIRM = 0.3


class Epoch(msgspec.Struct, frozen=True):
    """The policy epoch rose."""

    epoch: int


class Watermark(msgspec.Struct, frozen=True):
    """New events are readable up to here (RFC 3339 text)."""

    watermark: str


class Notified(msgspec.Struct, frozen=True):
    """An organisation's people are told something."""

    notification: NotificationInfo


class Accessed(msgspec.Struct, frozen=True):
    """Something of this organisation was shown to another one: the access as the organisation reads it."""

    access: dict[str, Any]


Message = Indicators | Withdraw | AlertMessage | Epoch | Watermark | Notified | Accessed


class Listener:
    """One open stream of one organisation. Lives in one event loop; filled from any thread."""

    def __init__(self, org: str, loop: asyncio.AbstractEventLoop) -> None:
        self.org, self._loop = org, loop
        self._waiting: asyncio.Queue[Message] = asyncio.Queue(MOST_WAITING)
        self.cut = False

    def offer(self, message: Message) -> None:
        """Hand over a message, from any thread; a full or dead listener is cut off."""
        try:
            self._loop.call_soon_threadsafe(self._put, message)
        except RuntimeError:
            self.cut = True

    async def next(self, seconds: float) -> Message | None:
        """The next message, or None after so many seconds."""
        try:
            return await asyncio.wait_for(self._waiting.get(), seconds)
        except TimeoutError:
            return None

    def _put(self, message: Message) -> None:
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.cut = True


class Pulse(Protocol):
    """The policy source as far as an open stream's lease needs it."""

    def alive(self) -> bool:
        """Whether the policy answered of late. Never blocks."""

    def confirm(self) -> bool:
        """Ask now. May block."""

    def epoch(self) -> int:
        """The epoch last seen."""


async def beats(pulse: Pulse) -> bool:
    """Whether the policy answers: by its last sign of life, else asked once more, for a moment only."""
    if pulse.alive():
        return True
    try:
        return await asyncio.wait_for(asyncio.to_thread(pulse.confirm), CONFIRM)
    except TimeoutError:
        return False


class Kept:
    """What one organisation's gateways must know when they come back: indicators by id, and ids withdrawn."""

    def __init__(self) -> None:
        self.items: OrderedDict[str, IndicatorItem] = OrderedDict()
        self.gone: OrderedDict[str, None] = OrderedDict()

    def put(self, items: Iterable[IndicatorItem]) -> None:
        """Newer words replace older ones; the oldest are let go when there are too many."""
        for item in items:
            self.gone.pop(item.id, None)
            self.items[item.id] = item
            self.items.move_to_end(item.id)
        while len(self.items) > MOST_KEPT:
            self.items.popitem(last=False)

    def drop(self, ids: Iterable[str]) -> None:
        """Withdrawn ids are remembered, so that a gateway that was away hears of them."""
        for name in ids:
            self.items.pop(name, None)
            self.gone[name] = None
        while len(self.gone) > MOST_KEPT:
            self.gone.popitem(last=False)


class Broadcaster:
    """Where publishers publish and streams listen."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = {}
        self._kept: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def publish_indicators(self, org: str, items: Sequence[IndicatorItem]) -> None:
        """New or changed indicators, as this organisation may see them, to all its gateways."""
        with self._lock:
            self._kept.setdefault(org, Kept()).put(items)
        for start in range(0, len(items), CHUNK):
            self._offer(org, Indicators(list(items[start : start + CHUNK])))

    def withdraw(self, org: str, ids: Sequence[str]) -> None:
        """These indicators are no longer shared with this organisation."""
        with self._lock:
            self._kept.setdefault(org, Kept()).drop(ids)
        self._offer(org, Withdraw(list(ids)))

    def alert(self, org: str, message: AlertMessage) -> None:
        """A finding as this organisation may see it, to its gateways and its people."""
        self._offer(org, message)

    def notified(self, org: str, notification: NotificationInfo) -> None:
        """A notification to the organisation's people."""
        self._offer(org, Notified(notification))

    def accessed(self, org: str, access: dict[str, Any]) -> None:
        """What left of this organisation, to its people who watch for it."""
        self._offer(org, Accessed(access))

    def epoch(self, epoch: int) -> None:
        """Tell everybody that the policy changed."""
        self._offer_all(Epoch(epoch))

    def watermark(self, watermark: str) -> None:
        """Tell everybody that new events are readable."""
        self._offer_all(Watermark(watermark))

    def backlog(self, org: str) -> list[Indicators | Withdraw]:
        """What a gateway of this organisation must hear first."""
        with self._lock:
            kept = self._kept.get(org)
            items, gone = (list(kept.items.values()), list(kept.gone)) if kept else ([], [])
        messages: list[Indicators | Withdraw] = [Withdraw(gone)] if gone else []
        return messages + [Indicators(items[i : i + CHUNK]) for i in range(0, len(items), CHUNK)]

    def count(self, org: str | None = None) -> int:
        """How many listen: in all, or of one organisation."""
        with self._lock:
            chosen = self._listeners.values() if org is None else [self._listeners.get(org, set())]
            return sum(len(listeners) for listeners in chosen)

    @asynccontextmanager
    async def listen(self, org: str) -> AsyncIterator[Listener]:
        """A listener for as long as the block lasts."""
        listener = Listener(org, asyncio.get_running_loop())
        with self._lock:
            self._listeners.setdefault(org, set()).add(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners[org].discard(listener)
                if not self._listeners[org]:
                    del self._listeners[org]

    def _offer(self, org: str, message: Message) -> None:
        with self._lock:
            listeners = list(self._listeners.get(org, ()))
        for listener in listeners:
            listener.offer(message)

    def _offer_all(self, message: Message) -> None:
        with self._lock:
            listeners = [one for some in self._listeners.values() for one in some]
        for listener in listeners:
            listener.offer(message)
