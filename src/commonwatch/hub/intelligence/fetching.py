"""Fetching from partners: TAXII 2.1 collections, MISP feeds and servers, lists over HTTP.

Rules held here: every page is given out with the cursor to go on from, so that a stop at any moment loses and skips
nothing; what a server names (an event's id, a page) is checked before it is asked for; one event of a feed that is not
there keeps no other waiting, and is asked for again. A feed is followed by its manifest alone: `hashes.csv` says which
event has a value, for those who do not want the events. Sources: TAXII 2.1 section 5.4, MISP feed format, MISP REST
`events/restSearch`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import httpx

from commonwatch.errors import InvalidInput, NotFound
from commonwatch.hub.intelligence.asking import cursor_of, get, json_of, written
from commonwatch.hub.intelligence.table import Kind
from commonwatch.hub.intelligence.taxii import Step, poll
from commonwatch.ingest.intel import Given, read_intelligence

MOST_EVENTS, MISP_PAGE, MISP_PAGES = 1_000, 20, 50
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def fetch(kind: Kind, url: str, http: httpx.Client, cursor: str) -> Iterator[Step]:
    """Everything that is new at a source, page by page. Raises as `asking.get`, and InvalidInput."""
    ways = {"taxii": poll, "misp": _misp, "misp-feed": _feed, "list": _list}
    if kind not in ways:
        raise InvalidInput("this source is not fetched", where="kind", todo="import documents into it")
    yield from ways[kind](http, url if kind == "list" else url.rstrip("/"), cursor)


def _feed(http: httpx.Client, url: str, cursor: str) -> Iterator[Step]:
    """A feed's events that are new or changed by its manifest; one that left the manifest is withdrawn."""
    known: dict[str, str] = {k: str(v) for k, v in cursor_of(cursor).items()}
    manifest = {k: v for k, v in json_of(get(http, f"{url}/manifest.json")[1]).items() if _UUID.fullmatch(k)}
    gone = [uuid for uuid in known if uuid not in manifest]
    for uuid in gone:
        del known[uuid]
    yield Step(Given([], [], gone, Given.nothing().refused), written(**known))
    stamps = {uuid: str(v.get("timestamp", "")) if isinstance(v, dict) else "" for uuid, v in manifest.items()}
    fresh = [uuid for uuid, stamp in stamps.items() if known.get(uuid) != (stamp or "0")]
    for uuid in fresh[:MOST_EVENTS]:
        try:
            given = read_intelligence(get(http, f"{url}/{uuid}.json")[1])
        except NotFound:
            yield Step(Given([], [], [], Counter({"event not there": 1})), written(**known))
            continue
        known[uuid] = stamps[uuid] or "0"
        yield Step(given, written(**known))


def _misp(http: httpx.Client, url: str, cursor: str) -> Iterator[Step]:
    """Events of a server that were published since, page by page; the page is kept until all were read."""
    at = cursor_of(cursor)
    since, newest, first = str(at.get("since", "")), str(at.get("newest", "")), int(at.get("page", 1))
    for page in range(first, first + MISP_PAGES):
        asked = {"returnFormat": "json", "published": True, "limit": MISP_PAGE, "page": page}
        asked |= {"publish_timestamp": since} if since else {}
        more = {"json": asked, "headers": {"Accept": "application/json"}}
        body = get(http, f"{url}/events/restSearch", method="POST", **more)[1]
        events = [e for e in json_of(body).get("response", []) if isinstance(e, dict)]
        stamps = [str(e["Event"].get("publish_timestamp", "")) for e in events if isinstance(e.get("Event"), dict)]
        newest = max([newest, since, *(s for s in stamps if s.isdecimal())], key=lambda s: int(s or 0))
        if len(events) < MISP_PAGE:
            yield Step(read_intelligence(body), written(since=newest))
            return
        yield Step(read_intelligence(body), written(since=since, newest=newest, page=page + 1))


def _list(http: httpx.Client, url: str, cursor: str) -> Iterator[Step]:
    """A list or document at one address, if it changed."""
    tag = str(cursor_of(cursor).get("tag", ""))
    answer, body = get(http, url, headers={"If-None-Match": tag} if tag else {})
    if answer.status_code != 304:
        yield Step(read_intelligence(body), written(tag=answer.headers.get("ETag", "")))
