"""Who there is: the organisations, communities and sites the algebra is asked about. Given by whoever asks.

Rules held here: what is not known is not guessed (`known` false: nothing is called unknown); a member that may join
later is a reader as well (`space.py` adds one for each community, each role and each pair of them that is named).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from commonwatch.agreements.document import Duties
from commonwatch.agreements.reader import Role

#: Sector, region, size of an organisation.
Traits = tuple[str, str, str]


class Member(msgspec.Struct, frozen=True):
    """An organisation: what clauses may name it by, and its public attributes (sector such as Q86, region GB-LND)."""

    org: str
    roles: tuple[Role, ...] = ()
    communities: tuple[str, ...] = ()
    sector: str = ""
    region: str = ""
    size: str = ""

    @property
    def traits(self) -> Traits:
        """Sector, region, size."""
        return (self.sector, self.region, self.size)


class Plan(msgspec.Struct, frozen=True):
    """A published plan of joint releases: smallest pool and privacy spend in each window."""

    name: str
    contributors: int
    epsilon: float


class World(msgspec.Struct, frozen=True):
    """Everything around the documents.

    `known`: members and communities are all there are. `sites`: owner -> the sites its labelling rules set, or its
    events have; an owner that is not in it is not asked about. `terms`: community -> the duties it expects. `crowd`:
    the traits of further organisations, which are there but not told apart.
    """

    members: tuple[Member, ...] = ()
    communities: tuple[str, ...] = ()
    known: bool = False
    sites: Mapping[str, tuple[str, ...]] = {}
    plans: tuple[Plan, ...] = ()
    terms: Mapping[str, Duties] = {}
    crowd: tuple[Traits, ...] = ()

    def member(self, org: str) -> Member | None:
        """The organisation of this name."""
        return next((m for m in self.members if m.org == org), None)
