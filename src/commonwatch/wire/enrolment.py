"""Enrolment: a one-time code that pins both keys, a request with proof of possession, a reply the hub has signed.

Rules held here: the code is `<secret>.<hub pin>.<owner pin>`; a pin is the first 16 characters of a key's RFC 7638
thumbprint. The gateway believes a reply only if it is signed by the pinned hub key for this very code and names the
pinned owner key: whoever sits between can break enrolment, never take it over. The owner's root key never leaves the
gateway; only the key derived for the hub does.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Annotated, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from commonwatch.errors import InvalidInput, SignatureError

_REQUEST_DOMAIN = b"commonwatch enrol request 1\x00"
_REPLY_DOMAIN = b"commonwatch enrol reply 1\x00"
_AGAIN = "ask the hub for a new enrolment code"
_CODE = re.compile(r"([A-Z2-7]{20})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{16})")
_Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


def raw_key(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes_raw()


def thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638 SHA-256 thumbprint of an Ed25519 key, base64url without padding (RFC 8037)."""
    x = _b64(raw_key(key))
    return _b64(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())


class EnrolCode(NamedTuple):
    """A one-time secret and the first 16 characters of the hub's and the owner's key thumbprints."""

    secret: str
    hub_pin: str
    owner_pin: str

    @classmethod
    def make(cls, secret: bytes, hub: Ed25519PublicKey, owner: Ed25519PublicKey) -> EnrolCode:
        """A code from at least 13 random bytes."""
        text = base64.b32encode(secret).decode()[:20]
        return cls(text, thumbprint(hub)[:16], thumbprint(owner)[:16])

    @classmethod
    def parse(cls, text: str) -> EnrolCode:
        """The code as typed; InvalidInput if it is none."""
        match = _CODE.fullmatch(text.strip())
        if match is None:
            raise InvalidInput("this is not an enrolment code", where="code", todo=_AGAIN)
        return cls(*match.groups())

    def __str__(self) -> str:
        return ".".join(self)


class EnrolRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A gateway asks to be enrolled. `pseudonym_key` is derived from the owner's root for the hub; `at` in µs."""

    secret: Annotated[str, msgspec.Meta(pattern=r"^[A-Z2-7]{20}\Z")]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    key: _Key
    pseudonym_key: _Key
    at: int
    version: Annotated[str, msgspec.Meta(max_length=40)] = ""


class EnrolReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an enrolled gateway must know: its id, whom it serves, and the keys it will believe."""

    gateway: str
    org: str
    hub_key: _Key
    owner_key: _Key
    audit_key: _Key
    hub_time: int
    org_name: str = ""


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payload: bytes
    signature: bytes


def seal_request(request: EnrolRequest, key: Ed25519PrivateKey) -> bytes:
    """JSON body of POST /gateway/enrol, signed with the gateway's new key (proof of possession)."""
    payload = msgspec.json.encode(request)
    return msgspec.json.encode(_Signed(payload, key.sign(_REQUEST_DOMAIN + payload)))


def open_request(body: bytes) -> EnrolRequest:
    """The request, if whoever sends it holds the key it names."""
    signed = _decode(body)
    try:
        request = msgspec.json.decode(signed.payload, type=EnrolRequest)
        Ed25519PublicKey.from_public_bytes(request.key).verify(signed.signature, _REQUEST_DOMAIN + signed.payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidInput("an enrolment request is malformed", where="payload", todo="update the gateway") from None
    except (InvalidSignature, ValueError):
        raise SignatureError("an enrolment request is not signed by its own key", where="signature") from None
    return request


def seal_reply(reply: EnrolReply, secret: str, key: Ed25519PrivateKey) -> bytes:
    """JSON body of the answer, signed with the hub's key and bound to the code's secret."""
    payload = msgspec.json.encode(reply)
    return msgspec.json.encode(_Signed(payload, key.sign(_reply_message(payload, secret))))


def open_reply(body: bytes, code: EnrolCode) -> EnrolReply:
    """The reply, if the pinned hub signed it for this code and it names the pinned owner."""
    signed = _decode(body)
    try:
        reply = msgspec.json.decode(signed.payload, type=EnrolReply)
        hub = Ed25519PublicKey.from_public_bytes(reply.hub_key)
        hub.verify(signed.signature, _reply_message(signed.payload, code.secret))
        owner = Ed25519PublicKey.from_public_bytes(reply.owner_key)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidInput("the hub's enrolment reply is malformed", where="payload", todo=_AGAIN) from None
    except (InvalidSignature, ValueError):
        raise SignatureError("the hub's enrolment reply does not verify", where="signature", todo=_AGAIN) from None
    _check_pin(hub, code.hub_pin, "hub")
    _check_pin(owner, code.owner_pin, "owner")
    return reply


def _check_pin(key: Ed25519PublicKey, pin: str, whose: str) -> None:
    if thumbprint(key)[:16] != pin:
        raise SignatureError(
            f"the {whose}'s key is not the one the enrolment code names",
            where=f"{whose}_key",
            todo="someone may stand between you and the hub: check its address, then ask for a new code",
        )


def _reply_message(payload: bytes, secret: str) -> bytes:
    return _REPLY_DOMAIN + hashlib.sha256(secret.encode()).digest() + payload


def _decode(body: bytes) -> _Signed:
    try:
        return msgspec.json.decode(body, type=_Signed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidInput("an enrolment message is malformed", where="body", todo=_AGAIN) from None


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
