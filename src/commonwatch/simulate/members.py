"""The members of a simulated community: who they are and what their networks look like.

Rules held here: every organisation is invented; inside addresses are RFC 1918 and overlap between members, as they do
in life; sectors are NACE Rev. 2 codes with their section letter, regions ISO 3166-2.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from commonwatch.simulate.draws import Draws
from commonwatch.simulate.params import Params

Role = Literal["sme", "mssp", "cert", "isp"]
_STREAM: Final = 1

_TREES: Final = (
    "alder", "birch", "cedar", "elm", "fir", "hazel", "juniper", "larch", "maple", "oak", "poplar", "rowan", "spruce",
    "willow", "yew", "aspen", "beech", "cypress", "holly", "linden",
)  # fmt: skip
#: NACE code -> what such a business calls itself
_BUSINESS: Final = (
    ("C10.71", "bakery"), ("C25.62", "precision"), ("F43.21", "electrics"), ("G46.31", "produce"), ("G47.11", "market"),
    ("H49.41", "haulage"), ("I55.10", "hotel"), ("J62.01", "software"), ("K66.22", "brokers"), ("M69.20", "accounting"),
    ("N79.11", "travel"), ("P85.59", "academy"), ("Q86.23", "dental"), ("Q86.21", "clinic"), ("C20.42", "cosmetics"),
)  # fmt: skip
#: region -> minutes east of UTC
_REGIONS: Final = (
    ("GB-LND", 0), ("GB-SCT", 0), ("IE-D", 0), ("DE-BY", 60), ("DE-NW", 60), ("FR-IDF", 60), ("NL-NH", 60),
    ("IT-25", 60), ("ES-MD", 60), ("AT-9", 60), ("PL-MZ", 60), ("SE-AB", 60),
)  # fmt: skip
_SIZES: Final = (("micro", 8, 0.35), ("small", 30, 1.0), ("medium", 90, 2.6), ("large", 200, 4.0))
_PEOPLE: Final = (
    "anna", "ben", "clara", "david", "eva", "felix", "greta", "hugo", "ines", "jonas", "karla", "leo", "maria", "nils",
    "olga", "paul", "rosa", "simon", "tina", "viktor",
)  # fmt: skip
_PROVIDERS: Final[dict[Role, tuple[tuple[str, str, str], ...]]] = {
    "mssp": (("harbour-security", "Harbour Security", "J62.09"), ("lantern-soc", "Lantern SOC", "J62.09")),
    "cert": (("north-cert", "North CERT", "O84.24"), ("coast-cert", "Coast CERT", "O84.24")),
    "isp": (("tideline-net", "Tideline Net", "J61.10"), ("fernlink", "Fernlink", "J61.10")),
}


class Member(msgspec.Struct, frozen=True):
    """One member. `rate` is its mean number of events on a working day; `zone` minutes east of UTC."""

    index: int
    id: str
    name: str
    roles: tuple[Role, ...]
    sector: str
    region: str
    size: str
    sensor: str
    networks: tuple[str, ...]
    zone: int
    rate: float
    hosts: tuple[tuple[str, str], ...]
    servers: tuple[tuple[str, str], ...]
    people: tuple[str, ...]

    @property
    def mail_domain(self) -> str:
        """The domain of its mail addresses."""
        return f"{self.id}.example"


class _Shape(NamedTuple):
    """What members of one size have in common: its name, how many hosts, how much traffic."""

    size: str
    hosts: int
    volume: float


def make_members(params: Params) -> tuple[Member, ...]:
    """MSSPs first, then SMEs, CERTs and ISPs."""
    draws = Draws(params.seed, _STREAM)
    found: list[Member] = []
    for role, number in (("mssp", params.mssps), ("sme", params.members), ("cert", params.certs), ("isp", params.isps)):
        for i in range(number):
            found.append(_make(role, i, len(found), draws, params))  # type: ignore[arg-type] # literal from the tuple
    return tuple(found)


def _make(role: Role, number: int, index: int, draws: Draws, params: Params) -> Member:
    identity, name, sector = _identity(role, number)
    region, zone = draws.pick(_REGIONS)
    shape = _shape(role, draws)
    third = draws.pick((0, 1, 2, 10, 20, 100, 178))
    network = f"192.168.{third}" if draws.chance(0.7) else f"10.{draws.below(40)}.{third}"
    hosts = tuple((f"{network}.{20 + i}", f"{draws.pick(('pc', 'ws', 'nb'))}-{i + 1:02d}") for i in range(shape.hosts))
    servers = ((f"{network}.2", "gw"), (f"{network}.5", "files"), (f"{network}.6", "mail"), (f"{network}.7", "www"))
    return Member(
        index=index, id=identity, name=name, roles=(role,), sector=sector, region=region, size=shape.size,
        sensor=f"{identity}-ids-1", networks=(f"{network}.0/24",), zone=zone,
        rate=params.events_per_day * shape.volume * draws.heavy(0.9), hosts=hosts, servers=servers,
        people=tuple(draws.shuffled(_PEOPLE)[: min(len(_PEOPLE), shape.hosts)]),
    )  # fmt: skip


def _identity(role: Role, number: int) -> tuple[str, str, str]:
    """Id, name and sector; names repeat with a number in large communities."""
    if role == "sme":
        tree = _TREES[number % len(_TREES)]
        sector, business = _BUSINESS[(number * 7 + number // len(_BUSINESS)) % len(_BUSINESS)]
        tail = f"-{number // len(_TREES) + 1}" if number >= len(_TREES) else ""
        return f"{tree}-{business}{tail}", f"{tree.title()} {business.title()}{tail.replace('-', ' ')}", sector
    known = _PROVIDERS[role]
    identity, name, sector = known[number % len(known)]
    again = number // len(known)
    return (f"{identity}-{again + 1}", f"{name} {again + 1}", sector) if again else (identity, name, sector)


def _shape(role: Role, draws: Draws) -> _Shape:
    if role != "sme":
        return _Shape(*_SIZES[2 if role != "isp" else 3])
    at = 0 if (u := draws.uniform()) < 0.45 else 1 if u < 0.85 else 2
    return _Shape(*_SIZES[at])
