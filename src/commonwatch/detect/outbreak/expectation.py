"""How many onsets to expect in an hour, and by how much windows scatter about that (`detection.md` 2).

Rules held here: the level of an hour looks at 14 days that end two days before it, so that a growing outbreak does not
raise its own baseline; dispersion and rhythm are learnt from the warm-up alone; everything is linear in the history.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from commonwatch.detect.outbreak.series import DAY, WARM_UP, WEEK, Floats, summed, trailing

LAG, LEVEL = 2 * DAY, 14 * DAY


class Expected(NamedTuple):
    """What was counted and what was expected of it, both (keys, hours)."""

    counted: Floats
    mean: Floats

    def window(self, hours: int) -> tuple[Floats, Floats, Floats]:
        """Counted and expected over the hours that end with each, and the dispersion phi (keys, 1), at least 1."""
        a, e = summed(self.counted, hours), summed(self.mean, hours) + 0.05
        return a, e, dispersion(a, e)


def dispersion(a: Floats, e: Floats) -> Floats:
    """Mean of (a - e)^2 / e over the warm-up, at least 1; the last axis is kept with length 1."""
    trained = (a[..., :WARM_UP] - e[..., :WARM_UP]) ** 2 / e[..., :WARM_UP]
    phi: Floats = np.maximum(trained.mean(axis=-1, keepdims=True), 1.0)
    return phi


def expect(counted: Floats) -> Expected:
    """The expectation of a series (keys, hours) whose hour 0 begins a Monday, UTC; longer than the warm-up."""
    trained = counted[:, :WARM_UP]
    m = trained.mean(axis=1, keepdims=True) + 1e-9
    rhythm = _rhythm(trained, m)
    weeks = -(-counted.shape[1] // WEEK)
    pattern = np.tile(rhythm, (1, weeks))[:, : counted.shape[1]]
    pattern = pattern / pattern[:, :WARM_UP].mean(axis=1, keepdims=True)
    level = (trailing(counted, LEVEL, LAG) + m) / (trailing(pattern, LEVEL, LAG) + 1.0)
    level[:, :LEVEL] = m
    return Expected(counted, level * pattern)


def _rhythm(trained: Floats, m: Floats) -> Floats:
    """Profile of hours times profile of working days and weekends, one week: (keys, 168)."""
    days = trained.reshape(trained.shape[0], -1, DAY)
    hour = (days.mean(axis=1) + 0.25 * m) / (1.25 * m)
    hour = (np.roll(hour, 1, axis=1) + 2 * hour + np.roll(hour, -1, axis=1)) / 4
    weekend = np.arange(days.shape[1]) % 7 >= 5
    rest = np.maximum(days[:, weekend].mean(axis=(1, 2))[:, None] / m, 0.05)
    work = np.maximum(days[:, ~weekend].mean(axis=(1, 2))[:, None] / m, 0.05)
    kinds = np.where(np.arange(7) >= 5, rest, work)
    made: Floats = (kinds[:, :, None] * hour[:, None, :]).reshape(trained.shape[0], WEEK)
    return made
