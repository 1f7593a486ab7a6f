"""Plans: what is released of a community in a window of eight weeks, fixed when it opens. Looks at no event.

Rules held here (`privacy.md` 4, 8; `agreements.md` 8): members, their regions and sectors and the list of families are
frozen when the plan opens; who joins later is `other`; the profile follows from how many members there are; a dimension
is in the plan where three quarters of those who consent at all allow it, and who is stricter is left out. A tier is a
rate: half of it is the cube's, half is kept for the alert table.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal

import msgspec

from commonwatch.agreements.reader import Purpose, Reader, allowed_purposes
from commonwatch.events.fields import FieldName
from commonwatch.events.rungs import ANCHOR, DAY, STEPS, rung
from commonwatch.govern.counted.consent import Wanted
from commonwatch.govern.policy import OrgInfo
from commonwatch.ingest.values.families import OTHER
from commonwatch.privacy.release.axes import Axis, plain
from commonwatch.privacy.release.bounds import Bounds, Onset
from commonwatch.privacy.release.noise import epsilon
from commonwatch.privacy.release.plan import Plan
from commonwatch.privacy.release.profiles import ProfileName, profiled

Tier = Literal["community", "vetted"]
#: Rates of a tier for eight weeks, the highest first, and the part that pays for the cube.
TIERS: dict[Tier, Fraction] = {"vetted": Fraction(1, 2), "community": Fraction(1, 10)}
CUBE = Fraction(1, 2)
VETTED = frozenset({"mssp", "cert", "isp", "researcher"})
WINDOW, DAYS, K, DELTA = STEPS["window"], 56, 4, 1e-6
#: Fewest organisations behind a release.
CONTRIBUTORS = 10
LABEL = "new threat families reported, at most 4 per organisation in 8 weeks"
UNIT = "one organisation, 8 weeks, at most 4 new families"
#: Families told apart, the most common first (by public reports); all others are `other`.
COMMON = (
    "agenttesla", "redline", "formbook", "qakbot", "remcos", "asyncrat", "lumma", "coinminer", "mirai", "cobaltstrike",
    "emotet", "icedid", "darkgate", "pikabot", "latrodectus",
)  # fmt: skip
FAMILIES = (*COMMON, OTHER)
#: Rarity of each family, the rarest first; `other` goes last.
RANK = (*range(len(COMMON), 0, -1), len(FAMILIES) + 1)
#: Axes besides time: the clause field behind each, and the steps it may have, the finest first.
STEPS_OF: dict[str, tuple[FieldName, tuple[str, ...]]] = {
    "region": ("owner_region", ("exact", "country")), "sector": ("owner_sector", ("section",)),
    "family": ("malware", ("family",)),
}  # fmt: skip
MOST_VALUES = 24
#: The axes a profile looks at.
AXES: dict[ProfileName, tuple[str, ...]] = {
    "total": (), "small": ("family",), "live": ("region", "sector", "family"), "closing": (),
}  # fmt: skip


class Opened(msgspec.Struct, frozen=True):
    """A plan as it was opened. `plan` has the cube's rate of the lowest tier; `steps`: axis -> step it may show."""

    id: str
    community: str
    window: int
    plan: Plan
    steps: dict[str, str]
    places: dict[str, list[int]]
    contributors: int
    opened: int
    closed: int
    arrival: int
    weekly: int

    @property
    def start(self) -> int:
        """The first moment of the window (microseconds)."""
        return ANCHOR + self.window * WINDOW

    @property
    def bounds(self) -> Bounds:
        """What one organisation can count for."""
        return Bounds(k=self.plan.k, days=DAYS, rank=RANK)

    def day(self, at: int) -> int:
        """Days since 1970 of day `at` of the window."""
        return self.start // DAY + at

    def over(self, now: int) -> int:
        """How many days of the window are over."""
        return max(0, min(DAYS, (now - self.start) // DAY))

    def at(self, tier: Tier) -> Plan:
        """The plan at a tier's rate."""
        return msgspec.structs.replace(self.plan, rho=TIERS[tier] * CUBE)

    def wanted(self, tier: Tier | None) -> Wanted:
        """What an owner's clauses must allow; without a tier: exact counts by week and family."""
        if tier is None:
            return Wanted({"time": "week", "malware": "family"}, "onsets", self.contributors, None)
        daily = any(self.plan.axes[0].blocks[t.levels[0]] == 1 for t in self.plan.tables)
        by: dict[FieldName, str] = {"time": "day" if daily else "week"}
        by |= {STEPS_OF[axis.key][0]: self.steps[axis.key] for axis in self.plan.axes[1:]}
        return Wanted(by, "onsets", self.contributors, tier_epsilon(tier))

    def onset(self, owner: str, day: int, family: str) -> Onset:
        """An onset in the codes of the plan. Who joined later than the plan opened is `other` everywhere."""
        code = FAMILIES.index(family) if family in COMMON else len(COMMON)
        last = [axis.size - 1 for axis in self.plan.axes[1:] if axis.key != "family"]
        return Onset(owner, day, code, tuple(self.places.get(owner, last)))


def tier_epsilon(tier: Tier) -> float:
    """What a tier costs for eight weeks, as epsilon."""
    return epsilon(float(TIERS[tier]), DELTA)


def purpose_of(roles: Iterable[str]) -> Purpose | None:
    """What an organisation reads releases for: to detect, else to research."""
    may = allowed_purposes(roles)
    return next((p for p in ("detect", "research") if p in may), None)


def reader_of(info: OrgInfo) -> Reader | None:
    """An organisation as the reader of releases."""
    purpose = purpose_of(info.roles)
    if purpose is None:
        return None
    return Reader(info.org, tuple(sorted(info.roles)), tuple(sorted(info.communities)), purpose)  # type: ignore[arg-type]


def tiers_of(roles: Iterable[str]) -> tuple[Tier, ...]:
    """The tiers an organisation can be served at, the highest first."""
    return ("vetted", "community") if VETTED & set(roles) else ("community",)


def axes_for(window: int, steps: Mapping[str, str], members: Sequence[OrgInfo]) -> tuple[Axis, ...]:
    """Time and the axes with these steps; values are those of public lists, and `other`."""
    first = dt.date(1970, 1, 1) + dt.timedelta(days=(ANCHOR + window * WINDOW) // DAY)
    days = tuple((first + dt.timedelta(days=n)).isoformat() for n in range(DAYS))
    found = [Axis("day", days, (DAYS, 7, 1))]
    for key, step in steps.items():
        found.append(plain(key, FAMILIES if key == "family" else _values(key, step, members)))
    return tuple(found)


def made(
    community: str,
    window: int,
    steps: Mapping[str, str],
    members: Sequence[OrgInfo],
    profile: ProfileName,
    **marks: int,
) -> Opened:
    """A plan for a community as it is now. `marks`: opened, closed, arrival, weekly."""
    axes = axes_for(window, steps, members)
    plan = profiled(profile, axes, TIERS["community"] * CUBE, len(members), K)
    own = [(axis, steps[axis.key]) for axis in axes[1:] if axis.key != "family"]
    places = {m.org: [_code(axis, step, m) for axis, step in own] for m in members}
    name = f"{community}.{window}"
    return Opened(name, community, window, plan, dict(steps), places, CONTRIBUTORS, **marks)


def _values(key: str, step: str, members: Sequence[OrgInfo]) -> list[str]:
    """The values that members of the community publicly have, and `other`."""
    shown = sorted({value for m in members if (value := _shown(key, step, m))})
    return [*shown[:MOST_VALUES], OTHER]


def _code(axis: Axis, step: str, member: OrgInfo) -> int:
    value = _shown(axis.key, step, member)
    return axis.values.index(value) if value in axis.values else axis.size - 1


def _shown(key: str, step: str, member: OrgInfo) -> str | None:
    family = {"region": "place", "sector": "sector"}[key]
    value: Any = rung(family, step, f"owner_{key}", getattr(member, key) or None)  # type: ignore[arg-type]
    return str(value) if value else None
