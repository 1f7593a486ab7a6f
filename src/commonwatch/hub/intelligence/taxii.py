"""A TAXII 2.1 client: which collections a server has, and what is new in one (OASIS TAXII 2.1, sections 3 to 5).

Rules held here: the media type is asked for by its version, and an answer that says it is something else than JSON is
refused; `added_after` is the server's own time of the last object taken (X-TAXII-Date-Added-Last; some name the first
alone), never ours; a `next` is kept with the time it began at, so that a server that forgot it is asked again from
there; a page that leads nowhere ends the reading; API roots on other hosts are named and not asked, because credentials
are for this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from commonwatch.errors import CommonwatchError, InvalidInput, NotFound, Unavailable
from commonwatch.hub.intelligence.asking import Json, cursor_of, get, json_of, written
from commonwatch.ingest.intel import Given, read_intelligence

ACCEPT = "application/taxii+json;version=2.1"
ADDED = "X-TAXII-Date-Added"
PAGE, MOST_PAGES, MOST_ROOTS = 500, 400, 20


class Step(NamedTuple):
    """What one page gave, and the cursor behind it."""

    given: Given
    cursor: str


class Collection(msgspec.Struct, frozen=True):
    """A collection of a server. `url` is what a source is given; `root` the title of its API root."""

    url: str
    title: str
    root: str
    readable: bool
    trouble: str = ""


def discover(http: httpx.Client, url: str) -> list[Collection]:
    """The collections behind a server's address, an API root's or a collection's. Raises as `get`, InvalidInput."""
    found, at = _discovery(http, url)
    if isinstance(found.get("id"), str) and "can_read" in found:
        return [_collection(found, at, "")]
    if "versions" in found:
        return _collections(http, at, found)
    roots = [r for r in found.get("api_roots", []) if isinstance(r, str)]
    if not roots:
        raise InvalidInput("this is no TAXII 2.1 server", where="url", todo="ask the giver for its address")
    return [one for root in roots[:MOST_ROOTS] for one in _root(http, at, urljoin(at, root))]


def _discovery(http: httpx.Client, url: str) -> tuple[Json, str]:
    """The resource at an address, or else the one at its host's well-known place, and where it was."""
    try:
        return _resource(http, at := _slash(url)), at
    except (NotFound, Unavailable):
        at = urljoin(url, "/taxii2/")
        return _resource(http, at), at


def _root(http: httpx.Client, server: str, url: str) -> list[Collection]:
    """An API root's collections, or why they cannot be told."""
    url = _slash(url)
    if urlsplit(url)[:2] != urlsplit(server)[:2]:
        return [Collection(url, "", "", readable=False, trouble="on another host: give its address instead")]
    try:
        return _collections(http, url, _resource(http, url))
    except CommonwatchError as error:
        return [Collection(url, "", "", readable=False, trouble=str(error))]


def _collections(http: httpx.Client, root: str, about: Json) -> list[Collection]:
    listed = _resource(http, f"{root}collections/").get("collections", [])
    title = str(about.get("title", ""))[:200]
    return [
        _collection(c, f"{root}collections/{c['id']}/", title)
        for c in listed if isinstance(c, dict) and isinstance(c.get("id"), str) and "/" not in c["id"]
    ]  # fmt: skip


def _collection(found: Json, url: str, root: str) -> Collection:
    return Collection(url, str(found.get("title", ""))[:200], root, readable=found.get("can_read") is True)


def _slash(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"


def _resource(http: httpx.Client, url: str, params: Json | None = None) -> Json:
    return json_of(_ask(http, url, params)[1])


def _ask(http: httpx.Client, url: str, params: Json | None = None) -> tuple[httpx.Response, bytes]:
    """An answer that is TAXII. Raises Unavailable for a page or another version."""
    answer, body = get(http, url, params=params, headers={"Accept": ACCEPT})
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind and not kind.endswith("json"):
        raise Unavailable("the answer is no TAXII but a page of another kind", todo="check the address")
    return answer, body


def poll(http: httpx.Client, url: str, cursor: str) -> Iterator[Step]:
    """A collection's objects after the last date added; `next` goes on inside a page, and is kept with its start."""
    at = cursor_of(cursor)
    after, page = str(at.get("after", "")), str(at.get("next", ""))
    for _ in range(MOST_PAGES):
        answer, body = _page(http, f"{_slash(url)}objects/", after, page)
        found = json_of(body)
        last = answer.headers.get(f"{ADDED}-Last", "") or answer.headers.get(f"{ADDED}-First", "")
        more, following = found.get("more") is True, found.get("next")
        if more and isinstance(following, str) and following not in {"", page}:
            page = following
        else:
            stuck = more and (not last or last == after)
            after, page = last or after, ""
            more = more and not stuck
        given = read_intelligence(body) if found.get("objects") else Given.nothing()
        yield Step(given, written(after=after, next=page))
        if not more:
            return


def _page(http: httpx.Client, url: str, after: str, page: str) -> tuple[httpx.Response, bytes]:
    """A page; a `next` that the server no longer knows is begun again from its start."""
    asked: dict[str, Any] = {"limit": PAGE} | ({"added_after": after} if after else {})
    if not page:
        return _ask(http, url, asked)
    try:
        return _ask(http, url, asked | {"next": page})
    except (NotFound, Unavailable) as error:
        if isinstance(error, Unavailable) and "answer was 4" not in error.what:
            raise
        return _ask(http, url, asked)
