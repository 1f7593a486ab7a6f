"""What an offered document changes, stored with the offer: beside the version it replaces, and nothing else.

Rules: only what every party may read goes in, so the owner's other agreements do not; organisations are told apart only
where they are parties. Each party asks for its own full picture, which knows more, at `/api/agreements/impact`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from commonwatch.agreements.document import Agreement
from commonwatch.agreements.document import Document as AnyDocument
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.impact.changes import impact
from commonwatch.agreements.impact.findings import lint
from commonwatch.agreements.impact.placing import with_document
from commonwatch.agreements.impact.world import World


def changes(document: AnyDocument, before: AnyDocument | None) -> dict[str, Any] | None:
    """What an agreement newly shows and no longer shows, and findings about it. None for a charter: it shows nothing.

    The shape is that of `/api/agreements/impact`, `partial` because the owner may have other agreements.
    """
    if not isinstance(document, Agreement):
        return None
    nothing = OwnerDocuments(document.owner, ())
    old = with_document(nothing, before) if isinstance(before, Agreement) else nothing
    found = impact(old, with_document(nothing, document), World())
    told: dict[str, Any] = msgspec.to_builtins(found)
    return told | {"findings": msgspec.to_builtins(lint(document, nothing, World())), "partial": True}
