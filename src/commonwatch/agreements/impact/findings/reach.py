"""Who a clause reaches: nobody, nobody yet, or somebody who is not known. Every clause must prove it covers something.

Rules held here: nothing is called unknown unless the world is known; purposes are judged by the roles of those who are
addressed, an organisation without known roles may act for any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from commonwatch.agreements.document import Agreement, Clause, CommunityCharter, Count, Limit, Share, To
from commonwatch.agreements.english import phrases as p
from commonwatch.agreements.impact.boxes import Box
from commonwatch.agreements.impact.findings.kinds import Finding
from commonwatch.agreements.impact.findings.subject import Subject
from commonwatch.agreements.impact.space import purpose_bits
from commonwatch.agreements.impact.words import say_purposes


def findings(subject: Subject) -> Iterator[Finding]:
    """Clauses that reach nobody, and names that are not known."""
    for path, clause in subject.clauses():
        yield from _audience(subject, path, clause)
        if isinstance(clause, Limit):
            yield from _names(subject, f"{path}.outside", clause.outside)
        else:
            yield from _names(subject, f"{path}.to", clause.to)
        yield from _sites(subject, path, clause)
    document = subject.document
    if isinstance(document, Agreement | CommunityCharter) and document.community:
        yield from _unknown(subject, "unknown-community", "$.community", [document.community])


def _audience(subject: Subject, path: str, clause: Clause) -> Iterator[Finding]:
    """Whether anyone is addressed, for purposes they may act for."""
    box = subject.box(clause)
    if not box.ages:
        yield subject.found("never-applies", f"{path}.rows.until", "no age is both `after` and before `until`")
    elif isinstance(clause, Limit):
        if not box.readers:
            yield subject.found("never-applies", f"{path}.outside", "everyone is outside this limit")
    elif not box.readers:
        to = "nobody" if clause.to.empty else "nobody but the owner, who sees its own events anyway"
        yield subject.found("never-applies", f"{path}.to", f"it addresses {to}")
    else:
        yield from _purposes(subject, path, clause, box)


def _purposes(subject: Subject, path: str, clause: Share | Count, box: Box) -> Iterator[Finding]:
    acting = subject.space.acting
    idle = tuple(purpose for purpose in clause.purposes if not acting[purpose] & box.readers)
    if idle and len(idle) == len(clause.purposes):
        message = f"no reader it addresses may act for {say_purposes(idle)}"
        yield subject.found("never-applies", f"{path}.purposes", message, box)
    elif idle:
        message = f"no reader it addresses may act for {say_purposes(idle)}"
        at = box._replace(purposes=purpose_bits(idle))
        yield subject.found("idle-purpose", f"{path}.purposes", message, at)
    if subject.world.known and not box.readers & ~subject.space.futures:
        yield subject.found("nobody-yet", f"{path}.to", "nobody it addresses has joined yet", box)


def _names(subject: Subject, path: str, to: To) -> Iterator[Finding]:
    yield from _unknown(subject, "unknown-organisation", f"{path}.organisations", to.organisations)
    yield from _unknown(subject, "unknown-community", f"{path}.communities", to.communities)


def _unknown(subject: Subject, kind: str, path: str, names: Iterable[str]) -> Iterator[Finding]:
    world = subject.world
    for name in names if world.known else ():
        if kind == "unknown-organisation" and world.member(name) is None:
            yield subject.found("unknown-organisation", path, f"no organisation {name} is known here")
        if kind == "unknown-community" and name not in world.communities:
            yield subject.found("unknown-community", path, f"no community {name} is known here")


def _sites(subject: Subject, path: str, clause: Clause) -> Iterator[Finding]:
    known = subject.world.sites.get(subject.owner)
    missing = [site for site in clause.rows.sites if known is not None and site not in known]
    if missing:
        box = subject.box(clause)
        message = f"no event of the owner is labelled with site {p.join(missing, 'or')}"
        yield subject.found("unknown-site", f"{path}.rows.sites", message, box if all(box) else None)
