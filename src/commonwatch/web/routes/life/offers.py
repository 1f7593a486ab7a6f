"""Offers: freeze a document for signature, sign it, decline it, withdraw it.

`{agreement}` is the hash of an offer, or the name of an agreement that has one open.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Router, get, post
from litestar.params import FromPath, JSONBody

from commonwatch.agreements.signing import Signature, envelope_from
from commonwatch.errors import InvalidInput
from commonwatch.web.auth import user
from commonwatch.web.messages import MakeOffer, Plain, Reason, SignPart
from commonwatch.web.ports import OfferInfo, Offers, Ports, Principal
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]


@get("/")
async def listing(request: Req) -> list[OfferInfo]:
    """Open offers that my organisation is asked to sign, without their texts."""
    here = room(request)
    return list(await here.workers.brief(here.ports.offers.of, user(request)))


@get("/{agreement:str}")
async def show(request: Req, agreement: FromPath[str]) -> OfferInfo:
    """One offer, open or ended: its text, the bytes to sign, who signed, what it changes."""
    here = room(request)
    return await here.workers.brief(here.ports.offers.one, user(request), agreement)


@post("/offer", status_code=201)
async def offer(request: Req, data: JSONBody[MakeOffer]) -> OfferInfo:
    """Freeze a document or a draft and ask its parties to sign. Left out names, keys and version are filled in."""
    here = room(request)
    return await here.workers.brief(_offer, here.ports, user(request), data)


@post("/{agreement:str}/sign", status_code=200)
async def sign(request: Req, agreement: FromPath[str], data: JSONBody[SignPart]) -> OfferInfo:
    """Sign for my organisation. With the last signature the agreement is registered, in the same step."""
    here = room(request)
    return await here.workers.brief(_sign, here.ports.offers, user(request), agreement, data)


@post("/{agreement:str}/decline", status_code=200)
async def decline(request: Req, agreement: FromPath[str], data: JSONBody[Reason]) -> OfferInfo:
    """My organisation will not sign: the offer ends."""
    here = room(request)
    return await here.workers.brief(here.ports.offers.decline, user(request), agreement, data.reason)


@post("/{agreement:str}/withdraw", status_code=200)
async def withdraw(request: Req, agreement: FromPath[str], data: JSONBody[Reason]) -> OfferInfo:
    """Take back an offer of my organisation."""
    here = room(request)
    return await here.workers.brief(here.ports.offers.withdraw, user(request), agreement, data.reason)


def _offer(ports: Ports, who: Principal, asked: MakeOffer) -> OfferInfo:
    document: Any = asked.document
    if asked.draft is not None and document is None:
        document = ports.drafts.one(who, asked.draft, asked.of).document
    elif asked.draft is not None or document is None:
        raise InvalidInput("offer a document or a draft", where="document", todo="send one of the two")
    return ports.offers.offer(who, document)


def _part(data: SignPart, offer: OfferInfo) -> Signature | None:
    """The one signature that was sent, or None for the hub's held key. Raises InvalidInput, SignatureError."""
    loose = data.protected is not None and data.signature is not None
    if [data.held, data.envelope is not None, loose].count(True) != 1:
        todo = "send `protected` and `signature`, or an `envelope`, or `held` alone"
        raise InvalidInput("a signature, or the hub's held key", where="signature", todo=todo)
    if data.envelope is not None:
        return _inside(data.envelope, offer)
    return Signature(data.protected or "", data.signature or "") if loose else None


def _inside(plain: Plain, offer: OfferInfo) -> Signature:
    """The signature in an envelope around the very bytes that are offered."""
    envelope = envelope_from(msgspec.json.encode(plain))
    if envelope.payload != offer.payload or len(envelope.signatures) != 1:
        todo = "sign the bytes of this offer, and send your own signature alone"
        raise InvalidInput("the envelope is not one signature of this offer", where="envelope", todo=todo)
    return envelope.signatures[0]


def _sign(offers: Offers, who: Principal, agreement: str, data: SignPart) -> OfferInfo:
    offer = offers.one(who, agreement)
    return offers.sign(who, offer.hash, _part(data, offer))


LISTING = Router("/offers", route_handlers=[listing, show], tags=["offers"])
ROUTER = Router("/agreements", route_handlers=[offer, sign, decline, withdraw], tags=["offers"], opt={"scope": "sign"})
