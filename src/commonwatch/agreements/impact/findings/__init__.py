"""Findings: what is wrong or useless in a document, among the other documents of its owner. `lint` gives them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from commonwatch.agreements.document import Agreement, Document
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.impact.counted import cubes
from commonwatch.agreements.impact.findings import crowds, cutting, duties, reach, repeated
from commonwatch.agreements.impact.findings.kinds import KINDS, Finding, Fix, Patch
from commonwatch.agreements.impact.findings.subject import Subject
from commonwatch.agreements.impact.placing import with_document
from commonwatch.agreements.impact.regions import Regions
from commonwatch.agreements.impact.space import Space
from commonwatch.agreements.impact.world import World

__all__ = ["KINDS", "Finding", "Fix", "Patch", "lint", "lint_all"]


def lint(document: Document, docs: OwnerDocuments, world: World) -> list[Finding]:
    """Every finding about `document` once it is in force among the owner's documents, in the order of its paths."""
    placed = with_document(docs, document)
    return next(iter(_lint(placed, Space(world, [placed]), world, [document])))


def lint_all(owners: Iterable[OwnerDocuments], world: World) -> list[Finding]:
    """Every finding about every document of some owners: each agreement that is active, and their charters."""
    listed = list(owners)
    space, found = Space(world, listed), list[Finding]()
    for docs in listed:
        documents: list[Document] = [live.document for live in docs.own if live.state == "active"]
        documents += [docs.charter] if docs.charter else []
        for some in _lint(docs, space, world, documents):
            found += some
    return found


def _lint(docs: OwnerDocuments, space: Space, world: World, documents: list[Document]) -> Iterator[list[Finding]]:
    regions = Regions(space.accepting(docs), space)
    permitted = cubes(regions.docs, space)
    for document in documents:
        subject = Subject(document, regions, world, permitted)
        found = [*reach.findings(subject), *cutting.findings(subject)]
        if isinstance(document, Agreement):
            found += [*repeated.findings(subject), *duties.findings(subject), *crowds.findings(subject)]
        yield sorted(found, key=_place)


def _place(finding: Finding) -> tuple[int, str, int]:
    head, _, tail = finding.path.partition("[")
    number = tail.partition("]")[0]
    return (
        int(number) if head == "$.clauses" and number.isdigit() else -1,
        finding.path,
        list(KINDS).index(finding.kind),
    )
