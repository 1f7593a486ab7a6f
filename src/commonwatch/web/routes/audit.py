"""The audit log as far as it concerns my organisation: signed head, entries, proofs."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.params import QueryParameter

from commonwatch.errors import NotFound
from commonwatch.web.auth import user
from commonwatch.web.messages import Plain
from commonwatch.web.ports import Audit, Principal
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
    """The proof that an entry that concerns my organisation is in the log of that size."""
    here = room(request)
    return await here.workers.brief(_proof, here.ports.audit, user(request), entry, size)


def _proof(audit: Audit, who: Principal, entry: int, size: int) -> Plain:
    """A proof shows an entry's hash, by which a guess could be checked: only for one's own."""
    if [found["index"] for found in audit.entries(who, entry, 1)] != [entry]:
        raise NotFound("no such entry at that size", where="entry", todo="look at /api/audit/entries")
    return audit.inclusion(entry, size)


ROUTER = Router("/api/audit", route_handlers=[checkpoint, entries, proof], tags=["audit"], opt={"scope": "audit"})
