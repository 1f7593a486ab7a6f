"""Emerging indicators: how surprising it is that so many organisations newly saw one within a day (`detection.md` 10).

Rules held here: the background of a kind is fitted to all its indicators, so that one never seen before is compared to
its like; the score is a tail probability and nothing else; 24-hour and 14-day numbers stand beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import nbinom

PAST = 14.0
_LEAST_MEAN, _HIGHEST = 1e-3, 200.0
Floats = npt.NDArray[np.float64]


class Counted(NamedTuple):
    """An indicator, organisations for which it was new in the last 24 hours, and in the 14 days before those."""

    indicator: str
    today: int
    before: int


class Emerging(NamedTuple):
    """An indicator with its score, -log10 P(at least so many); the numbers it comes from."""

    indicator: str
    score: float
    today: int
    before: int


def emerging(counted: Sequence[Counted]) -> list[Emerging]:
    """Indicators of one kind, the most surprising first. A rate a day is Gamma(alpha, beta), fitted by moments."""
    if not counted:
        return []
    today = np.array([c.today for c in counted], dtype=np.float64)
    before = np.array([c.before for c in counted], dtype=np.float64)
    alpha, beta = _prior(before / PAST)
    shape, rate = alpha + before, beta + PAST
    tail = nbinom.logsf(today - 1, shape, rate / (rate + 1)) / -np.log(10.0)
    score = np.clip(np.nan_to_num(tail, nan=0.0, posinf=_HIGHEST), 0.0, _HIGHEST)
    found = [Emerging(c.indicator, round(float(s), 3), c.today, c.before) for c, s in zip(counted, score, strict=True)]
    return sorted((e for e in found if e.today), key=lambda e: (-e.score, -e.today, e.indicator))


def _prior(rates: Floats) -> tuple[float, float]:
    """Mean and variance of the daily rates, less what a Poisson count of 14 days adds to the variance."""
    mean = max(float(rates.mean()), _LEAST_MEAN)
    variance = max(float(rates.var()) - mean / PAST, mean * mean / 10)
    return mean * mean / variance, mean / variance
