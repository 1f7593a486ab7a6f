"""Three detectors as one: CUSUM and scan of who is newly hit, negative binomial of who is hit (`detection.md` 3.8).

Rules held here: every detector's score is divided by its own calibrated threshold before the largest is taken, so that
none speaks louder than the single budget of false alerts lets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from commonwatch.detect.outbreak.charts import cusum, negative_binomial
from commonwatch.detect.outbreak.expectation import Expected, expect
from commonwatch.detect.outbreak.scan import Found, Zone, expectation_based
from commonwatch.detect.outbreak.series import Floats, Onsets

Detector = Literal["cusum", "scan", "negative binomial"]
DETECTORS: tuple[Detector, ...] = ("cusum", "scan", "negative binomial")


class History(NamedTuple):
    """The onsets of one time, with both gaps (14 days and 24 hours), and the zones of its organisations."""

    new: Onsets
    affected: Onsets
    zones: Sequence[Zone]

    def run(self, start: int, hours: int) -> History:
        """Both over the same hours (`Onsets.run`)."""
        return self._replace(new=self.new.run(start, hours), affected=self.affected.run(start, hours))


class Scores(NamedTuple):
    """What each detector says of each key and hour, (keys, hours); what was expected; where the scan found most."""

    by: Mapping[Detector, Floats]
    expected: Expected
    scanned: Found

    def together(self, thresholds: Mapping[Detector, float]) -> Floats:
        """The largest score in units of its threshold: (keys, hours)."""
        found: Floats = np.max([self.by[d] / thresholds[d] for d in DETECTORS], axis=0)
        return found


def score(history: History) -> Scores:
    """Every detector over a history that begins on a Monday and is longer than the warm-up."""
    new = expect(history.new.counts())
    scanned = expectation_based(history.new, new, history.zones)
    by: dict[Detector, Floats] = {
        "cusum": cusum(new),
        "scan": scanned.score,
        "negative binomial": negative_binomial(expect(history.affected.counts())),
    }
    return Scores(by, new, scanned)
