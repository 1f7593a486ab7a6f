"""The quick steps of the gateway's way say what the careful ones say: how deep records nest, what a batch unpacks to."""

from __future__ import annotations

import zlib

from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.ingest.framing.depth import nesting, too_deep
from commonwatch.ingest.outcome import MAX_DEPTH
from commonwatch.wire.batch import _compress

nested = st.integers(0, 2 * MAX_DEPTH).map(lambda n: b'{"a":' * (n // 2) + b"[" * (n - n // 2) + b"1" + b"]" * n)
records = st.lists(st.one_of(nested, st.binary(max_size=40), st.just(b'"' + b"{" * 50 + b'"'), st.just(b"{\n" * 40)))


@settings(max_examples=100)
@given(records)
def test_one_look_at_all_records_finds_what_nests_too_deep_in_each(many: list[bytes]) -> None:
    assert too_deep(many) == {n for n, one in enumerate(many) if nesting(one) > MAX_DEPTH}


@settings(max_examples=50)
@given(st.binary(max_size=200), st.integers(1, 2_000), st.integers(0, 300_000))
def test_a_body_with_a_stored_part_is_a_plain_zlib_stream(text: bytes, times: int, stored: int) -> None:
    plain = text * times
    inflate = zlib.decompressobj()
    assert inflate.decompress(_compress(plain, stored), len(plain) + 1) == plain
    assert inflate.eof
    assert not inflate.unused_data
