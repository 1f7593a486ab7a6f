"""What was taken back when an agreement of mine was revoked or suspended: certificates signed by the hub."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, get
from litestar.params import FromPath

from commonwatch.web.auth import user
from commonwatch.web.messages import Plain
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]


@get("/{agreement:str}/withdrawals")
async def withdrawals(request: Req, agreement: FromPath[str]) -> list[Plain]:
    """Certificates about an agreement that my organisation owns, newest first, each with its signed envelope."""
    here = room(request)
    return list(await here.workers.brief(here.ports.withdrawals.of, user(request), agreement))


ROUTER = Router("/api/agreements", route_handlers=[withdrawals], tags=["agreements"], opt={"scope": "agreements"})
