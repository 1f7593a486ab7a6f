"""Documents as words: what an editor asks on each pause, and any stored version printed as HTML or PDF.

Checking and reading touch nothing of the hub: the answer depends on the request alone.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from commonwatch.agreements.diagnose import Diagnosis, diagnose, diagnose_text
from commonwatch.web.auth import user
from commonwatch.web.print import CSP, to_html, to_pdf
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
_Text = Annotated[str, msgspec.Meta(max_length=1 << 20)]


#: The version to print.
Version = Annotated[int | None, QueryParameter(ge=1, description="a stored version; the newest when left out")]


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document as an object, or as YAML or JSON text; it may be unfinished."""

    document: dict[str, Any] | _Text


class ReadAloud(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document in English."""

    text: _Text


@post("/check", status_code=200)
async def check(request: Req, data: JSONBody[Check]) -> Diagnosis:
    """Everything about a document: canonical form, YAML, English, digest, and every problem with what to do."""
    return await room(request).workers.brief(diagnose, data.document)


@post("/read", status_code=200)
async def read(request: Req, data: JSONBody[ReadAloud]) -> Diagnosis:
    """The document that an English text says; a sentence that is not understood is a problem with its line."""
    return await room(request).workers.brief(diagnose_text, data.text)


@get("/{agreement:str}/document.html", media_type="text/html")
async def print_html(request: Req, agreement: FromPath[str], version: Version = None) -> Response[bytes]:
    """An agreement as one self-contained page: words, meanings, signatures, chain; for reading and printing."""
    here, who = room(request), user(request)

    def draw() -> bytes:
        return to_html(here.ports.agreements.printed(who, agreement, version)).encode()

    body = await here.workers.brief(draw)
    return Response(body, media_type="text/html", headers={"Content-Security-Policy": CSP})


@get("/{agreement:str}/document.pdf", media_type="application/pdf")
async def print_pdf(request: Req, agreement: FromPath[str], version: Version = None) -> Response[bytes]:
    """The same as PDF, A4, with page numbers."""
    here, who = room(request), user(request)
    body = await here.workers.brief(lambda: to_pdf(here.ports.agreements.printed(who, agreement, version)))
    name = {"Content-Disposition": f'inline; filename="{agreement}.pdf"'}
    return Response(body, media_type="application/pdf", headers=name)


ROUTER = Router(
    "/api/agreements", route_handlers=[check, read, print_html, print_pdf], tags=["agreements"],
    opt={"scope": "agreements"},
)  # fmt: skip
