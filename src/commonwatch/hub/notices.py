"""Live notices for a browser: hello, epoch, watermark, alert, notification, bye. Implements `web.ports.Notices`.

Rules: the stream holds a lease, looked at twice a second: the policy source answers, and the session or token behind it
still yields the very same principal; without it the stream says `bye` with a reason and ends, within a second. Only
alerts and notifications carry content, and are for this organisation; everything else says "ask again".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import msgspec

from commonwatch.errors import Unavailable
from commonwatch.hub.push import Broadcaster, Epoch, Listener, Message, Notified, Pulse, Watermark, beats
from commonwatch.web.ports import Principal
from commonwatch.wire.messages import AlertMessage

BEAT = 0.25
#: Seconds between looks at a session nobody changed: only its idle end can be missed for so long.
LONG_BEAT = 10.0
Notice = tuple[str, dict[str, Any]]


class Grants(Protocol):
    """Tells whether a principal still stands; `generation` moves when any session or token was ended here."""

    generation: int

    def alive(self, principal: Principal) -> bool:
        """Whether the same credential still yields the same principal."""


class Notices:
    """The port."""

    def __init__(self, push: Broadcaster, grants: Grants, pulse: Pulse, watermark: Callable[[], str]) -> None:
        self.push, self.grants, self.pulse, self.watermark = push, grants, pulse, watermark

    async def watch(self, principal: Principal) -> AsyncIterator[Notice]:
        """Notices until the lease is lost; the last one is `bye`."""
        lease = Lease(principal, self.grants, self.pulse)
        async with self.push.listen(principal.reader.org) as listener:
            yield "hello", {"epoch": self.pulse.epoch(), "watermark": self.watermark()}
            while (reason := await lease.lost(listener)) is None:
                message = await listener.next(BEAT)
                notice = shown(message) if message is not None else None
                if notice is not None and await beats(self.pulse):
                    yield notice
            yield "bye", {"reason": reason}


class Lease:
    """Whether a stream may go on."""

    def __init__(self, principal: Principal, grants: Grants, pulse: Pulse) -> None:
        self.principal, self.grants, self.pulse = principal, grants, pulse
        self._seen: tuple[int, int] | None = None
        self._looked = 0.0

    async def lost(self, listener: Listener) -> str | None:
        """The reason it is lost, or None. Looks at the credential when anything changed, else now and then."""
        if not await beats(self.pulse):
            return "policy-unavailable"
        if listener.cut:
            return "too-slow"
        state = (self.pulse.epoch(), self.grants.generation)
        if state == self._seen and time.monotonic() - self._looked < LONG_BEAT:
            return None
        try:
            alive = await asyncio.to_thread(self.grants.alive, self.principal)
        except Unavailable:
            return "policy-unavailable"
        self._seen, self._looked = state, time.monotonic()
        return None if alive else "session-ended"


def shown(message: Message) -> Notice | None:
    """A message as a browser hears it; None for what is meant for gateways."""
    if isinstance(message, Epoch):
        return "epoch", {"epoch": message.epoch}
    if isinstance(message, Watermark):
        return "watermark", {"watermark": message.watermark}
    if isinstance(message, AlertMessage):
        return "alert", msgspec.to_builtins(message)
    if isinstance(message, Notified):
        return "notification", msgspec.to_builtins(message.notification)
    return None
