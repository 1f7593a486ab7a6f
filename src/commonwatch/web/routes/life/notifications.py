"""What my organisation was told of: list it, and say what I have seen. New ones also come on `/api/stream`."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.params import JSONBody, QueryParameter

from commonwatch.web.auth import user
from commonwatch.web.messages import MarkSeen, NotificationsView, Unseen
from commonwatch.web.ports import Notifications, Principal
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
Limit = Annotated[int, QueryParameter(ge=1, le=1000)]
UnseenOnly = Annotated[bool, QueryParameter(description="only what I have not seen")]


@get("/")
async def listing(request: Req, unseen: UnseenOnly = False, limit: Limit = 100) -> NotificationsView:
    """What my organisation was told of, the newest first."""
    here = room(request)
    return await here.workers.brief(_view, here.ports.notifications, user(request), unseen, limit)


@post("/seen", status_code=200)
async def seen(request: Req, data: JSONBody[MarkSeen]) -> Unseen:
    """I have seen these, or all. For me alone: others of my organisation keep theirs."""
    here = room(request)
    return Unseen(await here.workers.brief(here.ports.notifications.mark_seen, user(request), data.uids))


def _view(port: Notifications, who: Principal, unseen: bool, limit: int) -> NotificationsView:
    found = list(port.of(who, unseen=unseen, limit=limit))
    return NotificationsView(unseen=port.unseen(who), notifications=found)


ROUTER = Router("/notifications", route_handlers=[listing, seen], tags=["notifications"])
