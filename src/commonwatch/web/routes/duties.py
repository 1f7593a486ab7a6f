"""Duties of an agreement in the words of other systems: FIRST IEP 2.0."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, get
from litestar.params import FromPath

from commonwatch.agreements.decode import convert
from commonwatch.agreements.document import Agreement
from commonwatch.agreements.terms.iep import file_of, policy, terms_of
from commonwatch.errors import NotFound
from commonwatch.web.auth import user
from commonwatch.web.messages import Plain
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]


@get("/{agreement:str}/iep.json")
async def iep(request: Req, agreement: FromPath[str]) -> Plain:
    """The duties of one agreement of mine as an IEP 2.0 policy file."""
    here = room(request)
    _, more = await here.workers.brief(here.ports.agreements.one, user(request), agreement)
    document = convert(more["document"])
    if not isinstance(document, Agreement):
        raise NotFound("a charter has no duties", todo="ask for an agreement")
    where = f"{str(request.base_url).rstrip('/')}/api/agreements/{agreement}"
    return file_of([policy(terms_of([document]), where)])


ROUTER = Router("/api/agreements", route_handlers=[iep], tags=["agreements"], opt={"scope": "agreements"})
