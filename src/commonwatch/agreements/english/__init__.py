"""The controlled English of documents: `say` makes the text people sign, `read` makes the document of a text.

The text is injective: read(say(d)) == d and say(read(t)) == t. `GRAMMAR` is signed with every signature; when the
grammar changes its number rises and the old one stays readable.
"""

from commonwatch.agreements.english.reading import read, read_clause
from commonwatch.agreements.english.saying import say, say_clause

GRAMMAR = "1"

__all__ = ["GRAMMAR", "read", "read_clause", "say", "say_clause"]
