"""Duties that clash: the same rows reach the same readers under several duties, and the strictest applies.

Rules held here (`agreements.md` 5): duties clash only where a value is allowed by both agreements, that is where their
shares overlap and name a field in common; a community's terms are compared with every agreement made in it.
"""

from __future__ import annotations

from collections.abc import Iterator

from commonwatch.agreements.document import Agreement, Duties
from commonwatch.agreements.english import phrases as p
from commonwatch.agreements.impact.boxes import Box, overlap
from commonwatch.agreements.impact.findings.kinds import Finding
from commonwatch.agreements.impact.findings.subject import Subject
from commonwatch.agreements.impact.regions import Contribution

#: Duties that are numbers, strictest smallest; None is without end.
_NUMBERS = ("delete_after_days", "breach_notice_hours")
_FOREVER = 10**9


def findings(subject: Subject) -> Iterator[Finding]:
    """Clashes with other agreements and with the community's terms, and rows that outlive the duty to delete."""
    document = subject.document
    assert isinstance(document, Agreement)
    for other in subject.others:
        at = _meeting(subject.contribution, other)
        if at is not None and (clash := strictest(document.duties, other.live.document.duties)):
            message = f"{other.live.document.id} has other duties for the same rows; the strictest applies: {clash}"
            about = tuple(s.ref for s in other.shares if overlap(s.box, at))
            yield subject.found("duties-clash", "$.duties", message, at, about=about)
    terms = subject.world.terms.get(document.community or "")
    if terms is not None and (clash := strictest(document.duties, terms)):
        message = f"community {document.community} expects other duties; the strictest applies: {clash}"
        first = next((box for _, _, box in subject.shares()), None)
        yield subject.found("duties-clash", "$.duties", message, first)
    yield from _outlived(subject, document.duties)


def strictest(a: Duties, b: Duties) -> str:
    """The strictest of each duty in which two sets differ, in words; empty if they are equal."""
    said = []
    for name, table in p.DUTIES.items():
        values = list(table)  # the tables list the strictest value first
        if getattr(a, name) != getattr(b, name):
            said.append(table[min(getattr(a, name), getattr(b, name), key=values.index)])
    for name in _NUMBERS:
        one, two = getattr(a, name), getattr(b, name)
        if one != two:
            least = min(one or _FOREVER, two or _FOREVER)
            what = "delete it after" if name == _NUMBERS[0] else "report a breach within"
            said.append(f"{what} {p.hours(least * 24 if name == _NUMBERS[0] else least)}")
    return "; ".join(said)


def _meeting(mine: Contribution, other: Contribution) -> Box | None:
    """A case in which both show a field."""
    for a in mine.shares:
        for b in other.shares:
            if a.levels.keys() & b.levels.keys() and (both := overlap(a.box, b.box)):
                return both
    return None


def _outlived(subject: Subject, duties: Duties) -> Iterator[Finding]:
    """Shares whose rows stay readable after readers must have deleted what they received first."""
    days = duties.delete_after_days
    for path, share, box in subject.shares():
        if days is not None and (share.rows.until is None or share.rows.until > days * 24):
            until = f"until they are {p.hours(share.rows.until)} old" if share.rows.until else "without end"
            message = f"rows are readable {until}, but readers delete what they receive after {p.hours(days * 24)}"
            last = box._replace(ages=1 << (box.ages.bit_length() - 1))
            yield subject.found("outlives-duties", f"{path}.rows.until", message, last)
