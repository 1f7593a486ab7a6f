"""What every route of one app shares: the ports, the threads, the UI's files, and whether the hub is closing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from litestar import Litestar
from litestar.connection import ASGIConnection

from commonwatch.web.ports import Ports
from commonwatch.web.ui import UiFiles
from commonwatch.web.work import Workers

KEY = "room"


class Closing:
    """Told once that the hub stops; held-open streams wait for it beside their own news."""

    def __init__(self) -> None:
        self._told = False
        self._waiting: set[asyncio.Event] = set()

    def tell(self) -> None:
        """End every stream. Event loop only."""
        self._told = True
        for event in self._waiting:
            event.set()

    def event(self) -> asyncio.Event:
        """An event of the running loop that is set when the hub stops. Give it back with `drop`."""
        event = asyncio.Event()
        if self._told:
            event.set()
        self._waiting.add(event)
        return event

    def drop(self, event: asyncio.Event) -> None:
        """The stream has ended."""
        self._waiting.discard(event)


@dataclass(frozen=True, kw_only=True)
class Room:
    """Shared by all routes. `base` is the path prefix, `/` at both ends; `secure` marks cookies for HTTPS only."""

    ports: Ports
    ui: UiFiles
    base: str = "/"
    secure: bool = False
    workers: Workers = field(default_factory=Workers)
    closing: Closing = field(default_factory=Closing)


def room(connection: ASGIConnection[Any, Any, Any, Any]) -> Room:
    """The room of the app that a request came to."""
    return cast("Room", connection.app.state[KEY])


def closing_of(app: Litestar) -> Closing:
    """How to tell this app's streams that the hub stops."""
    return cast("Room", app.state[KEY]).closing
