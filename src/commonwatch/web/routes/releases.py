"""Questions to releases and what they cost: boxes, a cost before it is spent, an owner's own budget.

Rules held here: no question draws anything; a cost is the reader's own, a budget the owner's own, never a parameter.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, get, post
from litestar.params import FromPath, JSONBody

from commonwatch.govern.taken import Use
from commonwatch.web.auth import user
from commonwatch.web.ports.releases import AskBox, AskCost, BoxInfo, BudgetInfo, CostInfo
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]


@post("/releases/{release:str}/box", status_code=200, opt={"scope": "read"})
async def ask_box(request: Req, release: FromPath[str], data: JSONBody[AskBox]) -> BoxInfo:
    """One number of a private or thresholded release, and its parts: each with its privacy interval."""
    here, who = room(request), user(request)
    use = Use(by=who.kind)
    return await here.workers.ask(
        request, who.reader.org, lambda _: here.ports.releases.box(who.reader, release, data, use=use)
    )


@post("/releases/plan-cost", status_code=200, opt={"scope": "read"})
async def plan_cost(request: Req, data: JSONBody[AskCost]) -> CostInfo:
    """What my release of a community costs its owners, and how exact it will be. Spends nothing."""
    here, who = room(request), user(request)
    return await here.workers.ask(request, who.reader.org, lambda _: here.ports.releases.cost(who.reader, data))


@get("/budget", opt={"scope": "audit"})
async def budget(request: Req) -> BudgetInfo:
    """What my organisation's privacy budget was spent on, by whom, what is left and when it renews."""
    here, who = room(request), user(request)
    return await here.workers.ask(request, who.reader.org, lambda _: here.ports.releases.budget(who.reader.org))


ROUTER = Router("/api", route_handlers=[ask_box, plan_cost, budget], tags=["releases"])
