"""Simulated towns as detection sees them, for tests and benches of detectors."""

from __future__ import annotations

import numpy as np

from commonwatch.detect.outbreak.ensemble import History
from commonwatch.detect.outbreak.scan import zones
from commonwatch.detect.outbreak.series import AFFECTED, DAY, NEW, WEEK, Size, onsets_of
from commonwatch.simulate.hourly import Town

#: Days before calibration in which everything is new, quiet days, days that are judged.
SETTLING, QUIET, JUDGED = 14, 84, 28
LIVE = (SETTLING + QUIET - 28) * DAY
FIRST_JUDGED = (SETTLING + QUIET) * DAY


def history(of: Town) -> History:
    """All onsets of a town, with its zones."""
    size = Size(of.keys, of.orgs, of.hours)
    places = zones([str(r) for r in of.region], [str(s) for s in of.sector])
    return History(
        onsets_of(of.key, of.org, of.hour, size, NEW), onsets_of(of.key, of.org, of.hour, size, AFFECTED), places
    )


def quiet(of: Town) -> History:
    """The part thresholds are made from."""
    return history(of).run(SETTLING * DAY, QUIET * DAY)


def live(of: Town) -> History:
    """Warm-up and judged days."""
    return history(of).run(LIVE, (28 + JUDGED) * DAY)


def events(of: Town) -> np.ndarray:
    """Events by key and hour, of everybody: what detectors should not be given."""
    cells = of.key * of.hours + of.hour
    return np.bincount(cells, weights=of.events, minlength=of.keys * of.hours).reshape(of.keys, of.hours)


assert LIVE % WEEK == 0
