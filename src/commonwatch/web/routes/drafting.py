"""Documents as words: what an editor asks on each pause, and any stored version printed as HTML or PDF.

Checking and reading touch nothing of the hub: the answer depends on the request alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from commonwatch.agreements.check import check as check_document
from commonwatch.agreements.decode import convert, parse
from commonwatch.agreements.diagnose import Diagnosis, diagnose, diagnose_text
from commonwatch.web.auth import user
from commonwatch.web.headers import POLICY
from commonwatch.web.print import CSP, Sheet, sheet_of, to_html, to_pdf
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
_Text = Annotated[str, msgspec.Meta(max_length=1 << 20)]


#: The version to print.
Form = Annotated[Literal["html", "pdf"], QueryParameter(description="what to draw")]
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
    return await _printed(request, agreement, version, "html")


@get("/{agreement:str}/document.pdf", media_type="application/pdf")
async def print_pdf(request: Req, agreement: FromPath[str], version: Version = None) -> Response[bytes]:
    """The same as PDF, A4, with page numbers."""
    return await _printed(request, agreement, version, "pdf")


async def _printed(request: Req, agreement: str, version: int | None, form: str) -> Response[bytes]:
    here, who = room(request), user(request)
    printed = here.ports.agreements.printed
    return await here.workers.brief(lambda: _draw(printed(who, agreement, version), form, agreement))


@post("/print", status_code=200, media_type="text/html")
async def print_draft(request: Req, data: JSONBody[Check], form: Form = "html") -> Response[bytes]:
    """A document that nobody has signed yet, on paper; keys may be blank. Refused while anything else is wrong."""
    return await room(request).workers.brief(lambda: _draw(_sheet_of_draft(data.document), form))


def _sheet_of_draft(given: dict[str, Any] | str) -> Sheet:
    """The sheet of a draft. Raises InvalidInput with every problem."""
    document = convert(parse(given) if isinstance(given, str) else given)
    check_document(document, draft=True)
    return sheet_of(document)


def _draw(sheet: Sheet, form: str, name: str = "draft") -> Response[bytes]:
    if form == "pdf":
        headers = {"Content-Disposition": f'inline; filename="{name}.pdf"'}
        return Response(to_pdf(sheet), media_type="application/pdf", headers=headers)
    return Response(to_html(sheet).encode(), media_type="text/html", headers={POLICY: CSP})


ROUTER = Router(
    "/api/agreements", route_handlers=[check, read, print_html, print_pdf, print_draft], tags=["agreements"],
    opt={"scope": "agreements"},
)  # fmt: skip
