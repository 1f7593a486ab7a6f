"""The life of an agreement over HTTP: drafts, offers, signatures, steps, keys, and what the parties are told."""

from __future__ import annotations

from litestar import Router

from commonwatch.web.routes.life import drafts, notifications, offers

ROUTER = Router(
    "/api", route_handlers=[drafts.ROUTER, offers.LISTING, offers.ROUTER, notifications.ROUTER],
    opt={"scope": "agreements"},
)  # fmt: skip
