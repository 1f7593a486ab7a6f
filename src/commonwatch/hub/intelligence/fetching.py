"""Fetching from partners: TAXII 2.1 collections, MISP feeds and servers, lists over HTTP.

Rules held here: HTTPS, or this machine; redirects are not followed; an answer is read up to 16 MiB and no longer than
its time; every page is given out with the cursor to go on from, so that a stop at any moment loses and skips nothing;
what a server names (an event's id, a page) is checked before it is asked for. Errors say status and kind, never an
address with credentials. Sources: TAXII 2.1 section 5.4, MISP feed format, MISP REST `events/restSearch`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec

from commonwatch.errors import InvalidInput, Unavailable
from commonwatch.hub.intelligence.table import Kind
from commonwatch.ingest.intel import Given, read_intelligence
from commonwatch.ingest.outcome import MAX_DOCUMENT

ACCEPT = "application/taxii+json;version=2.1"
PAGE, MOST_PAGES, MOST_EVENTS = 500, 400, 1_000
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
Json = dict[str, Any]


class Step(NamedTuple):
    """What one page gave, and the cursor behind it."""

    given: Given
    cursor: str


class Auth(msgspec.Struct, frozen=True):
    """How to say who asks: a user with password, a bearer token, or a key in `Authorization` as it is (MISP)."""

    user: str = ""
    password: str = ""
    bearer: str = ""
    key: str = ""

    def headers(self) -> dict[str, str]:
        """The header, if there is one."""
        value = f"Bearer {self.bearer}" if self.bearer else self.key
        return {"Authorization": value} if value else {}


def client(url: str, auth: Auth, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """A client for one source. Raises InvalidInput for an address that is neither HTTPS nor of this machine."""
    place = urlsplit(url)
    if place.scheme != "https" and not (place.scheme == "http" and place.hostname in _LOOPBACK):
        raise InvalidInput("the address must be https://", where="url", todo="use HTTPS")
    if place.username or place.password or not place.hostname:
        raise InvalidInput("no credentials in the address", where="url", todo="give them apart")
    basic = httpx.BasicAuth(auth.user, auth.password) if auth.user else None
    headers = {"User-Agent": "commonwatch", **auth.headers()}
    return httpx.Client(auth=basic, headers=headers, timeout=TIMEOUT, transport=transport)


def fetch(kind: Kind, url: str, http: httpx.Client, cursor: str) -> Iterator[Step]:
    """Everything that is new at a source, page by page. Raises Unavailable and InvalidInput."""
    ways = {"taxii": _taxii, "misp": _misp, "misp-feed": _feed, "list": _list}
    if kind not in ways:
        raise InvalidInput("this source is not fetched", where="kind", todo="import documents into it")
    yield from ways[kind](http, url if kind == "list" else url.rstrip("/"), cursor)


def _get(http: httpx.Client, url: str, *, method: str = "GET", **more: Any) -> tuple[httpx.Response, bytes]:
    """An answer and its bounded body. Raises Unavailable."""
    try:
        with http.stream(method, url, **more) as answer:
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > MAX_DOCUMENT:
                    raise Unavailable("the answer is too long", todo="ask for smaller pages")
    except httpx.HTTPError as error:
        raise Unavailable(f"no answer ({type(error).__name__})", todo="check address and network") from None
    if answer.status_code not in {200, 206, 304}:
        raise Unavailable(f"the answer was {answer.status_code}", todo="check address and credentials")
    return answer, bytes(body)


def _json(body: bytes) -> Json:
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise Unavailable("the answer is no JSON", todo="check the address") from None
    if not isinstance(found, dict):
        raise Unavailable("the answer is no object", todo="check the address")
    return found


def _cursor(text: str) -> Json:
    return _json(text.encode()) if text else {}


def _written(**values: Any) -> str:
    return msgspec.json.encode({k: v for k, v in values.items() if v}).decode()


def _taxii(http: httpx.Client, url: str, cursor: str) -> Iterator[Step]:
    """A collection's objects after the last date added; `next` goes on inside a page, and is kept with its start."""
    at = _cursor(cursor)
    after, page = str(at.get("after", "")), str(at.get("next", ""))
    for _ in range(MOST_PAGES):
        asked: Json = {"limit": PAGE} | ({"added_after": after} if after else {}) | ({"next": page} if page else {})
        answer, body = _taxii_page(http, url, asked)
        found = _json(body)
        last = answer.headers.get("X-TAXII-Date-Added-Last", "")
        more, following = found.get("more") is True, found.get("next")
        if more and isinstance(following, str) and following != page:
            page = following
        else:
            stuck = more and (not last or last == after)
            after, page = last or after, ""
            more = more and not stuck
        given = read_intelligence(body) if found.get("objects") else Given.nothing()
        yield Step(given, _written(after=after, next=page))
        if not more:
            return


