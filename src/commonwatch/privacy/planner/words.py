"""A plan in words that need no formula: what is protected, what it costs, what is seen, what stays invisible.

Rules held here (`privacy.md` 15): the interval is a *privacy interval*, of the counted number, never a sampling error;
the protected entity stands with its period; refusals name what is missing and what can be had instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from commonwatch.privacy.planner.accuracy import CAPPED, Expected
from commonwatch.privacy.planner.asking import USUAL_MOST, Exact, Outbreak, Planned, Refused, Visible, Wanted
from commonwatch.privacy.planner.community import LEAST, Community
from commonwatch.privacy.release.profiles import View

_INSTEAD = "share exact indicators under agreement, or counts with a threshold of contributors"
#: Mean errors up to which a view is called readable, and rough.
READABLE, ROUGH = 0.35, 1.0
_PLACES = {"region": "in one region", "everywhere": "across all regions"}


def said(plan: Planned, community: Community, met: Sequence[Wanted] = ()) -> Planned:
    """The plan with its sentences; `met` are the wishes that it fulfils."""
    lines = [*_met(met), *_cost(plan), *(_view(v) for v in _telling(plan.views)), *_outbreaks(plan, community)]
    return msgspec.structs.replace(plan, words=tuple(lines))


def too_few(members: int) -> Refused:
    """A community in which private counts help nobody."""
    return Refused(
        what=f"private counts and early warning for {members} members",
        why=f"below {LEAST} members the noise that hides one organisation hides what {members} of them see as well",
        todo=_INSTEAD,
    )


def too_exact(wanted: Exact, seen: Expected, needed: Fraction | None) -> Refused:
    """A view that no sensible budget makes so exact."""
    what = wish(wanted)
    if needed is None:
        return Refused(
            what=what, why="none of its tables measures this", todo="leave the profile open, or ask for less"
        )
    reachable = (seen.error or 0) / float(USUAL_MOST) ** 0.5
    return Refused(
        what=what,
        why=f"about {seen.mean:.1f} are expected in a cell; it would take a budget of {float(needed):.3g} in each "
        f"window, and above {USUAL_MOST} little is promised",
        todo=f"be content with {reachable:.0%}, which a budget of {USUAL_MOST} gives, or ask for fewer cells",
    )


def too_small(wanted: Outbreak, reachable: int) -> Refused:
    """An outbreak that stays invisible."""
    return Refused(
        what=wish(wanted),
        why=f"even a budget of {USUAL_MOST} shows one of {reachable} only: smaller ones are lost in the noise",
        todo=f"ask for {reachable} or more; for fewer, {_INSTEAD}",
    )


def larger_than_its_place(wanted: Outbreak, there: float) -> Refused:
    """An outbreak among more members than there are."""
    return Refused(
        what=wish(wanted),
        why=f"about {there:.0f} members are there",
        todo="ask for fewer, or everywhere",
    )


def wish(wanted: Wanted) -> str:
    """A wish in words."""
    if isinstance(wanted, Exact):
        return f"{View(wanted.step, wanted.by).words} within {wanted.within:.0%}"
    lasting = f" within {wanted.days} days" if wanted.days else ""
    return f"an outbreak of {wanted.members} members{lasting} {_PLACES[wanted.where]}, {wanted.chance:.0%}"


def _met(wishes: Sequence[Wanted]) -> list[str]:
    return [f"This is the smallest budget for: {'; '.join(map(wish, wishes))}."] if wishes else []


def _cost(plan: Planned) -> list[str]:
    if plan.cost is None:
        return []
    cost, rho = plan.cost, f"{plan.cost.rho} ({float(Fraction(plan.cost.rho)):.3g})"
    return [
        "Protected: one organisation, for 8 weeks: at most 4 new families in the counts and 1 rare one in the alerts.",
        f"It costs each owner rho {rho} in 8 weeks (epsilon {cost.epsilon:.2f} at delta {cost.delta:g}).",
        f"Somebody who knows everything else, and guesses whether an organisation's data are in, is right at best "
        f"{cost.guess_rate:.0%} of the time; a coin is right 50 %.",
        f"A year of it adds up to rho {cost.year_rho:.2f} (epsilon {cost.year_epsilon:.1f}).",
        f"The cap leaves about {CAPPED:.0%} of what is new uncounted, whatever the budget; privacy intervals are of "
        "what is counted.",
    ]


def _telling(views: tuple[Expected, ...]) -> list[Expected]:
    """The finest views that are readable, or the best one where none is."""
    ordered = sorted(views, key=lambda v: (v.error or 0, v.cells))
    return [v for v in ordered if (v.error or 0) <= ROUGH] or ordered[:1]


def _view(view: Expected) -> str:
    error, margin = view.error or 0.0, view.margin or 0.0
    verdict = "readable" if error <= READABLE else "rough" if error <= ROUGH else "worse than a guess"
    return (
        f"{view.view}: about {view.mean:.3g} expected in a cell, 95 % privacy interval ± {margin:.3g}, off by "
        f"{error:.0%} on average: {verdict}."
    )


def _outbreaks(plan: Planned, community: Community) -> list[str]:
    if plan.cost is not None and not plan.outbreaks:
        return ["No alerts: none of this budget goes to the alert table."]
    return [_outbreak(o, community) for o in plan.outbreaks]


def _outbreak(seen: Visible, community: Community) -> str:
    there = community.members // (community.regions if seen.where == "region" else 1)
    place = _PLACES[seen.where] + (f" within {seen.days} days" if seen.days else "")
    if seen.half > there:
        return f"Outbreaks {place} stay invisible: one must reach about {seen.half} members, and {there} are there."
    return (
        f"An outbreak {place} must reach about {seen.most} members to be noticed 4 times in 5 ({seen.half}: every "
        f"second one, {seen.nearly_all}: 19 of 20). Well below {seen.half} it stays invisible; for those, {_INSTEAD}."
    )
