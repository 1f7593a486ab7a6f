"""Crowds too small: counts that no joint release can take, contributors that sector, region and size give away.

Rules held here: an owner takes part in a plan if its epsilon is at least the plan's and its group at most the plan's
pool (`agreements.md` 8); a contributor hides among those members who look the same at the levels shown, and five is the
least crowd; where who there is is not known, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from commonwatch.agreements.effective import ref_of
from commonwatch.agreements.impact.counted import cubes
from commonwatch.agreements.impact.findings.kinds import Finding
from commonwatch.agreements.impact.findings.subject import Subject
from commonwatch.agreements.impact.levels import Levels, levels_of
from commonwatch.agreements.impact.world import Member
from commonwatch.agreements.lattice import WITHHELD, top_of
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName
from commonwatch.events.rungs import rung

CROWD = 5
_TRAITS: dict[FieldName, str] = {"owner_sector": "sector", "owner_region": "region", "owner_size": "size"}


def findings(subject: Subject) -> Iterator[Finding]:
    """Counts below every plan, and shares with small cells."""
    yield from _plans(subject)
    mine = subject.world.member(subject.owner)
    if subject.world.known and mine is not None:
        yield from _cells(subject, mine)


def _plans(subject: Subject) -> Iterator[Finding]:
    rules = cubes(subject.docs, subject.space) if subject.world.plans else ()
    for path, clause, _ in subject.counts():
        ref = ref_of(subject.document, clause.id)
        own = [c for c in rules if c.rule.clause == ref and c.rule.noise]
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
    for path, share, box in subject.shares():
        if not any(isinstance(getattr(share.fields, trait), str) for trait in _TRAITS):
            continue
        for piece, shown in levels_of(subject.regions, fields, [box]):
            alike = _alike(subject, mine, shown)
            if shown.get("owner", WITHHELD) != top_of("owner") and alike < CROWD:
                names = ", ".join(FIELDS[trait].label for trait in _TRAITS if trait in shown)
                message = (
                    f"only {alike} member{'s' if alike != 1 else ''} match by {names}: the contributor can be told"
                )
                yield subject.found("small-cell", f"{path}.fields", message, piece)
                break


def _alike(subject: Subject, mine: Member, shown: Levels) -> int:
    """How many members look like this one at the levels shown (itself included); all of them where none is shown."""
    traits = {trait: name for trait, name in _TRAITS.items() if trait in shown}
    if not traits:
        return CROWD
    return sum(
        all(
            _seen(trait, getattr(m, name), shown) == _seen(trait, getattr(mine, name), shown)
            for trait, name in traits.items()
        )
        for m in subject.world.members
    )


def _seen(trait: FieldName, value: str, shown: Levels) -> object:
    """A trait as it is shown."""
    family = FIELDS[trait].family
    return rung(family, FAMILIES[family].precisions[shown[trait].precision], trait, value or None)
