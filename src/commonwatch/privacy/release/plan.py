"""The plan of a private release: axes, tables with their shares, the cap and the rate. Public, fixed before any data.

Rules held here (`privacy.md` 2, 3): the squared sensitivity of a table is k where it tells single days or single
families apart, k squared where all k onsets of an organisation can fall in one cell; shares are exact and sum to 1; the
noise of a table follows from its own share; the plan's digest names the release.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from commonwatch.errors import InvalidInput
from commonwatch.privacy.release.axes import Axis, Levels, below, cells_per, every
from commonwatch.privacy.release.noise import scale_for


class Share(msgspec.Struct, frozen=True):
    """A table that is measured and its part of the rate."""

    levels: Levels
    share: Fraction


class Plan(msgspec.Struct, frozen=True, dict=True):
    """What is measured, at which rate. Axis 0 is time; `family` is the place of the family axis, if there is one."""

    axes: tuple[Axis, ...]
    tables: tuple[Share, ...]
    rho: Fraction
    k: int = 4
    family: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        if self.rho <= 0:
            raise InvalidInput("the budget is not positive", where="rho", todo="1/10 is usual for a community")
        if self.k < 1 or not self.axes:
            raise InvalidInput("a plan needs axes and a cap of at least 1", where="k", todo="4 is usual")
        if sum((t.share for t in self.tables), Fraction()) != 1 or any(t.share <= 0 for t in self.tables):
            raise InvalidInput("the shares do not sum to 1", where="tables", todo="each positive, all together 1")
        known = set(every(self.axes))
        unknown = [t.levels for t in self.tables if t.levels not in known]
        if unknown or len({t.levels for t in self.tables}) != len(self.tables):
            raise InvalidInput("a table is unknown or there twice", where="tables", todo="one level for each axis")

    def delta2(self, levels: Levels) -> int:
        """Squared L2 sensitivity of a table to everything one organisation contributed."""
        return delta2(self.axes, self.family, self.k, levels)

    def rate(self, table: Share) -> Fraction:
        """What this table costs of the rate; the tables together cost all of it."""
        return self.rho * table.share

    def scale(self, table: Share) -> float:
        """Standard deviation of the noise in each cell of this table."""
        return scale_for(self.delta2(table.levels), self.rate(table))

    @cached_property
    def digest(self) -> str:
        """Names the plan: equal plans, equal digests."""
        return hashlib.sha256(repr(msgspec.structs.astuple(self)).encode()).hexdigest()

    @cached_property
    def tau(self) -> npt.NDArray[np.float64]:
        """Precision of every subspace, one axis of the array per axis of the cube; 0 where nothing measures it."""
        return precision(self.axes, {t.levels: self.scale(t) for t in self.tables})


def delta2(axes: tuple[Axis, ...], family: int | None, k: int, levels: Levels) -> int:
    """k where days or families are told apart one by one, else k squared."""
    apart = axes[0].blocks[levels[0]] == 1 and axes[0].size > 1
    apart |= family is not None and axes[family].blocks[levels[family]] == 1 and axes[family].size > 1
    return k if apart else k * k


def precision(axes: tuple[Axis, ...], scales: dict[Levels, float]) -> npt.NDArray[np.float64]:
    """tau_B: the sum over measured A >= B of W_A / sigma_A^2."""
    tau = np.zeros([len(axis.blocks) for axis in axes])
    for levels, scale in scales.items():
        tau[tuple(slice(0, level + 1) for level in levels)] += cells_per(axes, levels) / scale**2
    return tau


def covers(tables: tuple[Share, ...], wanted: Levels) -> bool:
    """Whether boxes on the axes of `wanted` lie in the measured span, that is within one measured table."""
    return any(below(wanted, table.levels) for table in tables)
