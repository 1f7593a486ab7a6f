"""Exact counts without noise where enough organisations stand behind a cell: a fixed cube, never a live query.

Rules held here (`privacy.md` 8, `agreements.md` 8): a cell is shown exactly or not at all; coarser views are sums of
shown cells; what is suppressed is one total, shown only when at least t organisations stand behind it; the threshold
counts contributors whose rows the reader does not see otherwise, and never the reader itself; an organisation is in one
cube for a slice of time and reader, with one set of dimensions, and a closed slice never reappears with other owners,
or two releases could be subtracted. Say "at least t organisations", never "anonymous".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from commonwatch.errors import Conflict, InvalidInput

Cell = tuple[str, ...]


class Row(NamedTuple):
    """What one organisation adds to one cell."""

    owner: str
    cell: Cell
    amount: int


class Thresholded(msgspec.Struct, frozen=True):
    """A finished cube. `suppressed`: what the cells left out add up to; None where too few stand behind it."""

    t: int
    dims: tuple[str, ...]
    cells: dict[Cell, int]
    suppressed: int | None

    def total(self, chosen: Mapping[str, Collection[str]]) -> int:
        """The sum of the shown cells of a box: "at least" this many."""
        if unknown := chosen.keys() - set(self.dims):
            raise InvalidInput("the release has no such dimension", where=min(unknown)[:60], todo="see its dimensions")
        tests = [(self.dims.index(key), values) for key, values in chosen.items()]
        return sum(n for cell, n in self.cells.items() if all(cell[at] in values for at, values in tests))


def threshold(dims: tuple[str, ...], rows: Iterable[Row], t: int, *, known: Collection[str] = ()) -> Thresholded:
    """The cube of rows. `known`: the reader itself and owners whose rows it sees otherwise; they do not count.

    Raises InvalidInput where t is below 2 or a cell does not fit.
    """
    if t < 2:
        raise InvalidInput("a threshold of one hides nobody", where="contributors", todo="at least 2; 5 is usual")
    counts: dict[Cell, int] = {}
    owners: dict[Cell, set[str]] = {}
    for row in rows:
        if len(row.cell) != len(dims) or row.amount < 0:
            raise InvalidInput("a row does not fit the cube", where="rows", todo="one value for each dimension")
        if row.amount:
            counts[row.cell] = counts.get(row.cell, 0) + row.amount
            owners.setdefault(row.cell, set()).add(row.owner)
    hidden = set(known)
    shown = {cell for cell, who in owners.items() if len(who - hidden) >= t}
    behind = set().union(*(who for cell, who in owners.items() if cell not in shown)) - hidden
    rest = sum(n for cell, n in counts.items() if cell not in shown)
    return Thresholded(t, dims, {c: counts[c] for c in sorted(shown)}, rest if len(behind) >= t else None)


class Published(msgspec.Struct, frozen=True):
    """What was released so far: for each (reader, slice), the owners taken in and the dimensions."""

    made: dict[tuple[str, str], tuple[frozenset[str], tuple[str, ...], int]] = {}

    def admit(self, reader: str, slice_: str, owners: Collection[str], dims: tuple[str, ...], t: int) -> Published:
        """The record with this release in it; the same again changes nothing.

        Raises Conflict where the slice was released to this reader with other owners, dimensions or threshold.
        """
        key, wanted = (reader, slice_), (frozenset(owners), dims, t)
        if self.made.get(key, wanted) != wanted:
            todo = "read the release there is; a change holds from the next slice on"
            raise Conflict("this slice was released otherwise, and the difference would tell", where=slice_, todo=todo)
        return Published(self.made | {key: wanted})
