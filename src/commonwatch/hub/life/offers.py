"""Offers: a document frozen to its bytes and its text, collecting one signature of each party until it is agreed.

Rules: the bytes are made once, when it is offered; a signature is taken only from the party it belongs to, verified on
arrival over exactly these bytes with the key that party registered here; the last one registers the agreement in the
same transaction. Any party may decline and whoever offers may withdraw; then nothing more can be signed. Until all have
signed, the document counts as absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from commonwatch.agreements.decode import convert, digest
from commonwatch.agreements.document import Document as AnyDocument
from commonwatch.agreements.drafted import draft_from
from commonwatch.agreements.english import GRAMMAR, say
from commonwatch.agreements.signing import (
    TYPES,
    Envelope,
    Signature,
    SigningKey,
    b64,
    envelope_bytes,
    propose,
    read_payload,
    sign,
    signers,
    text_digest,
    unb64,
    verify_part,
)
from commonwatch.errors import Conflict, NotFound, NotPermitted
from commonwatch.hub.life.changes import changes
from commonwatch.hub.meta import epoch as epochs
from commonwatch.hub.meta.models import Document, Offer, OfferParty
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.notifications import notify
from commonwatch.hub.registry import signed
from commonwatch.hub.registry.complete import complete, continue_chain, newest_key, plain_of
from commonwatch.hub.registry.documents import Documents, must_hold
from commonwatch.hub.registry.resolve import verified_document
from commonwatch.hub.registry.rights import binds, must_be_there, must_bind
from commonwatch.hub.registry.signed import Keys, Opened
from commonwatch.hub.registry.telling import parties_of
from commonwatch.web.ports import OfferInfo, PartyInfo, Principal


class Offers:
    """The port. Every method that changes is one transaction."""

    def __init__(self, documents: Documents) -> None:
        self.documents, self.database, self.clock = documents, documents.database, documents.clock

    def of(self, principal: Principal) -> Sequence[OfferInfo]:
        """Open offers that the organisation is asked to sign, without text and bytes; the newest first."""
        mine = select(OfferParty.hash).where(OfferParty.org == principal.reader.org)
        with self.database.read() as session:
            query = select(Offer).where(Offer.state == "open", Offer.hash.in_(mine)).order_by(Offer.at.desc())
            return [shown(session, row, principal) for row in session.scalars(query.order_by(Offer.hash))]

    def one(self, principal: Principal, offer: str) -> OfferInfo:
        """One offer with everything needed to sign it. Raises NotFound."""
        with self.database.read() as session:
            return shown(session, need(session, principal, offer), principal, whole=True)

    def offer(self, principal: Principal, document: Any) -> OfferInfo:
        """Freeze a document and ask its parties to sign. Missing names, keys and version are filled in."""
        must_bind(principal)
        plain = plain_of(document)
        with self.database.write() as session:
            epochs.lock(session)
            continue_chain(session, plain)
            self._check_draft(session, principal, draft_from(plain))
            complete(session, plain, lambda org: newest_key(session, org))
            made = convert(plain)
            envelope = propose(made)
            opened = signed.described(made, digest(unb64(envelope.payload)))
            self._check(session, opened)
            row = self._freeze(session, principal, opened, envelope)
            return shown(session, row, principal, whole=True)

    def _check_draft(self, session: Session, principal: Principal, draft: AnyDocument) -> None:
        """Whatever can be wrong but its parties. Only then are these looked up: who is here is found out by no broken
        draft, and an offer is told to them.
        """
        opened = signed.described(draft, "")
        if principal.reader.org not in opened.signers:
            todo = "offer documents that your organisation signs itself"
            raise NotPermitted("your organisation is no party of this document", where="parties", todo=todo)
        self.documents.check_place(session, opened)
        if any(s.name == opened.name and s.state == "revoked" for s in self.documents.policy.resolved().standings()):
            raise Conflict("this agreement was revoked, for good", where="id", todo="make a new one with another id")

    def _check(self, session: Session, opened: Opened) -> None:
        signed.check_keys(opened.document, self.documents.keys_in_force(session))
        self.documents.check_fits(session, opened)
        known = session.get(Offer, opened.digest)
        if known is not None and known.state in {"open", "agreed"}:
            raise Conflict("this very document is offered already", where="document", todo="sign that offer")

    def _freeze(self, session: Session, principal: Principal, opened: Opened, envelope: Envelope) -> Offer:
        now, org = self.clock.now(), principal.reader.org
        row = session.get(Offer, opened.digest) or Offer(hash=opened.digest)
        row.kind, row.name, row.version, row.owner = opened.kind, opened.name, opened.version, opened.owner
        row.payload, row.text = unb64(envelope.payload), say(opened.document)
        row.impact = changes(opened.document, replaced(session, opened))
        row.state, row.org, row.by, row.at, row.ended, row.reason = "open", org, principal.id, now, None, ""
        session.add(row)
        session.flush()
        for signer in signers(opened.document):
            asked = OfferParty(hash=row.hash, org=signer.id, role=opened.signers[signer.id], key=signer.key, held=False)
            asked.protected = asked.signature = asked.by = asked.at = None
            session.merge(asked)
        session.flush()
        say_step(session, now, principal, "offer-made", row)
        notify(session, now, set(opened.signers) - {org}, "offered", row.name, by=org, **about(row))
        return row

    def sign(self, principal: Principal, offer: str, part: Signature | None) -> OfferInfo:
        """Take the organisation's signature, or (None) make it with the key it lets this hub hold."""
        (must_bind if part else must_be_there)(principal)
        with self.database.write() as session:
            epochs.lock(session)
            row = need_open(session, principal, offer)
            asked = session.get_one(OfferParty, (row.hash, principal.reader.org))
            if asked.signature is not None:
                raise Conflict("your organisation has signed already", todo="wait for the others, or decline")
            self._take(session, principal, row, asked, part)
            agreed = self._agree(session, principal, row)
            info = shown(session, row, principal, whole=True)
        if agreed:
            self.documents.policy.changed()
        return info

    def _take(
        self, session: Session, principal: Principal, row: Offer, asked: OfferParty, part: Signature | None
    ) -> None:
        envelope, org, now = Envelope(b64(row.payload)), principal.reader.org, self.clock.now()
        keys = self.documents.keys_in_force(session)
        public = own_key(keys, org, asked.key)
        made = part or held_signature(envelope, must_hold(self.documents.keys, org))
        verify_part(envelope, made, public)
        asked.protected, asked.signature, asked.held = made.protected, made.signature, part is None
        asked.by, asked.at = principal.id, now
        say_step(session, now, principal, "offer-signed", row, signed_by_hub=asked.held)
        others = set(parties_of(session, row)) - {org}
        notify(session, now, others, "signed", row.name, by=org, held=asked.held, **about(row))

    def _agree(self, session: Session, principal: Principal, row: Offer) -> bool:
        """Register it, when the last signature is there."""
        rows = asked_of(session, row)
        if any(one.signature is None for one in rows):
            return False
        keys = self.documents.keys_in_force(session)
        parts = tuple(Signature(one.protected or "", one.signature or "") for one in rows)
        public = tuple(b64(own_key(keys, one.org, one.key)) for one in rows)
        whole = envelope_bytes(Envelope(b64(row.payload), parts, public))
        self.documents.admit(session, whole, by=principal.id, held=any(one.held for one in rows))
        return True

    def decline(self, principal: Principal, offer: str, reason: str = "") -> OfferInfo:
        """A party will not sign: the offer ends."""
        return self._end(principal, offer, "declined", reason)

    def withdraw(self, principal: Principal, offer: str, reason: str = "") -> OfferInfo:
        """Whoever made the offer takes it back."""
        return self._end(principal, offer, "withdrawn", reason)

    def _end(self, principal: Principal, offer: str, how: Literal["declined", "withdrawn"], reason: str) -> OfferInfo:
        must_bind(principal)
        now, org = self.clock.now(), principal.reader.org
        with self.database.write() as session:
            row = need_open(session, principal, offer)
            if (row.org == org) != (how == "withdrawn"):
                todo = "withdraw your own offers, decline those of others"
                raise NotPermitted("this offer is not yours to end like that", where="offer", todo=todo)
            row.state, row.ended, row.reason = how, now, reason
            say_step(session, now, principal, f"offer-{how}", row, reason=reason)
            others = set(parties_of(session, row)) - {org}
            notify(session, now, others, how, row.name, by=org, reason=reason, **about(row))
            session.flush()
            return shown(session, row, principal, whole=True)


