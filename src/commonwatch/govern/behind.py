"""Who and which clauses stand behind one reader's decisions, by number: what turns counts into parts in bulk.

Rules held here: numbers keep their meaning while their book lives, so whatever was worked out for one stays; decisions
alike in owner and clauses are one part, at the highest level of each field any of them shows; never a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from commonwatch.agreements.lattice import WITHHELD, join, point_name
from commonwatch.events.fields import FIELDS, FieldName, family_of
from commonwatch.govern.decide.decisions import Decision
from commonwatch.govern.decide.shown import FIELD_NO, Levels
from commonwatch.govern.taken import Part

_OWN = -1
Kinds = frozenset[int]
Body = tuple[str, tuple[str, ...]]


class Behind:
    """For each number the place of its (owner, clauses) and the kind of its levels. Not thread-safe."""

    def __init__(self) -> None:
        self._places: list[int] = []
        self._kinds: list[int] = []
        self._bodies: dict[Body, int] = {}
        self._levels: dict[Levels, int] = {}
        self._keys: list[Body] = []
        self._order: list[int] = []
        self._points: list[Levels] = []
        self._named: dict[tuple[frozenset[FieldName], Kinds], dict[str, str]] = {}

    def parts(self, counts: Mapping[int, int], fields: frozenset[FieldName]) -> tuple[Part, ...]:
        """The parts behind so many events of each number, one per owner and set of clauses, in that order."""
        sums: dict[int, int] = {}
        kinds: dict[int, set[int]] = {}
        for dno, n in counts.items():
            place = self._places[dno]
            if place == _OWN or n == 0:
                continue
            sums[place] = sums.get(place, 0) + n
            kinds.setdefault(place, set()).add(self._kinds[dno])
        places = sorted(sums, key=self._order.__getitem__)
        return tuple(Part(*self._keys[p], self._names(fields, frozenset(kinds[p])), sums[p]) for p in places)

    def learn(self, decisions: Sequence[Decision]) -> None:
        """Take in the decisions whose numbers are not known yet; `decisions` begins with those that are."""
        if len(decisions) == len(self._places):
            return
        for decision in decisions[len(self._places) :]:
            self._kinds.append(self._levels.setdefault(decision.levels, len(self._levels)))
            self._places.append(_OWN if decision.own else self._place(decision))
        self._keys, self._points = list(self._bodies), list(self._levels)
        self._order = [0] * len(self._keys)
        for rank, place in enumerate(sorted(range(len(self._keys)), key=self._keys.__getitem__)):
            self._order[place] = rank

    def _place(self, decision: Decision) -> int:
        body = decision.owner, tuple(str(ref) for ref in decision.clauses)
        return self._bodies.setdefault(body, len(self._bodies))

    def _names(self, fields: frozenset[FieldName], kinds: Kinds) -> dict[str, str]:
        """The highest level of each of the fields that these kinds show, by name."""
        known = self._named.get((fields, kinds))
        if known is None:
            points = {f: reduce(join, (self._points[k][FIELD_NO[f]] for k in kinds)) for f in FIELDS if f in fields}
            known = {f: point_name(family_of(f).name, p) for f, p in points.items() if p != WITHHELD}
            self._named[fields, kinds] = known
        return known
