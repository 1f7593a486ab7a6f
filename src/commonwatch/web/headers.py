"""Headers of every answer, errors and files included: content security policy, no sniffing, no framing, no caching.

The policy is strict (`explore.md` 13): nothing but this hub's own files, no inline script or style, no eval. Only a
printed document brings its own, which allows one style sheet by its hash and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
POLICY = "Content-Security-Policy"
ALWAYS = {
    POLICY: CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HUB_TIME = "CW-Hub-Time"


class Harden:
    """Before-send hook: adds the headers, `no-store` where a route said nothing, and the hub's time for gateways."""

    def __init__(self, now: Callable[[], int], *, secure: bool) -> None:
        self._now, self._secure = now, secure

    async def __call__(self, message: Message, scope: Scope) -> None:
        """Add to the headers of a response that starts."""
        if message["type"] != "http.response.start":
            return
        headers = MutableScopeHeaders.from_message(message)
        for name, value in ALWAYS.items():
            if name != POLICY or POLICY not in headers:
                headers[name] = value
        if self._secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if "cache-control" not in headers:
            headers["Cache-Control"] = "no-store"
        if cast("dict[str, Any]", scope).get("path", "").startswith("/gateway/"):
            headers[HUB_TIME] = str(self._now())
