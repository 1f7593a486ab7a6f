"""What every route of one app shares: the ports, the threads, the UI's files, and whether the hub is closing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from litestar import Litestar
from litestar.connection import ASGIConnection

from commonwatch.web.ports import Ports
from commonwatch.web.ui import UiFiles
from commonwatch.web.work import Workers

KEY = "room"


class Closing:
    """Told once that the hub stops; held-open streams say what ends them. Event loop only."""

    def __init__(self) -> None:
        self._told = False
        self._ends: set[Callable[[], None]] = set()

    def tell(self) -> None:
        """End every stream."""
        self._told = True
        for end in list(self._ends):
            end()

    def add(self, end: Callable[[], None]) -> None:
        """A stream is open; called at once where the hub stops already."""
        self._ends.add(end)
        if self._told:
            end()

    def drop(self, end: Callable[[], None]) -> None:
        """The stream has ended."""
        self._ends.discard(end)


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