def _taxii_page(http: httpx.Client, url: str, asked: Json) -> tuple[httpx.Response, bytes]:
    """A page; a `next` that the server no longer knows is begun again from its start."""
    try:
        return _get(http, f"{url}/objects/", params=asked, headers={"Accept": ACCEPT})
    except Unavailable as error:
        if "next" not in asked or "answer was 4" not in str(error):
            raise
        return _get(
            http, "objects/", params={k: v for k, v in asked.items() if k != "next"}, headers={"Accept": ACCEPT}
        )


def _feed(http: httpx.Client, url: str, cursor: str) -> Iterator[Step]:
    """A feed's events that are new or changed by its manifest; one that left the manifest is withdrawn."""
    known: dict[str, str] = {k: str(v) for k, v in _cursor(cursor).items()}
    manifest = {k: v for k, v in _json(_get(http, f"{url}/manifest.json")[1]).items() if _UUID.fullmatch(k)}
    gone = [uuid for uuid in known if uuid not in manifest]
    for uuid in gone:
        del known[uuid]
    yield Step(Given([], [], gone, Given.nothing().refused), _written(**known))
    stamps = {uuid: str(v.get("timestamp", "")) if isinstance(v, dict) else "" for uuid, v in manifest.items()}
    fresh = [uuid for uuid, stamp in stamps.items() if known.get(uuid) != (stamp or "0")]
    for uuid in fresh[:MOST_EVENTS]:
        given = read_intelligence(_get(http, f"{url}/{uuid}.json")[1])
        known[uuid] = stamps[uuid] or "0"
        yield Step(given, _written(**known))


def _misp(http: httpx.Client, url: str, cursor: str) -> Iterator[Step]:
    """Events of a server that were published since, page by page."""
    at = _cursor(cursor)
    since, newest = str(at.get("since", "")), str(at.get("since", ""))
    for page in range(1, MOST_PAGES):
        asked = {"returnFormat": "json", "published": True, "limit": 20, "page": page}
        asked |= {"publish_timestamp": since} if since else {}
        more = {"json": asked, "headers": {"Accept": "application/json"}}
        body = _get(http, f"{url}/events/restSearch", method="POST", **more)[1]
        events = [e for e in _json(body).get("response", []) if isinstance(e, dict)]
        stamps = [str(e["Event"].get("publish_timestamp", "")) for e in events if isinstance(e.get("Event"), dict)]
        newest = max([newest, *(s for s in stamps if s.isdigit())], key=lambda s: int(s or 0))
        whole = len(events) < asked["limit"]  # type: ignore[operator]
        yield Step(read_intelligence(body), _written(since=newest if whole else since))
        if whole:
            return


def _list(http: httpx.Client, url: str, cursor: str) -> Iterator[Step]:
    """A list or document at one address, if it changed."""
    tag = str(_cursor(cursor).get("tag", ""))
    answer, body = _get(http, url, headers={"If-None-Match": tag} if tag else {})
    if answer.status_code != 304:
        yield Step(read_intelligence(body), _written(tag=answer.headers.get("ETag", "")))
