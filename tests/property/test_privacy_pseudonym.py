"""Vectorised pseudonyms equal the independent package `ipcrypt` and keep prefixes exactly."""

from __future__ import annotations

import ipaddress

import ipcrypt
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.events.address import Address, from_packed
from commonwatch.privacy import pseudonym as p

V4 = st.integers(0, 2**32 - 1).map(lambda n: Address(0, (0xFFFF << 32) | n))
V6 = st.one_of(st.integers(0, 2**128 - 1), st.integers(0, 255).map(lambda n: (0x20010DB8 << 96) | n)).map(
    lambda n: from_packed(n.to_bytes(16, "big"))
)
ADDRESSES = st.lists(st.one_of(V4, V6), min_size=1, max_size=30)
KEYS = st.binary(min_size=32, max_size=32).filter(lambda k: k[:16] != k[16:])


def halves(addresses: list[Address]) -> tuple[np.ndarray, np.ndarray]:
    return (np.array([a.hi for a in addresses], np.int64), np.array([a.lo for a in addresses], np.int64))


def together(hi: np.ndarray, lo: np.ndarray) -> list[Address]:
    return [Address(int(h), int(low)) for h, low in zip(hi, lo, strict=True)]


@given(ADDRESSES, KEYS)
def test_columns_scalars_and_undo_agree(addresses: list[Address], key: bytes):
    shown = together(*p.pfx(*halves(addresses), key))
    assert shown == [p.pfx_one(a, key) for a in addresses]
    assert together(*p.pfx(*halves(shown), key, undo=True)) == addresses
    assert [p.pfx_one_back(a, key) for a in shown[:3]] == addresses[:3]
    tokens = together(*p.det(*halves(addresses), key[:16]))
    assert tokens == [p.det_one(a, key[:16]) for a in addresses]
    assert together(*p.det(*halves(tokens), key[:16], undo=True)) == addresses


@settings(max_examples=15)
@given(st.lists(st.one_of(V4, V6), min_size=1, max_size=4), KEYS)
def test_every_address_matches_the_independent_package(addresses: list[Address], key: bytes):
    shown = together(*p.pfx(*halves(addresses), key))
    assert [str(s) for s in shown] == [str(ipcrypt.pfx.encrypt(str(a), key)) for a in addresses]
    tokens = together(*p.det(*halves(addresses), key[:16]))
    wanted = [ipcrypt.deterministic.encrypt(str(a), key[:16]) for a in addresses]
    assert [t.packed for t in tokens] == [_packed(w) for w in wanted]


def _packed(shown: object) -> bytes:
    ip = ipaddress.ip_address(str(shown))
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed


@given(V4, V4, KEYS)
def test_two_pseudonyms_share_exactly_as_many_leading_bits_as_their_addresses(a: Address, b: Address, key: bytes):
    x, y = p.pfx_one(a, key), p.pfx_one(b, key)
    assert (x.lo ^ y.lo).bit_length() == (a.lo ^ b.lo).bit_length()
