"""The application factory: routes, the guard before them, problems after them, headers on everything.

`create(ports)` gives a Litestar app; `mounts` are further handlers (TAXII) which the same guard, problems and headers
cover. Bodies are decoded strictly from the bytes, by the type their handler names, with path-precise problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, Request, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, Reference, SecurityScheme
from litestar.types import ControllerRouterHandler

from commonwatch import __version__
from commonwatch.errors import InvalidInput
from commonwatch.web import auth, problems
from commonwatch.web.headers import Harden
from commonwatch.web.logs import log_request
from commonwatch.web.openapi import SERVED
from commonwatch.web.ports import Ports
from commonwatch.web.rooms import KEY, Room
from commonwatch.web.routes import (
    accesses,
    agreements,
    audit,
    drafting,
    duties,
    explain,
    explore,
    findings,
    gateway,
    given,
    life,
    live,
    members,
    pages,
    planning,
    preview,
    questions,
    releases,
    session,
    templates,
    withdrawals,
)
from commonwatch.web.ui import FOLDER, UiFiles

#: Largest request body where a route says nothing else.
MOST_BODY = 1 << 20
ROUTERS = (
    session,
    explore,
    explain,
    releases,
    live,
    accesses,
    agreements,
    drafting,
    templates,
    planning,
    preview,
    questions,
    life,
    members,
    findings,
    given,
    audit,
    gateway,
    duties,
    withdrawals,
    pages,
)
SCHEMA_PATH = "/openapi.json"


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is decoded by the type its handler names: no coercion, nothing unknown."""

    async def json(self) -> Any:
        """The decoded body. Raises InvalidInput with the path to what is wrong."""
        wanted = self.route_handler.parsed_data_field
        try:
            return msgspec.json.decode(await self.body(), type=wanted.annotation if wanted else Any)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise problems.malformed(error) from None

    async def body(self) -> bytes:
        """The body; an empty one where the handler needs one is said so."""
        body = await super().body()
        if not body and self.route_handler.parsed_data_field is not None:
            raise InvalidInput("the request has no body", where="body", todo="look at /openapi.json")
        return body


def create(
    ports: Ports, *, mounts: Sequence[ControllerRouterHandler] = (), base: str = "/", secure: bool = False,
    ui: Path = FOLDER,
) -> Litestar:  # fmt: skip
    """The app over these ports. `base` is the public path prefix with `/` at both ends; `secure` for HTTPS."""
    room = Room(ports=ports, ui=UiFiles(ui, base), base=base, secure=secure)
    return Litestar(
        [module.ROUTER for module in ROUTERS] + list(mounts),
        guards=[auth.guard],
        exception_handlers={**problems.HANDLERS, NotFoundException: pages.deep_link},
        before_send=[Harden(ports.now, secure=secure), log_request],
        request_class=StrictRequest,
        request_max_body_size=MOST_BODY,
        openapi_config=_openapi(),
        state=State({KEY: room, explore.PACKED: explore.Packed()}),
        on_shutdown=[room.workers.close],
        logging_config=None,
        debug=False,
    )


async def _schema_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    if connection.scope["path"].rstrip("/") != SCHEMA_PATH:
        raise problems.NOWHERE


def _openapi() -> OpenAPIConfig:
    router = Router(SCHEMA_PATH, route_handlers=[], include_in_schema=False, opt={"open": True}, guards=[_schema_only])
    schemes: dict[str, SecurityScheme | Reference] = {
        "session": SecurityScheme(type="apiKey", name=auth.COOKIE, security_scheme_in="cookie"),
        "token": SecurityScheme(type="http", scheme="bearer"),
    }
    return OpenAPIConfig(
        title="Commonwatch hub", version=__version__, components=Components(security_schemes=schemes),
        security=[{"session": []}, {"token": []}], openapi_router=router,
        render_plugins=[SERVED],
        description="Everyone acts for an organisation and a purpose. Errors are RFC 9457 problems.",
        use_handler_docstrings=True,
    )  # fmt: skip
