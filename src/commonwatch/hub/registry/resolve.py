"""From stored envelopes to every owner's policy at one moment. What does not hold counts as absent, owner by owner.

Rules: an envelope is verified once and kept by its hash; an owner's policy is made anew only when something of that
owner changed or a day began; what does not verify closes its owner, never the others; an owner whose gateways hold a
newer snapshot than we issued, or of whom the audit log knows more than we have, is closed until that is healed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from commonwatch.agreements.chain import day_of, live
from commonwatch.agreements.document import Agreement, Charter, CommunityCharter, Count, Share
from commonwatch.agreements.document import Document as AnyDocument
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments
from commonwatch.agreements.signing import Envelope, Verified, envelope_from, verify_document
from commonwatch.agreements.statement import SignedStatement, verify_statement
from commonwatch.errors import CommonwatchError
from commonwatch.govern.policy import OrgInfo, OwnerPolicy
from commonwatch.hub.members import read_orgs
from commonwatch.hub.meta.models import Absent, Community, Document, OrgKey, SnapshotNumber, Statement

log = logging.getLogger("commonwatch.hub")
DAY = 86_400_000_000
NEVER = 2**62


class Held(NamedTuple):
    """A verified document with its envelope."""

    verified: Verified
    envelope: Envelope


class Said(NamedTuple):
    """A verified statement with its envelope."""

    signed: SignedStatement
    envelope: Envelope


class Standing(NamedTuple):
    """How a document stands: the version in force of an agreement with its state, or the newest charter."""

    kind: str
    name: str
    version: int
    owner: str
    state: str
    hash: str
    document: AnyDocument


class Resolved(msgspec.Struct, frozen=True):
    """Everything at one moment. `passed` and `changes` (microseconds) are the starts and ends next to it."""

    owners: Mapping[str, OwnerPolicy]
    orgs: Mapping[str, OrgInfo]
    documents: Mapping[str, tuple[Held, ...]]
    statements: Mapping[str, tuple[Said, ...]]
    charters: Mapping[str, Held]
    closed: frozenset[str]
    passed: int
    changes: int

    def standings(self) -> list[Standing]:
        """Every agreement and charter, by name."""
        found = [
            Standing("agreement", a.document.id, a.document.version, policy.owner, a.state, a.digest, a.document)
            for policy in self.owners.values()
            for a in policy.documents.agreements
        ]
        for held in [*newest_charters(self.documents).values(), *self.charters.values()]:
            document = held.verified.document
            assert not isinstance(document, Agreement)
            own = isinstance(document, Charter)
            owner = document.owner.id if isinstance(document, Charter) else document.steward.id
            kind = "charter" if own else "community-charter"
            found.append(Standing(kind, document.id, document.version, owner, "active", held.verified.digest, document))
        return sorted(found, key=lambda s: s.name)


class Resolver:
    """Keeps what was verified and what each owner's policy was made of."""

    def __init__(self) -> None:
        self._documents: dict[str, Held | None] = {}
        self._statements: dict[str, Said | None] = {}
        self._made: dict[str, tuple[object, OwnerPolicy]] = {}
        self._first: dict[str, str] = {}  # the same object while it is equal: stamps then compare at once

    def resolve(self, session: Session, now: int) -> Resolved:
        """The policy of every organisation at `now`."""
        orgs = read_orgs(session)
        documents = self._read_documents(session)
        statements = self._read_statements(session)
        closed = self._closed(session)
        charters = newest_communities(documents)
        members = members_of(orgs.values())
        first = self._first = self._first if (found := first_keys(session)) == self._first else found
        owners = {
            org: self._owner(
                org, () if org in closed else documents.get(org, ()), statements, charters, members, first, now
            )
            for org in orgs
        }
        passed, changes = moments(documents, statements, now)
        return Resolved(owners, orgs, documents, statements, charters, closed, passed, changes)

    def _closed(self, session: Session) -> frozenset[str]:
        """Owners of whom this hub lacks something it once had, or holds something that no longer verifies.

        What cannot be read may be what revoked or narrowed: leaving it out could open, so the owner is closed whole;
        for a community's charter everybody whose agreements stand under it.
        """
        behind = session.scalars(select(SnapshotNumber.org).where(SnapshotNumber.seen > SnapshotNumber.number))
        closed = set(behind) | set(session.scalars(select(Absent.owner).where(_missing())))
        broken = [digest for digest, held in self._documents.items() if held is None]
        silent = [digest for digest, said in self._statements.items() if said is None]
        if broken or silent:
            stewards = session.scalars(select(Document.owner).where(Document.hash.in_(broken)))
            closed |= set(stewards)
            names = select(Statement.name).where(Statement.hash.in_(silent))
            closed |= set(session.scalars(select(Document.owner).where(Document.name.in_(names))))
            closed |= set(session.scalars(select(Statement.name).where(Statement.hash.in_(silent))))
        under = set(session.scalars(select(Community.id).where(Community.steward.in_(closed)))) if broken else set()
        return frozenset(closed | {owner for owner, c in self._under() if c in under})

    def _under(self) -> Iterator[tuple[str, str]]:
        """Owner and community of every agreement that stands under a community's charter."""
        for held in self._documents.values():
            document = held.verified.document if held is not None else None
            if isinstance(document, Agreement) and document.community:
                yield document.owner, document.community

    def _owner(  # noqa: PLR0917
        self, org: str, held: tuple[Held, ...], statements: Mapping[str, tuple[Said, ...]],
        charters: Mapping[str, Held], members: Mapping[str, frozenset[str]], first: Mapping[str, str], now: int,
    ) -> OwnerPolicy:  # fmt: skip
        names = {h.verified.document.id for h in held}
        about = [s.signed for name in sorted(names | {""}) for s in statements.get(name, ())]
        communities = {c for h in held if isinstance(d := h.verified.document, Agreement) and (c := d.community)}
        capping = {c: charters[c] for c in sorted(communities) if c in charters}
        circle = {c: members.get(c, frozenset()) for c in communities}
        stamp = (
            [h.verified.digest for h in held], [s.digest for s in about], day_of(now), circle, first,
            [h.verified.digest for h in capping.values()], [s.statement.at <= now for s in about],
        )  # fmt: skip
        known = self._made.get(org)
        if known is not None and known[0] == stamp:
            return known[1]
        agreements = tuple(live([h.verified for h in held], about, now, circle, first))
        made = owner_policy(org, agreements, newest_charters({org: held}).get(org), capping)
        self._made[org] = (stamp, made)
        return made

    def _read_documents(self, session: Session) -> dict[str, tuple[Held, ...]]:
        """Owner -> verified documents by name and version; community charters under their steward."""
        query = select(Document.hash, Document.owner).order_by(Document.name, Document.version)
        rows = session.execute(query).all()
        missing = [digest for digest, _ in rows if self._documents.get(digest) is None]
        for start in range(0, len(missing), 500):
            part = select(Document).where(Document.hash.in_(missing[start : start + 500]))
            for row in session.scalars(part):
                self._documents[row.hash] = verified_document(row)
        found: dict[str, list[Held]] = {}
        for digest, owner in rows:
            if (held := self._documents[digest]) is not None:
                found.setdefault(owner, []).append(held)
        return {owner: tuple(held) for owner, held in found.items()}

    def _read_statements(self, session: Session) -> dict[str, tuple[Said, ...]]:
        """Agreement -> its statements; key changes, which concern every agreement, under ""."""
        rows = session.execute(select(Statement.hash).order_by(Statement.registered, Statement.hash)).all()
        missing = [row.hash for row in rows if self._statements.get(row.hash) is None]
        for start in range(0, len(missing), 500):
            part = select(Statement).where(Statement.hash.in_(missing[start : start + 500]))
            for row in session.scalars(part):
                self._statements[row.hash] = verified_statement(row)
        found: dict[str, list[Said]] = {}
        for (digest,) in rows:
            if (said := self._statements[digest]) is not None:
                statement = said.signed.statement
                found.setdefault("" if statement.kind == "key-change" else statement.id, []).append(said)
        return {name: tuple(said) for name, said in found.items()}


