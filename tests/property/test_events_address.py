"""Addresses read, written and looked up by numbers equal the standard library's own, slower answers."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.events.address import Address, IpNetwork, Networks, from_packed, parse

v4 = st.ip_addresses(v=4)
ips = st.one_of(v4, st.ip_addresses(v=6))
#: Texts that nearly are addresses: leading zeros, too many or too large parts, blanks, signs, other digits.
nearly = st.one_of(
    ips.map(str), st.text("0123456789.:afx% -+\u0663\x00", max_size=18),
    st.lists(st.integers(0, 300).map(str) | st.sampled_from(["00", "01", "", " 1", "1e1"]), min_size=3, max_size=5).map(".".join),
)  # fmt: skip


@st.composite
def networks(draw: st.DrawFn) -> list[IpNetwork]:
    found = draw(st.lists(st.tuples(ips, st.integers(0, 128)), max_size=6))
    return [ipaddress.ip_network((ip, min(bits, ip.max_prefixlen)), strict=False) for ip, bits in found]


@given(nearly)
@settings(max_examples=150, deadline=None)
def test_a_text_is_an_address_exactly_where_the_standard_library_says_so(text: str) -> None:
    expected = found = None
    with suppress(ValueError):
        expected = ipaddress.ip_address(text.partition("%")[0])
    with suppress(ValueError):
        found = parse(text)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        mapped = expected.ipv4_mapped if isinstance(expected, ipaddress.IPv6Address) else expected
        assert str(found) == str(mapped or expected)


@given(networks(), st.lists(ips, max_size=6), st.data())
@settings(max_examples=100, deadline=None)
def test_an_address_lies_in_networks_as_in_any_one_of_them(
    some: list[IpNetwork], others: list[ipaddress.IPv4Address | ipaddress.IPv6Address], data: st.DataObject
) -> None:
    edges = [ip for n in some for ip in (n.network_address, n.broadcast_address)]
    made = Networks(some)
    for ip in [*edges, *others]:
        address = parse(str(ip))
        real = ip if not address.is_v4 or ip.version == 4 else ipaddress.IPv4Address(address.lo & 0xFFFFFFFF)
        assert (address in made) == any(real in n for n in some)


@given(st.binary(min_size=16, max_size=16) | v4.map(lambda ip: b"\0" * 10 + b"\xff\xff" + ip.packed))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_back(packed: bytes) -> None:
    address = from_packed(packed)
    assert isinstance(address, Address)
    assert parse(str(address)) == address