def need(session: Session, principal: Principal, offer: str, *, lock: bool = False) -> Offer:
    """The offer of this hash, or the one open offer of this name, if the organisation is asked to sign it."""
    mine = select(OfferParty.hash).where(OfferParty.org == principal.reader.org)
    query = select(Offer).where(Offer.hash.in_(mine))
    by_hash = query.where(Offer.hash == offer)
    by_name = query.where(Offer.name == offer, Offer.state == "open").order_by(Offer.at.desc(), Offer.hash)
    for one in (by_hash, by_name.limit(1)):
        if (row := session.scalar(one.with_for_update() if lock else one)) is not None:
            return row
    raise NotFound("no such offer", todo="look at your list of offers")


def need_open(session: Session, principal: Principal, offer: str) -> Offer:
    """The same, locked, and still open. Raises NotFound, Conflict."""
    row = need(session, principal, offer, lock=True)
    if row.state != "open":
        raise Conflict(f"this offer is {row.state}", where="offer", todo="offer the document anew")
    return row


def replaced(session: Session, opened: Opened) -> AnyDocument | None:
    """The version that this one replaces, if it still holds."""
    row = session.get(Document, opened.previous) if opened.previous else None
    held = verified_document(row) if row is not None else None
    return held.verified.document if held else None


def own_key(keys: Keys, org: str, name: str) -> bytes:
    """The public key of this name, if it is one of the organisation's in force. Raises Conflict."""
    owner, public = keys.get(name, ("", b""))
    if owner != org:
        todo = "withdraw the offer and make it anew, with the key that is in force"
        raise Conflict(f"the key of {org} has changed since this was offered", where="parties", todo=todo)
    return public


