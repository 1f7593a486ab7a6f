"""Batches: what an honest gateway seals opens whole; everything else is refused, with the place."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.errors import InvalidInput, SignatureError
from commonwatch.wire import batch as wire
from commonwatch.wire.batch import BatchHeader, batch_uid, peek, seal, unseal
from commonwatch.wire.columns import CELLS, DAY, EARLIEST, WIRE_COLUMNS

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOW = 1_764_000_000_000_000
UIDS = [bytes([n]) * 16 for n in range(3)]


def header(**more: Any) -> BatchHeader:
    """A header for three rows."""
    plain = {
        "batch_uid": batch_uid("gw-1", UIDS), "gateway": "gw-1", "org": "baker", "seq": 1, "snapshot": 4, "rows": 3,
        "profiles": [{"time": "exact", "src_ip": "pseudonym+network"}, {}], "rules_version": 1, "made_at": NOW,
    }  # fmt: skip
    return BatchHeader(**{**plain, **more})


def columns(**more: Any) -> dict[str, list[Any]]:
    """Three rows."""
    plain = {
        "event_uid": UIDS, "time": [NOW, NOW - 1, NOW - 2], "event_class": [2, 2, 10], "tlp": [1, 2, 4],
        "severity_id": [0, 3, 6], "profile": [0, 0, 1], "src_ip_hi": [0, -1, None], "src_ip_lo": [5, -(2**63), None],
        "rule_name": ["ET SCAN", None, "Überfall"], "attack_techniques": [["T1190"], None, []],
        "src_port": [0, 65535, None],
        "is_alert": [True, False, None], "file_sha256": [bytes(32), None, None],
    }  # fmt: skip
    return {k: v for k, v in {**plain, **more}.items() if v is not ...}


def refused(error: type[Exception] = InvalidInput, head: BatchHeader | None = None, **more: Any) -> str:
    """Where the batch with these columns is refused."""
    with pytest.raises(error) as caught:
        unseal(seal(head or header(), columns(**more), KEY), KEY.public_key())
    assert caught.value.todo  # type: ignore[attr-defined]
    return str(caught.value.where)  # type: ignore[attr-defined]


def test_a_sealed_batch_opens_as_it_was_made() -> None:
    sealed = seal(header(), columns(), KEY)
    assert unseal(sealed, KEY.public_key()) == (header(), columns())
    assert peek(sealed) == "gw-1"


def test_a_batch_signed_by_another_gateway_is_refused() -> None:
    with pytest.raises(SignatureError) as caught:
        unseal(seal(header(), columns(), Ed25519PrivateKey.generate()), KEY.public_key())
    assert caught.value.where == "batch.signature"


def test_changing_any_byte_of_a_batch_is_noticed() -> None:
    sealed = seal(header(), columns(), KEY)
    for at in range(0, len(sealed), 7):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises((SignatureError, InvalidInput)):
            unseal(changed, KEY.public_key())


@pytest.mark.parametrize("data", [b"", b"\x00", b"{}", b"\x95\xc1", b"not a batch at all", bytes(1000)])
def test_foreign_bytes_are_no_batch(data: bytes) -> None:
    for use in (peek, lambda d: unseal(d, KEY.public_key())):
        with pytest.raises(InvalidInput):
            use(data)


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"src_port": [70_000, 1, 1]}, "columns.src_port[...]"),
        ({"src_port": [-1, 1, 1]}, "columns.src_port[...]"),
        ({"src_port": ["80", 1, 1]}, "columns.src_port[...]"),
        ({"is_alert": [1, 0, None]}, "columns.is_alert[...]"),
        ({"event_class": [0, 1, 1]}, "columns.event_class[...]"),
        ({"event_class": [15, 1, 1]}, "columns.event_class[...]"),
        ({"event_class": [None, 1, 1]}, "columns.event_class[...]"),
        ({"tlp": [5, 1, 1]}, "columns.tlp[...]"),
        ({"severity_id": [7, 1, 1]}, "columns.severity_id[...]"),
        ({"file_sha256": [bytes(31), None, None]}, "columns.file_sha256[...]"),
        ({"event_uid": [bytes(15), *UIDS[1:]]}, "columns.event_uid[...]"),
        ({"event_uid": [UIDS[1], *UIDS[1:]]}, "columns.event_uid"),
        ({"rule_name": ["x" * 4_097, None, None]}, "columns.rule_name[...]"),
        ({"rule_name": ["a\x00b", None, None]}, "columns.rule_name"),
        ({"rule_name": ["a\x1b[31m", None, None]}, "columns.rule_name"),
        ({"mail_to": [["a\nb"], None, None]}, "columns.mail_to"),
        ({"attack_techniques": [["T"] * 257, None, None]}, "columns.attack_techniques[...]"),
        ({"src_ip_hi": [None, 1, None]}, "columns.src_ip"),
        ({"src_ip_hi": ...}, "columns.src_ip"),
        ({"time": ...}, "columns.time"),
        ({"time": [NOW, NOW]}, "columns.time"),
        ({"time": [NOW + DAY + 1, NOW, NOW]}, "columns.time[0]"),
        ({"end_time": [None, None, NOW + DAY + 1]}, "columns.end_time[2]"),
        ({"time": [EARLIEST - 1, NOW, NOW]}, "columns.time[...]"),
        ({"profile": [0, 0, 2]}, "columns.profile"),
        ({"profile": [-1, 0, 0]}, "columns.profile[...]"),
        ({"org_uid": ["other"] * 3}, "columns"),
        ({"handling": [1, 1, 1]}, "columns"),
        ({"raw": ["x"] * 3}, "columns"),
    ],
)
def test_one_bad_cell_refuses_the_whole_batch_and_says_where(more: dict[str, Any], where: str) -> None:
    assert refused(**more).replace("[0]", "[...]") in {where, where.replace("[0]", "[...]")}


@pytest.mark.parametrize(
    "more",
    [
        {"rows": 2}, {"rows": 0}, {"rows": 20_001}, {"gateway": "../gw"}, {"org": "Baker"}, {"org": "b\n"}, {"seq": -1},
        {"batch_uid": 2**63}, {"rules_version": 70_000}, {"made_at": 0}, {"profiles": []},
        {"profiles": [{"src_ip": "nonsense"}]}, {"profiles": [{"nothing": "exact"}]},
        {"profiles": [{"url": "pseudonym"}]},
        {"profiles": [{"src_ip": "withheld"}]},
    ],
)  # fmt: skip
def test_a_bad_header_is_refused(more: dict[str, Any]) -> None:
    encoder = msgspec.msgpack.Encoder()
    head = encoder.encode({**msgspec.to_builtins(header()), **more})
    plain = encoder.encode(columns())
    body = zlib.compress(plain)
    signature = KEY.sign(wire._digest(head, len(plain), body))
    with pytest.raises(InvalidInput) as caught:
        unseal(encoder.encode([wire.MAGIC, head, len(plain), body, signature]), KEY.public_key())
    assert caught.value.where


def frame(plain: bytes, size: int | None = None, body: bytes | None = None) -> bytes:
    """A rightly signed batch around any bytes."""
    encoder = msgspec.msgpack.Encoder()
    head, body = encoder.encode(header()), zlib.compress(plain) if body is None else body
    size = len(plain) if size is None else size
    return encoder.encode([wire.MAGIC, head, size, body, KEY.sign(wire._digest(head, size, body))])


def test_a_batch_that_grows_beyond_its_cap_is_refused_without_being_unpacked() -> None:
    bomb = zlib.compress(bytes(64 * 1024 * 1024), 9)
    for size in (10, wire.MAX_OPEN):
        with pytest.raises(InvalidInput) as caught:
            unseal(frame(b"", size=size, body=bomb), KEY.public_key())
        assert caught.value.where == "batch.size"
    with pytest.raises(InvalidInput):
        unseal(frame(b"", size=wire.MAX_OPEN + 1, body=bomb), KEY.public_key())


@pytest.mark.parametrize("body", [b"", b"junk", zlib.compress(b"x")[:-3], zlib.compress(b"x") + b"more"])
def test_columns_that_do_not_decompress_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        unseal(frame(b"x", body=body), KEY.public_key())


def test_a_batch_of_a_later_version_is_refused() -> None:
    sealed = msgspec.msgpack.decode(seal(header(), columns(), KEY))
    with pytest.raises(InvalidInput) as caught:
        unseal(msgspec.msgpack.encode(["cw-batch-2", *sealed[1:]]), KEY.public_key())
    assert caught.value.where == "batch.magic"


def test_errors_quote_no_value() -> None:
    with pytest.raises(InvalidInput) as caught:
        unseal(seal(header(), columns(rule_name=["secret-canary\x00", None, None]), KEY), KEY.public_key())
    assert "canary" not in str(caught.value)


def test_what_the_hub_adds_is_no_wire_column() -> None:
    assert not {"org_uid", "batch_uid", "handling", "ingest_time", "policy_no"} & set(WIRE_COLUMNS)
    assert {"src_ip_hi", "src_net_lo", "profile", "event_uid"} <= set(CELLS)


def test_the_same_events_have_the_same_number() -> None:
    assert batch_uid("gw-1", UIDS) == batch_uid("gw-1", UIDS) < 2**63
    assert batch_uid("gw-1", UIDS) != batch_uid("gw-2", UIDS) != batch_uid("gw-1", UIDS[:2])
