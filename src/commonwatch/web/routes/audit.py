"""The audit log as far as it concerns my organisation: signed head, entries, proofs."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.params import QueryParameter

from commonwatch.web.auth import user
from commonwatch.web.messages import Plain
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
Number = Annotated[int, QueryParameter(ge=0, le=2**53)]
Start = Annotated[int, QueryParameter(name="from", ge=0, le=2**53)]
Limit = Annotated[int, QueryParameter(ge=1, le=1_000)]


@get("/checkpoint")
async def checkpoint(request: Req) -> Plain:
    """The signed head of the log. Keep it: later heads must continue it."""
    here = room(request)
    return await here.workers.brief(here.ports.audit.checkpoint)


@get("/entries")
async def entries(request: Req, start: Start = 0, limit: Limit = 100) -> list[Plain]:
    """Entries that concern my organisation, oldest first, from number `from` on."""
    here = room(request)
    return list(await here.workers.brief(here.ports.audit.entries, user(request), start, limit))


@get("/proof")
async def proof(request: Req, entry: Number, size: Number) -> Plain:
    """The proof that an entry is in the log of that size."""
    here = room(request)
    return await here.workers.brief(here.ports.audit.inclusion, entry, size)


ROUTER = Router("/api/audit", route_handlers=[checkpoint, entries, proof], tags=["audit"], opt={"scope": "audit"})
