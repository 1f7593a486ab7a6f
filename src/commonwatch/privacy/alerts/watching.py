"""From the alert table's series to alerts: every series against its own recent past, with the noise in the denominator.

Rules held here (`privacy.md` 7.1, 7.2; `detection.md` 5): only released numbers are read, baselines too; sums over 1, 3
and 5 days are compared with the mean of the 28 days before them; one threshold for all series follows from the false
alerts that are wanted; sums are never clipped; days that have not closed are not there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from commonwatch.errors import InvalidInput
from commonwatch.privacy.release.cube import variance
from commonwatch.privacy.release.slices import Series, pieces

Floats = npt.NDArray[np.float64]
SPANS, BASELINE, LEAST = (1, 3, 5), 28, 0.02
#: How much the three overlapping spans of a day count as independent tests; fitted to simulation.
OVERLAP = 1.7
NORMAL = NormalDist()


class Track(NamedTuple):
    """One family in one region (None: everywhere): an estimate for each day, and the noise variance of one."""

    family: str
    region: str | None
    daily: Floats
    noise: float


class Alert(NamedTuple):
    """A family stands out. `day`: the last of the `days` that were summed; `excess`: members above expectation."""

    family: str
    region: str | None
    day: int
    days: int
    excess: float
    z: float


def z_limit(series: int, days: int, false_alerts: float) -> float:
    """The threshold for so many series over so many days: half the false alerts are for regions, half for all."""
    if series < 1 or days < 1 or not 0 < false_alerts < OVERLAP * series * days:
        todo = "at least one series and day; half a false alert in a window is usual"
        raise InvalidInput("a threshold needs something to watch", where="false_alerts", todo=todo)
    return NORMAL.inv_cdf(1 - false_alerts / 2 / (OVERLAP * series * days))


def tracks(windows: Sequence[Series]) -> list[Track]:
    """Daily estimates of successive windows of one alert plan, joined; regional ones first.

    Raises InvalidInput when the windows are of different plans or one before the last is not closed.
    """
    if not windows:
        return []
    plan = windows[0].plan
    whole = all(w.closed == plan.axes[0].size for w in windows[:-1])
    if not whole or any(w.plan.axes != plan.axes for w in windows):
        raise InvalidInput("these windows do not follow one another", where="windows", todo="give closed ones in order")
    _, where, what = plan.axes
    daily = np.concatenate([_daily(w) for w in windows])
    noise = max(_noise(w, at=0) for w in windows), max(_noise(w, at=None) for w in windows)
    regional = [
        Track(family, region, daily[:, r, f], noise[0])
        for r, region in enumerate(where.values)
        for f, family in enumerate(what.values)
    ]
    national = [Track(family, None, daily[:, :, f].sum(axis=1), noise[1]) for f, family in enumerate(what.values)]
    return [*(regional if where.size > 1 else []), *national]


def watch(windows: Sequence[Series], *, false_alerts: float = 0.5, days: int = 28) -> list[Alert]:
    """The alerts among the last `days` days. `false_alerts`: how many are wanted in such a stretch when all is quiet.

    The first 28 days after the beginning have no baseline and raise nothing. Consecutive days are one alert, told at
    the first of them.
    """
    found = tracks(windows)
    limits = {
        regional: z_limit(n, days, false_alerts)
        for regional in (True, False)
        if (n := sum((t.region is not None) == regional for t in found))
    }
    alerts = [a for t in found for a in _of(t, limits[t.region is not None], days)]
    return sorted(alerts, key=lambda a: (a.day, -a.z))


def strength(track: Track) -> tuple[Floats, Floats]:
    """For each day the largest z over the spans that end with it, and that span; -inf before there is a baseline."""
    best, span = np.full(len(track.daily), -np.inf), np.zeros(len(track.daily))
    sums = np.concatenate([[0.0], np.cumsum(track.daily)])
    for w in SPANS:
        ends = np.arange(BASELINE + w, len(sums))
        mean = np.maximum((sums[ends - w] - sums[ends - w - BASELINE]) / BASELINE, LEAST)
        z = (sums[ends] - sums[ends - w] - w * mean) / np.sqrt(w * (mean + track.noise) * (1 + w / BASELINE))
        better = z > best[ends - 1]
        best[ends - 1], span[ends - 1] = np.where(better, z, best[ends - 1]), np.where(better, w, span[ends - 1])
    return best, span


def _of(track: Track, limit: float, days: int) -> list[Alert]:
    best, span = strength(track)
    over = best > limit
    first = [d for d in np.flatnonzero(over) if d >= len(over) - days and (d == 0 or not over[d - 1])]
    return [_alert(track, int(d), int(span[d]), float(best[d])) for d in first]


def _alert(track: Track, day: int, w: int, z: float) -> Alert:
    mean = max(float(track.daily[day - w - BASELINE + 1 : day - w + 1].mean()), LEAST)
    excess = float(track.daily[day - w + 1 : day + 1].sum()) - w * mean
    return Alert(track.family, track.region, day, w, excess, z)


def _daily(window: Series) -> Floats:
    parts = [piece.cube.cells for piece in pieces(window)]
    shape = [axis.size for axis in window.plan.axes[1:]]
    return np.concatenate(parts) if parts else np.empty((0, *shape))


def _noise(window: Series, *, at: int | None) -> float:
    """Noise variance of one family on one day: in one region, or in all of them."""
    axes = window.plan.axes
    day, family = np.eye(1, axes[0].size)[0], np.eye(1, axes[2].size)[0]
    region = None if at is None else np.eye(1, axes[1].size, at)[0]
    return max(variance(axes, window.plan.tau, [day, region, family]), 0.0)


def noise_of(regions: int, regional: float, national: float) -> tuple[float, float]:
    """The same two variances from those of the two tables' cells: (one region, all regions)."""
    summed = regions * regional
    joined = 1 / (1 / national + 1 / summed) if math.isfinite(national) else summed
    return regional - summed / regions**2 + joined / regions**2, joined
