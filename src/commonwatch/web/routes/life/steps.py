"""Steps of an agreement in force: suspend, resume, revoke, accept its duties. Each holds with the next answer.

A step is signed with a key of my organisation's own (`statement`), or, by an administrator in person, with the key it
lets this hub hold.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Router, post
from litestar.params import FromPath, JSONBody

from commonwatch.agreements.statement import Kind
from commonwatch.web.auth import need_admin, user
from commonwatch.web.messages import Plain, Step
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]


@post("/{agreement:str}/suspend", status_code=200)
async def suspend(request: Req, agreement: FromPath[str], data: JSONBody[Step]) -> Plain:
    """Nothing is read under it until its owner resumes it. By its owner or its operator."""
    return await _step(request, agreement, "suspend", data)


@post("/{agreement:str}/resume", status_code=200)
async def resume(request: Req, agreement: FromPath[str], data: JSONBody[Step]) -> Plain:
    """It is in force again. By its owner."""
    return await _step(request, agreement, "resume", data)


@post("/{agreement:str}/revoke", status_code=200)
async def revoke(request: Req, agreement: FromPath[str], data: JSONBody[Step]) -> Plain:
    """It is over, for good. By any party; what was published under it is withdrawn."""
    return await _step(request, agreement, "revoke", data)


@post("/{agreement:str}/accept-duties", status_code=200)
async def accept_duties(request: Req, agreement: FromPath[str], data: JSONBody[Step]) -> Plain:
    """My organisation is bound by the duties of this very text, and reads what it shares with it."""
    return await _step(request, agreement, "accept-duties", data)


async def _step(request: Req, agreement: str, kind: Kind, data: Step) -> Plain:
    here, who = room(request), user(request)
    need_admin(who)
    statement = msgspec.json.encode(data.statement) if data.statement is not None else None
    return await here.workers.brief(here.ports.agreements.step, who, agreement, kind, data.reason, statement)


ROUTER = Router(
    "/agreements", route_handlers=[suspend, resume, revoke, accept_duties], tags=["agreements"], opt={"scope": "sign"}
)
