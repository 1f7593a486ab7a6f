"""What exceptions do: a draft against the plain template at the same level and values, by effect, not by text.

Rules held here: an effect is what the impact algebra says is no longer shown or counted, to whom; exceptions that
change nothing are said to have no effect; members whose exceptions do the same stand on one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from commonwatch.agreements.document import Agreement
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments
from commonwatch.agreements.impact.changes import impact
from commonwatch.agreements.impact.world import World

Effects = tuple[str, ...]
NO_EFFECT: Effects = ("No effect: what they limit is not shown at this level anyway.",)
_ANY_OWNER = "the-owner"


def effects(draft: Agreement, template: Agreement) -> Effects:
    """What `draft` no longer shows of what `template` (the same level, without exceptions) shows, one sentence each."""
    return narrowed(draft, template) or NO_EFFECT


def narrowed(after: Agreement, before: Agreement) -> Effects:
    """What `before` shows or counts and `after` does not, one sentence each; empty when nothing."""
    return _narrowed(_bare(after), _bare(before))


def _bare(agreement: Agreement) -> Agreement:
    """The same clauses for any owner: equal exceptions of two members are compared once."""
    owner = msgspec.structs.replace(agreement.parties[0], id=_ANY_OWNER, role="owner", name=_ANY_OWNER, contacts=())
    return msgspec.structs.replace(
        agreement, id="any", title="any", parties=(owner,), origin=None, law=None, version=1, previous=None
    )


@lru_cache(maxsize=4_096)
def _narrowed(after: Agreement, before: Agreement) -> Effects:
    found = impact(_alone(before), _alone(after), World())
    return (*(c.text for c in found.no_longer), *(c.text for c in found.no_longer_counted))


def _alone(agreement: Agreement) -> OwnerDocuments:
    return OwnerDocuments(_ANY_OWNER, (LiveAgreement(agreement, "", frozenset()),))


class Group(msgspec.Struct, frozen=True):
    """Members whose exceptions have the same effects."""

    effects: Effects
    owners: tuple[str, ...]


def group(found: Sequence[tuple[str, Effects]]) -> tuple[Group, ...]:
    """Owners by equal effects, the most common first; owners without any are left out."""
    by: dict[Effects, list[str]] = {}
    for owner, listed in found:
        if listed:
            by.setdefault(listed, []).append(owner)
    return tuple(Group(e, tuple(o)) for e, o in sorted(by.items(), key=lambda pair: (-len(pair[1]), pair[0])))
