"""Small readings of texts that several formats share: hosts, links, mail addresses, hashes, CVE and ATT&CK numbers.

Rules held here: an address never passes as a domain (it has its own field and its own disclosure); what cannot be read
is None, never a guess.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final

from commonwatch.events.event import clean, clean_domain

_CVE: Final = re.compile(r"(?:CVE[-_ ]?)?((?:19|20)\d\d)[-_](\d{4,7})", re.ASCII | re.IGNORECASE)
_TECHNIQUE: Final = re.compile(r"T\d{4}(?:[._]\d{3})?", re.ASCII)
_TACTIC: Final = re.compile(r"TA\d{4}", re.ASCII)
_MAIL: Final = re.compile(r"<?([^<>\s\"',;]+@[^<>\s\"',;]+)>?\s*$")
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]{0,15}://")
_ADDRESS_END: Final = frozenset("0123456789:]")

#: IANA protocol numbers by the names tools print.
PROTOCOLS: Final[dict[str, int]] = {
    "icmp": 1, "igmp": 2, "ipv4": 4, "ipip": 4, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51,
    "icmpv6": 58, "ipv6-icmp": 58, "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115, "sctp": 132,
    "udplite": 136,
}  # fmt: skip


@lru_cache(maxsize=1_000)
def protocol(name: str) -> int | None:
    """An IP protocol number from its name or its decimal number."""
    if name.isascii() and name.isdecimal() and len(name) <= 3:
        number = int(name)
        return number if number <= 255 else None
    return PROTOCOLS.get(name.strip().lower())


@lru_cache(maxsize=20_000)
def static(text: str) -> str | None:
    """A cleaned text of a small vocabulary (rule names, categories, products): remembered."""
    return clean(text)


def domain_of(host: str) -> str | None:
    """The domain in a host text: without port, lower case; None where the host is an address."""
    host = host.strip()
    if not host or host[0] == "[":
        return None
    if host[-1] in _ADDRESS_END:
        name, colon, port = host.rpartition(":")
        if colon and port.isdecimal() and ":" not in name:
            host = name
        if _is_address(host):
            return None
    return clean_domain(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def link(host: str | None, path: str, port: int | None = None, scheme: str = "http") -> str | None:
    """A full link from a host and what was asked of it; an absolute link stays as it is."""
    if _SCHEME.match(path) or not host:
        return clean(path)
    place = host if port is None or host.endswith(f":{port}") else f"{host}:{port}"
    slash = "" if path.startswith(("/", "?")) or not path else "/"
    return clean(f"{scheme}://{place}{slash}{path}")


def mailbox(text: str) -> str | None:
    """The address in `Name <a@b>`, `<a@b>` or `a@b`."""
    match = _MAIL.search(text.strip())
    return clean(match[1], 320) if match else None


def digest(text: str, size: int) -> bytes | None:
    """A hash of `size` bytes from its hexadecimal text."""
    if len(text) != size * 2:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def cves(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Every CVE number in these texts, as `CVE-yyyy-n`, once each and in order."""
    found = (f"CVE-{m[1]}-{m[2]}" for text in texts for m in _CVE.finditer(text))
    return tuple(dict.fromkeys(found))


def techniques(texts: tuple[str, ...]) -> tuple[str, ...]:
    """ATT&CK technique numbers, sub-techniques with a dot."""
    return tuple(dict.fromkeys(m[0].replace("_", ".") for text in texts for m in _TECHNIQUE.finditer(text)))


#: ATT&CK Enterprise tactics by name.
_TACTIC_NAMES: Final[dict[str, str]] = {
    "reconnaissance": "TA0043", "resource development": "TA0042", "initial access": "TA0001", "execution": "TA0002",
    "persistence": "TA0003", "privilege escalation": "TA0004", "defense evasion": "TA0005",
    "credential access": "TA0006", "discovery": "TA0007", "lateral movement": "TA0008", "collection": "TA0009",
    "command and control": "TA0011", "exfiltration": "TA0010", "impact": "TA0040",
}  # fmt: skip


def tactics(texts: tuple[str, ...]) -> tuple[str, ...]:
    """ATT&CK tactic numbers, also from the tactics' names."""
    numbers = [m[0] for text in texts for m in _TACTIC.finditer(text)]
    named = [_TACTIC_NAMES.get(text.strip().replace("-", " ").replace("_", " ").lower()) for text in texts]
    return tuple(dict.fromkeys([*numbers, *filter(None, named)]))


def listed(value: list[str] | str | None) -> tuple[str, ...]:
    """A list, one text or nothing, as a tuple."""
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)
