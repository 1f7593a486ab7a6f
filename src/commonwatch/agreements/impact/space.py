"""The space of cases: for each axis its cells, and clauses as boxes in it.

Rules held here: the reader axis holds every organisation known or named, and one future member for each community, each
role, and each pair of them that is named; ages are cells between the bounds that documents name, so half-open; missing
labels (unknown severity, unknown site, TLP:RED) are placed exactly as `effective()` treats them; an owner reading its
own events is no case.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from commonwatch.agreements.document import Clause, Count, Limit, LimitRows, Share, ShareRows, To
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments
from commonwatch.agreements.impact.boxes import Box, bits, lowest
from commonwatch.agreements.impact.world import World
from commonwatch.agreements.reader import PURPOSES, ROLES, Purpose, Reader, Role, allowed_purposes
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS, EventClass, Label, Severity, Tlp

CLASSES, TLPS, SEVERITIES = tuple(EventClass), tuple(Tlp), tuple(Severity)
ALL_CLASSES, ALL_TLPS, ALL_SEVERITIES = ((1 << len(axis)) - 1 for axis in (CLASSES, TLPS, SEVERITIES))
ALL_PURPOSES = (1 << len(PURPOSES)) - 1
_CLASS_BIT = {word: 1 << CLASSES.index(number) for word, number in CLASS_WORDS.items()}
_PURPOSE_BIT: dict[str, int] = {purpose: 1 << n for n, purpose in enumerate(PURPOSES)}
_NO_RED = ALL_TLPS & ~(1 << TLPS.index(Tlp.RED))
#: Begins the name of a member that may join later; no organisation can be called so.
FUTURE = "*"
#: A site that no document names.
ELSEWHERE = "elsewhere"


class Place(NamedTuple):
    """One cell of the reader axis: an organisation, or whoever joins later with these roles and communities."""

    org: str
    roles: tuple[Role, ...]
    communities: tuple[str, ...]

    @property
    def future(self) -> bool:
        """Whether it stands for members that may join later."""
        return self.org.startswith(FUTURE)


class Case(NamedTuple):
    """One case, as `effective()` takes it."""

    label: Label
    age: float
    reader: Reader


class Space:
    """The cells of every axis, and boxes of clauses in them. Make one for all documents that are to be compared."""

    def __init__(self, world: World, documents: Iterable[OwnerDocuments], bounds: Iterable[float] = ()) -> None:
        found = list(documents)
        clauses = [clause for docs in found for clause in clauses_of(docs)]
        self.places = tuple(_places(world, found, clauses))
        self._org = {place.org: 1 << n for n, place in enumerate(self.places)}
        self._community = _masks((c, n) for n, place in enumerate(self.places) for c in place.communities)
        self._role = _masks((r, n) for n, place in enumerate(self.places) for r in place.roles)
        self.everyone = (1 << len(self.places)) - 1
        acting = _masks((purpose, n) for n, place in enumerate(self.places) for purpose in _acting(place))
        #: Purpose -> everyone who may act for it.
        self.acting = {purpose: acting.get(purpose, 0) for purpose in PURPOSES}
        self.futures = sum(1 << n for n, place in enumerate(self.places) if place.future)
        #: Name of a future member -> future members that are this and more.
        self.closer = _masks((p.org.partition(":")[0], n) for n, p in enumerate(self.places) if p.future and p.roles)
        self.sites = ("", *sorted({site for c in clauses for site in c.rows.sites}))
        self.sites += (_unused(self.sites),)
        self._site = {site: 1 << n for n, site in enumerate(self.sites)}
        self.ages = sorted({0.0, *map(float, bounds), *(float(b) for c in clauses for b in _bounds(c.rows))})
        self.all_sites, self.all_ages = (1 << len(self.sites)) - 1, (1 << len(self.ages)) - 1

    @property
    def whole(self) -> Box:
        """Every case."""
        return Box(self.everyone, ALL_PURPOSES, ALL_CLASSES, self.all_sites, ALL_TLPS, ALL_SEVERITIES, self.all_ages)

    @property
    def communities(self) -> list[str]:
        """The communities that clauses name."""
        return sorted(c for c, mask in self._community.items() if mask & self.futures)

    def org(self, org: str) -> int:
        """The bit of an organisation; 0 if it is not there."""
        return self._org.get(org, 0)

    def orgs(self, names: Iterable[str]) -> int:
        """The bits of organisations."""
        mask = 0
        for name in names:
            mask |= self._org.get(name, 0)
        return mask

    def community(self, name: str) -> int:
        """Everyone in a community, future members too."""
        return self._community.get(name, 0)

    def role(self, role: str) -> int:
        """Everyone with a role, future ones too."""
        return self._role.get(role, 0)

    def to(self, to: To) -> int:
        """Everyone whom `to` names."""
        mask = self.orgs(to.organisations)
        for community in to.communities:
            mask |= self.community(community)
        for role in to.roles:
            mask |= self.role(role)
        return mask

    def bound(self, live: LiveAgreement) -> int:
        """Who is bound by the duties of an agreement: parties, who accepted, and who would on joining."""
        return self.orgs(live.accepted) | self.orgs(live.document.party_ids) | self.futures

    def share(self, clause: Share | Count, among: int) -> Box:
        """The cases a share or count covers, for readers `among` these."""
        rows = clause.rows
        tlps = (2 << TLP_WORDS[rows.tlp]) - 1
        if not clause.to.organisations or clause.to.communities or clause.to.roles:
            tlps &= _NO_RED
        least = SEVERITY_WORDS[rows.severity] if rows.severity else 0
        return Box(
            self.to(clause.to) & among, purpose_bits(clause.purposes), class_bits(rows.events),
            self._sites(rows.sites) if rows.sites else self.all_sites,
            tlps, ALL_SEVERITIES >> least << least, self._ages(rows),
        )  # fmt: skip

    def limit(self, clause: Limit) -> Box:
        """The cases a limit covers: absent is everything, unknown labels are covered."""
        rows = clause.rows
        tlps = ALL_TLPS >> TLP_WORDS[rows.from_tlp] << TLP_WORDS[rows.from_tlp] if rows.from_tlp else ALL_TLPS
        least = SEVERITY_WORDS[rows.from_severity] if rows.from_severity else 0
        return Box(
            self.everyone & ~self.to(clause.outside),
            purpose_bits(clause.purposes) if clause.purposes else ALL_PURPOSES,
            class_bits(rows.events) if rows.events else ALL_CLASSES,
            self._sites(rows.sites) | 1 if rows.sites else self.all_sites,
            tlps, ALL_SEVERITIES >> least << least | 1, self._ages(rows),
        )  # fmt: skip

    def rows(
        self, events: Sequence[str] = (), tlp: str | None = None, severity: str | None = None,
        site: str | None = None, age: float | None = None,
    ) -> Box:  # fmt: skip
        """The cases of a question; absent is everything. `tlp`, `severity`, `site`, `age` are exactly these."""
        at = max(n for n, bound in enumerate(self.ages) if bound <= age) if age is not None else 0
        return Box(
            self.everyone, ALL_PURPOSES, class_bits(events) if events else ALL_CLASSES,
            self.all_sites if site is None else self._site.get(site, 1 << len(self.sites) - 1),
            1 << TLP_WORDS[tlp] if tlp else ALL_TLPS, 1 << SEVERITY_WORDS[severity] if severity else ALL_SEVERITIES,
            self.all_ages if age is None else 1 << at,
        )  # fmt: skip

    def case(self, box: Box) -> Case:
        """The lowest corner of a box; labels that documents name where it has such."""
        named = box.sites & ~1 & ~(1 << len(self.sites) - 1)
        label = Label(
            CLASSES[lowest(box.classes)], TLPS[lowest(box.tlps)],
            SEVERITIES[lowest(box.severities & ~1 or box.severities)], self.sites[lowest(named or box.sites)],
        )  # fmt: skip
        place = self.places[lowest(box.readers)]
        purpose = PURPOSES[lowest(box.purposes)]
        return Case(label, self.ages[lowest(box.ages)], Reader(place.org, place.roles, place.communities, purpose))

    def joined(self, docs: OwnerDocuments) -> OwnerDocuments:
        """The documents as `effective()` must be given them so that future members count as bound by the duties."""
        future = frozenset(self.places[n].org for n in bits(self.futures))
        live = (msgspec.structs.replace(a, accepted=a.accepted | future) for a in docs.agreements)
        return msgspec.structs.replace(docs, agreements=tuple(live))

    def accepting(self, docs: OwnerDocuments) -> OwnerDocuments:
        """The documents when everyone who receives has accepted the duties."""
        everyone = frozenset(place.org for place in self.places)
        live = (msgspec.structs.replace(a, accepted=everyone) for a in docs.agreements)
        return msgspec.structs.replace(docs, agreements=tuple(live))

    def between(self, start: float, end: float | None) -> int:
        """The cells of the ages [start, end)."""
        last = len(self.ages) if end is None else bisect_left(self.ages, end)
        first = bisect_left(self.ages, start)
        return (1 << last) - (1 << first) if last > first else 0

    def _sites(self, names: Iterable[str]) -> int:
        return sum(self._site[name] for name in set(names))

    def _ages(self, rows: ShareRows | LimitRows) -> int:
        return self.between(rows.after, rows.until)


def class_bits(words: Iterable[str]) -> int:
    """Event classes as bits."""
    mask = 0
    for word in words:
        mask |= _CLASS_BIT[word]
    return mask


def purpose_bits(purposes: Iterable[Purpose]) -> int:
    """Purposes as bits."""
    mask = 0
    for purpose in purposes:
        mask |= _PURPOSE_BIT[purpose]
    return mask


def clauses_of(docs: OwnerDocuments) -> Iterator[Clause]:
    """Every clause of every document of an owner."""
    for live in docs.agreements:
        yield from live.document.clauses
    for charter in (docs.charter, *docs.community_charters.values()):
        yield from charter.clauses if charter else ()


def _places(world: World, documents: Sequence[OwnerDocuments], clauses: Sequence[Clause]) -> Iterator[Place]:
    """Organisations by name, then those that may come."""
    named = [c.outside if isinstance(c, Limit) else c.to for c in clauses]
    orgs = {org for to in named for org in to.organisations} | {docs.owner for docs in documents}
    orgs |= {org for docs in documents for a in docs.agreements for org in (*a.accepted, *a.document.party_ids)}
    members = {m.org: Place(m.org, m.roles, m.communities) for m in world.members}
    found = {org: Place(org, (), ()) for org in orgs} | members
    yield from (found[org] for org in sorted(found) if not org.startswith(FUTURE))
    communities = sorted({c for to in named for c in to.communities})
    roles = [role for role in ROLES if any(role in to.roles for to in named)]
    yield from (Place(f"{FUTURE}{c}", (), (c,)) for c in communities)
    yield from (Place(f"{FUTURE}:{r}", (r,), ()) for r in roles)
    yield from (Place(f"{FUTURE}{c}:{r}", (r,), (c,)) for c in communities for r in roles)


def _acting(place: Place) -> tuple[Purpose, ...]:
    """The purposes a place may act for: those of its roles, any where its roles are not known."""
    return allowed_purposes(place.roles) if place.roles else PURPOSES


def _masks(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, bit in pairs:
        found[name] = found.get(name, 0) | 1 << bit
    return found


def _bounds(rows: ShareRows | LimitRows) -> tuple[int, ...]:
    return (rows.after,) if rows.until is None else (rows.after, rows.until)


def _unused(sites: Sequence[str]) -> str:
    """A name for every site that is not named."""
    name = ELSEWHERE
    while name in sites:
        name += "-"
    return name
