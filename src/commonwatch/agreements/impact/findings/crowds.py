"""Crowds too small: counts that no joint release can take, contributors that sector, region and size give away.

Rules held here: an owner takes part in a plan if its epsilon is at least the plan's and its group at most the plan's
pool (`agreements.md` 8); a contributor hides among those members who look the same at the levels shown, and five is the
least crowd; where who there is is not known, nothing is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from commonwatch.agreements.document import Share
from commonwatch.agreements.effective import ref_of
from commonwatch.agreements.impact.boxes import Box, overlap
from commonwatch.agreements.impact.findings.kinds import Finding
from commonwatch.agreements.impact.findings.subject import Subject
from commonwatch.agreements.impact.levels import Levels, levels_of
from commonwatch.agreements.impact.world import Member, Traits
from commonwatch.agreements.lattice import WITHHELD, Point, top_of
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName
from commonwatch.events.rungs import rung

CROWD = 5
Crowd = tuple[tuple[Traits, int], ...]
Shown = tuple[tuple[FieldName, Point], ...]
_TRAITS: tuple[FieldName, ...] = ("owner_sector", "owner_region", "owner_size")


def findings(subject: Subject) -> Iterator[Finding]:
    """Counts below every plan, and shares with small cells."""
    yield from _plans(subject)
    mine = subject.world.member(subject.owner)
    if subject.world.known and mine is not None:
        yield from _cells(subject, mine)


def _plans(subject: Subject) -> Iterator[Finding]:
    for path, clause, _ in subject.counts() if subject.world.plans else ():
        ref = ref_of(subject.document, clause.id)
        own = [c for c in subject.permitted if c.rule.clause == ref and c.rule.noise]
        fits = any(
            c.rule.contributors <= plan.contributors and c.rule.noise and c.rule.noise.epsilon >= plan.epsilon
            for c in own
            for plan in subject.world.plans
        )
        if own and not fits:
            least = min(subject.world.plans, key=lambda plan: plan.epsilon)
            message = (
                f"it takes part in no plan in force: {least.name}, which spends least, spends epsilon {least.epsilon} "
                f"and pools at least {least.contributors} contributors"
            )
            yield subject.found("below-every-plan", f"{path}.noise", message, own[0].box, about=(ref,))


def _cells(subject: Subject, mine: Member) -> Iterator[Finding]:
    fields: list[FieldName] = ["owner", *_TRAITS]
    crowd = tuple(sorted(Counter([*(member.traits for member in subject.world.members), *subject.world.crowd]).items()))
    if _alike(crowd, mine.traits, _finest(subject)) >= CROWD:
        return
    telling = [(path, box) for path, share, box in subject.shares() if _tells(share)]
    small: list[tuple[Box, Levels, int]] = []
    for where, shown in levels_of(subject.regions, fields, [box for _, box in telling]):
        hidden = shown.pop("owner", WITHHELD) != top_of("owner")
        if hidden and (alike := _alike(crowd, mine.traits, tuple(shown.items()))) < CROWD:
            small.append((where, shown, alike))
    for path, box in telling:
        yield from islice(_cell(subject, path, box, small), 1)


def _cell(subject: Subject, path: str, box: Box, small: list[tuple[Box, Levels, int]]) -> Iterator[Finding]:
    """The small cells that a share takes part in."""
    for where, shown, alike in small:
        if piece := overlap(where, box):
            names = ", ".join(FIELDS[trait].label for trait in shown)
            message = f"only {alike} member{'s' if alike != 1 else ''} match by {names}: the contributor can be told"
            yield subject.found("small-cell", f"{path}.fields", message, piece)


def _finest(subject: Subject) -> Shown:
    """The finest that any share says of each trait; what is shown where is never finer."""
    said = [share.levels for c in subject.regions.contributions for share in c.shares]
    return tuple((trait, max(found)) for trait in _TRAITS if (found := [s[trait] for s in said if trait in s]))


def _tells(share: Share) -> bool:
    return any(isinstance(getattr(share.fields, trait), str) for trait in _TRAITS)


@lru_cache(maxsize=4_096)
def _alike(crowd: Crowd, mine: Traits, shown: Shown) -> int:
    """How many members look like this one at the levels shown (itself included); all of them where none is shown."""
    own = _seen(mine, shown)
    return sum(count for traits, count in crowd if _seen(traits, shown) == own)


def _seen(traits: Traits, shown: Shown) -> list[object]:
    """Traits as they are shown."""
    return [_lowered(trait, level.precision, traits[_TRAITS.index(trait)]) for trait, level in shown]


@lru_cache(maxsize=4_096)
def _lowered(trait: FieldName, precision: int, value: str) -> object:
    family = FIELDS[trait].family
    return rung(family, FAMILIES[family].precisions[precision], trait, value or None)
