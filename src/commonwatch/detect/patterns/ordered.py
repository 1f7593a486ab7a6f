"""Ordered stages over a stream, with constant state for each group (`detection.md` 11).

Rules held here: the latest start of a partial match dominates every other, so one time for each stage is enough; an
event moves on what was reached before it, so that it is never two stages; a group and span is reported once; the
groups longest untouched are forgotten beyond a bound.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable
from typing import NamedTuple

MOST_GROUPS = 100_000


class Reached(NamedTuple):
    """All stages were seen in order: when the first and the last of them."""

    group: Hashable
    first: int
    last: int


class Stages:
    """Follows one ordered pattern of at least two stages. Give events by time; times and span are microseconds."""

    def __init__(self, stages: int, span: int, most: int = MOST_GROUPS) -> None:
        self._stages, self._span, self._most = stages, span, most
        self._starts: OrderedDict[Hashable, list[int | None]] = OrderedDict()
        self._told: OrderedDict[Hashable, int] = OrderedDict()

    def see(self, group: Hashable, matched: Collection[int], time: int) -> Reached | None:
        """An event of a group that matches these stages (numbers from 0). What it completes, if anything."""
        if not matched:
            return None
        starts = self._starts.setdefault(group, [None] * self._stages)
        self._starts.move_to_end(group)
        before = list(starts)
        for stage in matched:
            start = time if stage == 0 else before[stage - 1]
            if start is not None and time - start <= self._span:
                starts[stage] = max(start, starts[stage] or start)
        self._forget()
        whole = before[-2] if self._stages - 1 in matched else None
        return self._completed(group, whole, time) if whole is not None and time - whole <= self._span else None

    def _completed(self, group: Hashable, start: int, time: int) -> Reached | None:
        told = self._told.get(group)
        if told is not None and time - told <= self._span:
            return None
        self._told[group] = time
        self._told.move_to_end(group)
        return Reached(group, start, time)

    def _forget(self) -> None:
        for table in (self._starts, self._told):
            while len(table) > self._most:
                table.popitem(last=False)
