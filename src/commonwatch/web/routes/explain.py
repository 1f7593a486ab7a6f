"""What stands out in a selection, against a baseline. Everything compared comes from `govern`, nothing is kept."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, post
from litestar.params import JSONBody

from commonwatch.detect.explain.asking import Explained
from commonwatch.govern.query import Compare
from commonwatch.govern.taken import Use
from commonwatch.web.auth import user
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]


@post("/explain", status_code=200, opt={"scope": "read"})
async def explain(request: Req, data: JSONBody[Compare]) -> Explained:
    """What there is more and less of in a selection than in its baseline, with proof. Ends when the client goes."""
    here, reader, use = room(request), user(request).reader, Use(by=user(request).kind)
    return await here.workers.ask(
        request, reader.org, lambda cancel: here.ports.explainer.explain(reader, data, cancel=cancel, use=use)
    )


ROUTER = Router("/api", route_handlers=[explain], tags=["explore"])
