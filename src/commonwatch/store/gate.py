"""A gate that many pass together and that one can close: for the moment in which the store's file is exchanged.

Rules held here: who is inside may enter again; closing waits until all are out and keeps out whoever comes; it gives up
after a while rather than hold anybody up for long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from commonwatch.errors import Unavailable

#: Seconds that who is inside gets to leave by itself, then told to; then the gate opens again.
PATIENCE = 3.0


class Gate:
    """Shared or exclusive passage."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed_by: int | None = None
        self._mine = threading.local()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Inside together with others."""
        depth = getattr(self._mine, "depth", 0)
        with self._changed:
            here = threading.get_ident()
            while not depth and self._closed_by not in (None, here):
                self._changed.wait()
            self._inside += 1
        self._mine.depth = depth + 1
        try:
            yield
        finally:
            self._mine.depth = depth
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def closed(self, hurry: Callable[[], None]) -> Iterator[None]:
        """Alone inside. `hurry` is called when those inside take their time. Raises Unavailable."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed_by is None)
            self._closed_by = threading.get_ident()
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: self._inside == 0, PATIENCE):
                    hurry()
                if not self._changed.wait_for(lambda: self._inside == 0, PATIENCE):
                    raise Unavailable("questions are running that do not end", todo="it will be tried again")
            yield
        finally:
            with self._changed:
                self._closed_by = None
                self._changed.notify_all()
