"""Offers: freeze a document for signature, sign it, decline it, withdraw it.

`{agreement}` is the hash of an offer, or the name of an agreement that has one open.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, get, post
from litestar.params import FromPath, JSONBody

from commonwatch.agreements.signing import Signature
from commonwatch.errors import InvalidInput
from commonwatch.web.auth import user
from commonwatch.web.messages import MakeOffer, Reason, SignPart
from commonwatch.web.ports import OfferInfo, Ports, Principal
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
    here, part = room(request), _part(data)
    return await here.workers.brief(here.ports.offers.sign, user(request), agreement, part)


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


def _part(data: SignPart) -> Signature | None:
    if data.held and data.protected is None and data.signature is None:
        return None
    if data.held or data.protected is None or data.signature is None:
        todo = "send `protected` and `signature`, or `held` alone"
        raise InvalidInput("a signature, or the hub's held key", where="signature", todo=todo)
    return Signature(data.protected, data.signature)


LISTING = Router("/offers", route_handlers=[listing, show], tags=["offers"])
ROUTER = Router("/agreements", route_handlers=[offer, sign, decline, withdraw], tags=["offers"], opt={"scope": "sign"})
