"""Who asks: one guard before every route. Session cookie, bearer token, or (TAXII) Basic with a token as password.

Rules held here: a route without `open` in its options needs a principal; the principal's scope must cover the route's
`scope` (GET: `read` unless it says otherwise; anything that changes something must name one, else it is closed);
browsers must send `X-Commonwatch` with everything that is not a plain read (no form or image can); a token never acts
where `people` stands, and an `Authorization` header is never overridden by a cookie.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from commonwatch.agreements.reader import Reader
from commonwatch.errors import NotAuthenticated, NotPermitted
from commonwatch.web.ports import Accounts, Principal
from commonwatch.web.rooms import room

COOKIE = "cw_session"
HEADER = "x-commonwatch"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: A scope no token can have.
PEOPLE = "people"
Connection = ASGIConnection[Any, Any, Any, Any]


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let the request through with its principal as `request.user`, or raise."""
    opt = handler.opt
    method = str(connection.scope.get("method", "GET"))
    if method not in SAFE and "csrf" not in opt:
        _check_header(connection)
    if opt.get("open"):
        return
    principal = await _principal(connection)
    _check_scope(principal, str(opt.get("scope", "read" if method in SAFE else PEOPLE)))
    connection.scope["user"] = principal


async def _principal(connection: Connection) -> Principal:
    here = room(connection)
    accounts, authorization = here.ports.accounts, connection.headers.get("authorization")
    if authorization is not None:
        secret = _token(authorization, basic=False)
        return await here.workers.brief(accounts.bearer, secret)
    if cookie := connection.cookies.get(COOKIE):
        return await here.workers.brief(accounts.session, cookie)
    raise NotAuthenticated("nobody is logged in", todo="log in, or send an API token as Authorization: Bearer")


def _token(authorization: str, *, basic: bool) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    if basic and scheme.lower() == "basic":
        try:
            _, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            password = ""
        if password:
            return password
    raise NotAuthenticated(
        "this kind of credential is not taken here", where="Authorization", todo="send an API token as Bearer"
    )


def _check_scope(principal: Principal, scope: str) -> None:
    if principal.kind == "person" or scope in principal.scopes:
        return
    todo = "log in in a browser" if scope == PEOPLE else f"make a token with the scope {scope}"
    raise NotPermitted("this token does not cover that", where="Authorization", todo=todo)


def _check_header(connection: Connection) -> None:
    """A cookie alone never changes anything: the browser must show that our own page asked."""
    if connection.headers.get("authorization") is None and connection.headers.get(HEADER) != "1":
        raise NotPermitted(
            "the request does not come from this hub's own pages", where=HEADER, todo=f"send {HEADER}: 1"
        )


def need_admin(principal: Principal) -> None:
    """Refuse whoever is not an administrator of their organisation."""
    if not principal.admin:
        raise NotPermitted("only an administrator of your organisation may do this", todo="ask one of them")


def taxii_reader(accounts: Accounts) -> Callable[[Request[Any, Any, Any]], Reader]:
    """How the TAXII routes find who asks: a token with the scope `taxii`, as Bearer or as the password of Basic."""

    def authenticate(request: Request[Any, Any, Any]) -> Reader:
        principal = accounts.bearer(_token(request.headers.get("authorization", ""), basic=True))
        _check_scope(principal, "taxii")
        return principal.reader

    return authenticate


def user(request: Any) -> Principal:
    """The principal of a request that the guard let through."""
    return cast("Principal", request.scope["user"])
