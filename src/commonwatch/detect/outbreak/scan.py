"""Scans over zones and durations: expectation-based Poisson (Neill) and Kulldorff's (`detection.md` 3.6).

Rules held here: a zone is a set of at least eight organisations; what a zone is expected to have is its usual share of
what the whole community is expected to have; a zone with less than expected scores nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from commonwatch.detect.outbreak.expectation import Expected, dispersion
from commonwatch.detect.outbreak.series import DAY, WARM_UP, Flags, Floats, Ints, Onsets, summed, trailing

DURATIONS = (3, 6, 12, 24, 48)
LEAST = 8
_SHARE, _LAG = 21 * DAY, 2 * DAY


class Zone(NamedTuple):
    """Some organisations, by name: everybody, a region, a sector, a sector in a region."""

    name: str
    members: Flags


class Found(NamedTuple):
    """Score of each key and hour, and the zone and duration (as numbers) that gave it; all (keys, hours)."""

    score: Floats
    zone: Ints
    duration: Ints


def zones(regions: Sequence[str], sectors: Sequence[str]) -> list[Zone]:
    """The zones of organisations with these regions and sectors ("" is not known), everybody first."""
    region, sector = np.array(regions, dtype=object), np.array(sectors, dtype=object)
    named: Mapping[str, Flags] = {
        "all": np.ones(len(region), dtype=bool),
        **{f"region {r}": region == r for r in sorted(set(regions)) if r},
        **{f"sector {s}": sector == s for s in sorted(set(sectors)) if s},
        **{
            f"sector {s} in region {r}": (region == r) & (sector == s)
            for r, s in sorted(set(zip(regions, sectors, strict=True)))
            if r and s
        },
    }
    found: list[Zone] = []
    for name, members in named.items():
        if (name == "all" or members.sum() >= LEAST) and not any((members == z.members).all() for z in found):
            found.append(Zone(name, members))
    return found


def expectation_based(new: Onsets, whole: Expected, over: Sequence[Zone]) -> Found:
    """The best zone and duration that end with each hour, by log likelihood ratio over its dispersion."""
    best = Found(
        np.zeros(whole.counted.shape),
        np.zeros(whole.counted.shape, dtype=np.int64),
        np.zeros(whole.counted.shape, dtype=np.int64),
    )
    for number, zone in enumerate(over):
        counted = whole.counted if zone.name == "all" else new.counts(zone.members)
        mean = whole.mean * _share(counted, whole.mean, float(zone.members.mean()))
        for hours in DURATIONS:
            c, b = summed(counted, hours), summed(mean, hours) + 0.05
            score = ratio(c, b) / dispersion(c, b)
            better = score > best.score
            best.score[better] = score[better]
            best.zone[better], best.duration[better] = number, hours
    return best


def ratio(c: Floats, b: Floats) -> Floats:
    """C ln(C/B) + B - C where C > B, else 0."""
    over = c > b
    found = np.zeros_like(c)
    found[over] = c[over] * np.log(c[over] / b[over]) + b[over] - c[over]
    return found


def conditional(c: Floats, b: Floats, total: float) -> Floats:
    """Kulldorff's ratio of windows that hold C of `total`, expected B (B of everything sums to `total`)."""
    rest, spare = total - c, np.maximum(total - b, 1e-12)
    over = (c > 0) & (b > 0) & (c / np.maximum(b, 1e-12) > rest / spare)
    inside = c * np.log(np.maximum(c, 1e-12) / np.maximum(b, 1e-12))
    outside = np.where(rest > 0, rest * np.log(np.maximum(rest, 1e-12) / spare), 0.0)
    found: Floats = np.where(over, inside + outside, 0.0)
    return found


def _share(counted: Floats, mean: Floats, members: float) -> Floats:
    """The zone's usual share of what is expected of everybody, over the 21 days that end two days before each hour."""
    prior = 0.5 / max(members, 0.001)
    trained = (counted[:, :WARM_UP].sum(axis=1, keepdims=True) + 0.5) / (
        mean[:, :WARM_UP].sum(axis=1, keepdims=True) + prior
    )
    share = np.broadcast_to(trained, counted.shape).copy()
    half = WARM_UP // 2
    moved = (trailing(counted, _SHARE, _LAG) + 0.5) / (trailing(mean, _SHARE, _LAG) + prior)
    share[:, half:] = moved[:, half:]
    return share
