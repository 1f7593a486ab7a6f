"""Indicators and alerts as published to this reader."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.params import QueryParameter

from commonwatch.govern.taken import Use
from commonwatch.web.auth import user
from commonwatch.web.messages import Plain
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
Limit = Annotated[int, QueryParameter(ge=1, le=10_000, description="at most so many, newest first")]


@get("/indicators")
async def indicators(request: Req, limit: Limit = 200) -> list[Plain]:
    """Indicators published to my organisation for this purpose."""
    here, reader, use = room(request), user(request).reader, Use("indicators", user(request).kind)
    listed = here.ports.intelligence.indicators
    found = await here.workers.ask(request, reader.org, lambda _: listed(reader, limit, use))
    return list(found)


@get("/alerts")
async def alerts(request: Req, limit: Limit = 200) -> list[Plain]:
    """Alerts published to my organisation for this purpose."""
    here, reader, use = room(request), user(request).reader, Use("alert", user(request).kind)
    listed = here.ports.intelligence.alerts
    found = await here.workers.ask(request, reader.org, lambda _: listed(reader, limit, use))
    return list(found)


ROUTER = Router("/api", route_handlers=[indicators, alerts], tags=["findings"], opt={"scope": "indicators"})
