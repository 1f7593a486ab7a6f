"""Levels by rows: for some fields, which point is shown where, in as few pieces as there are.

Rules held here: pieces do not overlap and are canonical (`boxes.partition`); a piece in which nothing is shown is left
out; equal lists of boxes are treated once, however many rungs and fields have them in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from commonwatch.agreements.impact.boxes import Box, common, partition
from commonwatch.agreements.impact.regions import Regions, Rung, rungs
from commonwatch.agreements.lattice import Point, precision_point
from commonwatch.events.fields import FieldName, family_of

#: Number of the documents (one set, or old and new), field, rung.
Tag = tuple[int, FieldName, Rung]
Levels = dict[FieldName, Point]


def level_maps(
    regions: Sequence[Regions], fields: Iterable[FieldName], within: Sequence[Box]
) -> Iterator[tuple[Box, tuple[Levels, ...]]]:
    """Pieces of `within` with what each of the regions shows there; fields that are withheld are not in the levels."""
    tags = _tags(regions, list(fields), within)
    tagged = [(box, n) for n, boxes in enumerate(tags) for box in boxes]
    names = list(tags.values())
    for box, held in partition(tagged):
        yield box, _levels([tag for n in held for tag in names[n]], len(regions))


def levels_of(regions: Regions, fields: Iterable[FieldName], within: Sequence[Box]) -> list[tuple[Box, Levels]]:
    """Pieces of `within` in which something is shown, with what."""
    return [(box, found[0]) for box, found in level_maps([regions], fields, within)]


def _tags(
    regions: Sequence[Regions], fields: Sequence[FieldName], within: Sequence[Box]
) -> dict[tuple[Box, ...], list[Tag]]:
    """Lists of boxes with the tags that hold in them."""
    found: dict[tuple[Box, ...], list[Tag]] = {}
    cut: dict[tuple[Box, ...], tuple[Box, ...]] = {}
    for number, one in enumerate(regions):
        for field in fields:
            for rung in rungs(field):
                if not (boxes := tuple(one.region(field, rung))):
                    continue
                if boxes not in cut:
                    cut[boxes] = tuple(common(boxes, within))
                found.setdefault(cut[boxes], []).append((number, field, rung))
    return found


def _levels(tags: Iterable[Tag], count: int) -> tuple[Levels, ...]:
    """The point of each field on which these rungs hold."""
    heights: list[dict[FieldName, list[int]]] = [{} for _ in range(count)]
    for number, field, (chain, height) in tags:
        reached = heights[number].setdefault(field, [0, 0])
        reached[chain] = max(reached[chain], height)
    return tuple({field: _point(field, *reached) for field, reached in one.items()} for one in heights)


def _point(field: FieldName, precision: int, linkage: int) -> Point:
    family = family_of(field)
    top = precision_point(family.name, precision)
    return top if top.linkage else Point(precision, linkage)
