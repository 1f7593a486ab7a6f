"""Keeping the collector's pauses short: a full look at the heap stops every thread, for a second at 10,000 streams.

Rules held here: what lives is set aside every few seconds, which costs nothing, so that the collector looks only at
what came since; what is freed by itself is freed all the same; once an hour everything is looked at, for what had come
to refer to itself. For a process of its own only, never inside somebody else's.
"""

from __future__ import annotations

import gc
import time

#: Seconds between two times of setting aside, and between two full looks.
ASIDE, FULL = 2.0, 3_600.0


class Heap:
    """The job: `turn` it every `ASIDE` seconds."""

    def __init__(self) -> None:
        self._full = time.monotonic()

    def turn(self) -> None:
        """Set aside what lives, after a full look when one is due."""
        if time.monotonic() - self._full > FULL:
            gc.unfreeze()
            gc.collect()
            self._full = time.monotonic()
        gc.collect(0)
        gc.freeze()
