"""The UI's files, deep links into it, and whether the hub is well."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from commonwatch.errors import CommonwatchError
from commonwatch.web import problems
from commonwatch.web.messages import Health
from commonwatch.web.rooms import room
from commonwatch.web.ui import File

Req = Request[Any, Any, Any]
#: Paths that are never pages: an unknown one is a problem, not the UI.
NO_PAGES = ("/api", "/gateway", "/taxii2", "/assets", "/openapi.json", "/healthz")


@get("/", include_in_schema=False)
async def page(request: Req) -> Response[bytes]:
    """The UI."""
    return _file(request, room(request).ui.index())


@get("/assets/{name:path}", include_in_schema=False)
async def asset(request: Req, name: FromPath[str]) -> Response[bytes]:
    """A hashed file of the UI."""
    return _file(request, room(request).ui.file(f"assets/{name.lstrip('/')}"))


@get("/healthz", tags=["health"])
async def health(request: Req) -> Health:
    """200 while the policy answers; a 503 problem when it does not, because then nothing is shown."""
    here = room(request)
    await here.workers.brief(here.ports.epoch)
    return Health("ok")


def deep_link(request: Req, _: NotFoundException) -> Response[bytes]:
    """No route: a page of the UI when a browser asks for one, else a problem."""
    path = request.url.path
    if request.method != "GET" or path.startswith(NO_PAGES):
        return problems.answer(problems.NOWHERE)
    try:
        ui = room(request).ui
        if "." in path.rsplit("/", 1)[-1]:
            return _file(request, ui.file(path.lstrip("/")))
        wants_page = "text/html" in request.headers.get("accept", "")
        return _file(request, ui.index()) if wants_page else problems.answer(problems.NOWHERE)
    except CommonwatchError as error:
        return problems.answer(error)


def _file(request: Req, file: File) -> Response[bytes]:
    lasting = "public, max-age=31536000, immutable"
    headers = {"ETag": file.etag, "Vary": "Accept-Encoding", "Cache-Control": lasting if file.lasting else "no-cache"}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    body = file.body
    if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = file.packed, "gzip"
    return Response(body, headers=headers, media_type=file.media_type)


ROUTER = Router("/", route_handlers=[page, asset, health], opt={"open": True})
