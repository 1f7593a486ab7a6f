"""Signed requests of a gateway: every request carries who, when and a signature over what is asked.

Rules held here: the signature is Ed25519 over DOMAIN | method | path with query | time | SHA-256(body), each with its
length; the hub accepts 10 minutes either way and says its own time (`HUB_TIME`) in every answer, so that a gateway with
a wrong clock corrects itself; a failure never says whether the gateway exists.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from commonwatch.errors import NotAuthenticated

DOMAIN = b"commonwatch request 1"
GATEWAY, TIME, SIGNATURE = "CW-Gateway", "CW-Time", "CW-Signature"
#: Answer header with the hub's time in microseconds; every answer to a gateway should carry it.
HUB_TIME = "CW-Hub-Time"
#: How far a gateway's clock may be off, microseconds.
SKEW = 600 * 1_000_000


def sign_request(  # noqa: PLR0917
    method: str, path: str, body: bytes, at: int, gateway: str, key: Ed25519PrivateKey
) -> dict[str, str]:
    """The three headers of a signed request. `path` as sent, with its query; `at` in microseconds."""
    signature = key.sign(_message(method, path, body, at, gateway))
    return {GATEWAY: gateway, TIME: str(at), SIGNATURE: base64.b64encode(signature).decode()}


def claimed_gateway(headers: Mapping[str, str]) -> str:
    """The gateway a request claims to be from: only to find its key. Header names in any case."""
    return _header(headers, GATEWAY)


def verify_request(  # noqa: PLR0917
    method: str, path: str, body: bytes, headers: Mapping[str, str], now: int, key: Ed25519PublicKey
) -> str:
    """The gateway's id, or NotAuthenticated (`where` is CW-Time when only the clock is off)."""
    gateway, signature, at = claimed_gateway(headers), _header(headers, SIGNATURE), _time(headers)
    try:
        key.verify(base64.b64decode(signature, validate=True), _message(method, path, body, at, gateway))
    except (InvalidSignature, binascii.Error, ValueError):
        raise NotAuthenticated(
            "the request's signature does not verify", where=SIGNATURE, todo="enrol the gateway again"
        ) from None
    if abs(now - at) > SKEW:
        raise NotAuthenticated(
            "the gateway's clock is more than 10 minutes off", where=TIME, todo=f"correct it by the {HUB_TIME} header"
        )
    return gateway


def _message(method: str, path: str, body: bytes, at: int, gateway: str) -> bytes:
    parts = (DOMAIN, method.upper().encode(), path.encode(), str(at).encode(), gateway.encode())
    digest = hashlib.sha256(body).digest()
    return b"".join(len(part).to_bytes(4, "big") + part for part in (*parts, digest))


def _header(headers: Mapping[str, str], name: str) -> str:
    wanted = name.lower()
    for key, value in headers.items():
        if key.lower() == wanted:
            return value
    raise NotAuthenticated("the request is not signed", where=name, todo="sign requests with the gateway's key")


def _time(headers: Mapping[str, str]) -> int:
    text = _header(headers, TIME)
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise NotAuthenticated("the request's time is malformed", where=TIME, todo="send microseconds since 1970")
    return int(text)
