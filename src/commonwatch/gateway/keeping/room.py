"""Room on the gateway's disk: reading stops before there is none, and goes on by itself.

Rules held here: a reserve is left free, so that receipts, snapshots and revocations can still be written while nothing
new is read; a disk that is full all the same (a quota, another program) pauses everything for a moment, then it is
tried again. What was not written was not acknowledged, so it is read or sent again.
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

#: Seconds to wait after a write found no room.
PAUSE = 2.0


def is_full(fault: BaseException) -> bool:
    """Whether this fault says that the disk is full."""
    if isinstance(fault, OSError):
        return fault.errno in {errno.ENOSPC, errno.EDQUOT}
    return isinstance(fault, sqlite3.OperationalError) and fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL


def free_bytes(folder: Path) -> int:
    """Bytes that can still be written in a folder."""
    return shutil.disk_usage(folder).free


class Room:
    """The disk of one state folder. `reserve`: bytes to leave free."""

    def __init__(
        self, folder: Path, reserve: int, free: Callable[[Path], int] = free_bytes,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._folder, self._reserve, self._free, self._tick = folder, reserve, free, tick
        self._until = float("-inf")

    @property
    def full(self) -> bool:
        """Whether nothing new may be taken in."""
        return self.stuck or self._free(self._folder) < self._reserve

    @property
    def stuck(self) -> bool:
        """Whether a write failed a moment ago for want of room."""
        return self._tick() < self._until

    def failed(self, fault: BaseException) -> bool:
        """Note a fault; whether it was for want of room."""
        if not is_full(fault):
            return False
        self._until = self._tick() + PAUSE
        return True
