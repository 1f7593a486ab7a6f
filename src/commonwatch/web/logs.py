"""Logs without data: method, route template, status. Never a query string, body, id, address or message.

Tracebacks are printed as files and lines only, because the text of an engine's error repeats the values it met.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any, cast

from litestar.types import Message, Scope

from commonwatch.web.problems import trail

log = logging.getLogger("commonwatch.requests")
_Error = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Bare(logging.Formatter):
    """A formatter that says where an error happened and never what it said."""

    def formatException(  # noqa: N802
        self, ei: _Error
    ) -> str:
        """The error's type and trail."""
        return f"{ei[0].__name__}: {trail(ei[1])}" if ei[0] is not None else ""

    def formatStack(self, stack_info: str) -> str:  # noqa: ARG002, N802
        """No stacks."""
        return ""


#: For logging.config.dictConfig and uvicorn alike. The access log of the server is off: it would write query strings.
CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"bare": {"()": Bare, "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "bare", "stream": "ext://sys.stderr"}},
    "loggers": {
        "commonwatch": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "commonwatch.requests": {"level": "WARNING"},
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "uvicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
        "asyncio": {"handlers": ["stderr"], "level": "CRITICAL", "propagate": False},
    },
}


async def log_request(message: Message, scope: Scope) -> None:
    """Before-send hook: one line per answer, at INFO; server errors at WARNING."""
    if message["type"] != "http.response.start":
        return
    level = logging.WARNING if message["status"] >= 500 else logging.INFO
    if not log.isEnabledFor(level):
        return
    seen = cast("dict[str, Any]", scope)
    log.log(level, "%s %s %d", seen.get("method"), seen.get("path_template", "-"), message["status"])
