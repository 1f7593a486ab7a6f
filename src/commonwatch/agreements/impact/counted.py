"""Counts in the algebra: where which cube is permitted, and which cubes one set of documents permits and another not.

Rules held here (`agreements.md` 8): cubes are never merged, so a cube is new where no single cube permitted before was
at least as fine in everything; limits that do not lower a clause do not cut its boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from commonwatch.agreements.counting import CountRule, capped, lowers
from commonwatch.agreements.document import Count, Noise
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments, limits_on
from commonwatch.agreements.impact.boxes import Box, overlap, partition, without
from commonwatch.agreements.impact.space import Space
from commonwatch.events.fields import FAMILIES, FIELDS


class Cube(NamedTuple):
    """Cases with the rule that holds in them."""

    box: Box
    rule: CountRule


def cubes(docs: OwnerDocuments, space: Space) -> list[Cube]:
    """Every permitted cube with the cases it is permitted in; those of one clause do not overlap."""
    return [cube for live in docs.own if live.state == "active" for cube in _of(docs, live, space)]


def _of(docs: OwnerDocuments, live: LiveAgreement, space: Space) -> Iterator[Cube]:
    among = space.bound(live) & ~space.org(docs.owner)
    charter = [(docs.charter, c) for c in docs.charter.clauses] if docs.charter else []
    limits = [(document, c) for document, c in (*limits_on(docs, live), *charter) if c.on != "rows"]
    for clause in live.document.clauses:
        if not isinstance(clause, Count) or not all(box := space.share(clause, among)):
            continue
        lowering = [(document, c) for document, c in limits if lowers(clause, c)]
        tagged = [(box, -1)]
        tagged += [(cut, n) for n, (_, c) in enumerate(lowering) if (cut := overlap(box, space.limit(c)))]
        for piece, held in partition(tagged):
            rule = capped(clause, live, [lowering[n] for n in sorted(held) if n >= 0])
            if rule:
                yield Cube(piece, rule)


def newly_counted(old: list[Cube], new: list[Cube]) -> list[Cube]:
    """The cases of each new cube in which no old cube is at least as fine."""
    return [
        Cube(box, cube.rule)
        for cube in new
        for box in without([cube.box], (o.box for o in old if no_finer(cube.rule, o.rule)))
    ]


def no_finer(a: CountRule, b: CountRule) -> bool:
    """Whether whatever `a` permits to count, `b` permits too."""
    for field, step in a.by.items():
        chain = FAMILIES[FIELDS[field].family].precisions
        if field not in b.by or chain.index(step) > chain.index(b.by[field]):
            return False
    return set(a.measures) <= set(b.measures) and a.contributors >= b.contributors and _no_louder(a.noise, b.noise)


def _no_louder(a: Noise | None, b: Noise | None) -> bool:
    """Whether `a` may spend no more than `b`; none is no noise, that is without bound."""
    if a is None or b is None:
        return b is None
    return a.epsilon <= b.epsilon and (b.total is None or (a.total is not None and a.total <= b.total))


def plain_rule(rule: CountRule) -> CountRule:
    """The rule without what cut it: equal for equal cubes of one clause."""
    return msgspec.structs.replace(rule, cut=())
