"""Upkeep: checkpoints, owners' decision entries, compaction. Each on its own beat, none stops another.

Rules held here: a checkpoint is signed within ten seconds of the log's growth; days are compacted only when they are
over; a failure is logged by type and tried at the next beat.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

log = logging.getLogger("commonwatch.hub")


class Job(NamedTuple):
    """What to do every so many seconds."""

    name: str
    seconds: float
    run: Callable[[], object]


class Upkeep(threading.Thread):
    """Runs jobs one after another, each when it is due."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__(name="upkeep", daemon=True)
        self._jobs = jobs
        self._due = {job.name: time.monotonic() + job.seconds for job in jobs}
        self._over = threading.Event()

    def run(self) -> None:
        """Until stopped."""
        while not self._over.wait(self._pause()):
            for job in self._jobs:
                if time.monotonic() >= self._due[job.name]:
                    self._due[job.name] = time.monotonic() + job.seconds
                    once(job)

    def stop(self) -> None:
        """End after the job that runs."""
        self._over.set()
        if self.is_alive():
            self.join(30)

    def _pause(self) -> float:
        return max(0.05, min(self._due.values()) - time.monotonic())


def once(job: Job) -> None:
    """Run a job; what fails is said by name and type only."""
    try:
        job.run()
    except Exception as error:
        log.warning("%s failed and will be tried again: %s", job.name, type(error).__name__)
