"""TAXII 2.1 for reading: one API root, one collection per reader, over the publications (`events.md` 12).

Rules held here:
- who asks is settled per request by `authenticate`; every page is brought up to date before it is served;
- what a reader may not see does not exist: unknown and unreadable are the same 404;
- everything is ascending by the date added *for this reader*; the paging token continues after it;
- every answer, errors included, is `application/taxii+json;version=2.1`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import uuid5

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.concurrency import sync_to_thread
from litestar.handlers import HTTPRouteHandler

from commonwatch.agreements.reader import Reader
from commonwatch.errors import CommonwatchError, NotAuthenticated, NotFound, NotPermitted, Overloaded
from commonwatch.share.marking import NAMESPACE
from commonwatch.share.ports import Ask, Version
from commonwatch.share.publication import Publications
from commonwatch.share.stix import exact_stamp, stamp
from commonwatch.share.taxii_query import cursor, parse_ask

MEDIA = "application/taxii+json;version=2.1"
STIX_MEDIA = "application/stix+json;version=2.1"
MAX_CONTENT = 10 * 1024 * 1024
ROOT = "/taxii2/hub"
AnyRequest = Request[Any, Any, Any]
Authenticate = Callable[[AnyRequest], Reader]
Answer = Response[bytes]
_ACCEPTED = frozenset({"application/taxii+json", "application/*", "*/*"})


def routes(authenticate: Authenticate, publications: Publications) -> list[HTTPRouteHandler]:
    """The route handlers. `authenticate` gives the reader behind a request, or raises `NotAuthenticated`."""
    collection = collection_id(publications.publisher)
    server = _Server(authenticate, publications, collection)
    home = f"{ROOT}/collections/{{collection:str}}"
    paths: dict[str, Callable[[Call], Answer]] = {
        "/taxii2/": server.discovery,
        f"{ROOT}/": server.root,
        f"{ROOT}/status/{{status:str}}/": server.nothing,
        f"{ROOT}/collections/": server.collections,
        f"{home}/": server.collection,
        f"{home}/manifest/": server.manifest,
        f"{home}/objects/": server.objects,
        f"{home}/objects/{{object_id:str}}/": server.object_by_id,
        f"{home}/objects/{{object_id:str}}/versions/": server.versions,
    }
    reading = [_handler(get, path, server, answer) for path, answer in paths.items()]
    return [
        *reading,
        _handler(post, f"{home}/objects/", server, server.refuse),
        _handler(delete, f"{home}/objects/{{object_id:str}}/", server, server.refuse, status_code=200),
    ]


def collection_id(publisher: str) -> str:
    """The id of the publisher's collection of indicators."""
    return str(uuid5(NAMESPACE, f"collection:indicators:{publisher}"))


def _handler(
    method: Any, path: str, server: _Server, answer: Callable[[Call], Answer], **more: Any
) -> HTTPRouteHandler:
    async def respond(request: AnyRequest) -> Answer:
        return await sync_to_thread(server.respond, request, answer)

    respond.__doc__ = answer.__doc__
    name = f"taxii-{method.__name__}-{answer.__name__}"
    handler: HTTPRouteHandler = method(path, name=name, media_type=MEDIA, **more)(respond)
    return handler


class Call(NamedTuple):
    """A request and the reader behind it."""

    request: AnyRequest
    reader: Reader


