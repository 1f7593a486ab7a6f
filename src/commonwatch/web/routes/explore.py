"""What a reader may see: bound by what, releases, typed questions. Everything comes from `govern`, nothing is kept.

Rules held here (`explore.md` 3): a release's ETag is its id, and the id is computed anew for the caller before even a
304 is said; answers vary by credential; a packed body is kept by release id only, after `govern` handed out that id.
"""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from commonwatch.govern.query import Answer, Query
from commonwatch.govern.taken import Use
from commonwatch.web.auth import user
from commonwatch.web.messages import Releases, ReleaseView, View
from commonwatch.web.ports import Opened
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
Version = Annotated[int | None, QueryParameter(ge=1, le=56, description="an older one of a release that grows")]
ARROW = "application/vnd.apache.arrow.stream"
PACK_ABOVE = 1_400


class Packed:
    """Gzipped releases by id, at most `most` bytes of them; the longest unused go first."""

    def __init__(self, most: int = 64 << 20) -> None:
        self._most, self._held = most, 0
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def body(self, opened: Opened) -> bytes:
        """The release's body, gzipped; always the same bytes for the same release."""
        with self._lock:
            if (found := self._bodies.get(opened.id)) is not None:
                self._bodies.move_to_end(opened.id)
                return found
        packed = gzip.compress(opened.body, 6, mtime=0)
        with self._lock:
            if opened.id not in self._bodies and len(packed) <= self._most:
                self._bodies[opened.id] = packed
                self._held += len(packed)
            while self._held > self._most:
                self._held -= len(self._bodies.popitem(last=False)[1])
        return packed


PACKED = "packed"


def _packed(packed: Packed, found: Opened, version: int | None) -> bytes:
    """Gzipped; older versions are seldom asked for, and not kept."""
    return packed.body(found) if version is None else gzip.compress(found.body, 6, mtime=0)


@get("/view")
async def view(request: Req) -> View:
    """As whom I look, for which purpose, bound by which agreements, and what they grant me."""
    here, reader = room(request), user(request).reader
    described = await here.workers.ask(request, reader.org, lambda _: here.ports.govern.describe(reader))
    return msgspec.convert(described, View, from_attributes=True)


@get("/releases")
async def list_releases(request: Req) -> Releases:
    """The releases I may open."""
    here, reader, use = room(request), user(request).reader, Use(by=user(request).kind)
    found = await here.workers.ask(request, reader.org, lambda _: here.ports.releases.releases(reader, use=use))
    return Releases(msgspec.convert(found, list[ReleaseView], from_attributes=True))


@get("/releases/{release:str}", media_type=ARROW)
async def open_release(request: Req, release: FromPath[str], version: Version = None) -> Response[bytes]:
    """One release: an Arrow IPC stream with its contract in the schema metadata key `commonwatch`."""
    here, reader, packed = room(request), user(request).reader, request.app.state[PACKED]
    use = Use(by=user(request).kind)
    wants = "gzip" in request.headers.get("accept-encoding", "")

    def opened(cancel: threading.Event) -> tuple[str, bytes, bool]:
        found = here.ports.releases.release(reader, release, version=version, cancel=cancel, use=use)
        pack = wants and len(found.body) > PACK_ABOVE
        return found.id, _packed(packed, found, version) if pack else found.body, pack

    name, body, pack = await here.workers.ask(request, reader.org, opened)
    tag = f'"{name}"' if version is None else f'"{name}.{version}"'
    headers = {
        "ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie, Accept-Encoding",
    }  # fmt: skip
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=ARROW)
    if pack:
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=ARROW)


@post("/query", status_code=200, opt={"scope": "read"})
async def ask(request: Req, data: JSONBody[Query]) -> Answer:
    """One typed question: rows, top, distinct, histogram or cube. Ends when the client goes."""
    here, reader, use = room(request), user(request).reader, Use(by=user(request).kind)
    return await here.workers.ask(
        request, reader.org, lambda cancel: here.ports.govern.ask(reader, data, cancel=cancel, use=use)
    )


ROUTER = Router("/api", route_handlers=[view, list_releases, open_release, ask], tags=["explore"])
