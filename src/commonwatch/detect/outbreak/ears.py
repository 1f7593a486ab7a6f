"""EARS C1, C2 and C3 for short histories (Hutwagner et al. 2003), by day or by hour (`detection.md` 3.1).

Rules held here: C1 and C2 are the upper bounds of R's `surveillance` where it can be compared; C3 is the published
definition, which that package does not follow; sparse counts get a least standard deviation.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from commonwatch.detect.outbreak.series import DAY, Floats, summed

_BASE = 7
#: Days between a day and the newest day of its baseline.
_C1, _C2 = 1, 3


def c1(daily: Floats, least: float = 0.0) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the seven days before each day; NaN where there are fewer. Shape as given."""
    return _baseline(daily, _C1, least)


def c2(daily: Floats, least: float = 0.0) -> tuple[Floats, Floats]:
    """The same of the days t-9 to t-3."""
    return _baseline(daily, _C2, least)


def bound(baseline: tuple[Floats, Floats], alpha: float = 0.001) -> Floats:
    """The count above which C1 or C2 alarms."""
    mean, sd = baseline
    made: Floats = mean + norm.ppf(1 - alpha) * sd
    return made


def c3(daily: Floats, least: float = 0.5) -> Floats:
    """Sum over the last three days of what C2's score has above 1; alarm at `norm.ppf(1 - .025)`."""
    mean, sd = c2(daily, least)
    over = np.maximum((daily - mean) / sd - 1.0, 0.0)
    found = np.full(daily.shape, np.nan)
    found[..., 2:] = over[..., 2:] + over[..., 1:-1] + over[..., :-2]
    return found


def hourly_c2(counted: Floats) -> Floats:
    """C2's score by hour: 24-hour sums against those of the three to nine days before, at least 1 as deviation."""
    sums = summed(counted, DAY)
    lags = np.stack([_before(sums, days * DAY) for days in range(_C2, _C2 + _BASE)])
    mean, sd = lags.mean(axis=0), np.maximum(lags.std(axis=0, ddof=1), 1.0)
    found: Floats = (sums - mean) / sd
    found[..., : (_C2 + _BASE) * DAY] = 0.0
    return found


def _baseline(daily: Floats, lag: int, least: float) -> tuple[Floats, Floats]:
    mean, sd = np.full(daily.shape, np.nan), np.full(daily.shape, np.nan)
    first = lag + _BASE - 1
    if daily.shape[-1] > first:
        windows = np.lib.stride_tricks.sliding_window_view(daily, _BASE, axis=-1)[..., : daily.shape[-1] - first, :]
        mean[..., first:] = windows.mean(axis=-1)
        sd[..., first:] = np.maximum(windows.std(axis=-1, ddof=1), least)
    return mean, sd


def _before(series: Floats, hours: int) -> Floats:
    found = np.zeros_like(series)
    found[..., hours:] = series[..., :-hours]
    return found
