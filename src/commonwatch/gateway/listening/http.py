"""An HTTP sink: tools and shippers (Wazuh's integrator, Vector, Fluent Bit) post records; 200 means on disk.

Rules held here: POST only; a token where one is set, compared in constant time, and none but on loopback; bodies are
bounded, also unpacked; without room 503 with Retry-After, so that shippers keep and repeat. No answer quotes a record.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import uvicorn

from commonwatch.gateway.listening.intake import Intake
from commonwatch.gateway.listening.routing import records
from commonwatch.ingest.archives import MAGIC, Gunzip

MOST = 32 << 20
_NO_ROOM = 503, dict[str, object](error="no room now; keep the records and send them again")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Sink:
    """An ASGI application that takes records in."""

    def __init__(self, name: str, intake: Intake, token: str) -> None:
        self._name, self._intake, self._token = name, intake, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        status, said = await self._answer(scope, receive)
        body = msgspec.json.encode(said)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if status == 503:
            headers.append((b"retry-after", b"5"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, dict[str, object]]:
        if scope["method"] != "POST":
            return 405, {"error": "post records here: a JSON object, an array of them, or one a line"}
        if not self._may(scope):
            return 401, {"error": "send the listener's token: Authorization: Bearer TOKEN"}
        if self._intake.full:
            return _NO_ROOM
        body = await _body(receive)
        if body is None:
            return 413, {"error": f"a body has at most {MOST} bytes, also unpacked"}
        found = list(records(body))
        if found and not await self._intake.take(self._name, found):
            return _NO_ROOM
        return 200, {"taken": len(found)}

    def _may(self, scope: Scope) -> bool:
        if not self._token:
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, f"Bearer {self._token}".encode())


async def reply(send: Send, status: int, kind: bytes, body: bytes, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """One whole answer."""
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Server(uvicorn.Server):
    """Signals are the gateway's to hear."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


class Serving(NamedTuple):
    """A sink that answers."""

    server: uvicorn.Server
    task: asyncio.Task[None]

    async def end(self) -> None:
        """Stop answering; requests under way are finished."""
        self.server.should_exit = True
        await self.task


def serve(app: App, listening: socket.socket, files: tuple[Path, Path] | None = None) -> Serving:
    """Answer on a bound socket; `files` are a certificate and its key (PEM)."""
    tls: dict[str, Any] = {"ssl_certfile": files[0], "ssl_keyfile": files[1]} if files else {}
    config = uvicorn.Config(
        app, lifespan="off", access_log=False, log_config=None, server_header=False, ws="none",
        timeout_graceful_shutdown=2, **tls,
    )  # fmt: skip
    server = _Server(config)
    return Serving(server, asyncio.create_task(server.serve(sockets=[listening])))


async def _body(receive: Receive) -> bytes | None:
    """The whole body, unpacked; None where it is too large or not gzip after all."""
    found = bytearray()
    more = True
    while more:
        message = await receive()
        found += message.get("body", b"")
        more = bool(message.get("more_body")) and message["type"] == "http.request"
        if len(found) > MOST:
            return None
    if not found.startswith(MAGIC):
        return bytes(found)
    gunzip, plain = Gunzip(), bytearray()
    for piece in gunzip.feed(bytes(found)):
        plain += piece
        if len(plain) > MOST:
            return None
    gunzip.finish()
    return None if gunzip.damage else bytes(plain)
