"""Plan a private release before anything is spent. Public numbers only: no data, no ledger, and nothing is kept."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, post
from litestar.params import JSONBody

from commonwatch.privacy.planner.asking import AskPlan, Planned
from commonwatch.privacy.planner.planning import plan
from commonwatch.web.auth import user
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]


@post("/plan", status_code=200, opt={"scope": "read"})
async def planned(request: Req, data: JSONBody[AskPlan]) -> Planned:
    """The smallest budget that shows what is wanted, or what a budget shows: cost, accuracy, words, refusals."""
    here, who = room(request), user(request)
    return await here.workers.ask(request, who.reader.org, lambda _: plan(data))


ROUTER = Router("/api/privacy", route_handlers=[planned], tags=["privacy"])
