"""How exact a view will be before anything is drawn: expected counts, privacy interval, mean error. Closed form.

Rules held here (`privacy.md` 4.5, 6): the variance of every cell of a view is the same and follows from the plan; what
no table measures is not promised; the error is that of the noise against what is counted, and the loss through the cap
is told beside it, never mixed in: no budget buys it back.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from commonwatch.privacy.release.axes import below, every, shape
from commonwatch.privacy.release.cube import INTERVAL
from commonwatch.privacy.release.plan import Plan, covers
from commonwatch.privacy.release.profiles import View, levels_of
from commonwatch.privacy.release.split import share_of

#: Part of all onsets that the cap of 4 in a window, given out over its days, leaves uncounted: 15 to 18 % measured.
CAPPED = 0.17
MEAN_OF_NORMAL = math.sqrt(2 / math.pi)


class Expected(msgspec.Struct, frozen=True):
    """A view under a plan. `mean`: expected count of a cell; `margin`: half of its 95 % privacy interval.

    `error`: mean error of the noise, as a share of the mean count; None where the plan does not measure the view.
    """

    view: str
    cells: int
    mean: float
    sd: float | None
    margin: float | None
    error: float | None


def expected(plan: Plan, view: View, total: float) -> Expected:
    """What a view will look like, for a public total of a window."""
    levels = levels_of(plan.axes, view)
    cells = int(np.prod(shape(plan.axes, levels)))
    mean = total / cells
    if not covers(plan.tables, levels):
        return Expected(view.words, cells, mean, None, None, None)
    parts = (b for b in every(plan.axes) if below(b, levels))
    sd = math.sqrt(sum(share_of(plan.axes, levels, b) / float(plan.tau[b]) for b in parts))
    return Expected(view.words, cells, mean, sd, INTERVAL * sd, MEAN_OF_NORMAL * sd / mean)


def wape(error: float, lost: float = CAPPED) -> float:
    """Error against the uncapped truth, where the cap loses the part `lost`: the mean of a folded normal."""
    sd = error / MEAN_OF_NORMAL
    z = lost / sd if sd > 0 else math.inf
    return error * math.exp(-z * z / 2) + lost * math.erf(z / math.sqrt(2))
