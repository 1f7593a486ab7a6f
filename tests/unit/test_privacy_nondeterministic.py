"""Non-deterministic pseudonyms equal the published vectors and the independent package, and can be undone."""

from __future__ import annotations

import ipcrypt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.events.address import Address, parse
from commonwatch.privacy.nondeterministic import nd, nd_back, ndx, ndx_back

K = bytes.fromhex("0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301")
KEYS = st.binary(min_size=32, max_size=32).filter(lambda k: k[:16] != k[16:])
ADDRESSES = st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str), min_size=1, max_size=6)


def halves(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    found = [parse(t) for t in texts]
    return np.array([a.hi for a in found], np.int64), np.array([a.lo for a in found], np.int64)


def texts(hi: np.ndarray, lo: np.ndarray) -> list[str]:
    return [str(Address(int(h), int(low))) for h, low in zip(hi, lo, strict=True)]


def test_the_published_vectors():
    token = nd(*halves(["0.0.0.0"]), K[:16], bytes.fromhex("08e0c289bff23b7c")).tobytes()
    assert token.hex() == "08e0c289bff23b7c" + "b349aadfe3bcef56221c384c7c217b16"
    token = ndx(*halves(["0.0.0.0"]), K, bytes.fromhex("21bd1834bc088cd2b4ecbe30b70898d7")).tobytes()
    assert token.hex() == "21bd1834bc088cd2b4ecbe30b70898d7" + "82db0d4125fdace61db35b8339f20ee5"


@settings(max_examples=15)
@given(ADDRESSES, KEYS)
def test_columns_equal_the_independent_package_and_undo(addresses: list[str], key: bytes):
    for make, back, package, k, size in ((nd, nd_back, ipcrypt.nd, key[:16], 8), (ndx, ndx_back, ipcrypt.ndx, key, 16)):
        theirs = [bytes(package.encrypt(a, k)) for a in addresses]
        tokens = make(*halves(addresses), k, b"".join(t[:size] for t in theirs))
        assert [t.tobytes() for t in tokens] == theirs
        assert texts(*back(tokens, k)) == [str(parse(a)) for a in addresses]


def test_equal_addresses_have_nothing_in_common():
    same = halves(["203.0.113.9"] * 500)
    assert len({t.tobytes()[-16:] for t in nd(*same, K[:16])}) == 500
    assert len({t.tobytes()[-16:] for t in ndx(*same, K)}) == 500


def test_empty_columns_and_wrong_sizes():
    empty = np.array([], np.int64)
    assert nd(empty, empty, K[:16]).shape == (0, 24)
    assert ndx(empty, empty, K).shape == (0, 32)
    for wrong in (
        lambda: nd(*halves(["0.0.0.0"]), K),
        lambda: ndx(*halves(["0.0.0.0"]), K[:16] * 2),
        lambda: nd(*halves(["0.0.0.0"]), K[:16], b"short"),
        lambda: ndx_back(np.zeros((1, 24), np.uint8), K),
    ):
        with pytest.raises(ValueError, match="bytes"):
            wrong()
