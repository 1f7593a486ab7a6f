"""People, API tokens and gateways of my organisation; who offers services here."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Router, delete, get, post
from litestar.params import FromPath, JSONBody

from commonwatch.web.auth import PEOPLE, user
from commonwatch.web.messages import NewToken, TokenMade
from commonwatch.web.ports import Directory, GatewayInfo, PersonInfo, TokenInfo
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]


@get("/people", opt={"scope": PEOPLE})
async def people(request: Req) -> list[PersonInfo]:
    """The people of my organisation."""
    here = room(request)
    return list(await here.workers.brief(here.ports.accounts.people, user(request)))


@get("/directory", opt={"scope": "agreements"})
async def directory(request: Req) -> Directory:
    """Whom I may pick by name: organisations that offer a service, and my communities. Never members that are SMEs."""
    here = room(request)
    return await here.workers.brief(here.ports.accounts.directory, user(request))


@get("/tokens", opt={"scope": PEOPLE})
async def tokens(request: Req) -> list[TokenInfo]:
    """My API tokens, without their secrets."""
    here = room(request)
    return list(await here.workers.brief(here.ports.accounts.tokens, user(request)))


@post("/tokens", status_code=201, opt={"scope": PEOPLE})
async def make_token(request: Req, data: JSONBody[NewToken]) -> TokenMade:
    """Make an API token that narrows what I may do. The answer shows its secret, once."""
    here = room(request)
    make = here.ports.accounts.make_token
    info, secret = await here.workers.brief(make, user(request), data.name, data.purpose, data.scopes, data.days)
    return msgspec.convert({**msgspec.structs.asdict(info), "secret": secret}, TokenMade)


@delete("/tokens/{token:str}", status_code=204, opt={"scope": PEOPLE})
async def drop_token(request: Req, token: FromPath[str]) -> None:
    """Revoke one of my tokens."""
    here = room(request)
    await here.workers.brief(here.ports.accounts.drop_token, user(request), token)


@get("/gateways", opt={"scope": "gateways"})
async def gateways(request: Req) -> list[GatewayInfo]:
    """Gateways of my organisation, and of owners whose agreements name it their operator."""
    here = room(request)
    return list(await here.workers.brief(here.ports.gateways.visible, user(request)))


ROUTER = Router("/api", route_handlers=[people, directory, tokens, make_token, drop_token, gateways], tags=["members"])
