"""The whole life of one document for its parties: every version, who signed it, what waits for whom, its history.

Rules: only parties (and who stands under a charter) get it; the history is what the audit log says, entry by entry, so
that each line can be proven; the record is the very envelopes that were signed, which anybody can verify alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from commonwatch.agreements.document import Agreement
from commonwatch.agreements.english import say
from commonwatch.agreements.record import Record
from commonwatch.agreements.signing import envelope_from, signers
from commonwatch.errors import NotFound
from commonwatch.hub.life.offers import Offers, shown
from commonwatch.hub.meta.models import Document, Offer, OfferParty, Party
from commonwatch.hub.registry.documents import Documents
from commonwatch.hub.registry.parties import may_do, sees
from commonwatch.hub.registry.resolve import Held, Standing, verified_document
from commonwatch.hub.registry.signed import roles_of
from commonwatch.web.ports import LifeInfo, OfferInfo, PartyInfo, Principal, VersionInfo

#: (organisation, name of a document) -> what the audit log says of it, oldest first.
Entries = Callable[[Principal, str], Sequence[dict[str, Any]]]


class Lives:
    """The port. `entries` is set by whoever has the audit log."""

    def __init__(self, documents: Documents, offers: Offers) -> None:
        self.documents, self.database, self.offers = documents, documents.database, offers
        self.entries: Entries = lambda _principal, _name: ()

    def life(self, principal: Principal, name: str) -> LifeInfo:
        """Every version and offer of a document. Raises NotFound for who is no party of any."""
        standing = self._standing(principal, name)
        with self.database.read() as session:
            versions = tuple(self._versions(session, name, standing)) if standing else ()
            offers = self._offers(session, principal, name)
        if standing is None and not offers:
            raise NotFound("no such agreement", todo="look at the list of your agreements and offers")
        waiting = sorted({org for offer in offers for org in offer.awaiting})
        return LifeInfo(
            id=name, state=standing.state if standing else offers[0].state, versions=versions, offers=tuple(offers),
            awaiting=tuple(waiting), may=may_do(standing, principal) if standing else (),
        )  # fmt: skip

    def history(self, principal: Principal, name: str) -> Sequence[dict[str, Any]]:
        """What happened to it, as the audit log has it, oldest first."""
        self.life(principal, name)
        return self.entries(principal, name)

    def record(self, principal: Principal, name: str) -> dict[str, Any]:
        """Everything that was signed about it, as it was signed: verifiable without this hub."""
        standing = self._standing(principal, name)
        if standing is None:
            raise NotFound("nothing was signed by all under this name", todo="look at the list of your agreements")
        with self.database.read() as session:
            envelopes = [envelope_from(row.envelope) for row in self._rows(session, name)]
        known = self.documents.policy.resolved().statements
        about = [said.envelope for said in (*known.get(name, ()), *self._key_changes(standing))]
        plain: dict[str, Any] = msgspec.to_builtins(Record(record="1", documents=envelopes, statements=about))
        return plain

    def _key_changes(self, standing: Standing) -> list[Any]:
        orgs = roles_of(standing.document)
        changes = self.documents.policy.resolved().statements.get("", ())
        return [said for said in changes if said.signed.statement.by in orgs]

    def _standing(self, principal: Principal, name: str) -> Standing | None:
        found = self.documents.policy.resolved().standings()
        return next((s for s in found if s.name == name and sees(s, principal)), None)

    def _rows(self, session: Session, name: str) -> list[Document]:
        return list(session.scalars(select(Document).where(Document.name == name).order_by(Document.version)))

    def _versions(self, session: Session, name: str, standing: Standing) -> list[VersionInfo]:
        """The versions that hold; one that no longer verifies is absent here too."""
        held = [(row, opened) for row in self._rows(session, name) if (opened := verified_document(row)) is not None]
        return [_version(session, row, opened, standing) for row, opened in held]

    def _offers(self, session: Session, principal: Principal, name: str) -> list[OfferInfo]:
        mine = select(OfferParty.hash).where(OfferParty.org == principal.reader.org)
        query = select(Offer).where(Offer.name == name, Offer.hash.in_(mine))
        rows = session.scalars(query.order_by(Offer.at.desc(), Offer.hash)).all()
        return [shown(session, row, principal) for row in rows if row.state != "agreed"]


def _version(session: Session, row: Document, held: Held, standing: Standing) -> VersionInfo:
    document = held.verified.document
    days = (document.starts.isoformat(), document.ends.isoformat()) if isinstance(document, Agreement) else ("", "")
    return VersionInfo(
        version=row.version, hash=row.hash, state=_state(row.version, standing), title=document.title, starts=days[0],
        ends=days[1], registered=row.registered, text=say(document), signers=tuple(_signers(session, row, held)),
    )  # fmt: skip


def _state(version: int, standing: Standing) -> str:
    if version == standing.version:
        return standing.state
    return "replaced" if version < standing.version else "agreed"


def _signers(session: Session, row: Document, held: Held) -> list[PartyInfo]:
    """Who signed, when, and whether the hub did it for them, as far as it was signed here."""
    asked = {one.org: one for one in session.scalars(select(OfferParty).where(OfferParty.hash == row.hash))}
    roles = {one.org: one.role for one in session.scalars(select(Party).where(Party.hash == row.hash))}
    return [
        PartyInfo(
            s.id, s.name, roles.get(s.id, ""), s.key, one.at if one else row.registered, held=bool(one and one.held)
        )
        for s in signers(held.verified.document)
        for one in (asked.get(s.id),)
    ]