class _Server:
    """Answers of one TAXII server; each takes a call."""

    def __init__(self, authenticate: Authenticate, publications: Publications, collection: str) -> None:
        self._authenticate, self._publications, self._collection = authenticate, publications, collection

    def respond(self, request: AnyRequest, answer: Callable[[Call], Answer]) -> Answer:
        """Authenticate, check what the client accepts, answer; our errors become TAXII error messages."""
        try:
            reader = self._authenticate(request)
            if not acceptable(request.headers.get("accept", "")):
                return failure(406, "not acceptable", f"this server speaks {MEDIA}")
            return answer(Call(request, reader))
        except CommonwatchError as error:
            return _error(error)

    def discovery(self, call: Call) -> Answer:
        """What this server is and where its API root lies."""
        where = str(call.request.base_url).rstrip("/") + ROOT + "/"
        about = "Indicators as your organisation's agreements allow."
        return answer_of(
            {"title": self._publications.publisher, "description": about, "default": where, "api_roots": [where]}
        )

    def root(self, _: Call) -> Answer:
        """The API root."""
        title = self._publications.publisher
        return answer_of({"title": title, "versions": [MEDIA], "max_content_length": MAX_CONTENT})

    def nothing(self, _: Call) -> Answer:
        """There is no status resource: nothing can be added here."""
        raise NotFound("no such resource")

    def collections(self, call: Call) -> Answer:
        """The collections this reader can read."""
        return answer_of({"collections": [self._about(call.reader)]})

    def collection(self, call: Call) -> Answer:
        """One collection."""
        self._check(call)
        return answer_of(self._about(call.reader))

    def objects(self, call: Call) -> Answer:
        """A page of objects."""
        self._check(call)
        rows, more = self._page(call.reader, parse_ask(_query(call.request)))
        return _envelope(rows, more)

    def object_by_id(self, call: Call) -> Answer:
        """One object."""
        rows, more = self._page(call.reader, self._ask_one(call))
        return _envelope(rows, more)

    def manifest(self, call: Call) -> Answer:
        """Which objects there are, without their content."""
        self._check(call)
        rows, more = self._page(call.reader, parse_ask(_query(call.request)))
        listed = [
            {"id": r.id, "date_added": exact_stamp(r.added), "version": stamp(r.version), "media_type": STIX_MEDIA}
            for r in rows
        ]
        return _listing("objects", listed, rows, more)

    def versions(self, call: Call) -> Answer:
        """The versions of one object."""
        rows, more = self._page(call.reader, self._ask_one(call, versions=False))
        return _listing("versions", [stamp(row.version) for row in rows], rows, more)

    def refuse(self, call: Call) -> Answer:
        """Nothing is added or deleted through TAXII here."""
        self._check(call)
        raise NotPermitted("this collection is for reading", todo="share through your gateway and an agreement")

    def _about(self, reader: Reader) -> dict[str, Any]:
        return {
            "id": self._collection,
            "title": "Indicators",
            "description": f"Indicators and sightings that agreements disclose to {reader.org} for {reader.purpose}.",
            "alias": "indicators",
            "can_read": True,
            "can_write": False,
            "media_types": [STIX_MEDIA],
        }

    def _check(self, call: Call) -> None:
        if call.request.path_params["collection"] not in {self._collection, "indicators"}:
            raise NotFound("no such collection", todo="list the collections of the API root")

    def _ask_one(self, call: Call, *, versions: bool = True) -> Ask | None:
        self._check(call)
        object_id = str(call.request.path_params["object_id"])
        if not self._publications.holds(call.reader, object_id):
            raise NotFound("no such object", todo="look at the manifest")
        ask = parse_ask(_query(call.request), versions=versions)
        return ask and ask._replace(ids=(object_id,), types=())

    def _page(self, reader: Reader, ask: Ask | None) -> tuple[Sequence[Version], bool]:
        if ask is None:
            self._publications.refresh(reader)
            return (), False
        rows = self._publications.page(reader, ask)
        return rows, len(rows) == ask.limit and self._publications.more(reader, ask, rows[-1].added)


def acceptable(accept: str) -> bool:
    """Whether an Accept header lets us answer with TAXII 2.1 (absent: yes)."""
    if not accept.strip():
        return True
    for option in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in option.split(";"))
        versions = [p.partition("=")[2].strip('" ') for p in parameters if p.startswith("version")]
        if kind in _ACCEPTED and "q=0" not in parameters and versions in ([], ["2.1"]):
            return True
    return False


def answer_of(document: dict[str, Any]) -> Answer:
    """A TAXII resource."""
    return Response(msgspec.json.encode(document), media_type=MEDIA)


def failure(status: int, title: str, description: str, headers: dict[str, str] | None = None) -> Answer:
    """A TAXII error message."""
    body = {"title": title, "description": description, "http_status": str(status)}
    return Response(msgspec.json.encode(body), media_type=MEDIA, status_code=status, headers=headers or {})


def _error(error: CommonwatchError) -> Answer:
    headers = {}
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = 'Basic realm="commonwatch", charset="UTF-8"'
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(error.retry_after)
    return failure(error.status, error.code.replace("-", " "), str(error), headers)


def _query(request: AnyRequest) -> dict[str, str]:
    return {name: request.query_params[name] for name in request.query_params}


def _dates(rows: Sequence[Version]) -> dict[str, str]:
    if not rows:
        return {}
    first, last = exact_stamp(rows[0].added), exact_stamp(rows[-1].added)
    return {"X-TAXII-Date-Added-First": first, "X-TAXII-Date-Added-Last": last}


def _envelope(rows: Sequence[Version], more: bool) -> Answer:
    """Objects as stored, put into an envelope without decoding them."""
    if not rows:
        return Response(b"{}", media_type=MEDIA)
    head = f'{{"more":true,"next":"{cursor(rows[-1].added)}","objects":[' if more else '{"more":false,"objects":['
    body = head.encode() + b",".join(row.body for row in rows) + b"]}"
    return Response(body, media_type=MEDIA, headers=_dates(rows))


def _listing(member: str, items: list[Any], rows: Sequence[Version], more: bool) -> Answer:
    if not rows:
        return Response(b"{}", media_type=MEDIA)
    document: dict[str, Any] = {"more": more, member: items}
    if more:
        document["next"] = cursor(rows[-1].added)
    return Response(msgspec.json.encode(document), media_type=MEDIA, headers=_dates(rows))
