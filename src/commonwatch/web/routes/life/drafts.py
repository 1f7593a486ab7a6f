"""Drafts: read, save, drop. A draft's ETag is its edition; saving over one needs the edition that was edited."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, Router, delete, get, put
from litestar.params import FromPath, JSONBody, QueryParameter

from commonwatch.errors import InvalidInput
from commonwatch.web.auth import user
from commonwatch.web.messages import SaveDraft
from commonwatch.web.ports import DraftInfo
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
#: Whose draft it is, where it is shared with me.
Of = Annotated[str | None, QueryParameter(description="the organisation it is of; mine when left out")]
CHANGE = {"scope": "sign"}


@get("/")
async def listing(request: Req) -> list[DraftInfo]:
    """Drafts of my organisation, and those shared with it."""
    here = room(request)
    return list(await here.workers.brief(here.ports.drafts.of, user(request)))


@get("/{draft:str}")
async def show(request: Req, draft: FromPath[str], of: Of = None) -> Response[DraftInfo]:
    """One draft; its edition is the ETag."""
    here = room(request)
    return _answer(await here.workers.brief(here.ports.drafts.one, user(request), draft, of))


@put("/{draft:str}", opt=CHANGE)
async def save(request: Req, draft: FromPath[str], data: JSONBody[SaveDraft], of: Of = None) -> Response[DraftInfo]:
    """Make a draft (no If-Match), or put this in place of the edition named by If-Match; 412 when it moved on."""
    here, edition = room(request), _edition(request)
    saved = here.workers.brief(
        here.ports.drafts.save, user(request), draft, data.document, shared=data.shared, edition=edition, of=of
    )
    return _answer(await saved)


@delete("/{draft:str}", status_code=204, opt=CHANGE)
async def drop(request: Req, draft: FromPath[str]) -> None:
    """Drop one of my organisation's drafts; with If-Match only that edition."""
    here = room(request)
    await here.workers.brief(here.ports.drafts.drop, user(request), draft, _edition(request))


def _edition(request: Req) -> int | None:
    """The edition named by If-Match. Raises InvalidInput."""
    tag = request.headers.get("if-match")
    if tag is None:
        return None
    number = tag.strip().removeprefix("W/").strip('"')
    if not number.isdecimal() or len(number) > 15:
        raise InvalidInput("this is not the ETag of a draft", where="If-Match", todo='send it as it came, such as "3"')
    return int(number)


def _answer(info: DraftInfo) -> Response[DraftInfo]:
    return Response(info, headers={"ETag": f'"{info.edition}"'})


ROUTER = Router("/drafts", route_handlers=[listing, show, save, drop], tags=["drafts"])
