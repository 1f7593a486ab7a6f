"""The agreements my organisation is a party to: read, register a fully signed one. Their life is in `life`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Router, get, post
from litestar.params import FromPath

from commonwatch.web.auth import user
from commonwatch.web.messages import AgreementView, Plain
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


def _view(info: AgreementInfo, more: Plain | None = None) -> AgreementView:
    plain: Plain = msgspec.structs.asdict(info)
    plain.update({name: value for name, value in (more or {}).items() if name in PARTS})
    return msgspec.convert(plain, AgreementView)


ROUTER = Router(
    "/api/agreements", route_handlers=[list_agreements, show_agreement, register], tags=["agreements"],
    opt={"scope": "agreements"},
)  # fmt: skip
