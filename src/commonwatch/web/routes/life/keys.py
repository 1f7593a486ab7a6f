"""Signing keys of my organisation. Private halves are made in the browser or on the command line and stay there."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Router, get, post
from litestar.params import JSONBody

from commonwatch.web.auth import PEOPLE, need_admin, user
from commonwatch.web.messages import NewKey
from commonwatch.web.ports import KeyInfo
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]


@get("/")
async def listing(request: Req) -> list[KeyInfo]:
    """The public halves of my organisation's keys, the newest first."""
    here = room(request)
    return list(await here.workers.brief(here.ports.signing_keys.of, user(request)))


@post("/", status_code=201, opt={"scope": "sign"})
async def register(request: Req, data: JSONBody[NewKey]) -> KeyInfo:
    """Register the public half of a key: the first one in person, each further one introduced by the key in force."""
    here, who = room(request), user(request)
    need_admin(who)
    statement = msgspec.json.encode(data.statement) if data.statement is not None else None
    return await here.workers.brief(here.ports.signing_keys.register, who, data.public, statement)


@post("/held", status_code=201, opt={"scope": PEOPLE})
async def hold(request: Req) -> KeyInfo:
    """Let this hub make and hold my organisation's key, as a convenience: whatever it signs says so."""
    here, who = room(request), user(request)
    need_admin(who)
    return await here.workers.brief(here.ports.signing_keys.hold, who)


ROUTER = Router("/keys", route_handlers=[listing, register, hold], tags=["keys"])
