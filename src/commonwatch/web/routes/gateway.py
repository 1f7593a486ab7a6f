"""What gateways use: enrol, send batches, hold the stream open, say how they are. Signed by the gateway's own key.

These routes are open to the guard and closed by the gateways port: it verifies the request's (or batch's) signature.
The signed path is the path with its query, as sent. Every answer carries the hub's time.
"""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.params import QueryParameter

from commonwatch.web.messages import Plain
from commonwatch.web.ports import Principal
from commonwatch.web.rooms import room
from commonwatch.web.streams import Held, Wording, begin

Req = Request[Any, Any, Any]
Number = Annotated[int, QueryParameter(ge=0, le=2**53)]
NDJSON = "application/x-ndjson"
JSON = "application/json"
MOST_ENROL, MOST_BEAT, MOST_BATCH = 64 << 10, 1 << 20, 32 << 20


@post("/enrol", status_code=200, request_max_body_size=MOST_ENROL)
async def enrol(request: Req) -> Response[bytes]:
    """Enrol a gateway by its one-time code; both keys are pinned by the code."""
    here = room(request)
    reply = await here.workers.brief(here.ports.gateways.enrol, await request.body())
    return Response(reply, media_type=JSON)


@post("/batches", status_code=200, request_max_body_size=MOST_BATCH)
async def batches(request: Req) -> Response[bytes]:
    """Take one sealed batch; answers once it is stored durably, also for one that was stored before."""
    here = room(request)
    receipt = await here.workers.take_in(here.ports.gateways.accept, await request.body())
    return Response(receipt, media_type=JSON)


@get("/stream", media_type=NDJSON)
async def stream(request: Req, last_snapshot: Number = 0, checkpoint: Number = 0) -> Held:
    """Snapshot, indicators, alerts, checkpoints and pings, one JSON object a line, held open."""
    here = room(request)
    who = await _gateway(request, b"")
    begun = await begin(here.ports.gateways.stream(who, last_snapshot, checkpoint))
    return Held(begun, LINES, here.closing, media_type=NDJSON, headers={"Cache-Control": "no-store"})


@post("/heartbeat", status_code=204, request_max_body_size=MOST_BEAT)
async def heartbeat(request: Req) -> None:
    """How the gateway is."""
    here, body = room(request), await request.body()
    who = await _gateway(request, body)
    await here.workers.brief(here.ports.gateways.heartbeat, who, body)


@post("/statements", status_code=204, request_max_body_size=MOST_BEAT)
async def statements(request: Req) -> None:
    """What the gateway's organisation said at its gateway: a signed statement (revoke, suspend, resume)."""
    here, body = room(request), await request.body()
    who = await _gateway(request, body)
    await here.workers.brief(here.ports.gateways.state, who, body)


@get("/audit/consistency")
async def consistency(request: Req, first: Number, second: Number) -> Plain:
    """The proof that the audit log of size `second` continues that of size `first`."""
    here = room(request)
    await _gateway(request, b"")
    return await here.workers.brief(here.ports.audit.consistency, first, second)


async def _gateway(request: Req, body: bytes) -> Principal:
    here = room(request)
    query = request.scope["query_string"].decode("latin-1")
    path = f"{request.scope['path']}?{query}" if query else request.scope["path"]
    headers = dict(request.headers.items())
    return await here.workers.brief(here.ports.gateways.authenticate, request.method, path, headers, body)


#: Lines as they come, until the hub closes.
LINES = Wording[bytes](bytes)
ROUTER = Router(
    "/gateway", route_handlers=[enrol, batches, stream, heartbeat, statements, consistency], tags=["gateway"],
    opt={"open": True, "csrf": "not a browser"},
)  # fmt: skip
