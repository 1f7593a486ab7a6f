"""The life of an agreement: every version and who signed it, what waits for whom, its history, the record to keep."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, get
from litestar.params import FromPath

from commonwatch.web.auth import user
from commonwatch.web.messages import Plain
from commonwatch.web.ports import DutiesInfo, LifeInfo
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]


@get("/agreements/{agreement:str}/life")
async def life(request: Req, agreement: FromPath[str]) -> LifeInfo:
    """Every version with its state and signers, offers that are open or ended, what is awaited, what I may do."""
    here = room(request)
    return await here.workers.brief(here.ports.lives.life, user(request), agreement)


@get("/agreements/{agreement:str}/history")
async def history(request: Req, agreement: FromPath[str]) -> list[Plain]:
    """What happened to it, as the audit log says; each entry can be proven with `/api/audit/proof`."""
    here = room(request)
    return list(await here.workers.brief(here.ports.lives.history, user(request), agreement))


@get("/agreements/{agreement:str}/export")
async def export(request: Req, agreement: FromPath[str]) -> Response[Plain]:
    """Everything that was signed about it, to keep: `commonwatch agreement verify` checks it without this hub."""
    here = room(request)
    made = await here.workers.brief(here.ports.lives.record, user(request), agreement)
    return Response(made, headers={"Content-Disposition": f'attachment; filename="{agreement}.record.json"'})


@get("/duties")
async def duties(request: Req) -> list[DutiesInfo]:
    """Agreements of others that reach my organisation once it accepts their duties, or that it has accepted."""
    here = room(request)
    return list(await here.workers.brief(here.ports.agreements.duties, user(request)))


ROUTER = Router("/", route_handlers=[life, history, export, duties], tags=["agreements"])
