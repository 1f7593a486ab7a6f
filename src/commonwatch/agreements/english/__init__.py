"""The controlled English of documents."""

from __future__ import annotations

from commonwatch.agreements.decode import to_yaml
from commonwatch.agreements.document import Document

GRAMMAR = "1"


def say(document: Document) -> str:
    """The document in words."""
    return to_yaml(document)