def _missing() -> ColumnElement[bool]:
    """Of what the audit log knows and this hub lacked after a restore: what is still not here."""
    return Absent.hash.not_in(select(Document.hash)) & Absent.hash.not_in(select(Statement.hash))


def verified_document(row: Document) -> Held | None:
    """The stored document if it still holds, else None: absent."""
    try:
        envelope = envelope_from(row.envelope)
        verified = verify_document(envelope)
    except CommonwatchError as error:
        log.warning("document %s version %d does not hold and counts as absent: %s", row.name, row.version, error.code)
        return None
    return Held(verified, envelope) if verified.digest == row.hash else None


def verified_statement(row: Statement) -> Said | None:
    """The stored statement if it still holds, else None: absent."""
    try:
        envelope = envelope_from(row.envelope)
        signed = verify_statement(envelope)
    except CommonwatchError as error:
        log.warning("a statement about %s does not hold and counts as absent: %s", row.name, error.code)
        return None
    return Said(signed, envelope) if signed.digest == row.hash else None


def owner_policy(
    org: str, agreements: tuple[LiveAgreement, ...], charter: Held | None, capping: Mapping[str, Held]
) -> OwnerPolicy:
    """An owner's documents with their digest over ids, versions, states and who is bound."""
    own = charter.verified.document if charter else None
    others = {name: held.verified.document for name, held in capping.items()}
    documents = OwnerDocuments(
        org, agreements, own if isinstance(own, Charter) else None,
        {name: document for name, document in others.items() if isinstance(document, CommunityCharter)},
    )  # fmt: skip
    parts = [org, charter.verified.digest if charter else ""]
    parts += [f"{name} {held.verified.digest}" for name, held in sorted(capping.items())]
    parts += [f"{a.document.id} {a.digest} {a.state} {','.join(sorted(a.accepted))}" for a in agreements]
    return OwnerPolicy(org, documents, hashlib.sha256("\n".join(parts).encode()).digest())