def held_signature(envelope: Envelope, seed: bytes) -> Signature:
    """A party's signature made with a key that the hub holds for it."""
    document = read_payload(envelope)
    more = {"grammar": GRAMMAR, "text": text_digest(document)}
    return sign(unb64(envelope.payload), TYPES[type(document)], SigningKey.from_seed(seed), **more)


def asked_of(session: Session, offer: Offer) -> list[OfferParty]:
    """Who is asked to sign, in the order of the document."""
    rows = {row.org: row for row in session.scalars(select(OfferParty).where(OfferParty.hash == offer.hash))}
    return [rows[signer.id] for signer in signers(read_payload(Envelope(b64(offer.payload))))]


def about(row: Offer) -> dict[str, Any]:
    """What audit entries and notifications say of an offer."""
    return {"version": row.version, "hash": row.hash}


def say_step(session: Session, at: int, principal: Principal, kind: str, row: Offer, **more: Any) -> None:
    """The audit entry of a step, for the parties to read."""
    orgs = parties_of(session, row)
    record(session, at, principal.id, kind, org=principal.reader.org, concerns=orgs, id=row.name, **about(row), **more)


def shown(session: Session, row: Offer, principal: Principal, *, whole: bool = False) -> OfferInfo:
    """An offer as a party sees it; `whole` with the text, the bytes to sign, and what it changes."""
    document = read_payload(Envelope(b64(row.payload)))
    rows = {one.org: one for one in asked_of(session, row)}
    parties = tuple(
        PartyInfo(s.id, s.name, rows[s.id].role, s.key, rows[s.id].at, held=rows[s.id].held) for s in signers(document)
    )
    waiting = tuple(p.id for p in parties if p.signed is None) if row.state == "open" else ()
    info = OfferInfo(
        hash=row.hash, id=row.name, version=row.version, kind=row.kind, title=document.title, owner=row.owner,
        state=state_of(row, parties), offered_by=row.org, at=row.at, ended=row.ended, reason=row.reason,
        parties=parties, awaiting=waiting, may=may(row, waiting, principal), typ=TYPES[type(document)],
        grammar=GRAMMAR, text_hash=digest(row.text.encode()),
    )  # fmt: skip
    return with_bytes(info, row) if whole else info


def with_bytes(info: OfferInfo, row: Offer) -> OfferInfo:
    """The same with the text that people read, the bytes they sign, and what it changes."""
    return msgspec.structs.replace(info, text=row.text, payload=b64(row.payload), impact=row.impact)


def state_of(row: Offer, parties: Sequence[PartyInfo]) -> str:
    """An open offer is offered or partly signed; else how it ended."""
    if row.state != "open":
        return row.state
    return "partly-signed" if any(p.signed is not None for p in parties) else "offered"


def may(row: Offer, waiting: Sequence[str], principal: Principal) -> tuple[str, ...]:
    """What this principal may do with an offer."""
    org = principal.reader.org
    if row.state != "open" or not binds(principal):
        return ()
    return (*(("sign",) if org in waiting else ()), "withdraw" if row.org == org else "decline")
