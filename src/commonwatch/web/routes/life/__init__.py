"""The life of an agreement over HTTP: drafts, offers, signatures, steps, keys, and what the parties are told."""

from __future__ import annotations

from litestar import Router

from commonwatch.web.routes.life import drafts, keys, lives, notifications, offers, steps

TOPICS = (lives.ROUTER, keys.ROUTER, drafts.ROUTER, offers.LISTING, offers.ROUTER, steps.ROUTER, notifications.ROUTER)
ROUTER = Router("/api", route_handlers=TOPICS, opt={"scope": "agreements"})
