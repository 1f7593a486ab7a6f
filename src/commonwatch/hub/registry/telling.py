"""What a registered document does to open offers, and who is told of it. Inside the transaction that registers it.

Rules: the offer of these very bytes is settled as agreed, every other open offer of the same name can no longer be
signed; signers are told, and of a community's charter its members.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from commonwatch.agreements.document import Agreement, CommunityCharter
from commonwatch.hub.meta.models import Membership, Offer, OfferParty, Party
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.notifications import notify
from commonwatch.hub.registry.signed import Opened


def settle(session: Session, at: int, opened: Opened) -> None:
    """End the open offers of this name: this one as agreed, others as outdated."""
    query = select(Offer).where(Offer.name == opened.name, Offer.state == "open", Offer.version <= opened.version)
    for offer in session.scalars(query.with_for_update()):
        if offer.hash == opened.digest:
            offer.state, offer.ended = "agreed", at
        else:
            outdate(session, at, offer, f"version {opened.version} was agreed")


def outdate(session: Session, at: int, offer: Offer, reason: str) -> None:
    """This offer can no longer be signed; its parties are told."""
    offer.state, offer.ended, offer.reason = "outdated", at, reason
    orgs = parties_of(session, offer)
    about = {"version": offer.version, "hash": offer.hash, "reason": reason}
    record(session, at, "hub", "offer-outdated", org=offer.org, concerns=orgs, id=offer.name, **about)
    notify(session, at, orgs, "outdated", offer.name, **about)


def outdate_name(session: Session, at: int, name: str, reason: str) -> None:
    """Open offers of this name can no longer be signed."""
    for offer in session.scalars(
        select(Offer).where(Offer.name == name, Offer.state == "open").with_for_update()
    ).all():
        outdate(session, at, offer, reason)


def parties_of(session: Session, offer: Offer) -> list[str]:
    """The organisations that are asked to sign."""
    return list(session.scalars(select(OfferParty.org).where(OfferParty.hash == offer.hash)))


def tell_registered(session: Session, at: int, opened: Opened, *, held: bool) -> None:
    """Signers hear that it is signed by all; of a charter, those who stand under it."""
    about = {"version": opened.version, "hash": opened.digest, "held": held}
    document = opened.document
    if not isinstance(document, Agreement):
        under = set(opened.signers)
        if isinstance(document, CommunityCharter):
            under |= set(session.scalars(select(Membership.org).where(Membership.community == document.community)))
        notify(session, at, under, "charter", opened.name, by=opened.owner, **about)
        return
    notify(session, at, opened.signers, "agreed", opened.name, **about)


def partners(session: Session, org: str) -> set[str]:
    """Every organisation that signed, or is asked to sign, a document together with this one; itself among them."""
    signed = select(Party.hash).where(Party.org == org)
    offered = select(Offer.hash).join(OfferParty, OfferParty.hash == Offer.hash)
    offered = offered.where(OfferParty.org == org, Offer.state == "open")
    found = set(session.scalars(select(Party.org).where(Party.hash.in_(signed)).distinct()))
    return found | set(session.scalars(select(OfferParty.org).where(OfferParty.hash.in_(offered)).distinct())) | {org}


def outdate_key(session: Session, at: int, org: str, key: str) -> None:
    """Open offers that name a key which has ended can no longer be signed."""
    named = select(OfferParty.hash).where(OfferParty.org == org, OfferParty.key == key)
    query = select(Offer).where(Offer.state == "open", Offer.hash.in_(named)).with_for_update()
    for offer in session.scalars(query).all():
        outdate(session, at, offer, f"the key of {org} changed")
