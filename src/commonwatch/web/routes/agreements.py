"""The agreements my organisation is a party to: read, register a fully signed one, revoke."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Router, get, post
from litestar.params import FromPath, JSONBody

from commonwatch.web.auth import need_admin, user
from commonwatch.web.messages import AgreementView, Plain, Revoke
from commonwatch.web.ports import AgreementInfo
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
PARTS = ("document", "envelope", "statements")


@get("/")
async def list_agreements(request: Req) -> list[AgreementView]:
    """Every agreement my organisation is a party to, in any state."""
    here = room(request)
    found = await here.workers.brief(here.ports.agreements.of, user(request))
    return [_view(info) for info in found]


@get("/{agreement:str}")
async def show_agreement(request: Req, agreement: FromPath[str]) -> AgreementView:
    """One agreement with its document, signed envelope and statements."""
    here = room(request)
    info, more = await here.workers.brief(here.ports.agreements.one, user(request), agreement)
    return _view(info, more)


@post("/", status_code=201)
async def register(request: Req) -> AgreementView:
    """Register an agreement: a JSON envelope signed by every party, sent as the body."""
    here, who = room(request), user(request)
    info = await here.workers.brief(here.ports.agreements.register, who, await request.body())
    return _view(info)


@post("/{agreement:str}/revoke", status_code=200)
async def revoke(request: Req, agreement: FromPath[str], data: JSONBody[Revoke]) -> Plain:
    """Revoke it, as an administrator of a party: signed with my organisation's key, effective on the next read."""
    here, who = room(request), user(request)
    need_admin(who)
    return await here.workers.brief(here.ports.agreements.revoke, who, agreement, data.reason)


def _view(info: AgreementInfo, more: Plain | None = None) -> AgreementView:
    plain: Plain = msgspec.structs.asdict(info)
    plain.update({name: value for name, value in (more or {}).items() if name in PARTS})
    return msgspec.convert(plain, AgreementView)


ROUTER = Router(
    "/api/agreements", route_handlers=[list_agreements, show_agreement, register, revoke], tags=["agreements"],
    opt={"scope": "agreements"},
)  # fmt: skip
