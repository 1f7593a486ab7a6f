"""A thread that does one thing whenever it is woken, or at the latest after a while.

Rules held here: being woken often while it works makes it work once more, not often; stopping waits for the turn that
runs. What a turn does, and what it does when that fails, is its subclass's.
"""

from __future__ import annotations

import threading
import time


class Loop(threading.Thread):
    """The loop; subclasses give `turn`. `idle`: seconds between turns without news, `gather`: waited after the news."""

    def __init__(self, name: str, *, idle: float, gather: float = 0.0) -> None:
        super().__init__(name=name, daemon=True)
        self._idle, self._gather = idle, gather
        self._news, self._over = threading.Event(), threading.Event()

    def wake(self) -> None:
        """There may be something to do."""
        self._news.set()

    def stop(self) -> None:
        """End after the turn that runs."""
        self._over.set()
        self._news.set()
        if self.is_alive():
            self.join(10)

    def run(self) -> None:
        """Take turns until stopped."""
        while not self._over.is_set():
            self._news.wait(self._idle)
            self._over.wait(self._gather)
            self._news.clear()
            begun = time.monotonic()
            if not self._over.is_set():
                self.turn()
            self._over.wait(self.rest(time.monotonic() - begun))

    def turn(self) -> None:
        """Do it once. Must not raise."""
        raise NotImplementedError

    def rest(self, took: float) -> float:  # noqa: ARG002 - for subclasses that rest by what a turn took
        """Seconds to rest after a turn that took so long."""
        return 0.0
