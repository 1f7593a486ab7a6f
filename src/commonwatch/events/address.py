"""Addresses as 128-bit numbers in two big-endian 64-bit halves; IPv4 is mapped as ::ffff:a.b.c.d.

Halves are *signed* 64-bit integers (`hi`, `lo`), as every engine stores them. IPv4: hi = 0, lo = 0x0000ffff_aabbccdd.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple, TypeVar

V4_BASE = 0xFFFF << 32
_MASK64 = (1 << 64) - 1
_SIGN = 1 << 63
#: The only spelling of each part of an IPv4 address: no leading zeros.
_OCTETS = {str(n): n for n in range(256)}
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_N = TypeVar("_N", ipaddress.IPv4Network, ipaddress.IPv6Network)


class Address(NamedTuple):
    """One address: two signed 64-bit halves of its 16 bytes."""

    hi: int
    lo: int

    @property
    def is_v4(self) -> bool:
        """Whether this is an IPv4 address (IPv4-mapped)."""
        return self.hi == 0 and (self.lo >> 32) == 0xFFFF

    @property
    def packed(self) -> bytes:
        """The 16 bytes."""
        return self.hi.to_bytes(8, "big", signed=True) + self.lo.to_bytes(8, "big", signed=True)

    def __str__(self) -> str:
        if self.is_v4:
            return f"{self.lo >> 24 & 255}.{self.lo >> 16 & 255}.{self.lo >> 8 & 255}.{self.lo & 255}"
        return str(ipaddress.IPv6Address(self.packed))


class Networks:
    """Networks as sorted spans of numbers: one look-up tells whether an address lies in any of them."""

    def __init__(self, networks: Iterable[IpNetwork]) -> None:
        found = list(networks)
        self._v4 = _spans(n for n in found if isinstance(n, ipaddress.IPv4Network))
        self._v6 = _spans(n for n in found if isinstance(n, ipaddress.IPv6Network))

    def __contains__(self, address: Address) -> bool:
        v4 = address.is_v4
        value = address.lo & 0xFFFFFFFF if v4 else (address.hi & _MASK64) << 64 | address.lo & _MASK64
        starts, ends = self._v4 if v4 else self._v6
        at = bisect_right(starts, value) - 1
        return at >= 0 and value <= ends[at]


def _spans(networks: Iterable[_N]) -> tuple[list[int], list[int]]:
    """First and last numbers of disjoint spans, ascending."""
    merged = list(ipaddress.collapse_addresses(networks))
    return [int(n.network_address) for n in merged], [int(n.broadcast_address) for n in merged]


#: Addresses that belong to some inside: RFC 1918, unique local (RFC 4193), carrier-grade NAT (RFC 6598). Documentation
#: and benchmark ranges are *not* here: they stand for public hosts in examples, tests and the simulator.
_PRIVATE = Networks(
    ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
#: Addresses that are nobody's host: "this network", loopback, link-local, multicast, reserved and broadcast.
_SPECIAL = Networks(
    ipaddress.ip_network(n)
    for n in (
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
        "::/128", "::1/128", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip


class Scope(IntEnum):
    """Where an address lies, seen from its owner."""

    INSIDE = 1
    OUTSIDE = 2
    SPECIAL = 3

    @property
    def word(self) -> str:
        """`inside`, `outside` or `special`."""
        return self.name.lower()


def signed64(value: int) -> int:
    """A 64-bit pattern as the signed integer engines store."""
    value &= _MASK64
    return value - (1 << 64) if value & _SIGN else value


def from_packed(data: bytes) -> Address:
    """16 bytes to an address."""
    return Address(int.from_bytes(data[:8], "big", signed=True), int.from_bytes(data[8:], "big", signed=True))


@lru_cache(maxsize=65_536)
def parse(text: str) -> Address:
    """Text to address; IPv6 zone ids are dropped. Raises ValueError on anything else."""
    text = text.partition("%")[0]
    if ":" in text:
        return from_packed(ipaddress.IPv6Address(text).packed)
    parts = [_OCTETS.get(part, -1) for part in text.split(".")]
    if len(parts) != 4 or -1 in parts:
        raise ValueError(f"no address: {text[:50]!r}")
    return Address(0, V4_BASE | parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3])


def network_of(address: Address) -> Address:
    """The /24 (IPv4) or /48 (IPv6) the address lies in: precision `network`."""
    if address.is_v4:
        return Address(0, address.lo & ~0xFF)
    return Address(signed64(address.hi & ~0xFFFF), 0)


def network_text(address: Address) -> str:
    """The network of `address` in CIDR form."""
    return f"{network_of(address)}/{24 if address.is_v4 else 48}"


def scope_of(address: Address, own: tuple[IpNetwork, ...] = ()) -> Scope:
    """Inside the owner's networks, special (private, loopback, link-local, multicast, reserved), or outside.

    Without own networks a private address counts as inside: a guess, marked so in the gateway's mapping report.
    """
    if own:
        return _owned(address, own)
    if address in _SPECIAL:
        return Scope.SPECIAL
    return Scope.INSIDE if address in _PRIVATE else Scope.OUTSIDE


@lru_cache(maxsize=65_536)
def _owned(address: Address, own: tuple[IpNetwork, ...]) -> Scope:
    if address in _networks(own):
        return Scope.INSIDE
    return Scope.SPECIAL if address in _SPECIAL or address in _PRIVATE else Scope.OUTSIDE


@lru_cache(maxsize=64)
def _networks(own: tuple[IpNetwork, ...]) -> Networks:
    return Networks(own)
