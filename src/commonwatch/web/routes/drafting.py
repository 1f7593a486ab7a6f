"""What an editor asks on each pause: is this document whole, what does it say, what is wrong with it.

Nothing here reads or writes anything of the hub: an answer depends on the request alone.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Router, post
from litestar.params import JSONBody

from commonwatch.agreements.diagnose import Diagnosis, diagnose, diagnose_text
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
_Text = Annotated[str, msgspec.Meta(max_length=1 << 20)]


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


ROUTER = Router("/api/agreements", route_handlers=[check, read], tags=["agreements"], opt={"scope": "agreements"})
