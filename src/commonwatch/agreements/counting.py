"""What count clauses permit: each its own cube, after limits and charters (`agreements.md` 8). Pure rules, no counting.

Rules held here: two count clauses are never merged; a limit cuts each dimension's precision, and a dimension cut to
withheld makes the clause void for those rows; contributors is the largest demanded, noise the smallest budget; with
noise only onsets and contributors may be released.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from commonwatch.agreements.document import Count, Limit, Measure, Noise, levels, named
from commonwatch.agreements.effective import (
    AnyDocument,
    LiveAgreement,
    OwnerDocuments,
    accepted,
    covers,
    limit_covers,
    limits_on,
    ref_of,
)
from commonwatch.agreements.reader import ClauseRef, Reader
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName
from commonwatch.events.labels import Label

NOISY_MEASURES: tuple[Measure, ...] = ("onsets", "contributors")


class CountRule(msgspec.Struct, frozen=True):
    """One permitted cube: dimensions with their finest step, measures, smallest group, noise, and what cut it."""

    clause: ClauseRef
    by: dict[FieldName, str]
    measures: tuple[Measure, ...]
    contributors: int
    noise: Noise | None
    cut: tuple[ClauseRef, ...] = ()


def counts(docs: OwnerDocuments, label: Label, age_hours: float, reader: Reader) -> list[CountRule]:
    """The cubes this owner permits `reader` over rows with this label and age. An owner reads its own rows instead."""
    found: list[CountRule] = []
    for live in docs.own if reader.org != docs.owner else ():
        if live.state != "active" or not accepted(live, reader):
            continue
        for clause in live.document.clauses:
            if isinstance(clause, Count) and covers(clause, label, age_hours, reader):
                rule = capped(clause, live, _binding(docs, live, label, age_hours, reader))
                found += [rule] if rule else []
    return sorted(found, key=lambda rule: rule.clause)


Binding = list[tuple[AnyDocument, Limit]]


def _binding(docs: OwnerDocuments, live: LiveAgreement, label: Label, age: float, reader: Reader) -> Binding:
    """Every limit on counts that covers these rows: the agreement's, its community's, the owner's charter."""
    charter: Iterable[tuple[AnyDocument, Limit]] = (
        ((docs.charter, c) for c in docs.charter.clauses) if docs.charter else ()
    )
    return [
        (document, c)
        for document, c in (*limits_on(docs, live), *charter)
        if c.on != "rows" and limit_covers(c, label, age, reader)
    ]


def capped(clause: Count, live: LiveAgreement, limits: Binding) -> CountRule | None:
    """The clause after its limits; None where nothing may be counted any more."""
    by: dict[FieldName, str] = {}
    for field, step in named(clause.by).items():
        lowest = _lowest(field, step, [limit for _, limit in limits])
        if lowest == "withheld":
            return None
        by[field] = lowest
    noise = clause.noise
    for _, limit in limits:
        noise = least_noise(noise, limit.noise)
    measures = tuple(m for m in clause.measures if noise is None or m in NOISY_MEASURES)
    if not measures:
        return None
    contributors = max([clause.contributors, *(limit.contributors or 0 for _, limit in limits)])
    cut = tuple(sorted(ref_of(document, limit.id) for document, limit in limits if lowers(clause, limit)))
    return CountRule(ref_of(live.document, clause.id), by, measures, contributors, noise, cut)


def lowers(clause: Count, limit: Limit) -> bool:
    """Whether the limit, alone, demands more than the clause does."""
    steps = named(clause.by)
    return (
        any(_lowest(field, step, [limit]) != step for field, step in steps.items())
        or (limit.contributors or 0) > clause.contributors
        or least_noise(clause.noise, limit.noise) != clause.noise
    )


def _lowest(field: FieldName, step: str, limits: Iterable[Limit]) -> str:
    """The precision that is left of a dimension. Linkage does not matter: dimensions have no tokens."""
    chain = FAMILIES[FIELDS[field].family].precisions
    caps = [levels(limit.fields)[field].precision for limit in limits if field in levels(limit.fields)]
    return chain[min([chain.index(step), *caps])]


def least_noise(a: Noise | None, b: Noise | None) -> Noise | None:
    """The smaller budget, window and life apart. None is no noise, that is an unbounded budget."""
    if a is None or b is None:
        return a or b
    totals = [t for t in (a.total, b.total) if t is not None]
    return Noise(epsilon=min(a.epsilon, b.epsilon), total=min(totals, default=None))
