"""The controlled English of documents: `say` makes the text people sign, `read` makes the document of a text.

The text is injective: read(say(d)) == d and say(read(t)) == t. `GRAMMAR` is signed with every signature; when the
grammar changes its number rises and the old one stays readable. Grammar 2 adds contacts, purpose, origin and how often
the owner is told of accesses; what grammar 1 can say it says in the same words (`grammars`).
"""

from commonwatch.agreements.document import Agreement, Document
from commonwatch.agreements.english.reading import read, read_clause
from commonwatch.agreements.english.saying import say, say_clause

GRAMMAR = "2"


def grammars(document: Document) -> tuple[str, ...]:
    """The grammars in which the text of this document is the one that `say` makes."""
    if not isinstance(document, Agreement):
        return ("1", GRAMMAR)
    purpose = document.law is not None and document.law.purpose is not None
    told = document.duties.notify_owner_on_access != "each"
    newer = told or purpose or document.origin is not None or any(party.contacts for party in document.parties)
    return (GRAMMAR,) if newer else ("1", GRAMMAR)


__all__ = ["GRAMMAR", "grammars", "read", "read_clause", "say", "say_clause"]
