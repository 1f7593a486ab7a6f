"""The hub's clock: microseconds UTC that never run backwards, within a process and across restarts.

Rule (`agreements.md` 10): time is never below the largest time already seen, so that a clock set back cannot revive an
expired agreement. Within a process it goes on by the monotonic clock; across restarts the largest time is kept in the
database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MICROS = 1_000_000


def wall() -> int:
    """The machine's clock in microseconds UTC."""
    return time.time_ns() // 1000


class Clock:
    """max(wall, largest seen + what went by since on the monotonic clock)."""

    def __init__(self, wall: Callable[[], int] = wall, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._largest, self._at = wall(), steady()
        self._lock = threading.Lock()

    def now(self) -> int:
        """Microseconds UTC."""
        with self._lock:
            steady = self._steady()
            floor = self._largest + int((steady - self._at) * MICROS)
            self._largest, self._at = max(self._wall(), floor), steady
            return self._largest

    def raise_to(self, seen: int) -> None:
        """Never again below `seen`: what the database remembers from before."""
        with self._lock:
            if seen > self._largest:
                self._largest, self._at = seen, self._steady()
