"""Axes of a release: public values in order, and levels of equal blocks nested in one another.

Rules held here (`privacy.md` 4.1): level 0 is the whole axis as one block, the last level is single values; blocks of a
level are equal and lie within those of the coarser one. Unequal groups are padded with structural zeros, values that
nobody can have (4.6): estimates stay unbiased and the closed form holds. Values are public, never taken from data.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from math import prod

import msgspec
import numpy as np
import numpy.typing as npt

from commonwatch.errors import InvalidInput

#: One level per axis: how finely a table counts.
Levels = tuple[int, ...]
#: What a padded value is called; it selects nothing.
PADDING = ""


class Axis(msgspec.Struct, frozen=True):
    """One dimension. `blocks`: size of a block at each level, from the whole axis down to 1."""

    key: str
    values: tuple[str, ...]
    blocks: tuple[int, ...]

    def __post_init__(self) -> None:
        real = [v for v in self.values if v != PADDING]
        if not real or len(set(real)) != len(real):
            raise InvalidInput("an axis needs values, each once", where=self.key, todo="list its public values")
        nested = all(a % b == 0 and a > b for a, b in itertools.pairwise(self.blocks))
        if not self.blocks or self.blocks[0] != len(self.values) or self.blocks[-1] != 1 or not nested:
            todo = f"give block sizes from {len(self.values)} down to 1, each dividing the one before"
            raise InvalidInput("these blocks do not nest", where=self.key, todo=todo)

    @property
    def size(self) -> int:
        """How many values."""
        return len(self.values)

    @property
    def dims(self) -> npt.NDArray[np.int64]:
        """Dimensions of the subspace that each level adds: 1, then n/b(l) - n/b(l-1)."""
        cells = np.array([self.size // b for b in self.blocks], np.int64)
        return np.diff(cells, prepend=0)

    def part(self, start: int, size: int) -> Axis:
        """The axis restricted to one of its blocks."""
        return Axis(self.key, self.values[start : start + size], self.blocks[self.blocks.index(size) :])


def plain(key: str, values: Sequence[str]) -> Axis:
    """An axis without hierarchy: absent or present."""
    return Axis(key, tuple(values), (len(values), 1) if len(values) > 1 else (1,))


def grouped(key: str, groups: Mapping[str, Sequence[str]]) -> Axis:
    """An axis of named groups (country > region, kind > family), padded to equal blocks."""
    widest = max((len(values) for values in groups.values()), default=0)
    values = tuple(itertools.chain.from_iterable([*v, *[PADDING] * (widest - len(v))] for v in groups.values()))
    blocks = tuple(dict.fromkeys((len(values), widest, 1)))
    return Axis(key, values, blocks)


def every(axes: Sequence[Axis]) -> list[Levels]:
    """All level tuples, the coarsest first."""
    return list(itertools.product(*(range(len(axis.blocks)) for axis in axes)))


def below(a: Levels, b: Levels) -> bool:
    """Whether `a` is nowhere finer than `b`."""
    return all(x <= y for x, y in zip(a, b, strict=True))


def shape(axes: Sequence[Axis], levels: Levels) -> tuple[int, ...]:
    """Shape of the table that counts at these levels."""
    return tuple(axis.size // axis.blocks[level] for axis, level in zip(axes, levels, strict=True))


def cells_per(axes: Sequence[Axis], levels: Levels) -> int:
    """How many cells of the cube one cell of that table stands for (W_A)."""
    return prod(axis.blocks[level] for axis, level in zip(axes, levels, strict=True))
