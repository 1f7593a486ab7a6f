"""How much one organisation counts for: at most one new family a day, each family once, k in a window; online.

Rules held here (`privacy.md` 1): the unit is the organisation, over all its gateways and sites; what is counted depends
on the organisation's own onsets alone, day by day as days close; the token bucket opens with two and gives one more on
days 19 and 38, so that a window has no falling trend of its own; the rarest family by public rank goes first; what is
not counted on its day is dropped for good. **Bounding runs last: nothing may change owner, day or family after it.**
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from commonwatch.errors import InvalidInput

START, EVERY = 2, 19


class Onset(NamedTuple):
    """An organisation newly sees a family. `cell` holds its codes on the axes that are neither day nor family."""

    owner: str
    day: int
    family: int
    cell: tuple[int, ...] = ()


class Bounds(msgspec.Struct, frozen=True):
    """The caps of one window. `rank`: rarity of each family, lowest first; by default the code itself."""

    k: int = 4
    days: int = 56
    rank: tuple[int, ...] = ()
    full_at_start: bool = False

    def __post_init__(self) -> None:
        if self.k < 1 or self.days < 1:
            raise InvalidInput("the cap and the window are at least 1", where="k, days", todo="4 and 56 are usual")

    def allowance(self, day: int) -> int:
        """How many families may have been counted by the end of this day."""
        return self.k if self.full_at_start else min(self.k, START + day // EVERY)

    def rarity(self, family: int) -> tuple[int, int]:
        """Sort key: the rarest first, ties by code."""
        return (self.rank[family] if family < len(self.rank) else 0, family)


class Counted(msgspec.Struct, frozen=True):
    """What one organisation has used in a window: the last day that closed, the families counted."""

    day: int = -1
    families: frozenset[int] = frozenset()


def close_day(bounds: Bounds, state: Counted, day: int, onsets: Iterable[Onset]) -> tuple[Counted, Onset | None]:
    """One organisation's day closes: what is counted of it, if anything. Raises InvalidInput when days go back."""
    if not 0 <= day < bounds.days:
        todo = "open the window this day lies in"
        raise InvalidInput(f"day {day} is outside a window of {bounds.days}", where="day", todo=todo)
    if day <= state.day:
        raise InvalidInput(f"day {day} closed already", where="day", todo="set the clock right; nothing was counted")
    fresh = sorted((o for o in onsets if o.family not in state.families), key=lambda o: (bounds.rarity(o.family), o))
    if not fresh or len(state.families) >= bounds.allowance(day):
        return Counted(day, state.families), None
    return Counted(day, state.families | {fresh[0].family}), fresh[0]


def bounded(bounds: Bounds, onsets: Iterable[Onset]) -> list[Onset]:
    """All that is counted of a window's onsets, as the days would have closed one by one."""
    days: dict[str, dict[int, list[Onset]]] = {}
    for onset in onsets:
        days.setdefault(onset.owner, {}).setdefault(onset.day, []).append(onset)
    return [counted for owner in sorted(days) for counted in _window(bounds, days[owner])]


def _window(bounds: Bounds, days: Mapping[int, Sequence[Onset]]) -> list[Onset]:
    state, found = Counted(), []
    for day in sorted(days):
        state, counted = close_day(bounds, state, day, days[day])
        found += [counted] if counted else []
    return found


def at_cap(bounds: Bounds, counted: Iterable[Onset]) -> int:
    """How many organisations used all they may."""
    used: dict[str, int] = {}
    for onset in counted:
        used[onset.owner] = used.get(onset.owner, 0) + 1
    return sum(n >= bounds.k for n in used.values())
