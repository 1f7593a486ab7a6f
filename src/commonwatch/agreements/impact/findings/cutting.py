"""What limits and charters cut: shares that never show what they say, counts that are void, limits that cut nothing.

Rules held here: a field is cut wholly when no row of the share is shown as the share says, partly when some row is not;
each kind of limit (own, community's charter, own charter) is judged by itself; fields cut alike are told together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from commonwatch.agreements.counting import lowers
from commonwatch.agreements.document import Agreement, Count, Limit, Share, levels
from commonwatch.agreements.effective import ref_of
from commonwatch.agreements.english import phrases as p
from commonwatch.agreements.impact.boxes import Box, overlap, without
from commonwatch.agreements.impact.findings.kinds import Finding, KindName, Weight
from commonwatch.agreements.impact.findings.subject import Subject
from commonwatch.agreements.impact.regions import Placed, rungs_of
from commonwatch.agreements.lattice import leq
from commonwatch.agreements.reader import ClauseRef
from commonwatch.events.fields import FieldName


class _Cut(NamedTuple):
    """One field of a share that limits of one kind keep lower."""

    field: FieldName
    wholly: bool
    by: tuple[ClauseRef, ...]
    at: Box


def findings(subject: Subject) -> Iterator[Finding]:
    """Shares and counts that are cut, and limits that cut nothing."""
    if isinstance(subject.document, Agreement):
        yield from _shares(subject)
        yield from _counts(subject)
    for path, clause in subject.clauses():
        if isinstance(clause, Limit) and all(box := subject.box(clause)) and not _lowers(subject, clause, box):
            where = "this agreement shows" if isinstance(subject.document, Agreement) else "the agreements show"
            yield subject.found("limit-covers-nothing", path, f"it lowers nothing that {where}", box)


def _shares(subject: Subject) -> Iterator[Finding]:
    own, mine = subject.contribution, subject.document.id
    sources: list[tuple[KindName, KindName, list[Placed]]] = [
        ("contradiction", "cut-by-limit", [c for c in own.limits if c.ref.agreement == mine]),
        ("against-community-charter", "against-community-charter", [c for c in own.limits if c.ref.agreement != mine]),
        ("against-charter", "against-charter", subject.regions.charter),
    ]
    for path, share, box in subject.shares():
        for wholly, partly, caps in sources:
            groups: dict[tuple[bool, tuple[ClauseRef, ...]], list[_Cut]] = {}
            for cut in _cuts(share, box, caps) if caps else ():
                groups.setdefault((cut.wholly, cut.by), []).append(cut)
            for (all_rows, by), cuts in groups.items():
                kind = wholly if all_rows else partly
                weight: Weight | None = None if all_rows else "note"
                message = _say(share, cuts, by, all_rows=all_rows)
                yield subject.found(kind, f"{path}.fields", message, cuts[0].at, about=by, weight=weight)


def _cuts(share: Share, box: Box, caps: Sequence[Placed]) -> Iterator[_Cut]:
    """The fields of a share that these limits keep lower, on either chain."""
    for field, level in levels(share.fields).items():
        binding = [
            (c, both)
            for c in caps
            if field in c.levels and not leq(level, c.levels[field]) and (both := overlap(box, c.box))
        ]
        if binding:
            by = tuple(sorted({c.ref for c, _ in binding}))
            lower = [[c.box for c, _ in binding if not r.reached(c.levels[field])] for r in rungs_of(field, level)]
            wholly = any(not without([box], boxes) for boxes in lower)
            yield _Cut(field, wholly, by, binding[0][1])


def _say(share: Share, cuts: Sequence[_Cut], by: Sequence[ClauseRef], *, all_rows: bool) -> str:
    shown = p.say_levels({cut.field: getattr(share.fields, cut.field) for cut in cuts})
    where = "never" if all_rows else "not always"
    return f"it says {'; '.join(shown)}, but that is {where} shown: {_clauses(by)} allows less"


def _clauses(by: Sequence[ClauseRef]) -> str:
    return p.join((f"[{ref.clause}] of {ref.agreement}" for ref in by), "or")


def _counts(subject: Subject) -> Iterator[Finding]:
    for path, clause, box in subject.counts():
        ref = ref_of(subject.document, clause.id)
        if void := without([box], [c.box for c in subject.permitted if c.rule.clause == ref]):
            all_rows = not any(c.rule.clause == ref for c in subject.permitted)
            message = f"limits leave nothing to count for {'any row' if all_rows else 'some rows'}"
            yield subject.found("nothing-to-count", path, message, void[0], weight=None if all_rows else "note")


def _lowers(subject: Subject, limit: Limit, box: Box) -> bool:
    """Whether the limit lowers anything under the agreements it caps."""
    document, caps = subject.document, levels(limit.fields)
    for c in subject.regions.contributions:
        if isinstance(document, Agreement) and c is not subject.own:
            continue
        for share in c.shares if limit.on != "counts" else ():
            if overlap(share.box, box) and any(f in caps and not leq(v, caps[f]) for f, v in share.levels.items()):
                return True
        for clause in c.live.document.clauses if limit.on != "rows" else ():
            if isinstance(clause, Count) and lowers(clause, limit) and overlap(subject.box(clause), box):
                return True
    return False
