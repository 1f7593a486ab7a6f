"""A response policy zone: resolvers answer NXDOMAIN for domains and addresses on the list (draft-vixie-dnsop-dns-rpz).

Rules held here: a domain takes everything below it with it; only names that are host names get in; the serial grows
with time, so that a secondary fetches what changed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from commonwatch.share.indicators import Indicator
from commonwatch.share.outputs.about import About

ZONE = "rpz.commonwatch."
_TTL, _SECOND = 300, 1_000_000
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def rpz(items: Sequence[Indicator], about: About) -> bytes:
    """The zone as text; owner names are relative to its origin `rpz.commonwatch.`, which may be renamed."""
    lines = [f"; {line}" for line in about.lines(items)]
    lines += [
        f"$ORIGIN {ZONE}",
        f"$TTL {_TTL}",
        f"@ SOA localhost. hostmaster.localhost. {about.made // _SECOND} 300 60 86400 60",
        "@ NS localhost.",
    ]
    for item in items:
        lines += [f"{owner} CNAME ." for owner in _owners(item)]
    return ("\n".join(lines) + "\n").encode()


def _owners(item: Indicator) -> list[str]:
    if item.kind == "domain":
        name = item.value.rstrip(".").lower()
        fits = len(name) + len(ZONE) < 250 and all(_LABEL.fullmatch(label) for label in name.split("."))
        return [name, f"*.{name}"] if fits else []
    if item.kind == "ip":
        return [f"{_reversed(item.value)}.rpz-ip"]
    return []


def _reversed(value: str) -> str:
    """Prefix length and the address backwards; `zz` stands for the longest run of zeros of an IPv6 address."""
    address = ipaddress.ip_address(value)
    if isinstance(address, ipaddress.IPv4Address):
        return ".".join(["32", *reversed(str(address).split("."))])
    groups = [format(int(group, 16), "x") for group in address.exploded.split(":")]
    start, length = _zeros(groups)
    if length > 1:
        groups[start : start + length] = ["zz"]
    return ".".join(["128", *reversed(groups)])


def _zeros(groups: Sequence[str]) -> tuple[int, int]:
    """Start and length of the longest run of zero groups, the first of equals."""
    best, at = (0, 0), 0
    while at < len(groups):
        end = at
        while end < len(groups) and groups[end] == "0":
            end += 1
        best = max(best, (at, end - at), key=lambda run: run[1])
        at = max(end, at + 1)
    return best
