"""Whatever bytes arrive, opening a batch or a line ends in a value or one of our errors."""

from __future__ import annotations

import contextlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from commonwatch.errors import CommonwatchError
from commonwatch.wire.batch import BatchHeader, batch_uid, peek, seal, unseal
from commonwatch.wire.columns import EARLIEST, TEXT_COLUMNS
from commonwatch.wire.messages import decode_line

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOW = 1_764_000_000_000_000
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40)


@st.composite
def batches(draw: st.DrawFn) -> tuple[BatchHeader, dict[str, list[Any]]]:
    """Headers and columns an honest gateway could make."""
    uids = draw(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=6, unique=True))
    n = len(uids)

    def cells(one: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(one, min_size=n, max_size=n))

    columns = {
        "event_uid": uids, "time": cells(st.integers(EARLIEST, NOW)), "event_class": cells(st.integers(1, 14)),
        "tlp": cells(st.integers(0, 4)), "severity_id": cells(st.integers(0, 6)), "profile": cells(st.just(0)),
        "bytes_in": cells(st.none() | st.integers(0, 2**63 - 1)),
        "mail_to": cells(st.none() | st.lists(texts, max_size=3)),
        "file_md5": cells(st.none() | st.binary(min_size=16, max_size=16)),
    }  # fmt: skip
    for name in draw(st.lists(st.sampled_from(TEXT_COLUMNS), unique=True, max_size=4)):
        columns[name] = cells(st.none() | texts)
    header = BatchHeader(
        batch_uid=batch_uid("gw-1", uids), gateway="gw-1", org="baker", seq=1, snapshot=1, rows=n, profiles=[{}],
        rules_version=1, made_at=NOW,
    )  # fmt: skip
    return header, columns


@given(batches())
def test_every_honest_batch_opens_as_it_was_made(made: tuple[BatchHeader, dict[str, list[Any]]]) -> None:
    assert unseal(seal(*made, KEY), KEY.public_key()) == made


@given(batches(), st.data())
def test_no_damage_passes_and_none_raises_anything_but_our_errors(
    made: tuple[BatchHeader, dict[str, list[Any]]], data: st.DataObject
) -> None:
    sealed = bytearray(seal(*made, KEY))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    damaged = bytes(sealed[: data.draw(st.sampled_from([len(sealed), at]))])
    try:
        opened = unseal(damaged, KEY.public_key())
    except CommonwatchError:
        return
    assert opened == made


@given(st.binary(max_size=300))
def test_foreign_bytes_raise_only_our_errors(data: bytes) -> None:
    for use in (peek, decode_line, lambda d: unseal(d, KEY.public_key())):
        with contextlib.suppress(CommonwatchError):
            use(data)
