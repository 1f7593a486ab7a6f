"""What binds a reader who is given a value: the strictest duties of every agreement behind it.

Rules held here: an agreement is named only where its owner is shown exactly (as for clauses); where an owner is not
shown, the duties are the strictest of *all* agreements that reach this reader, so that they do not tell which of them
it was; everything comes from documents, nothing from stored rows. One's own events bind nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from commonwatch.agreements.document import Agreement, Share
from commonwatch.agreements.effective import LiveAgreement, accepted, addresses
from commonwatch.agreements.reader import ClauseRef, Reader
from commonwatch.agreements.terms.iep import Named, Terms, terms_of
from commonwatch.govern.policy import PolicyView


class Binding:
    """The terms one reader is bound by, under one policy."""

    def __init__(self, view: PolicyView, reader: Reader) -> None:
        self._view, self._reader = view, reader
        self._known: dict[tuple[frozenset[Named], bool], Terms | None] = {}

    def terms(self, clauses: Iterable[ClauseRef], *, hidden: bool) -> Terms | None:
        """Of a value that these clauses allowed; `hidden`: owners stand behind it that this reader is not shown."""
        key = (frozenset(Named(c.agreement, c.version) for c in clauses), hidden)
        if key not in self._known:
            self._known[key] = self._made(*key)
        return self._known[key]

    def _made(self, names: frozenset[Named], hidden: bool) -> Terms | None:
        """No agreement at all: the reader's own events."""
        named = [name for name in names if name in self._reaching]
        behind = self._reaching if hidden else {name: self._reaching[name] for name in named}
        return terms_of(behind.values(), named=named) if behind else None

    @cached_property
    def _reaching(self) -> dict[Named, Agreement]:
        """Every live agreement that shares with this reader."""
        live = [a for policy in self._view.owners.values() for a in policy.documents.own]
        return {Named(a.document.id, a.document.version): a.document for a in live if _reaches(a, self._reader)}


def _reaches(live: LiveAgreement, reader: Reader) -> bool:
    shares = [c for c in live.document.clauses if isinstance(c, Share)]
    meant = any(addresses(c.to, reader) and reader.purpose in c.purposes for c in shares)
    return meant and live.state == "active" and accepted(live, reader)
