"""Every route of the hub, and requests that reach it: for tests that must hold on all of them.

`CALLS` names each route of the app; `uncovered` gives the routes nobody asked, so that a new one fails those tests.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from litestar import Litestar
from litestar.testing import TestClient

from commonwatch.web.rooms import KEY
from commonwatch.web.ui import UiFiles
from doubles.town import NOW, Town

OURS = {"X-Commonwatch": "1"}
TAXII = {"Accept": "application/taxii+json;version=2.1"}
HOME = "/taxii2/hub/collections/{collection}"
DIMS = (
    "org", "sector", "region", "size", "class", "severity", "family", "rule", "category", "technique", "tactic",
    "src_ip", "dst_ip", "src_country", "dst_country", "src_port", "dst_port", "proto", "app", "domain", "url", "hash",
    "host", "user", "action", "sensor", "cve",
)  # fmt: skip
WIDE = {"time": {"from": "2026-11-01T00:00:00Z", "to": "2026-11-23T00:00:00Z"}}


class Call(NamedTuple):
    """One request. `path` may hold {names} that are filled in from what was found before."""

    path: str
    method: str = "GET"
    body: Any = None
    headers: Mapping[str, str] = {}


class Given(NamedTuple):
    """What came back, without what may differ between two equal hubs."""

    call: Call
    status: int
    headers: dict[str, str]
    body: bytes


def questions() -> Iterator[dict[str, Any]]:
    """Questions of every kind over every dimension, and ones that cannot be answered."""
    yield {"kind": "rows", "limit": 200, "filter": WIDE}
    yield {"kind": "rows", "limit": 1}
    yield {"kind": "rows", "order": {"column": "dst_ip", "descending": False}}
    yield {"kind": "rows", "columns": ["message", "dst_ip", "src_user"]}
    for bin_ in ("15m", "1h", "6h", "1d", "1w"):
        yield {"kind": "histogram", "bin": bin_, "filter": WIDE}
    for dim in DIMS:
        yield {"kind": "top", "by": dim, "limit": 100}
        yield {"kind": "rows", "filter": {"dims": {dim: {"in": ["x", "203.0.113.9", "443"]}}}}
    for dim in DIMS[::3]:
        yield {"kind": "distinct", "by": dim}
        yield {"kind": "cube", "by": [dim], "bin": None}
        yield {"kind": "rows", "filter": {"dims": {dim: {"not": ["x"]}}}}
    yield {"kind": "cube", "by": ["org", "family"], "bin": "1h"}
    yield {"kind": "rows", "filter": {"area": {"net": "203.0.113.0/24"}}}
    yield {"kind": "rows", "filter": {"area": {"net": "10.0.0.0/8"}}}
    yield {"kind": "top", "by": "nothing"}
    yield {"kind": "rows", "after": "AAAA"}
    yield {"kind": "rows", "filter": {"time": {"last": "7d"}}}


def comparisons() -> Iterator[dict[str, Any]]:
    """Selections by every kind of dimension, by time and by network."""
    yield {**WIDE, "base": "rest"}
    for dim in (*DIMS[::4], "sector"):
        yield {"dims": {dim: {"not": ["x"]}}}
    yield {"dims": {"class": {"in": ["malware"]}}}
    yield {"dims": {"src_ip": {"in": ["203.0.113.9", "203.0.113.0/24"]}}, **WIDE}
    yield {"area": {"net": "203.0.113.0/25"}}
    yield {"time": {"last": "12h"}, "base": "prev4w"}
    yield {"time": {"last": "8h"}, "base": {"from": "2026-11-20T00:00:00Z", "to": "2026-11-22T20:00:00Z"}}
    yield {"base": "prev4w", "dims": {"class": {"in": ["malware"]}}}


#: A document that whoever sweeps may offer if it is alder or birch: never signed by both, so it changes nothing.
OFFERED = {
    "dsa": "1", "id": "swept", "title": "Swept", "starts": "2026-01-01", "ends": "2027-12-31",
    "parties": [{"id": "alder", "role": "owner"}, {"id": "birch", "role": "operator"}],
    "clauses": [{"kind": "share", "id": "some", "to": {"organisations": ["birch"]}, "purposes": ["detect"],
                 "rows": {"events": ["malware"], "tlp": "amber"}, "fields": {"malware": "family"}}],
}  # fmt: skip


def draft(org: str) -> dict[str, Any]:
    """A draft of an organisation that would show nearly everything to everybody."""
    shown = {
        "time": "exact",
        "owner": "exact",
        "src_ip": "exact",
        "dst_ip": "exact",
        "user": "exact",
        "message": "exact",
    }
    share = {
        "kind": "share", "id": "all", "to": {"organisations": ["birch", "cedar"], "communities": ["valley"]},
        "purposes": ["detect"], "rows": {"events": ["malware", "intrusion", "flow"], "tlp": "amber"}, "fields": shown,
    }  # fmt: skip
    head = {"dsa": "1", "id": f"{org}-open", "version": 1, "title": "Open", "parties": [{"id": org, "role": "owner"}]}
    return {**head, "starts": "2026-01-01", "ends": "2027-12-31", "clauses": [share]}


#: Route -> requests. The canary and non-interference tests send all of them as every reader.
CALLS: dict[str, list[Call]] = {
    "GET /": [Call("/")],
    "GET /assets/{name:path}": [Call("/assets/none.js")],
    "GET /healthz": [Call("/healthz")],
    "GET /openapi.json": [Call("/openapi.json")],
    "GET /openapi.json/openapi.json": [Call("/openapi.json/openapi.json")],
    "GET /openapi.json/{path:str}": [Call("/openapi.json/x")],
    "GET /api/session": [Call("/api/session")],
    "POST /api/session": [Call("/api/session", "POST", {"person": "birch-admin", "passphrase": "wrong"})],
    "POST /api/session/purpose": [
        Call("/api/session/purpose", "POST", {"purpose": "nothing"})
    ],
    "DELETE /api/session": [],
    "GET /api/view": [Call("/api/view")],
    "GET /api/releases": [Call("/api/releases")],
    "GET /api/releases/{release:str}": [
        Call("/api/releases/{release}"),
        Call("/api/releases/{release}", headers={"Accept-Encoding": "identity"}),
        Call("/api/releases/none"),
    ],
    "POST /api/query": [Call("/api/query", "POST", q) for q in questions()],
    "POST /api/releases/{release:str}/box": [
        Call("/api/releases/{release}/box", "POST", {"by": "week"}),
        Call("/api/releases/none/box", "POST", {"where": {"family": ["qakbot"]}}),
    ],
    "POST /api/releases/plan-cost": [Call("/api/releases/plan-cost", "POST", {"community": "valley"})],
    "GET /api/budget": [Call("/api/budget")],
    "POST /api/privacy/plan": [
        Call("/api/privacy/plan", "POST", {"community": {"members": 1000}, "budget": "1/10"}),
        Call("/api/privacy/plan", "POST", {
            "community": {"members": 300}, "wanted": [{"kind": "outbreak", "members": 30}, {"kind": "view", "step": "week"}],
        }),
        Call("/api/privacy/plan", "POST", {"community": {"members": 20}, "budget": "-1"}),
        Call("/api/privacy/plan", "POST", {}),
    ],
    "POST /api/explain": [
        Call("/api/explain", "POST", {"filter": {"time": {"last": "7d"}}}),
        *(Call("/api/explain", "POST", {"filter": c}) for c in comparisons()),
        Call("/api/explain", "POST", {"filter": WIDE, "baseline": {"dims": {"class": {"in": ["intrusion"]}}}}),
        Call("/api/explain", "POST", {}),
    ],
    "GET /api/agreements": [Call("/api/agreements")],
    "GET /api/agreements/{agreement:str}": [Call("/api/agreements/alder-service"), Call("/api/agreements/none")],
    "POST /api/agreements": [Call("/api/agreements", "POST", {"payload": "x"})],
    "POST /api/agreements/{agreement:str}/revoke": [Call("/api/agreements/none/revoke", "POST", {"reason": ""})],
    "POST /api/agreements/{agreement:str}/suspend": [Call("/api/agreements/none/suspend", "POST", {"reason": ""})],
    "POST /api/agreements/{agreement:str}/resume": [
        Call("/api/agreements/alder-service/resume", "POST", {}),
        Call("/api/agreements/alder-service/resume", "POST", {"statement": {"payload": "x"}}),
    ],
    "POST /api/agreements/{agreement:str}/accept-duties": [Call("/api/agreements/none/accept-duties", "POST", {})],
    "GET /api/agreements/{agreement:str}/life": [
        Call("/api/agreements/alder-service/life"), Call("/api/agreements/swept/life"),
    ],
    "GET /api/agreements/{agreement:str}/history": [Call("/api/agreements/alder-service/history")],
    "GET /api/agreements/{agreement:str}/export": [
        Call("/api/agreements/alder-service/export"), Call("/api/agreements/none/export"),
    ],
    "GET /api/duties": [Call("/api/duties")],
    "GET /api/keys": [Call("/api/keys")],
    "POST /api/keys": [Call("/api/keys", "POST", {"public": "A" * 43, "statement": {"payload": "x"}})],
    "POST /api/keys/held": [Call("/api/keys/held", "POST")],
    "GET /api/drafts": [Call("/api/drafts")],
    "PUT /api/drafts/{draft:str}": [
        Call("/api/drafts/mine", "PUT", {"document": {"id": "x"}, "shared": True}),
        Call("/api/drafts/mine", "PUT", {"document": {}}, {"If-Match": '"1"'}),
    ],
    "GET /api/drafts/{draft:str}": [Call("/api/drafts/mine"), Call("/api/drafts/mine?of=alder")],
    "DELETE /api/drafts/{draft:str}": [Call("/api/drafts/none", "DELETE")],
    "GET /api/offers": [Call("/api/offers")],
    "POST /api/agreements/offer": [
        Call("/api/agreements/offer", "POST", {"document": OFFERED}), Call("/api/agreements/offer", "POST", {}),
    ],
    "GET /api/offers/{agreement:str}": [Call("/api/offers/swept"), Call("/api/offers/none")],
    "POST /api/agreements/{agreement:str}/sign": [
        Call("/api/agreements/swept/sign", "POST", {"held": True}),
        Call("/api/agreements/swept/sign", "POST", {"protected": "x", "signature": "y"}),
    ],
    "POST /api/agreements/{agreement:str}/decline": [Call("/api/agreements/swept/decline", "POST", {"reason": "no"})],
    "POST /api/agreements/{agreement:str}/withdraw": [Call("/api/agreements/swept/withdraw", "POST", {"reason": ""})],
    "GET /api/notifications": [Call("/api/notifications"), Call("/api/notifications?unseen=true&limit=3")],
    "POST /api/notifications/seen": [
        Call("/api/notifications/seen", "POST", {"uids": ["none"]}), Call("/api/notifications/seen", "POST", {}),
    ],
    "POST /api/agreements/check": [
        Call("/api/agreements/check", "POST", {"document": "dsa: ["}),
        Call("/api/agreements/check", "POST", {"document": {"dsa": "1"}}),
    ],
    "GET /api/agreements/{agreement:str}/document.html": [
        Call("/api/agreements/alder-service/document.html"), Call("/api/agreements/none/document.html"),
        Call("/api/agreements/alder-service/document.html?version=7"),
    ],
    "GET /api/agreements/{agreement:str}/document.pdf": [Call("/api/agreements/alder-service/document.pdf?version=1")],
    "POST /api/agreements/print": [Call("/api/agreements/print?form=pdf", "POST", {"document": {"dsa": "1"}})],
    "POST /api/agreements/read": [Call("/api/agreements/read", "POST", {"text": "Nothing."})],
    "POST /api/agreements/preview": [
        *(Call("/api/agreements/preview", "POST", {"document": draft(org), "days": 90}) for org in ("alder", "birch")),
        Call("/api/agreements/preview", "POST", {"document": draft("cedar"), "reader": "birch", "rows": 1}),
        Call("/api/agreements/preview", "POST", {"document": draft("dune"), "reader": "nobody"}),
        Call("/api/agreements/preview", "POST", {"document": "dsa: ["}),
    ],
    "POST /api/agreements/impact": [
        *(Call("/api/agreements/impact", "POST", {"document": draft(org)}) for org in ("alder", "birch")),
        Call("/api/agreements/impact", "POST", {"without": "alder-service"}),
        Call("/api/agreements/impact", "POST", {"without": "none"}),
        Call("/api/agreements/impact", "POST", {"document": "dsa: ["}),
        Call("/api/agreements/impact", "POST", {}),
    ],
    "GET /api/agreements/who-sees": [
        Call("/api/agreements/who-sees?field=src_ip"),
        Call("/api/agreements/who-sees?field=src_ip&at_least=network&events=malware&tlp=green&severity=low&age=3"),
        Call("/api/agreements/who-sees?field=nothing"), Call("/api/agreements/who-sees?field=user&at_least=hour"),
    ],
    "GET /api/agreements/what-sees": [
        Call("/api/agreements/what-sees"), Call("/api/agreements/what-sees?reader=birch&field=user"),
        Call("/api/agreements/what-sees?reader=cedar"), Call("/api/agreements/what-sees?reader=nobody"),
    ],
    "GET /api/agreements/own-rows": [Call("/api/agreements/own-rows?days=90"), Call("/api/agreements/own-rows?days=0")],
    "GET /api/agreements/{agreement:str}/withdrawals": [
        Call("/api/agreements/alder-service/withdrawals"), Call("/api/agreements/none/withdrawals"),
    ],
    "GET /api/agreements/{agreement:str}/iep.json": [
        Call("/api/agreements/alder-service/iep.json"), Call("/api/agreements/none/iep.json"),
    ],
    "GET /api/templates": [Call("/api/templates")],
    "GET /api/templates/{template:str}": [Call("/api/templates/sme-member"), Call("/api/templates/none")],
    "POST /api/templates/{template:str}/instantiate": [
        Call("/api/templates/managed-service/instantiate", "POST", {"level": 1, "parameters": {
            "owner": "alder", "operator": "birch", "starts": "2027-01-01", "ends": "2027-12-31",
        }}),
        Call("/api/templates/sme-member/instantiate", "POST", {"level": 7}),
    ],
    "POST /api/templates/{template:str}/batch": [
        Call("/api/templates/managed-service/batch", "POST", {"csv": "owner,operator\nalder,birch\nx,\n", "level": 1}),
    ],
    "GET /api/templates/{template:str}/renewals": [Call("/api/templates/sme-member/renewals")],
    "POST /api/templates/{template:str}/renewals": [Call("/api/templates/sme-member/renewals", "POST", {})],
    "POST /api/templates/check": [Call("/api/templates/check", "POST", {"document": {"template": "1"}})],
    "POST /api/templates": [Call("/api/templates", "POST", {"document": "template: 1"})],
    "DELETE /api/templates/{template:str}": [Call("/api/templates/none", "DELETE")],
    "GET /api/people": [Call("/api/people")],
    "GET /api/directory": [Call("/api/directory")],
    "GET /api/tokens": [Call("/api/tokens")],
    "POST /api/tokens": [Call("/api/tokens", "POST", {"name": "x", "purpose": "detect", "scopes": ["all"]})],
    "DELETE /api/tokens/{token:str}": [Call("/api/tokens/none", "DELETE")],
    "GET /api/gateways": [Call("/api/gateways")],
    "GET /api/indicators": [Call("/api/indicators"), Call("/api/indicators?limit=0")],
    "GET /api/alerts": [Call("/api/alerts")],
    "POST /api/intelligence": [
        Call("/api/intelligence?tlp=red", "POST", {"type": "bundle", "objects": []}),
        Call("/api/intelligence?tlp=none", "POST", {}),
    ],
    "GET /api/intelligence/sources": [Call("/api/intelligence/sources")],
    "POST /api/intelligence/sources": [
        Call("/api/intelligence/sources", "POST", {"name": "x", "kind": "list", "address": "https://127.0.0.1/list"}),
        Call("/api/intelligence/sources", "POST", {"name": "x"}),
    ],
    "PATCH /api/intelligence/sources/{name:str}": [
        Call("/api/intelligence/sources/upload", "PATCH", {"weight": 40}),
        Call("/api/intelligence/sources/none", "PATCH", {"paused": True}),
    ],
    "POST /api/intelligence/sources/{name:str}/fetch": [Call("/api/intelligence/sources/upload/fetch", "POST")],
    "DELETE /api/intelligence/sources/{name:str}": [
        Call("/api/intelligence/sources/none", "DELETE"), Call("/api/intelligence/sources/upload", "DELETE"),
    ],
    "GET /api/accesses": [
        Call("/api/accesses"), Call("/api/accesses?since=30d&surface=rows&limit=5"), Call("/api/accesses?since=x"),
    ],
    "GET /api/accesses/summary": [Call("/api/accesses/summary"), Call("/api/accesses/summary?agreement=alder-service")],
    "GET /api/accesses/export": [Call("/api/accesses/export"), Call("/api/accesses/export?format=json")],
    "GET /api/accesses/{access:str}/proof": [
        Call("/api/accesses/{access}/proof"), Call("/api/accesses/1-2-3/proof"), Call("/api/accesses/x/proof"),
    ],
    "GET /api/audit/checkpoint": [Call("/api/audit/checkpoint")],
    "GET /api/audit/entries": [Call("/api/audit/entries?limit=1000")],
    "GET /api/audit/proof": [Call("/api/audit/proof?entry=0&size=1"), Call("/api/audit/proof?entry=99999&size=100000")],
    "POST /gateway/enrol": [Call("/gateway/enrol", "POST", {"payload": "x", "signature": ""})],
    "POST /gateway/batches": [Call("/gateway/batches", "POST", {"no": "batch"})],
    "POST /gateway/heartbeat": [Call("/gateway/heartbeat", "POST", {})],
    "POST /gateway/statements": [Call("/gateway/statements", "POST", {})],
    "GET /gateway/audit/consistency": [Call("/gateway/audit/consistency?first=1&second=2")],
    "GET /taxii2": [Call("/taxii2/", headers=TAXII)],
    "GET /taxii2/hub": [Call("/taxii2/hub/", headers=TAXII)],
    "GET /taxii2/hub/status/{status:str}": [Call("/taxii2/hub/status/x/", headers=TAXII)],
    "GET /taxii2/hub/collections": [Call("/taxii2/hub/collections/", headers=TAXII)],
    "GET /taxii2/hub/collections/{collection:str}": [Call(f"{HOME}/", headers=TAXII)],
    "GET /taxii2/hub/collections/{collection:str}/manifest": [Call(f"{HOME}/manifest/", headers=TAXII)],
    "GET /taxii2/hub/collections/{collection:str}/objects": [
        Call(f"{HOME}/objects/", headers=TAXII), Call(f"{HOME}/objects/?limit=x", headers=TAXII),
    ],
    "POST /taxii2/hub/collections/{collection:str}/objects": [Call(f"{HOME}/objects/", "POST", {}, TAXII)],
    "GET /taxii2/hub/collections/{collection:str}/objects/{object_id:str}": [
        Call(f"{HOME}/objects/{{object}}/", headers=TAXII), Call(f"{HOME}/objects/none/", headers=TAXII),
    ],
    "DELETE /taxii2/hub/collections/{collection:str}/objects/{object_id:str}": [
        Call(f"{HOME}/objects/{{object}}/", "DELETE", headers=TAXII)
    ],
    "GET /taxii2/hub/collections/{collection:str}/objects/{object_id:str}/versions": [
        Call(f"{HOME}/objects/{{object}}/versions/", headers=TAXII)
    ],
}  # fmt: skip
#: Held open, so they have tests of their own beside the sweep.
STREAMS = {"GET /api/stream", "GET /api/accesses/stream", "GET /gateway/stream"}
#: No route at all, wrong methods, and deep links.
STRAY = [
    Call("/api/none"), Call("/explore", headers={"Accept": "text/html"}), Call("/x.y"), Call("/api/view", "PUT"),
    Call("/taxii2/none/"), Call("/gateway/none"), Call("/api/query", "POST", {"kind": "rows", "limit": "x"}),
]  # fmt: skip
#: Headers that may differ between two equal hubs: none but the time of day.
VOLATILE_HEADERS = {"date", "cw-hub-time"}
#: In the audit log every entry has a random id, so its hashes, heads and signatures differ.
VOLATILE = [
    (re.compile(rb'(\\?"uid\\?":\\?")[0-9a-f]{32}'), rb"\1"),
    (re.compile(rb'("(?:root|signature|leaf)":")[0-9a-f]+'), rb"\1"),
    (re.compile(rb'("path":\[)[^]]*'), rb"\1"),
]


def routes(app: Litestar) -> set[str]:
    """Every route of an app, as `METHOD /path`."""
    return {
        f"{method} {route.path.rstrip('/') or '/'}"
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }


class Asker:
    """A reader that sends requests to one hub, by session or by token."""

    def __init__(self, app: Litestar, town: Town, org: str | None, *, token: bool = False) -> None:
        app.state[KEY] = replace(app.state[KEY], ui=UiFiles(Path("no build")))  # a build may change between two asks
        self.client = TestClient(app, raise_server_exceptions=False)
        self.found: dict[str, str] = {"release": "none", "collection": "none", "object": "none", "access": "none"}
        self.headers: dict[str, str] = dict(OURS)
        if org is not None and token:
            self.headers["Authorization"] = f"Bearer {town.tokens[org]}"
        elif org is not None:
            self.client.cookies.set("cw_session", town.sessions[org])

    def sweep(self, *, most: int = 1_000) -> list[Given]:
        """Send everything, at most so many requests per route; names found in answers are used in later requests."""
        calls = [call for calls in CALLS.values() for call in calls[:most]]
        with self.client:
            return [self.send(call) for call in [*calls, *STRAY]]

    def send(self, call: Call) -> Given:
        """Send one request."""
        path = call.path.format(**self.found) if "{" in call.path else call.path
        content = None if call.body is None else json.dumps(call.body).encode()
        headers = {**self.headers, **call.headers}
        with self.client.stream(call.method, path, content=content, headers=headers) as answer:
            raw = b"".join(answer.iter_raw())
        body = gzip.decompress(raw) if answer.headers.get("content-encoding") == "gzip" else raw
        self._learn(path, body)
        kept = {name: value for name, value in answer.headers.items() if name not in VOLATILE_HEADERS}
        kept.pop("content-length", None) if VOLATILE_BODY.search(path) else None
        return Given(call, answer.status_code, kept, still_body(body))

    def _learn(self, path: str, body: bytes) -> None:
        if path == "/api/releases" and b'"releases"' in body:
            self.found["release"] = next((r["id"] for r in msgspec.json.decode(body)["releases"]), "none")
        if path == "/api/accesses" and b'"accesses":[{' in body:
            self.found["access"] = msgspec.json.decode(body)["accesses"][0]["id"]
        if path == "/taxii2/hub/collections/" and b'"collections"' in body:
            self.found["collection"] = msgspec.json.decode(body)["collections"][0]["id"]
        if path.endswith("/objects/") and b'"objects"' in body:
            found = [o["id"] for o in msgspec.json.decode(body)["objects"] if o["type"] == "indicator"]
            self.found["object"] = next(iter(found), "none")


VOLATILE_BODY = re.compile("^/api/audit/")


def still_body(body: bytes) -> bytes:
    """A body without what may differ."""
    for pattern, kept in VOLATILE:
        body = pattern.sub(kept, body)
    return body


__all__ = ["CALLS", "NOW", "STREAMS", "Asker", "Given", "routes"]
