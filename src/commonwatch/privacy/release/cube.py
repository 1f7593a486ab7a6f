"""One unbiased cube out of several noisy tables, and the exact variance of every box in it.

Rules held here (`privacy.md` 4.2-4.4): each axis splits into orthogonal subspaces, one per level; in them the weighted
least squares that joins the tables is diagonal, so it is solved in closed form and is the best linear unbiased
estimate of all that was measured. Cells are correlated: a box's variance comes from the subspaces, never from summing
cells. What no table measured is 0 in the cube, and every answer says how much of the question that is. Sums are never
clipped; only drawings are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from commonwatch.errors import InvalidInput
from commonwatch.privacy.release.axes import PADDING, Axis, Levels
from commonwatch.privacy.release.plan import precision

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: Per axis how often each value is in the question (0 or 1; other numbers for differences). None: all of it.
Box = Sequence[Floats | None]
INTERVAL, UNMEASURED = 1.959963984540054, 1e-9


class Noisy(NamedTuple):
    """One measured table: its levels, the scale of its noise, its noisy integers."""

    levels: Levels
    scale: float
    values: Ints


class Answer(NamedTuple):
    """An estimate, its standard deviation, and the share of the question that no table measured (0 to 1)."""

    value: float
    sd: float
    unmeasured: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % privacy interval."""
        return self.value - INTERVAL * self.sd, self.value + INTERVAL * self.sd


class Cube(NamedTuple):
    """The estimate in every cell and the precision of every subspace."""

    axes: tuple[Axis, ...]
    cells: Floats
    tau: Floats

    def ask(self, box: Box) -> Answer:
        """The estimate of a box, with its exact variance."""
        value: Floats = self.cells
        for picked in reversed(_full(self.axes, box)):
            value = value @ picked
        sd = math.sqrt(max(variance(self.axes, self.tau, box), 0.0))
        return Answer(float(value), sd, unmeasured(self.axes, self.tau, box))


def solve(axes: tuple[Axis, ...], noisy: Sequence[Noisy]) -> Cube:
    """The best linear unbiased cube of what the tables measured."""
    tau = precision(axes, {n.levels: n.scale for n in noisy})
    total = np.zeros([axis.size for axis in axes])
    for one in noisy:
        total += _spread(axes, one.levels, one.values / one.scale**2)
    for at, axis in enumerate(axes):
        total = _along(total, _basis(axis.blocks).T, at)
    total *= _inverse(axes, tau)
    for at, axis in enumerate(axes):
        total = _along(total, _basis(axis.blocks), at)
    return Cube(axes, total, tau)


def variance(axes: Sequence[Axis], tau: Floats, box: Box) -> float:
    """Exact variance of the estimate of a box."""
    return covariance(axes, tau, box, box)


def covariance(axes: Sequence[Axis], tau: Floats, one: Box, two: Box) -> float:
    """Exact covariance of the estimates of two boxes; the variance of `one - two` follows."""
    with np.errstate(divide="ignore"):
        weights = np.where(tau > 0, 1 / tau, 0.0)
    return _contracted(weights, _parts(axes, one, two))


def unmeasured(axes: Sequence[Axis], tau: Floats, box: Box) -> float:
    """The share of a box that lies in subspaces no table measured; exactly 0 inside the span."""
    parts = _parts(axes, box, box)
    whole = _contracted(np.ones_like(tau), parts)
    share = _contracted((tau == 0).astype(float), parts) / whole if whole > 0 else 0.0
    return share if share > UNMEASURED else 0.0


def chosen(axis: Axis, values: Sequence[str]) -> Floats:
    """The selection of these values on an axis. Raises InvalidInput for an unknown one."""
    places = {value: at for at, value in enumerate(axis.values) if value != PADDING}
    picked = np.zeros(axis.size)
    for value in values:
        if value not in places:
            raise InvalidInput(
                f"{value[:60]!r} is no value of this axis", where=axis.key, todo="see the release's axes"
            )
        picked[places[value]] = 1
    return picked


def block(axis: Axis, level: int, at: int) -> Floats:
    """The selection of one whole group, padding included: nobody is in the padding, and the variance is smaller."""
    size = axis.blocks[level]
    picked: Floats = (np.arange(axis.size) // size == at).astype(float)
    return picked


def box_of(axes: Sequence[Axis], chosen_values: Mapping[str, Sequence[str]]) -> list[Floats | None]:
    """A box from values per axis key; axes that are not named are taken whole. Raises InvalidInput."""
    if unknown := chosen_values.keys() - {axis.key for axis in axes}:
        raise InvalidInput("the release has no such axis", where=min(unknown)[:60], todo="see the release's axes")
    return [chosen(axis, chosen_values[axis.key]) if axis.key in chosen_values else None for axis in axes]


def _full(axes: Sequence[Axis], box: Box) -> list[Floats]:
    if len(box) != len(axes):
        raise InvalidInput(f"a box names {len(axes)} axes", where="box", todo="give a selection or none for each")
    return [np.ones(axis.size) if c is None else np.asarray(c, float) for axis, c in zip(axes, box, strict=True)]


def _parts(axes: Sequence[Axis], one: Box, two: Box) -> list[Floats]:
    """h per axis and level: e_l = sum c_q c_r / b over the blocks of level l, then differences."""
    found = []
    for axis, q, r in zip(axes, _full(axes, one), _full(axes, two), strict=True):
        sums = [np.sum(_blocks(q, b) * _blocks(r, b)) / b for b in axis.blocks]
        found.append(np.diff(np.array(sums), prepend=0.0))
    return found


def _blocks(chosen_values: Floats, size: int) -> Floats:
    summed: Floats = chosen_values.reshape(-1, size).sum(axis=1)
    return summed


def _contracted(weights: Floats, parts: Sequence[Floats]) -> float:
    for h in reversed(parts):
        weights = weights @ h
    return float(weights)


def _spread(axes: Sequence[Axis], levels: Levels, values: Floats) -> Floats:
    """A table repeated to the full size of the cube, without copying where numpy can broadcast."""
    form, wide = [], []
    for axis, level in zip(axes, levels, strict=True):
        form += [axis.size // axis.blocks[level], 1]
        wide += [axis.size // axis.blocks[level], axis.blocks[level]]
    repeated: Floats = np.broadcast_to(values.reshape(form), wide).reshape([axis.size for axis in axes])
    return repeated


def _along(values: Floats, matrix: Floats, at: int) -> Floats:
    """Multiply one axis of the array by a matrix."""
    return np.moveaxis(np.tensordot(matrix, values, axes=(1, at)), 0, at)


@lru_cache(maxsize=64)
def _basis(blocks: tuple[int, ...]) -> Floats:
    """An orthonormal matrix whose columns are grouped by level: each level's residual after the coarser ones."""
    n = blocks[0]
    columns = np.empty((n, 0))
    for size in blocks:
        indicators = np.kron(np.eye(n // size), np.ones((size, 1))) / math.sqrt(size)
        residual = indicators - columns @ (columns.T @ indicators)
        left, strength, _ = np.linalg.svd(residual, full_matrices=False)
        columns = np.hstack([columns, left[:, strength > 0.5 / n]])
    return columns


def _inverse(axes: Sequence[Axis], tau: Floats) -> Floats:
    """1/tau per column of the basis, 0 where nothing was measured."""
    with np.errstate(divide="ignore"):
        inverse = np.where(tau > 0, 1 / tau, 0.0)
    levels = [np.repeat(np.arange(len(axis.blocks)), axis.dims) for axis in axes]
    picked: Floats = inverse[np.ix_(*levels)]
    return picked
