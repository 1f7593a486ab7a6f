"""Before signing: what a draft would show of my own organisation's events, to whom; and how many events I have."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.params import JSONBody, QueryParameter

from commonwatch.govern.preview.shapes import OwnRows, Preview
from commonwatch.web.auth import user
from commonwatch.web.ports import AskPreview
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
Days = Annotated[int, QueryParameter(ge=1, le=90, description="of the last so many days")]


@post("/preview", status_code=200)
async def preview(request: Req, data: JSONBody[AskPreview]) -> Preview:
    """Raw beside shown for every reader the draft names, now and as if it were signed. For its owner's people only."""
    here, who = room(request), user(request)
    return await here.workers.ask(
        request, who.reader.org, lambda cancel: here.ports.previews.preview(who, data, cancel)
    )


@get("/own-rows")
async def own_rows(request: Req, days: Days = 30) -> list[OwnRows]:
    """How many events my organisation has here, by label and age in hours: what a change of an agreement touches."""
    here, who = room(request), user(request)
    found = await here.workers.ask(request, who.reader.org, lambda _: here.ports.previews.own_rows(who, days))
    return list(found)


ROUTER = Router("/api/agreements", route_handlers=[preview, own_rows], tags=["agreements"], opt={"scope": "agreements"})
