"""Leases: an open stream may go on only as long as the policy keeps saying yes.

Rules held here (`agreements.md` 16): asked again at most every half second; no positive answer, no lease; a lease that
has ended never comes back. Any change of the policy's epoch ends it: who still may, opens a new stream at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from commonwatch.errors import CommonwatchError

RENEW_SECONDS = 0.5


class Lease:
    """One stream's permission, of one policy epoch."""

    def __init__(self, epoch: int, current: Callable[[], int]) -> None:
        """`current` gives the policy's epoch for this reader now, or raises."""
        self.epoch = epoch
        self._current, self._lock = current, threading.Lock()
        self._asked, self._ended = time.monotonic(), False

    def alive(self) -> bool:
        """Whether the stream may go on. Cheap: asks the policy at most every half second."""
        with self._lock:
            if not self._ended and time.monotonic() - self._asked >= RENEW_SECONDS:
                self._ended = not self._renewed()
                self._asked = time.monotonic()
            return not self._ended

    def _renewed(self) -> bool:
        try:
            return self._current() == self.epoch
        except CommonwatchError:
            return False
