"""Hotspots: where and when a past period was unusual (Kulldorff's scan; `detection.md` 9).

Rules held here: significance comes from rolling each organisation's onsets by whole weeks, not from a Poisson null,
under which every zone that is always busy is a hotspot; secondary clusters do not overlap; the p-value is never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from commonwatch.detect.outbreak.scan import Zone, conditional
from commonwatch.detect.outbreak.series import DAY, WEEK, Floats, Onsets

LONGEST, MOST, REPLICAS = 14, 5, 999


class Hotspot(NamedTuple):
    """Zone (its number), first day and number of days, organisations' onsets, how many were expected, p-value."""

    zone: int
    first: int
    days: int
    observed: float
    expected: float
    p: float


def hotspots(new: Onsets, zones: Sequence[Zone], seed: int = 0, replicas: int = REPLICAS) -> list[Hotspot]:
    """Up to five zone-windows of whole days with p at most .05, the strongest first, over all keys together.

    Args:
        new: onsets of a period of whole weeks.
        zones: where to look, everybody first (`outbreak.scan.zones`); everybody is no hotspot.
        seed: of the week shifts.
        replicas: Monte Carlo replicas.
    """
    counts = _daily(new, zones)
    expected = _usual(counts)
    scores = _scores(counts, expected)
    rng = np.random.default_rng(seed)
    weeks = new.size.hours // WEEK
    null = np.empty(replicas)
    for i in range(replicas):
        moved = _daily(new.shifted(rng.integers(0, weeks, new.size.orgs)), zones)
        null[i] = _scores(moved, _usual(moved)).max()
    return _distinct(scores, counts, expected, null)


def _distinct(scores: Floats, counts: Floats, expected: Floats, null: Floats) -> list[Hotspot]:
    """The best windows one after the other; what overlaps one in time is not looked at again."""
    found: list[Hotspot] = []
    left = scores.copy()
    while len(found) < MOST and left.max() > 0:
        zone, first, index = (int(i) for i in np.unravel_index(int(left.argmax()), left.shape))
        p = float((1 + (null >= left[zone, first, index]).sum()) / (1 + len(null)))
        if p > 0.05:
            break
        days = index + 1
        window = slice(first, first + days)
        found.append(
            Hotspot(zone, first, days, float(counts[zone, window].sum()), float(expected[zone, window].sum()), p)
        )
        for length in range(left.shape[2]):
            left[:, max(first - length, 0) : first + days, length] = 0
    return found


def _daily(new: Onsets, zones: Sequence[Zone]) -> Floats:
    """Onsets of each zone and day, all keys together: (zones, days)."""
    rows = [new.counts(zone.members).sum(axis=0) for zone in zones]
    made: Floats = np.stack(rows).reshape(len(rows), -1, DAY).sum(axis=2)
    return made


def _usual(counts: Floats) -> Floats:
    """What each zone would have each day, had it its usual share of everybody's."""
    found: Floats = counts.sum(axis=1, keepdims=True) * counts[:1] / max(float(counts[0].sum()), 1.0)
    return found


def _scores(counts: Floats, expected: Floats) -> Floats:
    """Kulldorff's ratio of each zone and window, by first day and length; everybody's row scores 0."""
    zones, days = counts.shape
    longest = min(LONGEST, days)
    found = np.zeros((zones, days, longest))
    c, b = (np.pad(np.cumsum(x, axis=1), ((0, 0), (1, 0))) for x in (counts, expected))
    for length in range(1, longest + 1):
        inside, level = c[:, length:] - c[:, :-length], b[:, length:] - b[:, :-length]
        found[:, : days - length + 1, length - 1] = conditional(inside, level, float(counts[0].sum()))
    found[0] = 0
    return found
