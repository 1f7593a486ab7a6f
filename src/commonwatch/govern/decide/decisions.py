"""What one reader gets of one handling, over the whole age axis: pieces, met with what left the gateway, laid on time.

Rules held here (`agreements.md` 14, 15): a row enters a piece only when its whole *shown* time bucket has. So at each
cut one bucket, as coarse as the coarser of the two pieces (a minute at least; eight weeks where time is withheld), is
shown at their meet: when a row appears, changes or goes tells nothing that its shown time does not. Every boundary
moves on whole minutes, therefore a table is good until the next one that does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from commonwatch.agreements.lattice import TRUE, WITHHELD, Point, meet, parse_point, top_of
from commonwatch.agreements.reader import ClauseRef, Withheld
from commonwatch.events.fields import FIELDS, FieldName, family_of
from commonwatch.events.rungs import EARLY_ANCHOR, MINUTE, STEPS
from commonwatch.govern.decide.shown import FIELD_NO, NOTHING, Levels

FOREVER = 1 << 62
_TIME = FIELD_NO["time"]
#: Granularity shown at each time precision: 0 nothing, 1 exact.
GRAINS = (0, *(STEPS[p] for p in ("window", "week", "day", "hour", "minute")), 1)


class Decision(msgspec.Struct, frozen=True):
    """Levels in the order of FIELDS, the clauses that allowed each, the reason of each that is withheld."""

    owner: str
    levels: Levels
    allowed: Mapping[FieldName, tuple[ClauseRef, ...]] = {}
    reasons: Mapping[FieldName, Withheld] = {}
    clauses: tuple[ClauseRef, ...] = ()
    own: bool = False

    @property
    def visible(self) -> bool:
        """Whether any field is shown, that is whether there is a row at all."""
        return self.levels != NOTHING

    @property
    def grain(self) -> int:
        """Shown granularity of time in microseconds; 0 where time is withheld."""
        return GRAINS[self.levels[_TIME].precision]


class Aged(msgspec.Struct, frozen=True):
    """A decision from one age on, until another (microseconds; until None: for ever)."""

    start: int
    until: int | None
    decision: Decision


class Stretch(msgspec.Struct, frozen=True):
    """A decision for event times in [start, end), microseconds."""

    start: int
    end: int
    decision: Decision


Merge = Callable[[Sequence[Decision]], Decision]


def held_levels(profile: Sequence[tuple[FieldName, str]]) -> Levels:
    """The levels at which values left the gateway."""
    levels = list(NOTHING)
    for field, name in profile:
        levels[FIELD_NO[field]] = parse_point(family_of(field).name, name)
    levels[FIELD_NO["owner"]] = top_of("owner")
    for field in ("owner_sector", "owner_region", "owner_size"):
        levels[FIELD_NO[field]] = top_of(field)
    return tuple(levels)


def own_decision(owner: str, held: Levels) -> Decision:
    """What an owner sees of its own events: whatever is held, exactly as it is held."""
    reasons = {f: Withheld("not-held") for f, no in FIELD_NO.items() if held[no] == WITHHELD}
    return Decision(owner, held, reasons=reasons, own=True)


def lowered(decision: Decision, held: Levels, *, keyless: bool) -> Decision:
    """A decision met with what is held; without the owner's key no token can be made."""
    levels = tuple(
        _without_key(meet(a, b)) if keyless else meet(a, b) for a, b in zip(decision.levels, held, strict=True)
    )
    if levels == decision.levels:
        return decision
    lost = {f: Withheld("not-held") for f, no in FIELD_NO.items() if levels[no] == WITHHELD != decision.levels[no]}
    allowed = {f: refs for f, refs in decision.allowed.items() if f not in lost}
    clauses = tuple(sorted({ref for refs in allowed.values() for ref in refs}))
    return Decision(decision.owner, levels, allowed, {**decision.reasons, **lost}, clauses)


def _without_key(level: Point) -> Point:
    return level if level.linkage == TRUE else Point(level.precision, 0)


class Cut(NamedTuple):
    """A bound of age (microseconds) and how coarse the bucket at it is."""

    age: int
    grain: int

    def bucket(self, now: int) -> tuple[int, int]:
        """The stretch of event times that is neither wholly younger nor wholly older at `now`."""
        start = EARLY_ANCHOR + (now - self.age - EARLY_ANCHOR) // self.grain * self.grain
        return start, start + self.grain


def cuts(pieces: Sequence[Aged]) -> list[Cut | None]:
    """The cut after each piece but the last; None where nothing is shown on either side."""
    found: list[Cut | None] = []
    for young, old in pairwise(pieces):
        grain = max(_cut_grain(young.decision), _cut_grain(old.decision))
        found.append(Cut(old.start, grain) if grain else None)
    return found


def stretches(pieces: Sequence[Aged], now: int, merge: Merge) -> list[Stretch]:
    """Where on the axis of event times each piece holds at `now`; `merge` gives the meet of several decisions."""
    buckets = list[tuple[int, int, int, int]]()
    for no, cut in enumerate(cuts(pieces)):
        if cut is None:
            continue
        bucket = (*cut.bucket(now), no, no + 1)
        while buckets and bucket[1] > buckets[-1][0]:
            last = buckets.pop()
            bucket = (min(bucket[0], last[0]), max(bucket[1], last[1]), last[2], bucket[3])
        buckets.append(bucket)
    return _lay(pieces, buckets, merge)


def _lay(pieces: Sequence[Aged], buckets: Sequence[tuple[int, int, int, int]], merge: Merge) -> list[Stretch]:
    """Youngest first: the piece above each bucket, the bucket itself, and what is older than the last."""
    laid, top, no = list[Stretch](), FOREVER, 0
    for start, end, first, last in buckets:
        laid.append(Stretch(end, top, pieces[no].decision))
        laid.append(Stretch(start, end, merge([p.decision for p in pieces[first : last + 1]])))
        top, no = start, last
    laid.append(Stretch(-FOREVER, top, pieces[no].decision))
    return [s for s in laid if s.start < s.end and s.decision.visible]


def _cut_grain(decision: Decision) -> int:
    """How coarse a cut beside this decision must be: its time grain, a minute at least; 0 where nothing is shown."""
    if not decision.visible:
        return 0
    return max(decision.grain, MINUTE) if decision.grain else STEPS["window"]


def both(decisions: Sequence[Decision]) -> Decision:
    """The meet of several decisions of one owner."""
    first = decisions[0]
    levels = tuple(_meet_all([d.levels[no] for d in decisions]) for no in range(len(FIELDS)))
    allowed, reasons = dict[FieldName, tuple[ClauseRef, ...]](), dict[FieldName, Withheld]()
    for field, no in FIELD_NO.items():
        if levels[no] == WITHHELD:
            reasons[field] = next((d.reasons[field] for d in decisions if field in d.reasons), Withheld("too-young"))
        else:
            allowed[field] = tuple(sorted({ref for d in decisions for ref in d.allowed.get(field, ())}))
    clauses = tuple(sorted({ref for refs in allowed.values() for ref in refs}))
    return Decision(first.owner, levels, allowed, reasons, clauses, first.own)


def _meet_all(levels: Sequence[Point]) -> Point:
    total = levels[0]
    for level in levels[1:]:
        total = meet(total, level)
    return total
