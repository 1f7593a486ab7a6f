"""Thresholds from the community's own quiet past, for one budget of false alerts a month (`detection.md` 3.8).

Rules held here: the user sets the budget and nothing else; a replicate keeps each organisation's bursts, rhythm and
mixture of keys, and breaks only what they have in common in time; the same past and seed give the same thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from commonwatch.detect.outbreak.ensemble import DETECTORS, Detector, History, Scores, score
from commonwatch.detect.outbreak.series import DAY, SCORED, WARM_UP, WEEK, Floats
from commonwatch.errors import InvalidInput

#: Shifting by weeks destroys drift that members have in common, so thresholds come out low: measured (3.8).
PRUDENCE = 0.7
#: False alerts that the simulated months should hold, and how much quiet past is needed, in hours.
_WANTED, LEAST_PAST = 20, 42 * DAY
_PAUSE = DAY
_HALVINGS = 40


class Calibration(NamedTuple):
    """Thresholds for a budget (false alerts a month over all keys), and how many simulated months they rest on."""

    budget: float
    thresholds: Mapping[Detector, float]
    ensemble: float
    months: float

    def judge(self, scores: Scores) -> Floats:
        """How far above the threshold each key is in each hour; above 1 is an alert: (keys, hours)."""
        found: Floats = scores.together(self.thresholds) / self.ensemble
        return found


def calibrate(quiet: History, budget: float, seed: int = 0) -> Calibration:
    """Thresholds from quiet history of whole weeks, at least six.

    Raises:
        InvalidInput: the budget is not above zero, or there is too little history.
    """
    if not 0 < budget <= 1_000:
        raise InvalidInput(f"a budget of {budget} false alerts a month cannot be met: choose one above 0, up to 1,000")
    if quiet.new.size.hours < LEAST_PAST or quiet.new.size.hours % WEEK:
        raise InvalidInput("thresholds need at least six whole weeks of quiet history")
    runs = list(_runs(quiet, budget, np.random.default_rng(seed)))
    months = len(runs) * SCORED / (30 * DAY)
    allowed = PRUDENCE * budget * months
    by = {d: np.concatenate([r.by[d][:, WARM_UP:] for r in runs]) for d in DETECTORS}
    thresholds = {d: _threshold(by[d], allowed / len(DETECTORS)) for d in DETECTORS}
    largest: Floats = np.max([by[d] / thresholds[d] for d in DETECTORS], axis=0)
    return Calibration(budget, thresholds, _threshold(largest, allowed), months)


def episodes(scores: Floats, threshold: float) -> int:
    """Groups of hours above a threshold, more than a day apart, over all rows of (keys, hours)."""
    row, hour = np.nonzero(scores > threshold)
    if not len(row):
        return 0
    return int(1 + ((np.diff(row) != 0) | (np.diff(hour) > _PAUSE)).sum())


def _runs(quiet: History, budget: float, rng: np.random.Generator) -> Iterator[Scores]:
    """Scored replicates, until they should hold enough false alerts to set a threshold by."""
    starts = range(0, quiet.new.size.hours - SCORED + 1, SCORED) or (0,)
    needed = _WANTED / (PRUDENCE * budget) * (30 * DAY) / SCORED
    weeks = quiet.new.size.hours // WEEK
    for _ in range(int(np.ceil(needed / len(starts)))):
        shift = rng.integers(0, weeks, quiet.new.size.orgs)
        shifted = quiet._replace(new=quiet.new.shifted(shift), affected=quiet.affected.shifted(shift))
        for start in starts:
            yield score(shifted.run(start, WARM_UP + SCORED))


def _threshold(scores: Floats, allowed: float) -> float:
    """The smallest threshold with at most `allowed` episodes, by bisection; never zero."""
    low, high = 0.0, float(scores.max()) + 1e-9
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if episodes(scores, middle) <= allowed else (middle, high)
    return max(high, 1e-6)
