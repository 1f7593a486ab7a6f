"""HTTP to the hub: signed requests over one client. Plain outbound HTTPS or HTTP, so it works behind NAT.

Rules held here: the path is signed without the hub's own prefix; answers become protocol events; no answer is believed
further than the protocol core decides; redirects are not followed.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch import __version__
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.protocol import Answered, Event, Failed, StreamAnswered
from commonwatch.wire.auth import HUB_TIME, sign_request

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
#: The silence of a stream is judged by the protocol core.
STREAM_TIMEOUT = httpx.Timeout(30.0, connect=10.0, read=None)


class Link:
    """One hub, as one gateway talks to it."""

    #: What a broken connection raises.
    faults = (httpx.HTTPError, httpx.StreamError)

    def __init__(self, url: str, gateway: str, key: Ed25519PrivateKey, clock: Clock) -> None:
        self._gateway = gateway
        self._key = key
        self._clock = clock
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/"), timeout=TIMEOUT, headers={"User-Agent": f"commonwatch-gateway/{__version__}"}
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def _request(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> httpx.Request:
        signed = sign_request(method, path, body, self._clock.wall() + self._clock.offset, self._gateway, self._key)
        headers = {**signed, "Content-Type": kind} if body else signed
        return self._client.build_request(method, path, content=body or None, headers=headers)

    async def send_batch(self, batch_uid: int, body: bytes) -> Event:
        """POST a batch; what came of it."""
        try:
            answer = await self._client.send(
                self._request("POST", "/gateway/batches", body, "application/octet-stream")
            )
        except (httpx.HTTPError, OSError):
            return Failed(self._clock.tick(), batch_uid)
        return Answered(
            now=self._clock.tick(),
            batch_uid=batch_uid,
            status=answer.status_code,
            body=answer.content,
            wall=self._clock.wall(),
            hub_time=hub_time(answer.headers),
            retry_after=_seconds(answer.headers.get("Retry-After")),
            reason=_reason(answer),
        )

    async def post(self, path: str, message: msgspec.Struct | msgspec.Raw) -> int:
        """POST a small JSON message; the status, or 0 when it could not be delivered."""
        try:
            answer = await self._client.send(self._request("POST", path, msgspec.json.encode(message)))
        except (httpx.HTTPError, OSError):
            return 0
        return answer.status_code

    async def get(self, path: str) -> dict[str, Any] | None:
        """GET a small JSON object; None when there is none to be had."""
        try:
            answer = await self._client.send(self._request("GET", path))
            found = msgspec.json.decode(answer.content) if answer.status_code == 200 else None
        except (httpx.HTTPError, OSError, msgspec.DecodeError):
            return None
        return found if isinstance(found, dict) else None

    async def open_stream(self, path: str) -> tuple[httpx.Response | None, StreamAnswered | None]:
        """GET a stream that stays open; the caller reads and closes it."""
        request = self._request("GET", path)
        request.extensions["timeout"] = STREAM_TIMEOUT.as_dict()
        try:
            answer = await self._client.send(request, stream=True)
        except (httpx.HTTPError, OSError):
            return None, None
        event = StreamAnswered(self._clock.tick(), answer.status_code, self._clock.wall(), hub_time(answer.headers))
        return answer, event


def hub_time(headers: httpx.Headers) -> int | None:
    """The hub's time in microseconds: its own header, else the Date header."""
    text = headers.get(HUB_TIME, "")
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    try:
        return int(parsedate_to_datetime(headers["Date"]).timestamp()) * 1_000_000
    except (KeyError, ValueError, TypeError):
        return None


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() else 0.0


def _reason(answer: httpx.Response) -> str:
    """The text of a problem answer, bounded."""
    if answer.is_success:
        return ""
    try:
        problem = msgspec.json.decode(answer.content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"the hub answered {answer.status_code}"
    parts = (str(problem.get("detail", problem.get("title", answer.status_code))), str(problem.get("where", "")))
    return " at ".join(p for p in parts if p)[:500]
