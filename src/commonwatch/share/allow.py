"""What never becomes an indicator: members' own networks and domains, resolvers, update hosts, anything not outside.

Rule held here: the list wins over every report. It is configuration, never data, so it tells nothing about events.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

import msgspec

from commonwatch.events.address import Networks, Scope, parse, scope_of

_LOCAL = frozenset(
    {"local", "localhost", "internal", "lan", "home", "arpa", "corp", "intranet", "localdomain", "invalid"}
)
_EMPTY_FILE = frozenset(
    {
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
)
#: Public resolvers and hosts that every network talks to; larger lists are configuration.
RESOLVERS = ("1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "149.112.112.112", "208.67.222.222")
COMMON_DOMAINS = (
    "microsoft.com", "windowsupdate.com", "office.com", "apple.com", "google.com", "gstatic.com", "mozilla.org",
    "debian.org", "ubuntu.com", "digicert.com", "letsencrypt.org", "ntp.org", "cloudflare.com", "akamai.net",
)  # fmt: skip


class AllowList(msgspec.Struct, frozen=True):
    """Values that are never indicators: domains with everything below them, networks, exact values."""

    domains: frozenset[str] = frozenset(COMMON_DOMAINS)
    networks: tuple[str, ...] = RESOLVERS
    values: frozenset[str] = frozenset()

    def refuses(self, kind: str, value: str) -> bool:
        """Whether a value of this kind must not be published."""
        if value in self.values:
            return True
        if kind == "ip":
            return self._address(value)
        if kind == "domain":
            return self._domain(value)
        if kind == "url":
            return self._host(urlsplit(value).hostname or "")
        if kind == "mail":
            return "@" not in value or self._domain(value.rpartition("@")[2])
        return value.lower() in _EMPTY_FILE

    def _host(self, host: str) -> bool:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return self._domain(host)
        return self._address(host)

    def _address(self, value: str) -> bool:
        return _kept_out(self.networks, value)

    def _domain(self, value: str) -> bool:
        labels = value.rstrip(".").lower().split(".")
        if len(labels) < 2 or not all(labels) or labels[-1] in _LOCAL:
            return True
        return any(".".join(labels[n:]) in self.domains for n in range(len(labels) - 1))


def _kept_out(networks: tuple[str, ...], value: str) -> bool:
    """Whether an address is anything but outside, or in one of the networks."""
    try:
        address = parse(value)
    except ValueError:
        return True
    return scope_of(address) is not Scope.OUTSIDE or address in _parsed(networks)


@lru_cache(maxsize=64)
def _parsed(networks: tuple[str, ...]) -> Networks:
    return Networks(ipaddress.ip_network(n, strict=False) for n in networks)
