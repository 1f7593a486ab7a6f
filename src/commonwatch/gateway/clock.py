"""The gateway's idea of the time: its own clock, corrected by the hub, never behind what was proven.

Rules held here: a correction from the hub is unsigned and may only help to sign requests and to read logs; whether a
snapshot is still fresh is judged by a time that never falls behind the newest signed time seen plus what has passed
since on the monotonic clock, so that nobody on the line can keep an old snapshot alive.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_clock() -> int:
    """Microseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1000


class Clock:
    """Corrected time in microseconds. `floor` is the newest proven time, from before a restart."""

    def __init__(
        self, wall: Callable[[], int] = wall_clock, tick: Callable[[], float] = time.monotonic, floor: int = 0
    ) -> None:
        self._wall = wall
        self._tick = tick
        self._proven, self._proven_at = floor, tick()
        self.offset = 0

    def wall(self) -> int:
        """This machine's uncorrected clock."""
        return self._wall()

    def tick(self) -> float:
        """Monotonic seconds."""
        return self._tick()

    def now(self) -> int:
        """Corrected time, never behind `floor()`."""
        return max(self._wall() + self.offset, self.floor())

    def floor(self) -> int:
        """The newest proven time, moved on by what has passed since."""
        return self._proven + int((self._tick() - self._proven_at) * 1_000_000)

    def prove(self, at: int) -> None:
        """A signature says that it was at least `at`."""
        if at > self.floor():
            self._proven, self._proven_at = at, self._tick()
