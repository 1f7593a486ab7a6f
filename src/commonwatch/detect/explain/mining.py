"""Apriori over packed bitsets: which combinations of values are frequent among incidents (Agrawal and Srikant 1994).

Rules held here: one row is one incident; a code below 0 is no value; rows lie in order of their cells, so that distinct
cells are counted by stepping over a bitset once; every part of a frequent combination is frequent, hence known.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer]
Bits = npt.NDArray[np.uint64]
#: (number of the attribute, code of the value)
Item = tuple[int, int]
Pattern = tuple[Item, ...]
#: Frequent: in so large a part of the side's incidents, and in no fewer than so many.
SUPPORT, FEWEST = 0.01, 3
#: Items and combinations of one order that are looked at, the most frequent first.
MOST_ITEMS, MOST_PATTERNS = 160, 2_000


class Incidents(NamedTuple):
    """Incidents of one side: a code per attribute and row, whose they are, and in which piece of time they lie."""

    codes: Sequence[Ints]
    orgs: Ints
    pieces: Ints


class Side:
    """Incidents of one side with their bitsets.

    `cells` counts distinct (organisation, piece); `kinds` distinct combinations of values within each of these.
    """

    def __init__(self, given: Incidents) -> None:
        marks = _marks(given.codes, len(given.orgs))
        order = _order(np.asarray(given.orgs), np.asarray(given.pieces), marks)
        self.n = len(order)
        self._codes = [np.asarray(codes)[order] for codes in given.codes]
        orgs, pieces = np.asarray(given.orgs)[order], np.asarray(given.pieces)[order]
        self._org = _numbered(orgs)
        self._cell = _numbered(orgs, pieces)
        self._new = _packed(np.diff(_numbered(orgs, pieces, marks[order]), prepend=-1) != 0)
        self._bits: dict[Item, Bits] = {}

    def bits(self, pattern: Pattern) -> Bits:
        """The bitset of the rows that show all of the pattern's values."""
        made = self._one(pattern[0])
        for item in pattern[1:]:
            made = made & self._one(item)
        return made

    def cells(self, bits: Bits | None, *, by_org: bool) -> int:
        """How many distinct cells the rows of a bitset lie in; of all rows without one."""
        ids = self._org if by_org else self._cell
        if bits is not None:
            ids = ids[np.flatnonzero(np.unpackbits(bits.view(np.uint8), count=self.n))]
        return int(np.count_nonzero(ids[1:] != ids[:-1])) + 1 if len(ids) else 0

    def kinds(self, bits: Bits | None) -> int:
        """How many different incidents the rows of a bitset hold per cell, added up; of all rows without one."""
        return count(self._new if bits is None else bits & self._new)

    def frequent(self) -> dict[Pattern, int]:
        """Combinations of up to three values that are frequent on this side, with their counts."""
        least = max(FEWEST, int(np.ceil(SUPPORT * self.n)))
        items = self._items(least)
        found: dict[Pattern, int] = {(item,): n for item, n in items}
        if len(items) < 2:
            return found
        stack = np.stack([self._one(item) for item, _ in items])
        names = [item for item, _ in items]
        pairs = _most(_pairs(names, stack, least))
        triples = _most(_triples(names, stack, least, pairs))
        return found | pairs | triples

    def _items(self, least: int) -> list[tuple[Item, int]]:
        found = []
        for at, codes in enumerate(self._codes):
            counts = np.bincount(codes[codes >= 0]) if len(codes) else np.zeros(0, np.int64)
            found += [((at, int(code)), int(counts[code])) for code in np.flatnonzero(counts >= least)]
        return sorted(sorted(found, key=lambda f: (-f[1], f[0]))[:MOST_ITEMS])

    def _one(self, item: Item) -> Bits:
        made = self._bits.get(item)
        if made is None:
            made = self._bits[item] = _packed(self._codes[item[0]] == item[1])
        return made


def count(bits: Bits) -> int:
    """How many bits are set."""
    return int(np.bitwise_count(bits).sum(dtype=np.int64))


def _packed(flags: npt.NDArray[np.bool_]) -> Bits:
    packed = np.packbits(flags)
    return np.pad(packed, (0, -len(packed) % 8)).view(np.uint64)


def _marks(codes: Sequence[Ints], n: int) -> npt.NDArray[np.uint64]:
    """A number per row, the same for the same values (multiplicative hashing with odd constants)."""
    made = np.zeros(n, np.uint64)
    for column in codes:
        made = (made ^ column.astype(np.int64).view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        made ^= made >> np.uint64(29)
    return made


def _order(orgs: Ints, pieces: Ints, marks: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
    """Rows by organisation, piece and mark: one sort over one key where the cells fit into 24 bits."""
    if not len(orgs):
        return np.zeros(0, np.intp)
    span = int(pieces.max()) - int(pieces.min()) + 1
    if (int(orgs.max()) + 1) * span >= 1 << 24 or int(orgs.min()) < 0:
        return np.lexsort((marks, pieces, orgs))
    cells = (orgs.astype(np.int64) * span + (pieces - pieces.min())).astype(np.uint64)
    return np.argsort(cells << np.uint64(40) | marks >> np.uint64(24))


def _numbered(*keys: Ints) -> npt.NDArray[np.int32]:
    """Running numbers of equal neighbours."""
    new = np.zeros(len(keys[0]), bool)
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.cumsum(new, dtype=np.int32)


def _pairs(names: Sequence[Item], stack: Bits, least: int) -> dict[Pattern, int]:
    found: dict[Pattern, int] = {}
    for at, item in enumerate(names):
        later = [j for j in range(at + 1, len(names)) if names[j][0] != item[0]]
        found |= _joined((item,), stack[at], (names, stack), later, least)
    return found


def _triples(names: Sequence[Item], stack: Bits, least: int, pairs: dict[Pattern, int]) -> dict[Pattern, int]:
    place = {item: at for at, item in enumerate(names)}
    after: dict[Item, list[int]] = {}
    for first, second in pairs:
        after.setdefault(first, []).append(place[second])
    found: dict[Pattern, int] = {}
    for first, second in pairs:
        shared = set(after[first]).intersection(after.get(second, ()))
        if shared:
            both = stack[place[first]] & stack[place[second]]
            found |= _joined((first, second), both, (names, stack), sorted(shared), least)
    return found


def _joined(
    start: Pattern, bits: Bits, items: tuple[Sequence[Item], Bits], later: Sequence[int], least: int
) -> dict[Pattern, int]:
    if not later:
        return {}
    names, stack = items
    counts = np.bitwise_count(stack[later] & bits).sum(axis=1, dtype=np.int64)
    return {(*start, names[j]): int(n) for j, n in zip(later, counts, strict=True) if n >= least}


def _most(found: dict[Pattern, int]) -> dict[Pattern, int]:
    """The most frequent; of equals the first by name."""
    if len(found) <= MOST_PATTERNS:
        return found
    return dict(sorted(found.items(), key=lambda f: (-f[1], f[0]))[:MOST_PATTERNS])


def parts(pattern: Pattern) -> list[Pattern]:
    """All proper parts of a combination of two or three values."""
    singles: list[Pattern] = [(item,) for item in pattern]
    if len(pattern) < 3:
        return singles
    return [*singles, *pairwise(pattern), (pattern[0], pattern[2])]
