"""Addresses as 128-bit numbers in two big-endian 64-bit halves; IPv4 is mapped as ::ffff:a.b.c.d.

Halves are *signed* 64-bit integers (`hi`, `lo`), as every engine stores them. IPv4: hi = 0, lo = 0x0000ffff_aabbccdd.
"""

from __future__ import annotations

import ipaddress
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

V4_BASE = 0xFFFF << 32
_MASK64 = (1 << 64) - 1
_SIGN = 1 << 63
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Addresses that belong to some inside: RFC 1918, unique local (RFC 4193), carrier-grade NAT (RFC 6598). Documentation
#: and benchmark ranges are *not* here: they stand for public hosts in examples, tests and the simulator.
_PRIVATE = tuple(
    ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
#: Addresses that are nobody's host: "this network", loopback, link-local, multicast, reserved and broadcast.
_SPECIAL = tuple(
    ipaddress.ip_network(n)
    for n in (
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
        "::/128", "::1/128", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip


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
            return str(ipaddress.IPv4Address(self.lo & 0xFFFFFFFF))
        return str(ipaddress.IPv6Address(self.packed))


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
    ip = ipaddress.ip_address(text.partition("%")[0])
    if ip.version == 4:
        return Address(0, V4_BASE | int(ip))
    return from_packed(ip.packed)


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
    return _scope(address, own)


@lru_cache(maxsize=65_536)
def _scope(address: Address, own: tuple[IpNetwork, ...]) -> Scope:
    ip = ipaddress.ip_address(address.lo & 0xFFFFFFFF) if address.is_v4 else ipaddress.IPv6Address(address.packed)
    if any(ip in net for net in own):
        return Scope.INSIDE
    if any(ip in net for net in _SPECIAL):
        return Scope.SPECIAL
    if any(ip in net for net in _PRIVATE):
        return Scope.SPECIAL if own else Scope.INSIDE
    return Scope.OUTSIDE
