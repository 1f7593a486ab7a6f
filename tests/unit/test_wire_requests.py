"""Signed requests, enrolment and stream lines: only the right key, time and code are believed."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.errors import InvalidInput, NotAuthenticated, SignatureError
from commonwatch.wire.auth import SKEW, claimed_gateway, sign_request, verify_request
from commonwatch.wire.enrolment import (
    EnrolCode,
    EnrolReply,
    EnrolRequest,
    open_reply,
    open_request,
    raw_key,
    seal_reply,
    seal_request,
    thumbprint,
)
from commonwatch.wire.messages import (
    Checkpoint,
    Hello,
    IndicatorItem,
    Indicators,
    Ping,
    SnapshotMessage,
    Withdraw,
    decode_line,
    encode_line,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
NOW = 1_764_000_000_000_000
PATH = "/gateway/batches?a=1"


def test_a_signed_request_is_believed_once_everything_matches() -> None:
    headers = sign_request("POST", PATH, b"body", NOW, "gw-1", KEY)
    assert verify_request("POST", PATH, b"body", headers, NOW + SKEW, KEY.public_key()) == "gw-1"
    lower = {k.lower(): v for k, v in headers.items()}
    assert claimed_gateway(lower) == "gw-1"
    assert verify_request("post", PATH, b"body", lower, NOW, KEY.public_key()) == "gw-1"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", PATH, b"body"), ("POST", "/gateway/batches", b"body"), ("POST", PATH, b"bodY"), ("POST", PATH, b"")],
)
def test_a_signature_covers_method_path_query_and_body(method: str, path: str, body: bytes) -> None:
    headers = sign_request("POST", PATH, b"body", NOW, "gw-1", KEY)
    with pytest.raises(NotAuthenticated):
        verify_request(method, path, body, headers, NOW, KEY.public_key())


@pytest.mark.parametrize(
    "change",
    [
        {"CW-Gateway": "gw-2"}, {"CW-Time": str(NOW + 1)}, {"CW-Time": "now"}, {"CW-Time": "-1"}, {"CW-Time": "9" * 30},
        {"CW-Signature": ""}, {"CW-Signature": "***"}, {"CW-Signature": "AAAA"},
    ],
)  # fmt: skip
def test_a_changed_header_is_refused(change: dict[str, str]) -> None:
    headers = sign_request("POST", PATH, b"body", NOW, "gw-1", KEY) | change
    with pytest.raises(NotAuthenticated):
        verify_request("POST", PATH, b"body", headers, NOW, KEY.public_key())


@pytest.mark.parametrize("missing", ["CW-Gateway", "CW-Time", "CW-Signature"])
def test_a_missing_header_is_refused(missing: str) -> None:
    headers = sign_request("GET", PATH, b"", NOW, "gw-1", KEY)
    del headers[missing]
    with pytest.raises(NotAuthenticated):
        verify_request("GET", PATH, b"", headers, NOW, KEY.public_key())


def test_a_wrong_clock_is_told_apart_from_a_wrong_key() -> None:
    headers = sign_request("GET", PATH, b"", NOW, "gw-1", KEY)
    for now, key, where in ((NOW + SKEW + 1, KEY, "CW-Time"), (NOW - SKEW - 1, KEY, "CW-Time"), (NOW, OTHER, "CW-Sig")):
        with pytest.raises(NotAuthenticated) as caught:
            verify_request("GET", PATH, b"", headers, now, key.public_key())
        assert caught.value.where.startswith(where)


HUB, OWNER, GATEWAY = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (3, 4, 5))
CODE = EnrolCode.make(b"0123456789abc", HUB.public_key(), OWNER.public_key())
REPLY = EnrolReply(
    gateway="gw-1", org="baker", hub_key=raw_key(HUB.public_key()), owner_key=raw_key(OWNER.public_key()),
    audit_key=bytes(32), hub_time=NOW,
)  # fmt: skip


def test_an_enrolment_code_reads_back() -> None:
    assert EnrolCode.parse(f"  {CODE}\n") == CODE
    assert CODE.hub_pin == thumbprint(HUB.public_key())[:16]
    for bad in ("", "x", str(CODE)[:-1], str(CODE).lower(), f"{CODE}x"):
        with pytest.raises(InvalidInput):
            EnrolCode.parse(bad)


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    key = Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    assert thumbprint(key.public_key()) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_an_enrolment_request_proves_its_key() -> None:
    request = EnrolRequest(
        secret=CODE.secret, name="front desk", key=raw_key(GATEWAY.public_key()), pseudonym_key=bytes(32), at=NOW
    )
    assert open_request(seal_request(request, GATEWAY)) == request
    with pytest.raises(SignatureError):
        open_request(seal_request(request, OTHER))
    for bad in (b"", b"[]", b"{}", b'{"payload":"e30=","signature":""}'):
        with pytest.raises((InvalidInput, SignatureError)):
            open_request(bad)


def test_a_reply_is_believed_only_from_the_pinned_hub_for_this_code_and_owner() -> None:
    import msgspec

    assert open_reply(seal_reply(REPLY, CODE.secret, HUB), CODE) == REPLY
    foreign_owner = msgspec.structs.replace(REPLY, owner_key=raw_key(OTHER.public_key()))
    foreign_hub = msgspec.structs.replace(REPLY, hub_key=raw_key(OTHER.public_key()))
    for body in (
        seal_reply(REPLY, CODE.secret, OTHER),
        seal_reply(REPLY, "A" * 20, HUB),
        seal_reply(foreign_owner, CODE.secret, HUB),
        seal_reply(foreign_hub, CODE.secret, OTHER),
    ):
        with pytest.raises(SignatureError):
            open_reply(body, CODE)


@pytest.mark.parametrize(
    "message",
    [
        Hello(NOW, 3), Ping(NOW), SnapshotMessage(4, b"\x00\xff"), Withdraw(["indicator--1"]),
        Indicators([IndicatorItem(id="i", type="ipv4-addr", value="203.0.113.9", pattern="[x]", valid_from=NOW)]),
        Checkpoint(size=3, root="00", time=NOW, signature="aa", key="bb", origin="hub", proof=["cc"], proof_from=1),
    ],
)  # fmt: skip
def test_a_stream_line_reads_back(message: object) -> None:
    line = encode_line(message)  # type: ignore[arg-type]
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_line(line) == message


def test_a_line_of_a_kind_from_the_future_is_passed_over_and_a_broken_one_is_not() -> None:
    assert decode_line(b'{"kind":"weather","sun":true}') is None
    for bad in (
        b"",
        b"{",
        b"[]",
        b'{"kind":"ping"}',
        b'{"kind":"ping","hub_time":"x"}',
        b"\xff",
        b'{"hub_time":1}',
        b'{"a":' * 9_999,
    ):
        with pytest.raises(InvalidInput):
            decode_line(bad)
