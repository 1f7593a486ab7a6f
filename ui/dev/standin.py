"""A stand-in hub for developing and testing the browser UI alone: seeded synthetic events, the real HTTP contract.

Rules held here: it enforces nothing and holds no real data, so it never leaves this folder; releases follow the Arrow
contract exactly; revoking an agreement takes an owner's events away and raises the epoch, as a hub would.

    python ui/dev/standin.py [PORT]        then open the printed link
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent.parent / "src" / "commonwatch" / "web" / "_ui"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
START = datetime(2026, 10, 26, tzinfo=UTC)
DAYS = 24
WATERMARK = START + timedelta(days=DAYS, hours=-5)
PAGES = {"", "welcome", "login", "setup", "explore", "agreements", "indicators", "alerts", "gateways", "audit"}

ORGS: list[tuple[str, str, str, str]] = [
    ("alder-dental", "Alder Dental", "Health", "DE"), ("birch-law", "Birch & Partners, Law", "Legal", "AT"),
    ("cedar-foods", "Cedar Foods", "Retail", "DE"), ("elm-logistics", "Elm Logistics", "Transport", "NL"),
    ("fir-accounting", "Fir Accounting", "Legal", "DE"), ("hazel-clinic", "Hazel Clinic", "Health", "AT"),
    ("juniper-tools", "Juniper Tools", "Manufacturing", "DE"), ("larch-hotel", "Larch Hotel", "Hospitality", "IT"),
    ("maple-school", "Maple School", "Education", "DE"), ("oak-energy", "Oak Energy", "Energy", "NL"),
    ("pine-print", "Pine Print", "Manufacturing", "CZ"), ("rowan-travel", "Rowan Travel", "Hospitality", "DE"),
]  # fmt: skip
FAMILIES = ["Agent Tesla", "AsyncRAT", "Cobalt Strike", "Emotet", "FormBook", "GrayWeasel", "Lumma", "QakBot", "Remcos", "SocGholish", "XMRig"]
CLASSES = ["auth", "dns", "firewall", "intrusion", "malware", "web"]
SEVERITIES = ["informational", "low", "medium", "high", "critical"]
COUNTRIES = ["BR", "CN", "DE", "FR", "IN", "NL", "RU", "US", "VN"]
ACTIONS = ["allowed", "blocked", "quarantined"]


def _events(seed: int = 7) -> list[dict[str, Any]]:
    """About 26,000 events: daily and weekly rhythm, unequal volumes, one outbreak in the last days."""
    rng = random.Random(seed)
    found: list[dict[str, Any]] = []
    for n, (org, _, sector, region) in enumerate(ORGS):
        weight = 1 / (1 + n * 0.35)
        for hour in range(DAYS * 24 - 5):
            at = START + timedelta(hours=hour)
            busy = (0.35 if at.weekday() > 4 else 1) * (0.4 + (8 <= at.hour <= 18))
            for _ in range(int(rng.gammavariate(1.4, 6 * weight * busy))):
                found.append(_event(rng, org, sector, region, at, rng.choice(FAMILIES[:5] + FAMILIES[6:])))
        if sector in ("Legal", "Health", "Retail"):
            for _ in range(rng.randint(140, 420)):
                at = START + timedelta(hours=DAYS * 24 - 5 - min(95, int(rng.expovariate(1 / 26))) - 1)
                found.append(_event(rng, org, sector, region, at, "GrayWeasel"))
    found.sort(key=lambda e: e["time"], reverse=True)
    return found


def _event(rng: random.Random, org: str, sector: str, region: str, at: datetime, family: str) -> dict[str, Any]:
    planted = family == "GrayWeasel"
    kind = "malware" if planted else rng.choices(CLASSES, (3, 4, 9, 5, 2, 5))[0]
    third = rng.randint(1, 14) if planted else rng.randint(1, 250)
    return {
        "time": at + timedelta(seconds=rng.randint(0, 3599)),
        "org": org,
        "sector": sector,
        "region": region,
        "class": kind,
        "severity": rng.choices(SEVERITIES, (1, 1, 2, 6, 4) if planted else (8, 6, 4, 2, 0.4))[0],
        "family": family,
        "rule": f"{'ET MALWARE' if kind == 'malware' else 'ET ' + kind.upper()} {family} {rng.choice(['beacon', 'download', 'check-in'])}",
        "action": rng.choice(ACTIONS),
        "src_country": "RU" if planted else rng.choice(COUNTRIES),
        "src_ip": f"{'203.0.113' if planted else rng.choice(['198.51.100', '192.0.2'])}.{third}",
        "dst_ip": f"10.{len(org)}.{rng.randint(0, 3)}.{rng.randint(2, 60)}",
        "dst_port": rng.choice([22, 25, 80, 443, 445, 3389, 8080]),
        "domain": rng.choice([None, "update-cdn.example" if planted else f"host{rng.randint(1, 40)}.example"]),
        "user": f"user{rng.randint(1, 90)}",
    }


LABELS = {
    "org": "contributor", "sector": "sector", "region": "region", "class": "event class",
    "severity": "severity", "family": "malware family", "rule": "signature", "action": "action taken", "src_country": "source country",
    "src_ip": "source address", "dst_ip": "destination address", "dst_port": "destination port", "domain": "domain name", "user": "user name",
    "time": "time",
}  # fmt: skip
KINDS = {"org": "org", "region": "region", "src_country": "country", "severity": "ordinal"}

READERS: dict[str, dict[str, Any]] = {
    "mssp": {"org": "northwatch", "name": "Northwatch Managed Security", "roles": ["mssp"], "person": "Mara Northwatch", "hidden": {"user": "field-not-granted", "action": "not-held"}},
    "cert": {"org": "cert-eu", "name": "Sector CERT", "roles": ["cert"], "person": "Carl Cert", "hidden": {"org": "not-agreed", "user": "not-agreed", "dst_ip": "charter"}},
    "sme": {"org": "alder-dental", "name": "Alder Dental", "roles": ["sme"], "person": "Ada Alder", "hidden": {}},
}  # fmt: skip


class World:
    """All state of the stand-in: events, agreements, sessions, epoch."""

    def __init__(self) -> None:
        self.events = _events()
        self.epoch = 41
        self.states = {org: "active" for org, *_ in ORGS}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.changed = threading.Condition()
        self.stopping = False
        self.delay = 0.0

    def bump(self) -> None:
        """A change of agreements: a new epoch, told to every open stream."""
        with self.changed:
            self.epoch += 1
            self.changed.notify_all()

    def visible(self, role: str) -> list[dict[str, Any]]:
        """The events a reader may see, withheld fields as `{withheld}`."""
        me = READERS[role]
        rows = [e for e in self.events if (e["org"] == me["org"] if role == "sme" else self.states[e["org"]] == "active")]
        hidden = {name: {"withheld": why, "ask": "Northwatch Managed Security" if role == "sme" else None, "clause": None} for name, why in me["hidden"].items()}
        return [{**e, **hidden} for e in rows]


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(row: dict[str, Any], key: str) -> str:
    value = row[key]
    return "(withheld)" if isinstance(value, dict) else "(none)" if value is None else str(value)


def _keep(row: dict[str, Any], chosen: dict[str, Any], span: tuple[datetime, datetime] | None) -> bool:
    if span and not span[0] <= row["time"] < span[1]:
        return False
    for key, rule in chosen["dims"].items():
        inside = _shown(row, key) in (rule.get("in") or rule.get("not") or [])
        if inside != bool(rule.get("in")):
            return False
    return True


def _span(chosen: dict[str, Any]) -> tuple[datetime, datetime] | None:
    when = chosen.get("time")
    if not when:
        return None
    if "last" in when:
        unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[when["last"][-1]]
        return WATERMARK - timedelta(**{unit: int(when["last"][:-1])}), WATERMARK
    return datetime.fromisoformat(when["from"]), datetime.fromisoformat(when["to"])


def release(world: World, role: str) -> bytes:
    """The reader's exact release: hour bins, categorical dims, sector and region derived where owners are shown."""
    rows = world.visible(role)
    hidden = READERS[role]["hidden"]
    keys = [k for k in ("org", "sector", "region", "class", "severity", "family", "action") if k not in hidden]
    edges = [START + timedelta(hours=h) for h in range(DAYS * 24 - 5 + 1)]
    values = {k: (SEVERITIES if k == "severity" else sorted({_shown(r, k) for r in rows})) for k in keys}
    codes = {k: {v: i for i, v in enumerate(values[k])} for k in keys}
    derived = [k for k in ("sector", "region") if "org" in keys]
    plain = [k for k in keys if k not in derived]
    cells: dict[tuple[int, ...], int] = {}
    for r in rows:
        cell = (int((r["time"] - START).total_seconds() // 3600), *(codes[k][_shown(r, k)] for k in plain))
        cells[cell] = cells.get(cell, 0) + 1
    order = sorted(cells)
    arrays = [pa.array([c[0] for c in order], pa.uint16())]
    arrays += [pa.array([c[i + 1] for c in order], pa.uint8()) for i in range(len(plain))]
    arrays.append(pa.array([cells[c] for c in order], pa.uint32()))
    dims: list[dict[str, Any]] = [{"key": "t", "label": "time", "kind": "time", "n": len(edges) - 1, "edges": [_iso(e) for e in edges], "disclosed": "hour"}]
    described = {k: {"key": k, "label": LABELS[k], "kind": KINDS.get(k, "nominal"), "n": len(values[k]), "values": values[k], "withheld": None} for k in keys}
    dims += [{**described[k], "parent": None} for k in plain]
    home = {r["org"]: r for r in rows} if derived else {}
    meta = {
        "contract": 1, "release": f"{role}-{world.epoch}", "version": 1, "kind": "exact",
        "measures": [{"column": "w0", "key": "events", "label": "events", "unit": "events"}], "dims": dims,
        "derived": [{"dim": described[k], "from": "org", "map": [codes[k][home[o][k]] for o in values["org"]]} for k in derived],
        "variance": None, "threshold": None, "privacy": None,
        "provenance": {"policy_epoch": world.epoch, "watermark": _iso(WATERMARK), "made_at": _iso(WATERMARK), "good_until": None,
                       "reader": {"org": READERS[role]["org"]}, "agreements": sum(s == "active" for s in world.states.values()), "members": None},
        "withheld": [{"dim": k, "label": LABELS[k], "reason": why, "ask": None, "clause": None} for k, why in hidden.items() if k != "user"],
    }  # fmt: skip
    schema = pa.schema([pa.field(n, a.type) for n, a in zip(["t", *plain, "w0"], arrays, strict=True)], {b"commonwatch": json.dumps(meta).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as out:
        out.write_batch(pa.record_batch(arrays, schema=schema))
    return sink.getvalue().to_pybytes()


def answer(world: World, role: str, query: dict[str, Any]) -> dict[str, Any]:
    """The answer to a typed query, computed row by row."""
    chosen = query["filter"]
    rows = [r for r in world.visible(role) if _keep(r, chosen, _span(chosen))]
    out: dict[str, Any] = {
        "query": f"q{abs(hash(json.dumps(query, sort_keys=True))) % 10**8}", "epoch": world.epoch, "watermark": _iso(WATERMARK), "org": READERS[role]["org"],
        "purpose": "detect", "clauses": [f"{org}-with-northwatch@1#s1" for org, *_ in ORGS[:2]], "other": None, "total": len(rows), "bin": None, "after": None, "notes": [],
    }  # fmt: skip
    if query["kind"] == "rows":
        start = int(query.get("after") or 0)
        page = rows[start : start + query["limit"]]
        names = list(LABELS)[-1:] + list(LABELS)[:-1]
        out["columns"] = [{"name": n, "label": LABELS[n], "kind": "time" if n == "time" else "text", "field": n, "disclosure": None} for n in names]
        out["rows"] = [{"ref": f"row-{start + i}", "cells": [_iso(r[n]) if n == "time" else r[n] for n in names], "clauses": [i % 2]} for i, r in enumerate(page)]
        out["after"] = str(start + len(page)) if start + len(page) < len(rows) else None
        return out
    key = query.get("by", "time")
    hidden = READERS[role]["hidden"].get(key)
    counts: dict[str, int] = {}
    for r in rows:
        shown = _iso(r["time"].replace(minute=0, second=0)) if query["kind"] == "histogram" else _shown(r, key)
        counts[shown] = counts.get(shown, 0) + 1
    ranked = sorted(counts.items()) if query["kind"] == "histogram" else sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))[: query.get("limit", 20)]
    out["columns"] = [{"name": key, "label": LABELS[key], "kind": "text", "field": key, "disclosure": None}, {"name": "events", "label": "events", "kind": "u64"}]
    out["rows"] = [{"cells": [{"withheld": hidden, "ask": None, "clause": None} if hidden else v, n]} for v, n in ranked]
    out["other"], out["bin"] = len(rows) - sum(n for _, n in ranked), "1h"
    return out


def _text(org: str, name: str) -> str:
    return (
        f'AGREEMENT "{org}-with-northwatch" version 1\n\n'
        f"{name} (the owner) shares with Northwatch Managed Security,\nfrom 1 October 2026 until 30 September 2027, for operate, detect and respond.\n\n"
        "Clause s1. Share events of the classes malware, intrusion, firewall, web, dns and auth,\n  marked TLP:AMBER or wider, at every age:\n"
        "  time exactly; contributor exactly; signature exactly; severity exactly;\n  source address exactly; destination address at network;\n  everything else is withheld.\n\n"
        "Clause l1. Limit: user name is never shown.\n\nThe owner may revoke this agreement at any time.\n"
    )


def agreements(world: World, role: str) -> list[dict[str, Any]]:
    """The agreements of the reader's organisation."""
    mine = [o for o in ORGS if role != "sme" or o[0] == READERS[role]["org"]]
    return [
        {
            "id": f"{org}-with-northwatch", "version": 1, "title": f"{name} with Northwatch", "state": world.states[org], "owner": org,
            "parties": [{"org": org, "name": name, "role": "owner"}, {"org": "northwatch", "name": "Northwatch Managed Security", "role": "recipient"}],
            "starts": "2026-10-01T00:00:00Z", "ends": "2027-09-30T00:00:00Z", "may_revoke": world.states[org] == "active", "text": _text(org, name),
        }
        for org, name, *_ in mine
    ]  # fmt: skip


def description(world: World, role: str) -> dict[str, Any]:
    """What `/api/view` says."""
    me = READERS[role]
    bound = [{**a, "owner_name": a["parties"][0]["name"], "clauses": [{"id": "s1", "text": "Share malware, intrusion, firewall, web, dns and auth events with exact signatures."},
             {"id": "l1", "text": "Never show user names."}]} for a in agreements(world, role) if a["state"] == "active"]  # fmt: skip
    fields = [
        {"field": k, "label": v, "granted": None if k in me["hidden"] else "network" if k == "dst_ip" else "exact", "uniform": k != "domain",
         "withheld": {"reason": me["hidden"][k], "ask": None, "clause": None} if k in me["hidden"] else None}
        for k, v in LABELS.items()
    ]  # fmt: skip
    return {"reader": {"org": me["org"], "roles": me["roles"], "communities": ["alpine"], "purpose": "detect"}, "epoch": world.epoch,
            "watermark": _iso(WATERMARK), "agreements": bound, "fields": fields}  # fmt: skip


INDICATORS = [
    {"id": f"indicator--{n:08d}-0000-4000-8000-000000000000", "kind": kind, "value": value, "pattern": f"[{path} = '{value}']", "valid_from": "2026-11-15T09:00:00Z",
     "valid_until": "2026-12-15T09:00:00Z", "confidence": conf, "sources": sources, "first_seen": "2026-11-15T08:41:00Z", "last_seen": "2026-11-18T17:05:00Z", "sightings": seen}
    for n, (kind, value, path, conf, sources, seen) in enumerate([
        ("ipv4-addr", "203.0.113.7", "ipv4-addr:value", 85, 6, 412), ("domain-name", "update-cdn.example", "domain-name:value", 80, 5, 230),
        ("file", "3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855a", "file:hashes.'SHA-256'", 95, 3, 17), ("ipv4-addr", "198.51.100.23", "ipv4-addr:value", 40, None, 9)])
]  # fmt: skip
ALERTS = [
    {"id": "alert-1", "kind": "outbreak", "state": "open", "title": "GrayWeasel is new at 6 organisations in 3 sectors", "at": "2026-11-16T11:20:00Z", "expected": 0.4, "seen": 6,
     "text": "Usually 0 or 1 organisation a week reports it for the first time.", "filter": {"dims": {"family": {"in": ["GrayWeasel"]}}, "time": {"last": "4d"}}},
    {"id": "alert-2", "kind": "hotspot", "state": "acknowledged", "title": "More failed sign-ins than usual in Hospitality", "at": "2026-11-12T03:00:00Z", "text": "Two organisations, one night.",
     "filter": {"dims": {"class": {"in": ["auth"]}, "sector": {"in": ["Hospitality"]}}, "time": {"from": "2026-11-11T00:00:00Z", "to": "2026-11-13T00:00:00Z"}}},
]  # fmt: skip


def gateways(now: float) -> list[dict[str, Any]]:
    """Gateways of the reader: two well, one silent."""
    return [
        {"id": f"gw-{org}", "org": org, "name": f"{name} gateway", "enrolled": int(now) - 86400 * 40, "last_seen": int(now) - gap, "connected": gap < 60,
         "status": {"version": "0.1.0", "spool_rows": 0 if gap < 60 else 1834, "sent": 120_431 - gap, "quarantined": gap % 7, "snapshot": 41}}
        for (org, name, *_), gap in zip(ORGS[:3], (2, 5, 5400), strict=True)
    ]  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """The HTTP face."""

    protocol_version = "HTTP/1.1"

    def __init__(self, world: World, *args: Any) -> None:
        self.world = world
        super().__init__(*args)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silence."""

    def _send(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", CSP)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        with suppress(ConnectionError):  # an overtaken question is aborted by the browser
            self.wfile.write(body)

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        self._send(status, json.dumps(value).encode(), "application/json", **headers)

    def _problem(self, status: int, code: str, detail: str, todo: str = "") -> None:
        body = {"type": f"urn:commonwatch:problem:{code}", "title": code.replace("-", " "), "status": status, "detail": detail, "todo": todo}
        self._send(status, json.dumps(body).encode(), "application/problem+json")

    def _session(self) -> dict[str, Any] | None:
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("cw_session")
        return self.world.sessions.get(cookie.value) if cookie else None

    def _body(self) -> dict[str, Any]:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return json.loads(raw) if raw else {}

    def do_GET(self) -> None:
        """Pages, then the API."""
        url = urlsplit(self.path)
        path = unquote(url.path).strip("/")
        if not path.startswith("api/"):
            self._static(path)
            return
        me = self._session()
        if me is None:
            self._problem(401, "not-authenticated", "Nobody is signed in.", "Open your setup link or sign in.")
            return
        self._read(path.removeprefix("api/"), parse_qs(url.query), me)

    def _static(self, path: str) -> None:
        file = BUILT / ("index.html" if path.split("/")[0] in PAGES else path)
        if not file.resolve().is_relative_to(BUILT) or not file.is_file():
            self._problem(404, "not-found", "There is no such page.")
            return
        self._send(200, file.read_bytes(), TYPES.get(file.suffix, "application/octet-stream"), Cache_Control="no-cache")

    def _read(self, path: str, query: dict[str, list[str]], me: dict[str, Any]) -> None:
        world, role = self.world, me["role"]
        who = READERS[role]
        if path == "stream":
            self._stream()
        elif path == "session":
            org = {"org": who["org"], "name": who["name"], "roles": who["roles"], "communities": ["alpine"], "sector": "J62", "region": "DE", "size": "small"}
            self._json({"person": {"id": role, "name": who["person"]}, "org": org, "purpose": me["purpose"],
                        "purposes": ["operate", "detect", "respond"], "epoch": world.epoch, "admin": role != "cert"})  # fmt: skip
        elif path == "releases":
            body = release(world, role)
            self._json({"releases": [{"id": f"{role}-{world.epoch}", "kind": "exact", "window": {"from": _iso(START), "to": _iso(WATERMARK)}, "bin": "1h", "cells": 1,
                                      "bytes": len(body), "dims": [], "measures": ["events"], "good_until": None}]})  # fmt: skip
        elif path.startswith("releases/"):
            if path.removeprefix("releases/") != f"{role}-{world.epoch}":
                self._problem(404, "not-found", "There is no such release.")
            else:
                self._send(200, release(world, role), "application/vnd.apache.arrow.stream")
        else:
            self._lists(path, query, role)

    def _lists(self, path: str, query: dict[str, list[str]], role: str) -> None:
        world = self.world
        if path == "view":
            self._json(description(world, role))
        elif path == "agreements":
            self._json(agreements(world, role))
        elif path == "indicators":
            self._json(INDICATORS)
        elif path == "alerts":
            self._json(ALERTS)
        elif path == "gateways":
            self._json(gateways(time.time()))
        elif path == "audit/checkpoint":
            self._json({"size": 1280, "root": "9f2c" * 16, "signature": "c2lnbmF0dXJl" * 4, "key": "a1b2" * 8, "at": _iso(WATERMARK)})
        elif path == "audit/entries":
            start, limit = int(query["from"][0]), int(query["limit"][0])
            kinds = ["login", "decision", "release", "agreement-revoked", "query"]
            self._json([{"index": i, "at": _iso(WATERMARK - timedelta(minutes=1280 - i)), "kind": kinds[i % 5], "who": READERS[role]["person"],
                         "detail": {"agreements": 12, "rows": i % 50}} for i in range(max(0, start), min(1280, start + limit))])  # fmt: skip
        else:
            self._problem(404, "not-found", "There is no such thing.")

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        told = self.world.epoch
        try:
            self.wfile.write(f"event: hello\ndata: {json.dumps({'epoch': told})}\n\n".encode())
            while not self.world.stopping:
                with self.world.changed:
                    self.world.changed.wait(0.5)
                if self.world.epoch != told:
                    told = self.world.epoch
                    self.wfile.write(f"event: epoch\ndata: {json.dumps({'epoch': told})}\n\n".encode())
                else:
                    self.wfile.write(b": still here\n\n")
        except OSError:
            pass
        self.close_connection = True

    def do_POST(self) -> None:
        """Sign in, switch purpose, ask, revoke."""
        path = unquote(urlsplit(self.path).path).strip("/").removeprefix("api/")
        body = self._body()
        if path != "query" and self.headers.get("X-Commonwatch") != "1":
            self._problem(403, "not-permitted", "The call does not come from this site.")
        elif path == "session":
            self._open(body)
        elif (me := self._session()) is None:
            self._problem(401, "not-authenticated", "Nobody is signed in.")
        elif path == "session/purpose":
            me["purpose"] = body["purpose"]
            self._json({"purpose": body["purpose"]})
        elif path == "query":
            time.sleep(self.world.delay)
            self._json(answer(self.world, me["role"], body))
        elif path.startswith("agreements/") and path.endswith("/revoke"):
            self._revoke(path.split("/")[1])
        else:
            self._problem(404, "not-found", "There is no such thing.")

    def _open(self, body: dict[str, Any]) -> None:
        role = body.get("link") or (body.get("person") if body.get("passphrase") == "correct horse" else "")
        if role not in READERS:
            self._problem(401, "not-authenticated", "The name and the passphrase do not fit together.", "Ask your administrator for a new setup link.")
            return
        secret = f"{role}-{len(self.world.sessions)}"
        self.world.sessions[secret] = {"role": role, "purpose": "detect"}
        self._json({"ok": True}, Set_Cookie=f"cw_session={secret}; HttpOnly; SameSite=Strict; Path=/")

    def _revoke(self, agreement: str) -> None:
        org = agreement.removesuffix("-with-northwatch")
        self.world.states[org] = "revoked"
        self.world.bump()
        self._json({"epoch": self.world.epoch, "withdrawn": {"releases": 3, "indicators": 2}})

    def do_DELETE(self) -> None:
        """Sign out."""
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("cw_session")
        self.world.sessions.pop(cookie.value if cookie else "", None)
        self._send(204, b"", "application/json")


class StandIn:
    """A running stand-in on an ephemeral port (or the given one): `with StandIn() as hub: hub.url`."""

    def __init__(self, port: int = 0) -> None:
        self.world = World()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, self.world))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> StandIn:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.world.stopping = True
        self._server.shutdown()
        self._server.server_close()


if __name__ == "__main__":
    with StandIn(int(sys.argv[1]) if sys.argv[1:] else 8470) as hub:
        print("\n".join(f"{role}: {hub.url}/setup#{role}" for role in READERS))
        while True:
            time.sleep(3600)
