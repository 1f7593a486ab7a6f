"""The world outside: popular sites, mail partners, scanners, malware families and their infrastructure.

Rules held here: addresses come from documentation and benchmark ranges (RFC 5737, 2544, 3849), names end in `.example`
or `.test`, hashes are those of the names themselves: nothing here is anybody's. Scanning campaigns belong to the world,
not to a member, so that several members see the same one.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final, NamedTuple

from commonwatch.simulate.draws import Draws
from commonwatch.simulate.params import DAY, HOUR

_STREAM: Final = 2
_WORDS: Final = (
    "amber", "anchor", "arrow", "bright", "calm", "cloud", "coral", "crystal", "delta", "ember", "falcon", "garden",
    "glacier", "harvest", "indigo", "island", "jade", "lagoon", "lumen", "meadow", "mirror", "nova", "ocean", "orbit",
    "pearl", "pixel", "quartz", "raven", "ridge", "silver", "summit", "tempo", "tidal", "velvet", "vista", "zenith",
)  # fmt: skip
#: Families that cause background infections, most common first (names of the public family list).
BACKGROUND: Final = ("agenttesla", "qakbot", "remcos", "formbook", "redline", "coinminer", "mirai", "asyncrat")
OUTBREAK_FAMILIES: Final = ("latrodectus", "darkgate", "pikabot", "icedid", "bumblebee")
SPELLING: Final = {
    "agenttesla": "AgentTesla", "asyncrat": "AsyncRAT", "coinminer": "CoinMiner", "darkgate": "DarkGate",
    "formbook": "FormBook", "icedid": "IcedID", "redline": "RedLine",
}  # fmt: skip
#: port -> (service, signature number, signature) of scanners
SCANS: Final = (
    (22, "ssh", 1_000_101, "CW SCAN Repeated SSH Connection Attempts"),
    (3389, "rdp", 1_000_102, "CW SCAN Inbound RDP Probe"),
    (445, "smb", 1_000_103, "CW SCAN Inbound SMB Probe"),
    (23, None, 1_000_104, "CW SCAN Telnet Probe"),
    (80, "http", 1_000_105, "CW SCAN Web Vulnerability Scanner"),
    (5060, "sip", 1_000_106, "CW SCAN SIP Options Sweep"),
    (1433, None, 1_000_107, "CW SCAN Database Port Probe"),
)


class Family(NamedTuple):
    """A malware family's infrastructure."""

    name: str
    spelling: str
    sid: int
    addresses: tuple[str, ...]
    domains: tuple[str, ...]
    sha256: tuple[str, ...]
    ja3: str
    user_agent: str
    lure: str
    sender: str


class Scan(NamedTuple):
    """A scanning campaign: who, at what, when, at which rate per hour, and at which share of the members."""

    source: str
    port: int
    service: str | None
    sid: int
    signature: str
    begins: int
    ends: int
    rate: float
    share: float
    number: int


def hexdigest(text: str, size: int = 64) -> str:
    """A stand-in hash: the SHA-256 of a text that says so."""
    return hashlib.sha256(f"commonwatch simulation {text}".encode()).hexdigest()[:size]


def outside_host(draws: Draws) -> str:
    """An address out there; one in twelve is IPv6."""
    if draws.chance(1 / 12):
        return f"2001:db8:{draws.below(65_536):x}:{draws.below(65_536):x}::{1 + draws.below(65_000):x}"
    return f"198.{18 + draws.below(2)}.{draws.below(256)}.{1 + draws.below(254)}"


def outside_domain(draws: Draws, tail: str = "example") -> str:
    """A made-up registered domain."""
    return f"{draws.pick(_WORDS)}-{draws.pick(_WORDS)}.{tail}"


@lru_cache(maxsize=16)
def sites(seed: int) -> tuple[tuple[str, str], ...]:
    """(domain, address) of the sites people use, most popular first."""
    draws = Draws(seed, _STREAM, 1)
    names = list(dict.fromkeys(outside_domain(draws) for _ in range(500)))
    return tuple((f"www.{n}", f"198.51.100.{1 + i % 254}") for i, n in enumerate(names))


@lru_cache(maxsize=256)
def family(seed: int, name: str) -> Family:
    """A family's infrastructure under this seed."""
    number = sorted((*BACKGROUND, *OUTBREAK_FAMILIES)).index(name) if name in (*BACKGROUND, *OUTBREAK_FAMILIES) else 99
    draws = Draws(seed, _STREAM, 2, number, int(hexdigest(name, 8), 16))
    spelling = SPELLING.get(name, name.title())
    base = 203 if name in OUTBREAK_FAMILIES else 192
    block = "203.0.113" if base == 203 else "192.0.2"
    return Family(
        name=name, spelling=spelling, sid=1_001_000 + number * 10,
        addresses=tuple(f"{block}.{1 + draws.below(254)}" for _ in range(3)),
        domains=tuple(outside_domain(draws, "test") for _ in range(4)),
        sha256=tuple(hexdigest(f"{seed} {name} {i}") for i in range(3)),
        ja3=hexdigest(f"ja3 {name}", 32),
        user_agent=f"Mozilla/4.0 (compatible; {spelling[:4].lower()}/{1 + draws.below(9)}.{draws.below(10)})",
        lure=draws.pick(("Invoice", "Delivery note", "Payment reminder", "Updated contract")),
        sender=f"billing@{outside_domain(draws, 'test')}",
    )  # fmt: skip


@lru_cache(maxsize=4_096)
def scans_of_day(seed: int, day: int) -> tuple[Scan, ...]:
    """The campaigns that begin on a day (days since 1970)."""
    draws = Draws(seed, _STREAM, 3, day)
    return tuple(_scan(draws, day, i) for i in range(6 + draws.count(6)))


def _scan(draws: Draws, day: int, number: int) -> Scan:
    port, service, sid, signature = draws.popular(SCANS)
    begins = day * DAY + int(draws.uniform() * DAY)
    hours = min(20.0, 0.5 + draws.waiting(3.0))
    return Scan(
        source=outside_host(draws), port=port, service=service, sid=sid, signature=signature, begins=begins,
        ends=begins + int(hours * HOUR), rate=4.0 * draws.heavy(0.8), share=min(0.9, 0.1 + draws.waiting(0.25)),
        number=number,
    )  # fmt: skip
