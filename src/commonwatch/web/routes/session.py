"""Open, show, switch and close a session. The cookie is HttpOnly and SameSite=Strict and carries a secret, no data."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import Cookie
from litestar.params import JSONBody

from commonwatch.errors import InvalidInput, NotAuthenticated
from commonwatch.web.auth import COOKIE, PEOPLE, user
from commonwatch.web.messages import OpenSession, SessionView, SwitchPurpose, Who
from commonwatch.web.ports import Accounts, Principal, SessionInfo
from commonwatch.web.rooms import Room, room

Req = Request[Any, Any, Any]


@post("/", status_code=200, opt={"open": True})
async def open_session(request: Req, data: JSONBody[OpenSession]) -> Response[SessionView]:
    """Log in with a setup link or with person and passphrase; sets the session cookie."""
    here = room(request)
    opened = await here.workers.brief(_open, here.ports.accounts, data)
    shown = await here.workers.brief(_view, here, opened.principal)
    return Response(shown, cookies=[_cookie(here, opened.secret, None)])


@get("/")
async def show_session(request: Req) -> SessionView:
    """Who acts here, for which organisation and purpose."""
    here = room(request)
    return await here.workers.brief(_view, here, user(request))


@post("/purpose", status_code=200, opt={"scope": PEOPLE})
async def switch_purpose(request: Req, data: JSONBody[SwitchPurpose]) -> SessionView:
    """Act for another purpose from now on. Everything shown so far must be asked again."""
    here, secret = room(request), _secret(request)
    principal = await here.workers.brief(here.ports.accounts.switch_purpose, secret, data.purpose)
    return await here.workers.brief(_view, here, principal)


@delete("/", status_code=204, opt={"open": True})
async def close_session(request: Req) -> Response[None]:
    """Log out: the session ends, and with it everything it holds open."""
    here = room(request)
    if secret := request.cookies.get(COOKIE):
        await here.workers.brief(here.ports.accounts.close, secret)
    return Response(None, status_code=204, cookies=[_cookie(here, "", 0)])


def _open(accounts: Accounts, asked: OpenSession) -> SessionInfo:
    if asked.link is not None and asked.person is None:
        return accounts.open_with_link(asked.link, asked.passphrase)
    if asked.link is None and asked.person is not None and asked.passphrase is not None:
        return accounts.open_with_passphrase(asked.person, asked.passphrase)
    raise InvalidInput("log in with a link, or with person and passphrase", where="link", todo="send one of the two")


def _view(here: Room, principal: Principal) -> SessionView:
    accounts = here.ports.accounts
    return SessionView(
        person=Who(principal.id, principal.name), org=accounts.org(principal.reader.org),
        purpose=principal.reader.purpose, purposes=accounts.purposes(principal), epoch=here.ports.epoch(),
        admin=principal.admin, operator=principal.operator, kind=principal.kind,
    )  # fmt: skip


def _secret(request: Req) -> str:
    if secret := request.cookies.get(COOKIE):
        return secret
    raise NotAuthenticated("nobody is logged in here", todo="log in")


def _cookie(here: Room, value: str, max_age: int | None) -> Cookie:
    return Cookie(COOKIE, here.base, value, max_age, httponly=True, samesite="strict", secure=here.secure)


ROUTER = Router(
    "/api/session", route_handlers=[open_session, show_session, switch_purpose, close_session], tags=["session"]
)
