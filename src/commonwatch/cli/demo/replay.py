"""Replays the outbreak live: hours of simulated time are appended to the sensors' logs within seconds.

Rules: only log files are written, line by line as a sensor would; every line keeps its own event time.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from commonwatch.cli.demo.stage import Stage

TICK = 0.5


def lines(stage: Stage) -> Iterator[tuple[int, Path, bytes]]:
    """(microseconds, log, line) of all SMEs from the split to the end, in order of time."""
    start, end = stage.split, stage.community.params.until

    def of(path: Path, records: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, Path, bytes]]:
        return ((at, path, line) for at, line in records)

    streams = [of(stage.log(m), stage.community.records(m, start, end)) for m in stage.smes()]
    return heapq.merge(*streams, key=lambda item: item[0])


def replay(stage: Stage, progress: Callable[[float, int], None] | None = None) -> int:
    """Write everything after the split within `stage.scale.live` seconds; gives the number of records."""
    span = stage.community.params.until - stage.split
    begun, total = time.monotonic(), 0
    pending: dict[Path, list[bytes]] = {}
    for at, path, line in lines(stage):
        due = begun + (at - stage.split) / span * stage.scale.live
        if (ahead := due - time.monotonic()) > TICK:
            flush(pending)
            if progress:
                progress((at - stage.split) / span, total)
            time.sleep(ahead)
        pending.setdefault(path, []).append(line)
        total += 1
    flush(pending)
    return total


def flush(pending: dict[Path, list[bytes]]) -> None:
    """Append what is pending to the logs, whole lines at a time."""
    for path, found in pending.items():
        with path.open("ab") as file:
            file.write(b"".join(found))
    pending.clear()
