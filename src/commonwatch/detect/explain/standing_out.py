"""Which combinations of values stand out on one side of a comparison: effect on incidents, proof on cells.

Rules held here: an effect is a ratio of shares of incidents; a p-value is made of distinct cells (organisation and
piece of time, or organisation, whichever proves less of those asked for), never of incidents or events, for one
organisation's incidents come in bursts; the rate of false findings is held over everything that was tested; a longer
combination must beat each of its parts, in effect and in proof.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from commonwatch.detect.explain.mining import Bits, Incidents, Pattern, Side, count, parts
from commonwatch.detect.explain.tails import Tails, adjusted

FDR = 0.01
#: Smallest effect that is told, and by how much a longer combination must exceed each part.
EFFECT, BEYOND = 1.5, 1.3
#: Findings that cover the same incidents (so large a part of both together) are one; one so far inside a stronger one
#: that it does not refine is only its shadow.
SAME, SHADOW = 0.9, 0.75
MOST_FINDINGS = 12


class Outstanding(NamedTuple):
    """A combination that stands out: incidents and organisations on both sides, ratio of shares, adjusted p-value.

    `more`: there is more of it in the selection; else less. `also`: values that go with nearly the same incidents.
    """

    pattern: Pattern
    more: bool
    incidents: int
    before: int
    orgs: int
    orgs_before: int
    ratio: float
    p: float
    also: tuple[Pattern, ...] = ()


class Tested(NamedTuple):
    """What stands out, the strongest first, and how many combinations were tested."""

    found: list[Outstanding]
    tests: int


def standing_out(selection: Incidents, baseline: Incidents, *, by_org: Sequence[bool] = (False,)) -> Tested:
    """What there is more and less of in the selection than in the baseline.

    `by_org`: which cells prove: False is (organisation, piece), True is organisation; the weakest proof counts.
    """
    here, there = Side(selection), Side(baseline)
    if not here.n or not there.n:
        return Tested([], 0)
    tails = Tails(here.cells(None, by_org=False) + there.cells(None, by_org=False))
    looks = [_Look(here, there, tails, by_org), _Look(there, here, tails, by_org)]
    tests = sum(len(look.frequent) for look in looks)
    proven = [(look, pattern, p) for look in looks for pattern, p in look.proven()]
    kept = [
        (look, look.told(pattern, p, more=look is looks[0]))
        for (look, pattern, _), p in zip(proven, adjusted([p for *_, p in proven], tests), strict=True)
        if p <= FDR
    ]
    kept.sort(key=lambda k: (-_weight(k[1], here.n / there.n), k[1].pattern))
    return Tested(_merged(kept, tests)[:MOST_FINDINGS], tests)


class _Look:
    """One direction: what there is more of on side `s` than on side `r`."""

    def __init__(self, s: Side, r: Side, tails: Tails, by_org: Sequence[bool]) -> None:
        self.s, self.r, self._tails, self._by_org = s, r, tails, by_org
        self.frequent = s.frequent()
        self._ratios: dict[Pattern, float] = {}
        self._rates: dict[tuple[Pattern, bool], tuple[int, int]] = {}

    def proven(self) -> list[tuple[Pattern, float]]:
        """Combinations with an effect beyond their parts', with their p-values."""
        strong = [p for p in self.frequent if self._ratio(p) >= EFFECT and self._beyond(p)]
        return [(pattern, max(self._p(pattern, by_org=way) for way in self._by_org)) for pattern in strong]

    def told(self, pattern: Pattern, p: float, *, more: bool) -> Outstanding:
        """The finding, in terms of selection and baseline."""
        mine, theirs = self._bits(pattern)
        counts = self.frequent[pattern], count(theirs)
        orgs = self.s.cells(mine, by_org=True), self.r.cells(theirs, by_org=True)
        ratio = self._ratio(pattern)
        if more:
            return Outstanding(pattern, more, *counts, *orgs, ratio, p)
        return Outstanding(pattern, more, *counts[::-1], *orgs[::-1], 1 / ratio, p)

    def _bits(self, pattern: Pattern) -> tuple[Bits, Bits]:
        return self.s.bits(pattern), self.r.bits(pattern)

    def _ratio(self, pattern: Pattern) -> float:
        """Share of incidents here over the share there, where half an incident is the least."""
        known = self._ratios.get(pattern)
        if known is None:
            there = max(count(self.r.bits(pattern)), 0.5) / self.r.n
            known = self._ratios[pattern] = self.frequent[pattern] / self.s.n / there
        return known

    def _beyond(self, pattern: Pattern) -> bool:
        if len(pattern) == 1:
            return True
        return self._ratio(pattern) > BEYOND * max(
            self._ratio(part) for part in parts(pattern) if part in self.frequent
        )

    def _cells(self, pattern: Pattern, *, by_org: bool) -> tuple[int, int]:
        """Distinct cells with a match, here and there."""
        key = (pattern, by_org)
        if key not in self._rates:
            mine, theirs = self._bits(pattern)
            self._rates[key] = self.s.cells(mine, by_org=by_org), self.r.cells(theirs, by_org=by_org)
        return self._rates[key]

    def refined(self, pattern: Pattern, told: Pattern, tests: int) -> bool:
        """Whether a combination is proven beyond a part that was told already.

        Where the part comes more often per cell, every value beside it comes in more cells too, which is no finding: so
        its rate is that of different incidents, and the proof is held over all tests at once.
        """
        mine, theirs = (side.kinds(bits) for side, bits in zip((self.s, self.r), self._bits(told), strict=True))
        chances = []
        for way in self._by_org:
            c, rest = self._cells(pattern, by_org=way)
            chances.append(self._tails.binomial(c, c + rest, mine / (mine + theirs)))
        return max(chances) * tests <= FDR

    def _p(self, pattern: Pattern, *, by_org: bool) -> float:
        """P-value on cells, against the likeliest of its parts."""
        all_s, all_r = self.s.cells(None, by_org=by_org), self.r.cells(None, by_org=by_org)
        c, rest = self._cells(pattern, by_org=by_org)
        if len(pattern) == 1:
            return self._tails.hypergeometric(c, all_s + all_r, all_s, c + rest)
        rate = all_s / (all_s + all_r)
        for part in parts(pattern):
            mine, theirs = self._cells(part, by_org=by_org)
            rate = max(rate, mine / (mine + theirs))
        return self._tails.binomial(c, c + rest, rate)


