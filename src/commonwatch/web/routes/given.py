"""Partners' intelligence in: documents of theirs, and the sources my organisation's intelligence comes from."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from commonwatch.web.auth import PEOPLE, user
from commonwatch.web.ports import GivenBy, NewSource, SourceChange, SourcesInfo, TakenIn
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
async def sources(request: Req) -> SourcesInfo:
    """Where my organisation's intelligence comes from, how much of it lives, what went wrong, and what I may do."""
    here = room(request)
    return await here.workers.brief(here.ports.given.sources, user(request))


@post("/sources", status_code=201, opt={"scope": PEOPLE})
async def add(request: Req, data: JSONBody[NewSource]) -> GivenBy:
    """Fetch from one more source. Its secret is kept encrypted and never shown."""
    here = room(request)
    return await here.workers.brief(here.ports.given.add, user(request), data)


@patch("/sources/{name:str}", opt={"scope": PEOPLE})
async def change(request: Req, name: FromPath[str], data: JSONBody[SourceChange]) -> GivenBy:
    """Other settings for a source of mine: weight, marking, how often, life, pause, address, credentials."""
    here = room(request)
    return await here.workers.brief(here.ports.given.change, user(request), name, data)


@post("/sources/{name:str}/fetch", status_code=202, opt={"scope": PEOPLE})
async def fetch(request: Req, name: FromPath[str]) -> GivenBy:
    """Fetch from a source now; how that went stands in the list soon."""
    here = room(request)
    return await here.workers.brief(here.ports.given.fetch, user(request), name)


@delete("/sources/{name:str}", status_code=204, opt={"scope": PEOPLE})
async def remove(request: Req, name: FromPath[str]) -> None:
    """Forget a source and everything it gave; what was passed on of it is withdrawn."""
    here = room(request)
    await here.workers.brief(here.ports.given.remove, user(request), name)


ROUTER = Router(
    "/api/intelligence",
    route_handlers=[take, sources, add, change, fetch, remove],
    tags=["findings"],
    opt={"scope": "intelligence"},
)
