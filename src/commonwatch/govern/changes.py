"""Whom a change of policy touches: the difference of two policies, as a set of readers. Pure.

Rules held here: a reader is touched when an agreement that speaks to it (by name, community or role) or that it signed
came, went, or changed its version, its state or who is bound by it, or stands under a charter that changed; or when
its own roles or memberships changed. Who is not touched is decided exactly as before. In doubt: touched.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from commonwatch.agreements.document import Count, Share
from commonwatch.agreements.effective import LiveAgreement
from commonwatch.agreements.reader import Reader
from commonwatch.govern.policy import OwnerPolicy, PolicyView


class Scope(msgspec.Struct, frozen=True):
    """Readers, as agreements name them, and the owners whose documents changed. `epoch` is that of the new policy."""

    epoch: int
    owners: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    communities: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    def touches(self, reader: Reader) -> bool:
        """Whether anything changed for this reader."""
        return (
            reader.org in self.organisations
            or not self.communities.isdisjoint(reader.communities)
            or not self.roles.isdisjoint(reader.roles)
        )


def between(before: PolicyView, after: PolicyView) -> Scope:
    """Whom the step from one policy to the next touches."""
    names = before.owners.keys() | after.owners.keys()
    pairs = {owner: (before.owners.get(owner), after.owners.get(owner)) for owner in names}
    moved = {o: (old, new) for o, (old, new) in pairs.items() if _digest(old) != _digest(new)}
    changed = [live for old, new in moved.values() for live in _changed(old, new)]
    orgs = before.orgs.keys() | after.orgs.keys()
    others = {org for org in orgs if before.orgs.get(org) != after.orgs.get(org)}
    bound = {org for old, new in moved.values() for org in _newly_bound(old, new)}
    return scope_of(changed, after.epoch, owners=moved, more=others | bound)


def scope_of(
    agreements: Iterable[LiveAgreement], epoch: int, *, owners: Iterable[str] = (), more: Iterable[str] = ()
) -> Scope:
    """Everybody these agreements speak to, their parties, and `more` organisations."""
    found = list(agreements)
    to = [clause.to for live in found for clause in live.document.clauses if isinstance(clause, Share | Count)]
    named = {org for t in to for org in t.organisations}.union(*(live.document.party_ids for live in found))
    return Scope(
        epoch=epoch,
        owners=frozenset(owners),
        organisations=frozenset(named.union(more)),
        communities=frozenset(c for t in to for c in t.communities),
        roles=frozenset(r for t in to for r in t.roles),
    )


def _changed(old: OwnerPolicy | None, new: OwnerPolicy | None) -> list[LiveAgreement]:
    """Agreements whose text or state is not the same on both sides; all of them where a charter changed."""
    first, second = _standing(old), _standing(new)
    same = first.keys() & second.keys()
    if old is None or new is None or _charters(old) != _charters(new):
        same = set()
    return [live for side in (first, second) for key, live in side.items() if key not in same]


def _newly_bound(old: OwnerPolicy | None, new: OwnerPolicy | None) -> set[str]:
    """Organisations bound by the duties of an agreement on one side only."""
    first, second = _standing(old), _standing(new)
    return {org for key in first.keys() & second.keys() for org in first[key].accepted ^ second[key].accepted}


def _standing(policy: OwnerPolicy | None) -> dict[tuple[str, str], LiveAgreement]:
    return {(a.digest, a.state): a for a in policy.documents.agreements} if policy is not None else {}


def _charters(policy: OwnerPolicy) -> tuple[object, object]:
    return policy.documents.charter, policy.documents.community_charters


def _digest(policy: OwnerPolicy | None) -> bytes | None:
    return policy.digest if policy is not None else None
