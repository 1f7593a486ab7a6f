"""What is said twice or elsewhere: shares contained in others, limits that another agreement undercuts.

Rules held here: a share is contained when without it nothing less is shown, at any rung of any of its fields; of shares
that contain each other all but the first are found; a share with a look-up of its own is never contained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from commonwatch.agreements.decode import plain
from commonwatch.agreements.document import Limit, Share, levels
from commonwatch.agreements.effective import effective
from commonwatch.agreements.impact.boxes import Box, common, overlap, without
from commonwatch.agreements.impact.findings.kinds import Finding, Fix, Patch
from commonwatch.agreements.impact.findings.subject import Subject
from commonwatch.agreements.impact.regions import Contribution, Rung, rungs, rungs_above
from commonwatch.agreements.impact.words import say_point, who_of, witness_of
from commonwatch.agreements.lattice import point_name
from commonwatch.agreements.reader import ClauseRef
from commonwatch.events.fields import FIELDS, FieldName


def findings(subject: Subject) -> Iterator[Finding]:
    """Shares without effect, and limits without force."""
    gone: set[str] = set()
    for path, share, box in reversed(list(subject.shares())):
        if share.lookup:
            continue
        inside = [s.ref for s in subject.contribution.shares if s.ref.clause not in {*gone, share.id}]
        if _adds_nothing(subject, share, box, inside, ()):
            gone.add(share.id)
            about = tuple(r for r in inside if overlap(subject.boxes[r.clause], box))
            message = f"{_named(about)} already shows all of it"
            yield subject.found("contained", path, message, box, about=about)
        elif subject.others and _adds_nothing(subject, share, box, inside, subject.others):
            about = tuple(s.ref for c in subject.others for s in c.shares if overlap(s.box, box))
            message = f"{_agreements(about)} shows all of it as well"
            yield subject.found("shown-elsewhere", path, message, box, about=about)
    yield from _undercut(subject)


def _adds_nothing(
    subject: Subject, share: Share, box: Box, inside: Sequence[ClauseRef], others: Sequence[Contribution]
) -> bool:
    """Whether the share shows something, and others show all of it."""
    shows = False
    for field, level in levels(share.fields).items():
        for rung in rungs(field):
            if not rung.reached(level):
                continue
            held = _left(subject, box, field, rung)
            shows = shows or bool(held)
            if held and without(held, _shown(subject, field, rung, inside, others)):
                return False
    return shows


def _left(subject: Subject, box: Box, field: FieldName, rung: Rung) -> list[Box]:
    """What limits and the charter leave of a share at a rung."""
    caps = [c.box for c in subject.contribution.limits if field in c.levels and not rung.reached(c.levels[field])]
    return without([box], [*caps, *subject.regions.ceiling(field, rung)])


def _shown(
    subject: Subject, field: FieldName, rung: Rung, inside: Sequence[ClauseRef], others: Sequence[Contribution]
) -> list[Box]:
    """What other shares of the agreement (their limits are the same) and other agreements show at a rung."""
    mine = [
        s.box
        for s in subject.contribution.shares
        if s.ref in inside and field in s.levels and rung.reached(s.levels[field])
    ]
    return mine + [box for c in others for box in c.region(field, rung)]


def _undercut(subject: Subject) -> Iterator[Finding]:
    for number, (path, clause) in enumerate(subject.clauses()):
        if not isinstance(clause, Limit) or clause.on == "counts" or not all(box := subject.box(clause)):
            continue
        for other in subject.others:
            if found := _above(subject, clause, box, other):
                yield _undercutting(subject, number, path, clause, other, found)


def _above(subject: Subject, limit: Limit, box: Box, other: Contribution) -> dict[FieldName, Box]:
    """The fields that another agreement shows above the limit where it covers, each with a case."""
    found: dict[FieldName, Box] = {}
    for field, cap in levels(limit.fields).items():
        for rung in rungs_above(field, cap):
            region = without(common(other.region(field, rung), [box]), subject.regions.ceiling(field, rung))
            if region and field not in found:
                found[field] = region[0]
    return found


def _undercutting(  # noqa: PLR0917
    subject: Subject, number: int, path: str, limit: Limit, other: Contribution, found: dict[FieldName, Box]
) -> Finding:
    field, box = next(iter(found.items()))
    case = subject.space.case(box)
    level = effective(subject.docs, case.label, case.age, field, case.reader).level
    shown = say_point(field, point_name(FIELDS[field].family, level))
    who = who_of(subject.space, box.readers, subject.owner).text
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    about = tuple(s.ref for s in other.shares if any(f in s.levels and overlap(s.box, b) for f, b in found.items()))
    name = other.live.document.id
    message = f"{name} already shows {shown}{more} to {who}; put this limit into your charter"
    patches = (
        Patch("charter", "add", "/clauses/-", plain(limit)),
        Patch(subject.document.id, "remove", f"/clauses/{number}"),
    )
    fix = Fix(f"move the limit [{limit.id}] into the charter", patches)
    return subject.found("undercut", path, message, witness_of(case), about=about, fix=fix)


def _named(refs: Sequence[ClauseRef]) -> str:
    return " or ".join(f"[{ref.clause}]" for ref in refs) if len(refs) < 2 else "the other shares together"


def _agreements(refs: Sequence[ClauseRef]) -> str:
    return " with ".join(sorted({ref.agreement for ref in refs}))
