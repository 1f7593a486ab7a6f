"""A draft put in its place among the documents in force, or a document taken out: the two sides of a change.

Rules held here: a draft replaces the document of the same id, else it comes beside the others; it counts as active, for
that is what would be signed; taking out is what suspending, revoking and expiry do.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from commonwatch.agreements.document import Agreement, Charter, CommunityCharter, Document
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments

#: Stands where the hash of a signed payload would.
DRAFT = "draft"


def with_document(docs: OwnerDocuments, document: Document) -> OwnerDocuments:
    """The owner's documents with this one in force."""
    if isinstance(document, Charter):
        return msgspec.structs.replace(docs, charter=document)
    if not isinstance(document, Agreement):
        return msgspec.structs.replace(
            docs, community_charters={**docs.community_charters, document.community: document}
        )
    live = LiveAgreement(document, DRAFT, document.party_ids)
    others = tuple(a for a in docs.agreements if a.document.id != document.id)
    return msgspec.structs.replace(docs, agreements=(*others, live))


def owners_of(documents: Iterable[Document]) -> dict[str, OwnerDocuments]:
    """Owner -> its documents, all in force; a community's charter stands for every owner that names the community."""
    listed = list(documents)
    found: dict[str, OwnerDocuments] = {}
    for document in listed:
        if (owner := owner_of(document)) is not None:
            found[owner] = with_document(found.get(owner, OwnerDocuments(owner, ())), document)
    for charter in listed:
        if isinstance(charter, CommunityCharter):
            for owner, docs in found.items():
                if any(live.document.community == charter.community for live in docs.agreements):
                    found[owner] = with_document(docs, charter)
    return found


def without_document(docs: OwnerDocuments, name: str) -> OwnerDocuments:
    """The owner's documents without the one of this id."""
    return msgspec.structs.replace(
        docs,
        agreements=tuple(a for a in docs.agreements if a.document.id != name),
        charter=None if docs.charter and docs.charter.id == name else docs.charter,
        community_charters={c: d for c, d in docs.community_charters.items() if d.id != name},
    )


def owner_of(document: Document) -> str | None:
    """Whose events a document decides about; None for a community's charter, which caps many owners'."""
    if isinstance(document, Agreement):
        return document.owner
    return document.owner.id if isinstance(document, Charter) else None
