"""Server-sent events for a browser: hello, epoch, watermark, alert, bye. The notices port holds the lease."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request, Router, get
from litestar.response import Stream

from commonwatch.web.auth import user
from commonwatch.web.rooms import Closing, room
from commonwatch.web.streams import begin, held

Req = Request[Any, Any, Any]
BEAT = 10.0
Notice = tuple[str, dict[str, Any]]


@get("/api/stream", media_type="text/event-stream", tags=["live"])
async def notices(request: Req) -> Stream:
    """What changes, as it changes. Ends within a second when the session or the policy source is lost."""
    here = room(request)
    source = await begin(here.ports.notices.watch(user(request)))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(events(source, here.closing), media_type="text/event-stream", headers=headers)


async def events(source: AsyncIterator[Notice], closing: Closing) -> AsyncIterator[bytes]:
    """Notices as server-sent events; a comment now and then keeps proxies from hanging up."""
    said_bye = False
    async for notice in held(source, closing, BEAT):
        if notice is None:
            yield b": still here\n\n"
            continue
        said_bye = notice[0] == "bye"
        yield event(notice)
    if not said_bye:
        yield event(("bye", {"reason": "closing"}))


def event(notice: Notice) -> bytes:
    """One event of one line of JSON."""
    return b"event: %b\ndata: %b\n\n" % (notice[0].encode(), msgspec.json.encode(notice[1]))


ROUTER = Router("/", route_handlers=[notices])
