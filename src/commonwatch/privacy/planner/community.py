"""A community as the planner sees it: how many members, and the sizes of public lists. Never data."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from commonwatch.errors import InvalidInput
from commonwatch.privacy.release.axes import Axis, plain
from commonwatch.privacy.release.profiles import ONSETS

#: Below so many members private counts say nothing that a member could act on.
LEAST = 50
DAYS, SEVERITIES = 56, 4


class Community(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Public sizes. `rare`: how many families are on the list of the alert table."""

    members: int
    regions: int = 8
    sectors: int = 10
    families: int = 12
    rare: int = 7

    def __post_init__(self) -> None:
        if not 1 <= self.members <= 1_000_000:
            raise InvalidInput("a community has members", where="members", todo="say how many, such as 1000")
        for name, most in (("regions", 64), ("sectors", 64), ("families", 256), ("rare", self.families)):
            if not 1 <= getattr(self, name) <= most:
                raise InvalidInput(f"a plan takes 1 to {most} here", where=name, todo="count the public list")

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of a release for this community."""
        return _axes(self.regions, self.sectors, self.families)

    @property
    def total(self) -> float:
        """Onsets that are expected to count in a window, by public numbers."""
        return self.members * ONSETS


@lru_cache(maxsize=64)
def _axes(regions: int, sectors: int, families: int) -> tuple[Axis, ...]:
    sizes = {"region": regions, "sector": sectors, "family": families, "severity": SEVERITIES}
    time = Axis("day", tuple(map(str, range(DAYS))), (DAYS, 7, 1))
    return (time, *(plain(key, [f"{key} {n + 1}" for n in range(size)]) for key, size in sizes.items()))
