"""Both ways of a plan: from what must be seen to the smallest budget, and from a budget to what can be seen.

Rules held here: the answer to a wish is the answer to the budget it takes, so both ways agree; variances are exactly
inverse to the rate, so the rate of a view is found in one step and rounded up to thousandths; what cannot be promised
is refused with what can be had; nothing is spent, drawn or read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from statistics import NormalDist

import msgspec

from commonwatch.errors import InvalidInput
from commonwatch.privacy.planner import power, words
from commonwatch.privacy.planner.accuracy import expected
from commonwatch.privacy.planner.asking import (
    USUAL_MOST,
    AskPlan,
    Cost,
    Exact,
    Outbreak,
    Planned,
    Refused,
    Table,
    Visible,
    Wanted,
    rate,
)
from commonwatch.privacy.planner.community import DAYS, LEAST, Community
from commonwatch.privacy.release.noise import epsilon
from commonwatch.privacy.release.plan import Plan, covers
from commonwatch.privacy.release.profiles import PROFILES, VIEWS, ProfileName, View, levels_of, profiled, shares, usual

WINDOWS_A_YEAR = 365.25 / DAYS
_ONE = Fraction(1)
_POINTS = 24


def plan(asked: AskPlan) -> Planned:
    """What was asked, planned. Raises InvalidInput where neither or both ways are asked, or a number is no budget."""
    if bool(asked.wanted) == (asked.budget is not None):
        todo = "give `wanted` or `budget`, not both"
        raise InvalidInput("say what must be seen, or what may be spent", where="wanted, budget", todo=todo)
    if asked.community.members < LEAST:
        return Planned(refused=(words.too_few(asked.community.members),))
    if asked.budget is None:
        return _for_wishes(asked)
    whole = rate(asked.budget)
    alerts = whole * Fraction(asked.alerts).limit_denominator(1000)
    return _seen(asked, asked.profile or usual(asked.community.members), whole - alerts, alerts)


def _for_wishes(asked: AskPlan) -> Planned:
    """The smallest budget for all wishes that can be met; the others are refused."""
    exact = [w for w in asked.wanted if isinstance(w, Exact)]
    profile, cube, missed = cheapest(asked.community, exact, asked.profile)
    rates = {w: _for_outbreak(asked.community, w) for w in asked.wanted if isinstance(w, Outbreak)}
    missed |= {w: found for w, found in rates.items() if isinstance(found, Refused)}
    alerts = max((found for found in rates.values() if isinstance(found, Fraction)), default=Fraction(0))
    if not cube + alerts:
        return Planned(refused=tuple(missed.values()))
    met = [w for w in asked.wanted if w not in missed]
    made = _seen(asked, profile, cube, alerts, met)
    return msgspec.structs.replace(made, refused=tuple(missed.values()))


def cheapest(
    community: Community, wishes: Sequence[Exact], only: ProfileName | None = None
) -> tuple[ProfileName, Fraction, dict[Wanted, Refused]]:
    """The profile that meets most wishes at the smallest rate, that rate, and the wishes it does not meet."""
    if not wishes:
        return only or usual(community.members), Fraction(0), {}
    tried = [(name, *_rates(community, wishes, name)) for name in ([only] if only else PROFILES)]
    return min(tried, key=lambda t: (len(t[2]), -_measured(community, wishes, t[0]), t[1]))


def _measured(community: Community, wishes: Sequence[Exact], name: ProfileName) -> int:
    """How many of the wishes a profile measures at all."""
    tables = shares(name, community.axes, community.members)
    return sum(covers(tables, levels_of(community.axes, View(w.step, w.by))) for w in wishes)


def _rates(community: Community, wishes: Sequence[Exact], name: ProfileName) -> tuple[Fraction, dict[Wanted, Refused]]:
    base, most, missed = profiled(name, community.axes, _ONE, community.members), Fraction(0), dict[Wanted, Refused]()
    for wish in wishes:
        seen = expected(base, View(wish.step, wish.by), community.total)
        needed = None if seen.error is None else _rounded_up((seen.error / wish.within) ** 2)
        if needed is None or needed > USUAL_MOST:
            missed[wish] = words.too_exact(wish, seen, needed)
        else:
            most = max(most, needed)
    return most, missed


def _for_outbreak(community: Community, wish: Outbreak) -> Fraction | Refused:
    there = community.members / (community.regions if wish.where == "region" else 1)
    if wish.members > there:
        return words.larger_than_its_place(wish, there)
    found = power.rate(community, wish.where, wish.members, wish.chance, wish.days)
    if found is None or found > USUAL_MOST:
        over = power.line(community, USUAL_MOST, wish.where)
        return words.too_small(wish, math.ceil(power.size(over, wish.chance, wish.days)))
    return found


def _seen(
    asked: AskPlan, profile: ProfileName, cube: Fraction, alerts: Fraction, met: Sequence[Wanted] = ()
) -> Planned:
    community = asked.community
    views = profiled(profile, community.axes, cube, community.members) if cube else None
    shown = tuple(expected(views, v, community.total) for v in VIEWS["closing"]) if views else ()
    lasting = {w.days for w in met if isinstance(w, Outbreak)}
    days = lasting.pop() if len(lasting) == 1 else None
    outbreaks = tuple(_visible(community, alerts, where, days) for where in _places(community)) if alerts else ()
    made = Planned(
        cost=cost(cube, alerts, asked.delta), profile=profile if views else None,
        tables=_tables(views) if views else (),
        views=tuple(v for v in shown if v.error is not None), outbreaks=outbreaks,
    )  # fmt: skip
    return words.said(made, community, met)


def cost(cube: Fraction, alerts: Fraction, delta: float) -> Cost:
    """What the two parts cost together in a window, and in a year."""
    rho = cube + alerts
    year = float(rho) * WINDOWS_A_YEAR
    return Cost(
        rho=str(rho), cube=str(cube), alerts=str(alerts), epsilon=epsilon(float(rho), delta), delta=delta,
        guess_rate=NormalDist().cdf(math.sqrt(2 * float(rho)) / 2), year_rho=year, year_epsilon=epsilon(year, delta),
    )  # fmt: skip


def _tables(plan: Plan) -> tuple[Table, ...]:
    keys = [axis.key for axis in plan.axes[1:]]
    found = []
    for table in plan.tables:
        step = {DAYS: "window", 7: "week", 1: "day"}[plan.axes[0].blocks[table.levels[0]]]
        by = [key for key, level in zip(keys, table.levels[1:], strict=True) if level]
        found.append(Table(view=" x ".join([step, *by]), share=str(table.share), sd=plan.scale(table)))
    return tuple(found)


def _places(community: Community) -> tuple[power.Where, ...]:
    return ("region", "everywhere") if community.regions > 1 else ("everywhere",)


def _visible(community: Community, rho: Fraction, where: power.Where, days: int | None) -> Visible:
    over = power.line(community, rho, where)
    half, most, nearly = (math.ceil(power.size(over, chance, days)) for chance in (0.5, 0.8, 0.95))
    last = 1.5 * nearly
    sizes = sorted({max(1, round(last * n / _POINTS)) for n in range(1, _POINTS + 1)})
    curve = tuple((n, power.chance(over, n, days)) for n in sizes)
    return Visible(where=where, days=days, half=half, most=most, nearly_all=nearly, curve=curve)


def _rounded_up(needed: float) -> Fraction:
    """In thousandths, at least one. The noise's scale is a hair above the exact one: hence the small extra."""
    return Fraction(max(1, math.ceil(needed * 1000 * (1 + 1e-9))), 1000)
