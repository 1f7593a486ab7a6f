"""A stand-in hub for developing and testing the browser UI alone: the real HTTP contract over a synthetic world.

Rules held here: it enforces nothing and holds no real data, so it never leaves this folder.

    python ui/dev/standin.py [PORT]        then open a printed link
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from functools import partial
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pool
from explaining import explanation
from world import (
    ALERTS,
    INDICATORS,
    READERS,
    START,
    WATERMARK,
    World,
    agreements,
    answer,
    description,
    gateways,
    instant,
    release,
)

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent.parent / "src" / "commonwatch" / "web" / "_ui"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
#: What nothing happens in here: no offers, drafts or notifications; one key, held by the hub.
QUIET: dict[str, Any] = {
    "offers": [], "drafts": [], "duties": [], "notifications": {"unseen": 0, "notifications": []},
    "directory": {"services": [], "communities": []},
    "accesses/summary": {
        "readers": [], "agreements": [], "clauses": [], "surfaces": [], "days": [], "words": {}, "names": {}, "uses": 0,
    },
    "intelligence/sources": {"may": [], "sources": []},
    "keys": [{"thumbprint": "k" * 43, "public": "p" * 43, "held": True, "added": 0, "ended": None}],
}  # fmt: skip
PAGES = {
    "",
    "welcome",
    "login",
    "setup",
    "explore",
    "agreements",
    "indicators",
    "alerts",
    "gateways",
    "audit",
    "plan",
    "picture",
    "budget",
}


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
        body = {
            "type": f"urn:commonwatch:problem:{code}",
            "title": code.replace("-", " "),
            "status": status,
            "detail": detail,
            "todo": todo,
        }
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
        file = BUILT / ("index.html" if path.split("/", maxsplit=1)[0] in PAGES else path)
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
            org = {
                "org": who["org"],
                "name": who["name"],
                "roles": who["roles"],
                "communities": ["alpine"],
                "sector": "J62",
                "region": "DE",
                "size": "small",
            }
            self._json(
                {
                    "person": {"id": role, "name": who["person"]},
                    "org": org,
                    "purpose": me["purpose"],
                    "purposes": ["operate", "detect", "respond"],
                    "epoch": world.epoch,
                    "admin": role != "cert",
                }
            )
        elif path == "releases":
            body = release(world, role)
            self._json(
                {
                    "releases": [
                        {
                            "id": f"{role}-{world.epoch}",
                            "kind": "exact",
                            "window": {"from": instant(START), "to": instant(WATERMARK)},
                            "bin": "1h",
                            "cells": 1,
                            "bytes": len(body),
                            "dims": [],
                            "measures": ["events"],
                            "good_until": None,
                        },
                        *([pool.listed()] if role == "cert" else []),
                    ]
                }
            )
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
        elif path == "budget":
            self._json(pool.BUDGET)
        elif path == "agreements":
            self._json(agreements(world, role))
        elif path in QUIET:
            self._json(QUIET[path])
        elif path.startswith("agreements/"):
            self._agreement(*path.removeprefix("agreements/").split("/"), role=role)
        elif path == "indicators":
            self._json(INDICATORS)
        elif path == "alerts":
            self._json(ALERTS)
        elif path == "gateways":
            self._json(gateways(time.time()))
        elif path == "audit/checkpoint":
            self._json(
                {
                    "size": 1280,
                    "root": "9f2c" * 16,
                    "signature": "c2lnbmF0dXJl" * 4,
                    "key": "a1b2" * 8,
                    "at": instant(WATERMARK),
                }
            )
        elif path == "audit/entries":
            start, limit = int(query["from"][0]), int(query["limit"][0])
            kinds = ["login", "decision", "release", "agreement-revoked", "query"]
            self._json(
                [
                    {
                        "index": i,
                        "at": instant(WATERMARK - timedelta(minutes=1280 - i)),
                        "kind": kinds[i % 5],
                        "who": READERS[role]["person"],
                        "detail": {"agreements": 12, "rows": i % 50},
                    }
                    for i in range(max(0, start), min(1280, start + limit))
                ]
            )
        else:
            self._problem(404, "not-found", "There is no such thing.")

    def _agreement(self, name: str, part: str = "", *, role: str) -> None:
        found = next((a for a in agreements(self.world, role) if a["id"] == name), None)
        if found is None:
            self._problem(404, "not-found", "There is no such agreement.")
        elif part in {"history", "withdrawals"}:
            self._json([])
        elif part == "life":
            self._json({"id": name, "state": found["state"], "versions": [], "offers": [], "awaiting": [], "may": []})
        else:
            self._json({**found, "hash": "ab" * 32, "may": ["revoke"], "document": None})

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
        elif path == "privacy/plan":
            self._plan(body)
        elif path == "releases/pool-1/box":
            self._json(pool.box(body))
        elif path == "explain":
            self._json(explanation(self.world, me["role"], body))
        elif path == "agreements/impact":
            self._json({"newly": [], "no_longer": [], "newly_counted": [], "no_longer_counted": [], "findings": []})
        elif path.startswith("agreements/") and path.endswith("/revoke"):
            self._revoke(path.split("/")[1])
        else:
            self._problem(404, "not-found", "There is no such thing.")

    def _plan(self, body: dict[str, Any]) -> None:
        """The real planner: it needs public numbers only."""
        from commonwatch.errors import InvalidInput
        from commonwatch.privacy.planner.asking import AskPlan
        from commonwatch.privacy.planner.planning import plan

        try:
            found = plan(msgspec.convert(body, AskPlan))
        except (InvalidInput, msgspec.ValidationError) as error:
            self._problem(422, "invalid-input", str(error), "Look at the numbers.")
        else:
            self._json(msgspec.to_builtins(found))

    def _open(self, body: dict[str, Any]) -> None:
        role = body.get("link") or (body.get("person") if body.get("passphrase") == "correct horse" else "")
        if role not in READERS:
            self._problem(
                401,
                "not-authenticated",
                "The name and the passphrase do not fit together.",
                "Ask your administrator for a new setup link.",
            )
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


class Server(ThreadingHTTPServer):
    """Says nothing about browsers that hang up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence for broken connections, the usual words for everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class StandIn:
    """A running stand-in on an ephemeral port (or the given one): `with StandIn() as hub: hub.url`."""

    def __init__(self, port: int = 0) -> None:
        self.world = World()
        self._server = Server(("127.0.0.1", port), partial(Handler, self.world))
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
