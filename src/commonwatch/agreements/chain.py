"""Chains of versions and the lifecycle: which version of each agreement is in force now, and why others are not.

Rules held here (`agreements.md` 10, 11): version exactly +1 and `previous` the digest of the version before, same
owner, each party's key unchanged or introduced by its old key; a fork closes the whole agreement. The newest version
whose start is reached replaces earlier ones. Revoking is final and any party may; the owner or operator may suspend,
only the owner may resume, with the newest key. What is out of chain counts as absent. Days are UTC, ends included.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from commonwatch.agreements.document import Agreement
from commonwatch.agreements.effective import LiveAgreement, State
from commonwatch.agreements.signing import Verified
from commonwatch.agreements.statement import SignedStatement

_EPOCH = dt.date(1970, 1, 1)
_DAY = 86_400_000_000
Link = tuple[Agreement, str]


def live(
    documents: Iterable[Verified],
    statements: Iterable[SignedStatement],
    now: int,
    members: Mapping[str, frozenset[str]] | None = None,
    org_keys: Mapping[str, str] | None = None,
) -> list[LiveAgreement]:
    """Each agreement's version in force at `now` (microseconds UTC) with its state, sorted by id.

    `members`: per community the organisations that accepted its terms; they are bound by the duties of agreements that
    name the community. `org_keys`: per organisation its first known key, to check acceptance by those who are not
    parties. Agreements out of chain are left out. Ended ones stay, with the state as the reason.
    """
    said = list(statements)
    by_id: dict[str, list[Link]] = {}
    for verified in documents:
        if isinstance(verified.document, Agreement):
            by_id.setdefault(verified.document.id, []).append((verified.document, verified.digest))
    found: list[LiveAgreement] = []
    for ident in sorted(by_id):
        chain = chain_of(by_id[ident], said)
        if chain:
            document, digest = in_force(chain, now)
            state = state_of(document, chain, said, now)
            found.append(LiveAgreement(document, digest, accepted_by(document, digest, said, members, org_keys), state))
    return found


def chain_of(links: Iterable[Link], statements: Sequence[SignedStatement]) -> list[Link]:
    """The versions 1, 2, ... that follow each other; what does not is dropped, and a fork drops everything."""
    by_version: dict[int, dict[str, Link]] = {}
    for link in links:
        by_version.setdefault(link[0].version, {})[link[1]] = link
    if any(len(same) > 1 for same in by_version.values()):
        return []
    chain: list[Link] = []
    while (following := by_version.get(len(chain) + 1)) is not None:
        link = next(iter(following.values()))
        if chain and not _follows(chain[-1], link, statements):
            break
        chain.append(link)
    return chain


def _follows(before: Link, after: Link, statements: Sequence[SignedStatement]) -> bool:
    """Whether `after` names `before` by hash, has the same owner, and known parties sign with known keys."""
    old, new = before[0], after[0]
    if new.previous != before[1] or new.owner != old.owner:
        return False
    keys = {p.id: p.key for p in old.parties}
    return all(p.id not in keys or p.key in keys_of(p.id, keys[p.id], statements) for p in new.parties)


def keys_of(org: str, first: str, statements: Sequence[SignedStatement]) -> list[str]:
    """The keys that speak for an organisation, oldest first: each introduced by a statement signed with the one before.

    Two different successors of one key are a fork: neither is taken.
    """
    keys = [first]
    while True:
        changes = {
            s.statement.key
            for s in statements
            if s.statement.kind == "key-change" and s.statement.id == org and s.kid == keys[-1] and s.statement.key
        }
        if len(changes) != 1 or (key := changes.pop()) in keys:
            return keys
        keys.append(key)


def in_force(chain: Sequence[Link], now: int) -> Link:
    """The newest version that has started; the first one if none has."""
    today = day_of(now)
    return next((link for link in reversed(chain) if link[0].starts <= today), chain[0])


def state_of(document: Agreement, chain: Sequence[Link], statements: Sequence[SignedStatement], now: int) -> State:
    """The state of the version in force. Revoked before expired before suspended before not yet active."""
    about = [s for s in statements if s.statement.id == document.id and _is_about(s, chain)]
    if any(s.statement.kind == "revoke" and _speaks(s, chain, statements) for s in about):
        return "revoked"
    if day_of(now) > document.ends:
        return "expired"
    if _suspended(about, document, chain, statements, now):
        return "suspended"
    return "active" if day_of(now) >= document.starts else "not-yet-active"


def _is_about(signed: SignedStatement, chain: Sequence[Link]) -> bool:
    """Whether a statement names a version of this chain by number and hash."""
    return any(signed.statement.version == a.version and signed.statement.hash == digest for a, digest in chain)


def _speaks(
    signed: SignedStatement, chain: Sequence[Link], statements: Sequence[SignedStatement], roles: tuple[str, ...] = ()
) -> bool:
    """Whether the statement's key is one of a party's (in one of `roles`, if given) in any version of the chain."""
    return any(
        party.id == signed.statement.by
        and (not roles or party.role in roles)
        and signed.kid in keys_of(party.id, party.key, statements)
        for document, _ in chain
        for party in document.parties
    )


def _suspended(
    about: Sequence[SignedStatement], document: Agreement, chain: Sequence[Link],
    statements: Sequence[SignedStatement], now: int,
) -> bool:  # fmt: skip
    """Whether the last word of owner and operator is to suspend. On equal times suspending wins."""
    suspends = [
        s.statement.at
        for s in about
        if s.statement.kind == "suspend" and _speaks(s, chain, statements, ("owner", "operator"))
    ]
    owner_key = next(p.key for p in document.parties if p.role == "owner")
    newest = keys_of(document.owner, owner_key, statements)[-1]
    resumes = [
        s.statement.at
        for s in about
        if s.statement.kind == "resume"
        and s.statement.by == document.owner
        and s.kid == newest
        and s.statement.at <= now
    ]
    return max(suspends, default=-1) >= max(resumes, default=0) if suspends else False


def accepted_by(
    document: Agreement, digest: str, statements: Sequence[SignedStatement],
    members: Mapping[str, frozenset[str]] | None, org_keys: Mapping[str, str] | None,
) -> frozenset[str]:  # fmt: skip
    """The organisations bound by the duties: parties, members of the community it names, and who accepted this text."""
    found = set(document.party_ids)
    if document.community and members:
        found |= members.get(document.community, frozenset())
    for signed in statements:
        said = signed.statement
        first = (org_keys or {}).get(said.by, "")
        known = keys_of(said.by, first, statements) if first else []
        if said.kind == "accept-duties" and said.hash == digest and signed.kid in known:
            found.add(said.by)
    return frozenset(found)


def day_of(micros: int) -> dt.date:
    """The UTC day of an instant."""
    return _EPOCH + dt.timedelta(days=micros // _DAY)
