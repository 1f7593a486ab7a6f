"""Profiles: which views a release is made for, and the tables that serve them best. Looks at no data.

Rules held here (`privacy.md` 4.5): a profile is a list of declared views; its tables and shares follow from the convex
split, for public axes and a public total; `live` knows everything when a week closes, so it measures nothing coarser
than a week; `closing` adds tables that close with the window; `total` and `small` put all of the rate on one table,
which is what a small community needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

from commonwatch.errors import InvalidInput
from commonwatch.privacy.release.axes import Axis, Levels
from commonwatch.privacy.release.plan import Plan, Share
from commonwatch.privacy.release.split import split, weights_for

Step = Literal["window", "week", "day"]
ProfileName = Literal["total", "small", "live", "closing"]
PROFILES: tuple[ProfileName, ...] = ("total", "small", "live", "closing")
#: Onsets that one member counts for in a window, at a public guess; the last private total is better.
ONSETS = 2.5


class View(NamedTuple):
    """What is looked at: a step of time and the axes it is broken down by."""

    step: Step
    by: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """`week x region x family`."""
        return " x ".join((self.step, *self.by))


_RUNNING = (
    View("week"), View("day"), View("week", ("region",)), View("week", ("sector",)), View("week", ("family",)),
    View("day", ("region",)), View("day", ("family",)), View("week", ("region", "family")),
    View("week", ("sector", "family")), View("week", ("region", "sector")), View("week", ("family", "severity")),
    View("day", ("region", "family")), View("week", ("region", "sector", "family")),
)  # fmt: skip
_WINDOW = (
    View("window", ("region", "family")), View("window", ("sector", "family")), View("window", ("region", "sector")),
    View("window", ("region", "sector", "family")),
)  # fmt: skip
VIEWS: dict[ProfileName, tuple[View, ...]] = {
    "total": (View("week"),),
    "small": (View("week", ("family",)),),
    "live": _RUNNING,
    "closing": (*_RUNNING, *_WINDOW),
}


def usual(members: int) -> ProfileName:
    """The profile for a community of this size."""
    return "total" if members < 100 else "small" if members < 300 else "live"


def levels_of(axes: Sequence[Axis], view: View) -> Levels:
    """The table of a view: absent axes and axes of one value are taken whole. Raises InvalidInput for unknown ones."""
    if unknown := set(view.by) - {axis.key for axis in axes[1:]}:
        known = ", ".join(axis.key for axis in axes[1:])
        raise InvalidInput("there is no such dimension", where=min(unknown)[:60], todo=f"choose among {known}")
    size = {"window": axes[0].size, "week": 7, "day": 1}[view.step]
    if size not in axes[0].blocks:
        raise InvalidInput(f"time has no {view.step} here", where=axes[0].key, todo="say day, week or window")
    finest = [len(axis.blocks) - 1 if axis.key in view.by else 0 for axis in axes[1:]]
    return (axes[0].blocks.index(size), *finest)


def profiled(name: ProfileName, axes: tuple[Axis, ...], rho: Fraction, members: int, k: int = 4) -> Plan:
    """The plan of a profile over these axes (`day` first, a `family` among them), at this rate."""
    keys = [axis.key for axis in axes]
    family = keys.index("family") if "family" in keys else None
    return Plan(axes, shares(name, axes, members, k), rho, k, family, name)


@lru_cache(maxsize=256)
def shares(name: ProfileName, axes: tuple[Axis, ...], members: int, k: int = 4) -> tuple[Share, ...]:
    """Tables and shares of a profile. `live` is split within one week, since every week is measured alike."""
    keys, time = {axis.key for axis in axes}, axes[0]
    views = [v for v in VIEWS[name] if set(v.by) <= keys]
    week = name != "closing" and 7 in time.blocks and time.size > 7
    inner = (time.part(0, 7), *axes[1:]) if week else axes
    wanted = list(dict.fromkeys(levels_of(inner, v) for v in views))
    total = members * ONSETS * inner[0].size / time.size
    family = next((at for at, axis in enumerate(axes) if axis.key == "family"), None)
    found = split(inner, family, k, weights_for(inner, wanted, total))
    lifted = len(time.blocks) - len(inner[0].blocks)
    return tuple(Share((s.levels[0] + lifted, *s.levels[1:]), s.share) for s in found)