def newest_charters(documents: Mapping[str, Iterable[Held]]) -> dict[str, Held]:
    """Owner -> its newest charter. Lists are in order of version."""
    return {o: h for o, held in documents.items() for h in held if isinstance(h.verified.document, Charter)}


def newest_communities(documents: Mapping[str, Iterable[Held]]) -> dict[str, Held]:
    """Community -> its newest charter."""
    found: dict[str, Held] = {}
    for held in (h for some in documents.values() for h in some):
        document = held.verified.document
        if isinstance(document, CommunityCharter):
            known = found.get(document.community)
            if known is None or known.verified.document.version < document.version:
                found[document.community] = held
    return found


def members_of(orgs: Iterable[OrgInfo]) -> dict[str, frozenset[str]]:
    """Community -> its members: joining it is accepting its terms."""
    found: dict[str, set[str]] = {}
    for org in orgs:
        for community in org.communities:
            found.setdefault(community, set()).add(org.org)
    return {name: frozenset(members) for name, members in found.items()}


def first_keys(session: Session) -> dict[str, str]:
    """Organisation -> the thumbprint of its first key."""
    rows = session.execute(
        select(OrgKey.org, OrgKey.thumbprint).order_by(OrgKey.added.desc(), OrgKey.thumbprint.desc())
    )
    return {row.org: row.thumbprint for row in rows}


def moments(
    documents: Mapping[str, Iterable[Held]], statements: Mapping[str, Iterable[Said]], now: int
) -> tuple[int, int]:
    """The last start, end or stated time up to `now`, and the next one after it."""
    times = {said.signed.statement.at for some in statements.values() for said in some}
    for held in (h for some in documents.values() for h in some):
        document = held.verified.document
        if isinstance(document, Agreement):
            times |= {midnight(document.starts), midnight(document.ends) + DAY}
    return max((t for t in times if t <= now), default=0), min((t for t in times if t > now), default=NEVER)


def midnight(day: dt.date) -> int:
    """The first instant of a UTC day, microseconds."""
    return (day - dt.date(1970, 1, 1)).days * DAY


def reach(document: Agreement, orgs: Iterable[OrgInfo]) -> set[str]:
    """The organisations that an agreement's clauses name, by name, community or role, without its parties."""
    named = [clause.to for clause in document.clauses if isinstance(clause, Share | Count)]
    return {
        org.org
        for org in orgs
        for to in named
        if org.org in to.organisations or set(org.communities) & set(to.communities) or set(org.roles) & set(to.roles)
    } - document.party_ids
