"""Regions: where a field is shown at least at a rung, as boxes; and what one set of documents shows and another not.

    region(rung) = UNION over agreements ( UNION shares >= rung  minus  limits < rung ), minus charter limits < rung

Rules held here (`agreements.md` 12): precision and linkage are two chains, a rung is a height on one of them; boxes are
kept by which shares reach the rung and which limits are below it, since many rungs have that in common; only changed
documents can show anything new, so the rest is only ever subtracted, unless the charter was relaxed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from commonwatch.agreements.document import CommunityCharter, Limit, Share, levels
from commonwatch.agreements.effective import AnyDocument, LiveAgreement, OwnerDocuments, limits_on, ref_of
from commonwatch.agreements.impact.boxes import Box, common, without
from commonwatch.agreements.impact.space import Space
from commonwatch.agreements.lattice import TRUE, WITHHELD, Point
from commonwatch.agreements.reader import ClauseRef
from commonwatch.events.fields import FIELDS, FieldName, family_of


class Rung(NamedTuple):
    """A height on one chain: `chain` 0 is precision, 1 is linkage."""

    chain: int
    height: int

    def reached(self, point: Point) -> bool:
        """Whether the point shows as much."""
        return point[self.chain] >= self.height


@cache
def rungs(field: FieldName) -> tuple[Rung, ...]:
    """Every rung of a field. Linkage `true` comes with precision `exact` only, so it is none of its own."""
    family = family_of(field)
    precisions = [Rung(0, height) for height in range(1, len(family.precisions))]
    return (*precisions, *(Rung(1, height) for height in range(1, TRUE) if family.tokens))


@cache
def rungs_of(field: FieldName, point: Point) -> tuple[Rung, ...]:
    """The highest rung on each chain that a point reaches: at least the point is both of them."""
    reached = [r for r in rungs(field) if r.reached(point)]
    return tuple(max(some) for chain in (0, 1) if (some := [r for r in reached if r.chain == chain]))


@cache
def rungs_above(field: FieldName, point: Point) -> tuple[Rung, ...]:
    """The lowest rung of each chain that a point does not reach: whatever shows more reaches one of them."""
    above = [r for r in rungs(field) if not r.reached(point)]
    return tuple(min(some) for chain in (0, 1) if (some := [r for r in above if r.chain == chain]))


class Placed(NamedTuple):
    """A share or limit on single events with its box and levels."""

    box: Box
    levels: dict[FieldName, Point]
    ref: ClauseRef


class Contribution:
    """What one agreement shows by itself, under its own limits and its community's charter."""

    def __init__(self, docs: OwnerDocuments, live: LiveAgreement, space: Space) -> None:
        self.live, self.terms = live, docs.community_charters.get(live.document.community or "")
        among = space.bound(live) & ~space.org(docs.owner)
        self.shares = [
            Placed(box, levels(c.fields), ref_of(live.document, c.id))
            for c in live.document.clauses
            if isinstance(c, Share) and all(box := space.share(c, among))
        ]
        self.limits = placed_limits(limits_on(docs, live), space)
        self._naming = naming(self.shares)
        self._capping = naming(self.limits)
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], list[Box]] = {}
        self._regions: dict[tuple[FieldName, Rung], list[Box]] = {}

    def region(self, field: FieldName, rung: Rung) -> list[Box]:
        """Where this agreement shows the field at least at the rung. Do not change the list: it is kept."""
        if field not in self._naming:
            return []
        if (found := self._regions.get((field, rung))) is None:
            found = self._regions[field, rung] = self._region(field, rung)
        return found

    def _region(self, field: FieldName, rung: Rung) -> list[Box]:
        given = tuple(n for n, level in self._naming[field] if rung.reached(level))
        if not given:
            return []
        caps = tuple(n for n, level in self._capping.get(field, ()) if not rung.reached(level))
        if (found := self._known.get((given, caps))) is None:
            found = without((self.shares[n].box for n in given), (self.limits[n].box for n in caps))
            self._known[given, caps] = found
        return found

    def same(self, other: Contribution) -> bool:
        """Whether the other is of equal documents."""
        return self.live == other.live and self.terms == other.terms


class Regions:
    """One owner's documents in a space."""

    def __init__(self, docs: OwnerDocuments, space: Space, like: Regions | None = None) -> None:
        """`like`: regions in the same space, whose work is used again for equal agreements."""
        self.docs, self.space = docs, space
        self.contributions = [
            _kept(docs, live, space, like) for live in docs.own if live.state == "active"
        ]  # fmt: skip
        charter = ((docs.charter, c) for c in docs.charter.clauses) if docs.charter else ()
        self.charter = placed_limits(charter, space)
        self._capping = naming(self.charter)
        self.fields = [f for f in FIELDS if any(f in s.levels for c in self.contributions for s in c.shares)]

    def ceiling(self, field: FieldName, rung: Rung) -> list[Box]:
        """Where the charter keeps the field below the rung."""
        return [self.charter[n].box for n, level in self._capping.get(field, ()) if not rung.reached(level)]

    def region(self, field: FieldName, rung: Rung) -> list[Box]:
        """Where the field is shown at least at the rung; boxes may overlap."""
        raised = (box for c in self.contributions for box in c.region(field, rung))
        return without(raised, self.ceiling(field, rung))

    def at_least(self, field: FieldName, point: Point | None, within: Sequence[Box]) -> list[Box]:
        """Where, within some boxes, the field is shown at least at a point; None: where anything of it is shown."""
        found = list(within)
        if point is None:
            return [box for rung in rungs_above(field, WITHHELD) for box in common(found, self.region(field, rung))]
        for rung in rungs_of(field, point):
            found = common(found, self.region(field, rung))
        return found


def newly(old: Regions, new: Regions, field: FieldName, rung: Rung) -> list[Box]:
    """Where `new` shows the field at least at the rung and `old` does not. Both must be of the same space."""
    was, now = old.ceiling(field, rung), new.ceiling(field, rung)
    before = [box for c in old.contributions for box in c.region(field, rung)]
    changed = [
        box
        for c in new.contributions
        if (found := c.region(field, rung)) and not any(c is o or c.same(o) for o in old.contributions)
        for box in found
    ]
    revealed = without(without(changed, before), now) if changed else []
    if relaxed := [box for box in was if box not in now]:
        raised = [box for c in new.contributions for box in c.region(field, rung)]
        revealed += without(common(raised, relaxed), now)
    return revealed


def placed_limits(limits: Iterable[tuple[AnyDocument, Limit]], space: Space) -> list[Placed]:
    """The limits on single events that bind anyone."""
    return [
        Placed(box, levels(c.fields), ref_of(document, c.id))
        for document, c in limits
        if c.on != "counts" and all(box := space.limit(c))
    ]


def naming(placed: Sequence[Placed]) -> dict[FieldName, list[tuple[int, Point]]]:
    """Field -> the clauses that name it, by number, with their levels."""
    found: dict[FieldName, list[tuple[int, Point]]] = {}
    for number, clause in enumerate(placed):
        for field, level in clause.levels.items():
            found.setdefault(field, []).append((number, level))
    return found


def _kept(docs: OwnerDocuments, live: LiveAgreement, space: Space, like: Regions | None) -> Contribution:
    terms: CommunityCharter | None = docs.community_charters.get(live.document.community or "")
    for known in like.contributions if like else ():
        if known.live == live and known.terms == terms:
            return known
    return Contribution(docs, live, space)
