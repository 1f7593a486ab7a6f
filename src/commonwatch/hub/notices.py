"""Live notices for a browser: hello, epoch, watermark, alert, notification, bye. Implements `web.ports.Notices`.

Rules: the stream holds a lease (`live.leases`): the policy source answers, the session or token behind it still yields
the very same principal, and no change of policy touched its reader; without it the stream says `bye` with a reason and
ends, within a second, and whoever still may opens another. Only alerts and notifications carry content, and are for
this organisation; everything else says "ask again".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from commonwatch.hub.live.leases import UNAVAILABLE, Leases
from commonwatch.hub.push import Broadcaster, Epoch, Message, Notified, Pulse, Watermark
from commonwatch.web.ports import Principal
from commonwatch.wire.messages import AlertMessage

Notice = tuple[str, dict[str, Any]]


class Notices:
    """The port."""

    def __init__(self, push: Broadcaster, leases: Leases, pulse: Pulse, watermark: Callable[[], str]) -> None:
        self.push, self.leases, self.pulse, self.watermark = push, leases, pulse, watermark

    async def watch(self, principal: Principal) -> AsyncIterator[Notice]:
        """Notices until the lease is lost; the last one is `bye`."""
        async with self.push.listen(principal.reader.org) as listener:
            with self.leases.hold(principal, listener):
                yield "hello", {"epoch": self.pulse.epoch(), "watermark": self.watermark()}
                while listener.ended is None:
                    message = await listener.next()
                    notice = shown(message) if message is not None else None
                    if notice is None:
                        continue
                    if not await self.leases.sure():
                        listener.end(UNAVAILABLE)
                    elif listener.ended is None:
                        yield notice
                yield "bye", {"reason": listener.ended}


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
