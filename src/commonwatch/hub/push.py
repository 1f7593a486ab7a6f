"""Fan-out to whoever listens now: gateways' streams and browsers' notices. In process, bounded, from any thread.

Rules: a message reaches only the organisation it is meant for; a listener that does not keep up is cut off and comes
back for the whole state, it never slows the others; what a reconnecting gateway must know is kept here, per
organisation and bounded, until it is withdrawn. Nothing here decides who may see what: callers publish per audience.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import msgspec

from commonwatch.web.ports import NotificationInfo
from commonwatch.wire.messages import AlertMessage, IndicatorItem, Indicators, Withdraw

#: Messages waiting for one listener, and things kept for one organisation's reconnecting gateways.
MOST_WAITING, MOST_KEPT = 256, 50_000
CHUNK = 500
#: Listeners told at once of what everybody is told, and seconds until the next as many are.
SLICE, PAUSE = 250, 0.02
#: The same for a change of policy: who is touched ends first and asks again; the others learn only that it happened.
AFTER, EASY = 0.3, 0.08
TOO_SLOW = "too-slow"
#: Seconds a policy that gave no sign of life gets for an answer before streams end.
CONFIRM = 0.3


class Epoch(msgspec.Struct, frozen=True):
    """The policy epoch rose; `owners` are those whose documents changed."""

    epoch: int
    owners: frozenset[str] = frozenset()


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
    """One open stream of one organisation. Lives in one event loop; filled from any thread.

    `ended` is the reason why it gets nothing any more; it never goes on.
    """

    def __init__(self, org: str, loop: asyncio.AbstractEventLoop) -> None:
        self.org, self.loop = org, loop
        self._waiting: deque[Message] = deque()
        self._news = asyncio.Event()
        self.ended: str | None = None

    @property
    def cut(self) -> bool:
        """Whether it ended because it did not keep up."""
        return self.ended == TOO_SLOW

    def put(self, message: Message) -> None:
        """Hand over a message, inside its event loop; a full listener is cut off."""
        if len(self._waiting) >= MOST_WAITING:
            self.end(TOO_SLOW)
        elif self.ended is None:
            self._waiting.append(message)
            self._news.set()

    def end(self, reason: str) -> None:
        """No more, inside its event loop: what waits is dropped."""
        self.shut(reason)
        self.wake()

    def shut(self, reason: str) -> None:
        """The same, but whoever waits for it is not told yet: `wake` does that."""
        if self.ended is None:
            self.ended = reason
            self._waiting.clear()

    def wake(self) -> None:
        """Whoever waits for it looks again."""
        self._news.set()

    async def next(self, seconds: float | None = None) -> Message | None:
        """The next message; None after so many seconds (left out: never), or once it has ended."""
        if not self._waiting and self.ended is None:
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return None
        return self._waiting.popleft() if self._waiting else None


class Pulse(Protocol):
    """The policy source as far as an open stream's lease needs it."""

    def alive(self) -> bool:
        """Whether the policy answered of late. Never blocks."""

    def confirm(self) -> bool:
        """Ask now. May block."""

    def epoch(self) -> int:
        """The epoch last seen."""


class Kept:
    """What one organisation's gateways must know when they come back: indicators by id, and ids withdrawn."""

    def __init__(self) -> None:
        self.items: OrderedDict[str, IndicatorItem] = OrderedDict()
        self.gone: OrderedDict[str, None] = OrderedDict()
        self.at = 0

    def put(self, items: Iterable[IndicatorItem]) -> None:
        """Newer words replace older ones; the oldest are let go when there are too many."""
        for item in items:
            self.gone.pop(item.id, None)
            self.items[item.id] = item
            self.items.move_to_end(item.id)
        while len(self.items) > MOST_KEPT:
            self.items.popitem(last=False)

    def drop(self, ids: Iterable[str], at: int = 0) -> None:
        """Withdrawn ids are remembered, so that a gateway that was away hears of them."""
        self.at = max(self.at, at)
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

    def withdraw(self, org: str, ids: Sequence[str], at: int = 0) -> None:
        """These indicators are no longer shared with this organisation."""
        with self._lock:
            self._kept.setdefault(org, Kept()).drop(ids, at)
        self._offer(org, Withdraw(list(ids), at))

    def alert(self, org: str, message: AlertMessage) -> None:
        """A finding as this organisation may see it, to its gateways and its people."""
        self._offer(org, message)

    def notified(self, org: str, notification: NotificationInfo) -> None:
        """A notification to the organisation's people."""
        self._offer(org, Notified(notification))

    def accessed(self, org: str, access: dict[str, Any]) -> None:
        """What left of this organisation, to its people who watch for it."""
        self._offer(org, Accessed(access))

    def epoch(self, epoch: int, owners: frozenset[str] = frozenset()) -> None:
        """Tell everybody that the policy changed: the owners whose documents did at once, the others at leisure."""
        message = Epoch(epoch, owners)
        with self._lock:
            first = [one for org in owners for one in self._listeners.get(org, ())]
            others = [one for org, some in self._listeners.items() if org not in owners for one in some]
        _hand_over(first, message)
        _hand_over(others, message, wait=AFTER if len(others) > SLICE else 0.0, pause=EASY)

    def watermark(self, watermark: str) -> None:
        """Tell everybody that new events are readable."""
        self._offer_all(Watermark(watermark))

    def backlog(self, org: str) -> list[Indicators | Withdraw]:
        """What a gateway of this organisation must hear first."""
        with self._lock:
            kept = self._kept.get(org)
            items, gone, at = (list(kept.items.values()), list(kept.gone), kept.at) if kept else ([], [], 0)
        messages: list[Indicators | Withdraw] = [Withdraw(gone, at)] if gone else []
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
        _hand_over(listeners, message)

    def _offer_all(self, message: Message) -> None:
        with self._lock:
            listeners = [one for some in self._listeners.values() for one in some]
        _hand_over(listeners, message)


def _hand_over(listeners: Sequence[Listener], message: Message, *, wait: float = 0.0, pause: float = PAUSE) -> None:
    """To all of them, in slices, so that ten thousand do not hold up what is more urgent."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Listener]] = {}
    for listener in listeners:
        by_loop.setdefault(listener.loop, []).append(listener)
    for loop, mine in by_loop.items():
        with suppress(RuntimeError):  # a closed loop: its streams are gone
            loop.call_soon_threadsafe(_put_slices if not wait else _put_later, mine, message, wait, pause)


def _put_later(listeners: list[Listener], message: Message, wait: float, pause: float) -> None:
    listeners[0].loop.call_later(wait, _put_slices, listeners, message, wait, pause)


def _put_slices(listeners: list[Listener], message: Message, wait: float, pause: float) -> None:
    for listener in listeners[:SLICE]:
        listener.put(message)
    if rest := listeners[SLICE:]:
        rest[0].loop.call_later(pause, _put_slices, rest, message, wait, pause)
