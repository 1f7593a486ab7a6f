"""Boxes and what is done with them: overlap, subtraction, partition. Every axis is a set of cells, a Python integer.

Rules held here (`agreements.md` 12): subtraction emits, axis by axis, the part of A outside B and shrinks A to the
overlap, so pieces never overlap; a partition is canonical: equal regions give equal pieces, whatever boxes made them;
the lowest corner of a box is its witness.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T", bound=Hashable)


class Box(NamedTuple):
    """A set of cases: one bit set for each axis. It is empty when any of them is 0. Ages are half-open cells."""

    readers: int
    purposes: int
    classes: int
    sites: int
    tlps: int
    severities: int
    ages: int


AXES = len(Box._fields)


def overlap(a: Box, b: Box) -> Box | None:
    """The cases in both; None if there are none."""
    readers, purposes, ages = a[0] & b[0], a[1] & b[1], a[6] & b[6]
    if not (readers and purposes and ages):
        return None
    classes, sites, tlps, severities = a[2] & b[2], a[3] & b[3], a[4] & b[4], a[5] & b[5]
    if not (classes and sites and tlps and severities):
        return None
    return Box(readers, purposes, classes, sites, tlps, severities, ages)


def minus(a: Box, b: Box) -> list[Box]:
    """The cases of `a` outside `b`, in pieces that do not overlap."""
    if overlap(a, b) is None:
        return [a]
    pieces, rest = [], list(a)
    for axis in range(AXES):
        if outside := rest[axis] & ~b[axis]:
            pieces.append(Box._make((*rest[:axis], outside, *rest[axis + 1 :])))
            rest[axis] &= b[axis]
    return pieces


def without(boxes: Iterable[Box], taken: Iterable[Box]) -> list[Box]:
    """The cases of `boxes` outside all of `taken`."""
    left = list(boxes)
    for box in taken:
        if not left:
            break
        left = [piece for part in left for piece in minus(part, box)]
    return left


def common(boxes: Iterable[Box], others: Sequence[Box]) -> list[Box]:
    """The cases in some of `boxes` and in some of `others`."""
    return [both for a in boxes for b in others if (both := overlap(a, b))]


def lowest(mask: int) -> int:
    """The number of the lowest bit."""
    return (mask & -mask).bit_length() - 1


def bits(mask: int) -> list[int]:
    """The numbers of the bits, lowest first."""
    return [n for n in range(mask.bit_length()) if mask >> n & 1]


def partition(tagged: Sequence[tuple[Box, T]]) -> list[tuple[Box, frozenset[T]]]:
    """The union of the boxes cut into pieces in which the same tags hold, in as few pieces as this order of axes gives.

    Canonical: it depends on which tags hold where, not on how the boxes were cut.
    """
    known: dict[tuple[int, tuple[int, ...]], tuple[tuple[tuple[int, ...], frozenset[T]], ...]] = {}

    def parts(axis: int, held: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], frozenset[T]], ...]:
        if axis == AXES:
            return (((), frozenset(tagged[i][1] for i in held)),)
        if (found := known.get((axis, held))) is None:
            merged: dict[tuple[tuple[tuple[int, ...], frozenset[T]], ...], int] = {}
            for mask, some in blocks([(tagged[i][0][axis], i) for i in held]):
                rest = parts(axis + 1, some)
                merged[rest] = merged.get(rest, 0) | mask
            ordered = sorted(merged.items(), key=lambda pair: lowest(pair[1]))
            found = tuple(((mask, *tail), tags) for rest, mask in ordered for tail, tags in rest)
            known[axis, held] = found
        return found

    numbers = tuple(i for i, (box, _) in enumerate(tagged) if all(box))
    return [(Box(*masks), tags) for masks, tags in parts(0, numbers)] if numbers else []


def blocks(masks: Iterable[tuple[int, int]]) -> list[tuple[int, tuple[int, ...]]]:
    """The bits of all masks, grouped by which masks have them."""
    blocks: list[tuple[int, tuple[int, ...]]] = []
    for mask, number in masks:
        split, left = [], mask
        for block, held in blocks:
            if inside := block & mask:
                split.append((inside, (*held, number)))
            if outside := block & ~mask:
                split.append((outside, held))
            left &= ~block
        if left:
            split.append((left, (number,)))
        blocks = split
    return blocks


def merged(boxes: Iterable[Box]) -> list[Box]:
    """The same cases in few pieces that do not overlap; equal regions give equal lists."""
    found = list(boxes)
    return found if len(found) == 1 else [box for box, _ in partition([(box, 0) for box in found])]


def covering(region: Sequence[Box]) -> list[Box]:
    """The same cases in boxes as large as they get, for people to read; these may overlap."""
    left, found = list(region), []
    while left:
        box = _grown(left[0], region)
        found.append(box)
        left = without(left, [box])
    return found


def _grown(box: Box, region: Sequence[Box]) -> Box:
    """A box made larger, axis by axis, for as long as it stays inside the region."""
    for axis in reversed(range(AXES)):
        for mask in dict.fromkeys(other[axis] for other in region):
            if more := mask & ~box[axis]:
                added = Box._make((*box[:axis], more, *box[axis + 1 :]))
                if inside(added, region):
                    box = Box._make((*box[:axis], box[axis] | more, *box[axis + 1 :]))
    return box


def inside(box: Box, region: Sequence[Box]) -> bool:
    """Whether every case of the box is in the region. It ends at the first that is not."""
    left = [(box, 0)]
    while left:
        piece, tried = left.pop()
        number = next((n for n in range(tried, len(region)) if overlap(piece, region[n])), None)
        if number is None:
            return False
        left += [(rest, number + 1) for rest in minus(piece, region[number])]
    return True
