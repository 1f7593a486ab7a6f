"""A release that grows: slices are drawn as days, weeks and the window close; one rate pays for the whole window.

Rules held here (`privacy.md` 5): an organisation's onsets lie in disjoint slices, so all slices of a table are one
vector with the table's own bound, and daily release costs nothing extra; a closed slice is never measured again; when
a week closes its seven days are solved anew from all that is known of them (a new version; old ones can be made again
from the slices they had); until then weeks and open days are independent pieces and their variances add. Owner sets
are those live when a slice closes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from commonwatch.errors import Conflict, InvalidInput
from commonwatch.privacy.release.axes import Levels, shape
from commonwatch.privacy.release.cube import Answer, Box, Cube, Ints, Noisy, solve
from commonwatch.privacy.release.noise import Draw
from commonwatch.privacy.release.plan import Plan, Share
from commonwatch.privacy.release.tables import table


class Slice(msgspec.Struct, frozen=True):
    """One table of one stretch of time, noisy: this is what is signed and kept. `values` in C order."""

    levels: Levels
    index: int
    scale: float
    owners: str
    values: tuple[int, ...]


class Series(msgspec.Struct, frozen=True):
    """All slices drawn so far. `closed`: how many units of time (days) have closed; also the version."""

    plan: Plan
    closed: int = 0
    slices: tuple[Slice, ...] = ()

    def as_of(self, version: int) -> Series:
        """The series as an older version had it."""
        kept = (s for s in self.slices if _end(self.plan, s) <= version)
        return Series(self.plan, min(version, self.closed), tuple(kept))


class Piece(NamedTuple):
    """An independent stretch of time and its cube (time restricted to it)."""

    start: int
    size: int
    cube: Cube


def close(series: Series, at: int, codes: Ints, owners: str, draw: Draw) -> Series:
    """Unit `at` closes: draw every slice that ends with it. `codes`: bounded onsets of the live owners, window so far.

    Raises Conflict when it closed already (nothing is drawn twice), InvalidInput when one before it is still open.
    """
    plan = series.plan
    if at < series.closed:
        raise Conflict("this slice closed already and is never measured again", where=f"slice {at}", todo="read it")
    if at != series.closed or at >= plan.axes[0].size:
        raise InvalidInput("slices close one after another", where=f"slice {at}", todo=f"close {series.closed} first")
    return Series(plan, at + 1, (*series.slices, *drawn(plan, at, codes, owners, draw)))


def ending(plan: Plan, at: int) -> list[Share]:
    """The tables that have a slice which ends with unit `at`."""
    return [share for share in plan.tables if (at + 1) % plan.axes[0].blocks[share.levels[0]] == 0]


def drawn(plan: Plan, at: int, codes: Ints, owners: str, draw: Draw) -> list[Slice]:
    """Every slice that ends with unit `at`, drawn now: to be kept, and never to be asked for again."""
    found = []
    for share in ending(plan, at):
        index, scale = at // plan.axes[0].blocks[share.levels[0]], plan.scale(share)
        values = draw(_counts(plan, share.levels, index, codes), scale)
        found.append(Slice(share.levels, index, scale, owners, tuple(values.reshape(-1).tolist())))
    return found


def pieces(series: Series) -> list[Piece]:
    """The closed time in the largest blocks that were measured whole, each solved from all slices within it."""
    found, start, blocks = [], 0, series.plan.axes[0].blocks
    while start < series.closed:
        sizes = [b for b in blocks if start % b == 0 and start + b <= series.closed]
        size = next((b for b in sizes if _measured(series, start, b)), sizes[-1])
        piece = _piece(series, start, size)
        found += [piece] if piece else []
        start += size
    return found


def revised(before: Series, after: Series) -> list[tuple[int, int]]:
    """Stretches [from, to) whose estimates differ between two versions of a series."""
    known = {(p.start, p.size) for p in pieces(before)}
    return [(p.start, p.start + p.size) for p in pieces(after) if (p.start, p.size) not in known]


def ask(found: Sequence[Piece], box: Box) -> Answer:
    """The estimate of a box over several pieces. Time that has not closed, or is in no table yet, must not be asked."""
    size = max((p.start + p.size for p in found), default=0)
    time = np.ones(size) if box[0] is None else np.asarray(box[0], float)
    asked = set(np.flatnonzero(time).tolist())
    if asked - {t for p in found for t in range(p.start, p.start + p.size)}:
        raise InvalidInput("part of this time is not released yet", where="time", todo="ask for closed slices")
    parts = [(p, time[p.start : p.start + p.size]) for p in found]
    answers = [(p.cube.ask([t, *box[1:]]), float(t.sum())) for p, t in parts if t.any()]
    weight = sum(w for _, w in answers) or 1.0
    value, spread = sum(a.value for a, _ in answers), sum(a.sd**2 for a, _ in answers)
    return Answer(value, math.sqrt(spread), sum(a.unmeasured * w for a, w in answers) / weight)


def _counts(plan: Plan, levels: Levels, index: int, codes: Ints) -> Ints:
    """The exact table of one slice."""
    size = plan.axes[0].blocks[levels[0]]
    inside = codes[codes[:, 0] // size == index].copy()
    inside[:, 0] -= index * size
    axes = (plan.axes[0].part(index * size, size), *plan.axes[1:])
    return table(axes, (0, *levels[1:]), inside)


def _measured(series: Series, start: int, size: int) -> bool:
    """Whether a block has a slice of its own, or every slice that lies within it."""
    blocks = {share.levels: series.plan.axes[0].blocks[share.levels[0]] for share in series.plan.tables}
    there = {(s.levels, s.index) for s in series.slices}
    if any(b == size and (levels, start // size) in there for levels, b in blocks.items()):
        return True
    within = [(levels, i) for levels, b in blocks.items() if b <= size for i in range(start // b, (start + size) // b)]
    return bool(within) and there.issuperset(within)


def _piece(series: Series, start: int, size: int) -> Piece | None:
    """One block of time solved, from tables that have all its slices; None where no table has measured it (yet)."""
    plan = series.plan
    axes, noisy = (plan.axes[0].part(start, size), *plan.axes[1:]), []
    coarser = len(plan.axes[0].blocks) - len(axes[0].blocks)
    for share in plan.tables:
        block = plan.axes[0].blocks[share.levels[0]]
        wanted = range(start // block, (start + size) // block)
        mine = {s.index: s for s in series.slices if s.levels == share.levels and s.index in wanted}
        if block <= size and set(wanted) <= mine.keys() and len({m.scale for m in mine.values()}) == 1:
            levels = (share.levels[0] - coarser, *share.levels[1:])
            values = np.array([mine[i].values for i in wanted], np.int64).reshape(shape(axes, levels))
            noisy.append(Noisy(levels, mine[wanted[0]].scale, values))
    return Piece(start, size, solve(axes, noisy)) if noisy else None


def _end(plan: Plan, one: Slice) -> int:
    return (one.index + 1) * plan.axes[0].blocks[one.levels[0]]
