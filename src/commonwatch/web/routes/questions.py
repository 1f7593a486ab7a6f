"""What documents mean for whom: the impact of a draft, who sees a field, what a reader sees. Never of events."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.params import JSONBody, QueryParameter

from commonwatch.agreements.impact.questions import WhoSees
from commonwatch.web.auth import user
from commonwatch.web.ports import AskImpact, AskSees, ImpactInfo, WhatSees
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
Field = Annotated[str, QueryParameter(max_length=40, description="a clause field such as src_ip")]
Word = Annotated[str | None, QueryParameter(max_length=40)]
Words = Annotated[list[str] | None, QueryParameter(max_items=20, description="event classes; absent is all")]
Age = Annotated[float | None, QueryParameter(ge=0, le=876_000, description="in hours")]
Org = Annotated[str | None, QueryParameter(max_length=64, description="a reader of my own data; absent is myself")]


@post("/impact", status_code=200)
async def impact(request: Req, data: JSONBody[AskImpact]) -> ImpactInfo:
    """What would newly be shown and no longer shown, to whom, with an example each; and findings about the draft."""
    here, who = room(request), user(request)
    return await here.workers.ask(request, who.reader.org, lambda _: here.ports.questions.impact(who, data))


@get("/who-sees")
async def who_sees(  # noqa: PLR0917
    request: Req, field: Field, at_least: Word = None, events: Words = None, tlp: Word = None, severity: Word = None,
    site: Word = None, age: Age = None,
) -> WhoSees:  # fmt: skip
    """Everyone who sees a field of my organisation's events, at least so precisely, and under which clauses."""
    here, who = room(request), user(request)
    asked = AskSees(
        field=field, at_least=at_least, events=tuple(events or ()), tlp=tlp, severity=severity, site=site, age=age
    )
    return await here.workers.ask(request, who.reader.org, lambda _: here.ports.questions.who_sees(who, asked))


@get("/what-sees")
async def what_sees(request: Req, reader: Org = None, field: Word = None) -> WhatSees:
    """What my organisation sees of others; or what a reader sees of my organisation's events, and why a field not."""
    here, who = room(request), user(request)
    return await here.workers.ask(request, who.reader.org, lambda _: here.ports.questions.what_sees(who, reader, field))


ROUTER = Router(
    "/api/agreements", route_handlers=[impact, who_sees, what_sees], tags=["agreements"], opt={"scope": "agreements"}
)
