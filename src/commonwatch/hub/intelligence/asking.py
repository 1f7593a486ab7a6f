"""How a hub asks a partner's server: one client, one bounded answer, errors in plain words.

Rules held here: HTTPS, or this machine; an address that a member set is asked only where it lies outside (no private or
local network), so that nobody looks into the hub's own network through it; redirects are not followed; an answer is
read up to 16 MiB and no longer than its time. Errors say status and kind and what to do, never an address, a credential
or a word of the answer; a server that asks us to wait (429, 503 with Retry-After: RFC 9110, 10.2.3) is heeded.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from commonwatch.errors import CommonwatchError, InvalidInput, NotFound, NotPermitted, Overloaded, Unavailable
from commonwatch.ingest.outcome import MAX_DOCUMENT

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_FINE = frozenset({200, 206, 304})
Json = dict[str, Any]


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


def client(url: str, auth: Auth, transport: httpx.BaseTransport | None = None, *, inside: bool = True) -> httpx.Client:
    """A client for one source. Raises InvalidInput for an address that is not to be asked.

    `inside`: the address may lie in the hub's own network, because whoever runs the hub set it.
    """
    check_address(url, inside=inside)
    basic = httpx.BasicAuth(auth.user, auth.password) if auth.user else None
    headers = {"User-Agent": "commonwatch", **auth.headers()}
    return httpx.Client(auth=basic, headers=headers, timeout=TIMEOUT, transport=transport)


def check_address(url: str, *, inside: bool) -> None:
    """Raises InvalidInput for an address that is not to be asked."""
    try:
        place = urlsplit(url)
        _ = place.port
    except ValueError:
        raise InvalidInput("this is no web address", where="url", todo="write https://...") from None
    local = place.hostname in _LOOPBACK
    if place.scheme != "https" and not (place.scheme == "http" and local and inside):
        raise InvalidInput("the address must be https://", where="url", todo="use HTTPS")
    if place.username or place.password or not place.hostname:
        raise InvalidInput("no credentials in the address", where="url", todo="give them apart")
    if not inside and (local or not _is_outside(place.hostname)):
        todo = "whoever runs the hub can add it there: commonwatch intelligence sources add"
        raise InvalidInput("the address is not one of the public internet, or is not known", where="url", todo=todo)


def _is_outside(host: str) -> bool:
    """Whether every address of a host is a public one."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}
        return bool(found) and all(ipaddress.ip_address(a.partition("%")[0]).is_global for a in found)
    except (OSError, ValueError):
        return False


def get(http: httpx.Client, url: str, *, method: str = "GET", **more: Any) -> tuple[httpx.Response, bytes]:
    """An answer and its bounded body. Raises NotPermitted, NotFound, Overloaded, Unavailable."""
    try:
        with http.stream(method, url, **more) as answer:
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > MAX_DOCUMENT:
                    raise Unavailable("the answer is too long", todo="ask for smaller pages")
    except httpx.HTTPError as error:
        raise _broken(error) from None
    if answer.status_code not in _FINE:
        raise refusal(answer)
    return answer, bytes(body)


def _broken(error: httpx.HTTPError) -> Unavailable:
    """Why there is no answer."""
    if isinstance(error, httpx.TimeoutException):
        return Unavailable("the server did not answer in time", todo="it is asked again later")
    if isinstance(error, httpx.ConnectError):
        return Unavailable("the server cannot be reached", todo="check address, certificate and network")
    return Unavailable(f"the connection broke ({type(error).__name__})", todo="it is asked again later")


def refusal(answer: httpx.Response) -> CommonwatchError:
    """What a status that is no answer means."""
    status = answer.status_code
    if status in {429, 503} and (seconds := _seconds(answer.headers.get("Retry-After", ""))) is not None:
        return Overloaded(f"the server asks us to wait {seconds} s ({status})", retry_after=seconds, todo="wait")
    match status:
        case 401:
            return NotPermitted("the server does not know us (401)", todo="set user and secret of this source again")
        case 403:
            return NotPermitted("the server knows us and refuses (403)", todo="ask the giver for the right to read")
        case 404 | 410:
            return NotFound(f"there is nothing at this address ({status})", todo="ask the giver for the address of now")
        case 406 | 415:
            return Unavailable(f"the server does not speak this protocol ({status})", todo="check kind and address")
        case 429:
            return Overloaded("the server says that we ask too often (429)", retry_after=0, todo="ask less often")
        case _ if 300 <= status < 400:
            return Unavailable(f"the server sends us elsewhere ({status})", todo="give the address it leads to")
        case _:
            return Unavailable(f"the answer was {status}", todo="try later, or ask the giver")


def _seconds(text: str) -> int | None:
    """`Retry-After`: seconds, or a date."""
    if text.strip().isdecimal():
        return int(text.strip()[:9])
    try:
        return max(0, int(parsedate_to_datetime(text).timestamp() - time.time()))
    except (TypeError, ValueError, OverflowError):
        return None


def json_of(body: bytes) -> Json:
    """A JSON object. Raises Unavailable."""
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise Unavailable("the answer is no JSON", todo="check kind and address") from None
    if not isinstance(found, dict):
        raise Unavailable("the answer is no object", todo="check kind and address")
    return found


def cursor_of(text: str) -> Json:
    """Where reading goes on."""
    return json_of(text.encode()) if text else {}


def written(**values: Any) -> str:
    """A cursor as it is kept."""
    return msgspec.json.encode({k: v for k, v in values.items() if v}).decode()