def _weight(found: Outstanding, scale: float) -> float:
    """How much there is to explain: incidents (or, of what is missing, those expected) times the log of the effect."""
    n = found.incidents if found.more else found.before * scale
    return n * abs(math.log(found.ratio))


def _merged(kept: Sequence[tuple[_Look, Outstanding]], tests: int) -> list[Outstanding]:
    """Findings that cover nearly the same incidents as a stronger one become its `also`; its shadows go."""
    groups: list[tuple[_Look, Bits, list[Outstanding]]] = []
    for look, found in kept:
        bits = look.s.bits(found.pattern)
        over = [(held, group) for other, held, group in groups if other is look]
        same = next((group for held, group in over if count(bits & held) >= SAME * count(bits | held)), None)
        if same is not None:
            same.append(found)
        elif not any(_shadow(look, found, (bits, held), group[0], tests) for held, group in over):
            groups.append((look, bits, [found]))
    return [_with_also(group) for *_, group in groups]


def _shadow(
    look: _Look, found: Outstanding, bits: tuple[Bits, Bits], stronger: Outstanding, tests: int
) -> bool:  # fmt: skip
    """Whether a finding lies within a stronger one and adds nothing to it."""
    if set(found.pattern) > set(stronger.pattern):
        return not look.refined(found.pattern, stronger.pattern, tests)
    return count(bits[0] & bits[1]) >= SHADOW * count(bits[0])


def _with_also(group: Sequence[Outstanding]) -> Outstanding:
    first, *rest = group
    also = {(item,) for found in rest for item in found.pattern if item not in first.pattern}
    return first._replace(also=tuple(sorted(also)))
