"""Partners' intelligence in: a document of theirs, and where my organisation's intelligence comes from."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.params import QueryParameter

from commonwatch.web.auth import user
from commonwatch.web.ports import GivenBy, TakenIn
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
MOST = 16 << 20
Name = Annotated[str, QueryParameter(min_length=1, max_length=100, description="the source it is kept under")]
Marking = Annotated[str, QueryParameter(description="TLP of what carries no marking; `red` when left out")]


@post("", status_code=200, request_max_body_size=MOST)
async def take(request: Req, source: Name = "upload", tlp: Marking = "red") -> TakenIn:
    """Take in a STIX bundle, MISP event, CSV or list, under its own markings; a list replaces the one before."""
    here, who, body = room(request), user(request), await request.body()
    return await here.workers.brief(here.ports.given.take, who, body, source, tlp)


@get("/sources")
async def sources(request: Req) -> list[GivenBy]:
    """Where my organisation's intelligence comes from, how much of it lives, and what went wrong."""
    here = room(request)
    return list(await here.workers.brief(here.ports.given.sources, user(request)))


ROUTER = Router("/api/intelligence", route_handlers=[take, sources], tags=["findings"], opt={"scope": "intelligence"})
