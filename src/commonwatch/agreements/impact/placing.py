"""Documents by owner, all of them in force; and an owner's documents when one is taken out.

Rules held here: a draft is put in its place by `drafted`, here and everywhere; taking out is what suspending, revoking
and expiry do; a community's charter stands for every owner that has an agreement in the community.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from commonwatch.agreements.document import CommunityCharter, Document
from commonwatch.agreements.drafted import drafted, owner_of
from commonwatch.agreements.effective import OwnerDocuments


def owners_of(documents: Iterable[Document]) -> dict[str, OwnerDocuments]:
    """Owner -> its documents, all in force."""
    listed = list(documents)
    found: dict[str, OwnerDocuments] = {}
    for document in listed:
        if not isinstance(document, CommunityCharter):
            owner = owner_of(document)
            found[owner] = drafted(found.get(owner, OwnerDocuments(owner, ())), document)
    for document in listed:
        if isinstance(document, CommunityCharter):
            found = {owner: drafted(docs, document) for owner, docs in found.items()}
    return found


def without_document(docs: OwnerDocuments, name: str) -> OwnerDocuments:
    """The owner's documents without the one of this id."""
    return msgspec.structs.replace(
        docs,
        agreements=tuple(a for a in docs.agreements if a.document.id != name),
        charter=None if docs.charter and docs.charter.id == name else docs.charter,
        community_charters={c: d for c, d in docs.community_charters.items() if d.id != name},
    )
