"""Server-sent events for a browser: hello, epoch, watermark, alert, bye. The notices port holds the lease."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Router, get

from commonwatch.web.auth import user
from commonwatch.web.rooms import Closing, room
from commonwatch.web.streams import Begun, Held, Wording, begin

Req = Request[Any, Any, Any]
Notice = tuple[str, dict[str, Any]]
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@get("/api/stream", media_type="text/event-stream", tags=["live"])
async def notices(request: Req) -> Held:
    """What changes, as it changes. Ends within a second when the session or the policy source is lost."""
    here = room(request)
    return events(await begin(here.ports.notices.watch(user(request))), here.closing)


def events(begun: Begun[Notice], closing: Closing) -> Held:
    """Notices as server-sent events; a comment now and then keeps proxies from hanging up."""
    return Held(begun, EVENTS, closing, media_type="text/event-stream", headers=HEADERS)


def event(notice: Notice) -> bytes:
    """One event of one line of JSON."""
    return b"event: %b\ndata: %b\n\n" % (notice[0].encode(), msgspec.json.encode(notice[1]))


EVENTS = Wording(
    event, lambda notice: notice[0] == "bye", event(("bye", {"reason": "closing"})), b": still here\n\n", seconds=10.0
)
ROUTER = Router("/", route_handlers=[notices])
