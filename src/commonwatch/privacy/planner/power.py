"""How large an outbreak must be to be seen in the alert table, how likely one is seen, what that takes. Closed form.

Rules held here (`privacy.md` 7.2): noise and Poisson counts stand in one variance; the threshold is that of
`alerts.watching`; the cap of one rare onset in a window hides organisations that were hit before, so a size is divided
by the share that survives. The calculator is cautious: simulated sizes are 0.65 to 1.0 of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Literal, NamedTuple

from commonwatch.errors import InvalidInput
from commonwatch.privacy.alerts.table import NATIONAL, REGIONAL
from commonwatch.privacy.alerts.watching import BASELINE, LEAST, NORMAL, SPANS, noise_of, z_limit
from commonwatch.privacy.planner.community import DAYS, Community

Where = Literal["region", "everywhere"]
#: Share of an outbreak's onsets that the cap lets through, late in a window: measured.
SURVIVE = 0.68
#: Rare onsets that a member counts for in a window, by public guess; at most one can count.
RARE_ONSETS = 0.5
#: Days of a window that are watched, and false alerts wanted in them, where nothing else is said.
WATCHED, FALSE_ALERTS = 23, 0.5
#: Rates are found in thousandths, up to this one.
MOST = Fraction(4)
_SCALE = 1.1


class Line(NamedTuple):
    """What an outbreak must rise above in one series: the threshold, the daily mean, the daily noise variance."""

    limit: float
    mean: float
    noise: float

    def quiet(self, span: int) -> float:
        """Variance of a sum of so many days against its baseline."""
        return span * (self.mean + self.noise) * (1 + span / BASELINE)


def line(community: Community, rho: Fraction, where: Where, false_alerts: float = FALSE_ALERTS) -> Line:
    """The line of one family, in a region of mean size or everywhere. Raises InvalidInput."""
    if rho <= 0:
        raise InvalidInput("the budget is not positive", where="rho", todo="1/20 is usual for alerts")
    series = community.rare * (community.regions if where == "region" else 1)
    mean = community.members * RARE_ONSETS / DAYS / series
    return Line(z_limit(series, WATCHED, false_alerts), max(mean, LEAST), _noise(community.regions, rho, where))


def size(over: Line, chance: float, days: int | None = None) -> float:
    """How many organisations must be hit to be seen with this chance. `days`: how long the outbreak takes to reach all.

    Where nothing is said it reaches half within two days, and most within a week.
    """
    if not 0 < chance < 1:
        raise InvalidInput("a chance lies between 0 and 1", where="chance", todo="0.8 or 0.95")
    return min(_needed(over, span, NORMAL.inv_cdf(chance)) / caught(span, days) for span in SPANS) / SURVIVE


def chance(over: Line, hit: float, days: int | None = None) -> float:
    """How likely an outbreak among so many organisations is seen."""
    return max(_seen(over, span, hit * SURVIVE * caught(span, days)) for span in SPANS)


def rate(community: Community, where: Where, hit: float, wanted: float, days: int | None = None) -> Fraction | None:
    """The smallest rate, in thousandths, that shows such an outbreak with this chance; None where none up to 4 does."""
    return least(lambda rho: size(line(community, rho, where), wanted, days) <= hit)


def least(enough: Callable[[Fraction], bool]) -> Fraction | None:
    """The smallest rate in thousandths that is enough, bisected; None where even the largest is not."""
    low, high = 0, int(MOST * 1000)
    if not enough(MOST):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(Fraction(middle, 1000)) else (middle, high)
    return Fraction(high, 1000)


def caught(span: int, days: int | None = None) -> float:
    """Share of the onsets that fall in the best `span` days. `days`: spread evenly over so many, begun at any hour."""
    if days is None:
        lags = [_lagged(d + 1) - _lagged(d) for d in range(15)]
        return max(sum(lags[d : d + span]) for d in range(len(lags)))
    if days < 1:
        raise InvalidInput("an outbreak takes at least a day", where="days", todo="say how long it takes to reach all")
    return 1.0 if span > days else (days - 0.5) / days if span == days else span / days


def _needed(over: Line, span: int, q: float) -> float:
    """x with x = z sqrt(V) + q sqrt(V + x): a quadratic in sqrt(V + x)."""
    quiet = over.quiet(span)
    high = over.limit * math.sqrt(quiet)
    root = (q + math.sqrt(q * q + 4 * (quiet + high))) / 2
    return float(root * root - quiet)


def _seen(over: Line, span: int, onsets: float) -> float:
    quiet = over.quiet(span)
    return NORMAL.cdf((onsets - over.limit * math.sqrt(quiet)) / math.sqrt(quiet + onsets))


def _lagged(days: float) -> float:
    """Share of an outbreak's onsets within so many days: a gamma distribution of shape 5/2, scale 1.1."""
    x = days / _SCALE
    return math.erf(math.sqrt(x)) - math.exp(-x) * 2 / math.sqrt(math.pi) * (1 + 2 / 3 * x) * math.sqrt(x)


def _noise(regions: int, rho: Fraction, where: Where) -> float:
    cell: Callable[[Fraction], float] = partial(_cell, rho)
    if regions == 1:
        return cell(Fraction(1))
    regional, national = noise_of(regions, cell(REGIONAL), cell(NATIONAL))
    return regional if where == "region" else national


def _cell(rho: Fraction, share: Fraction) -> float:
    """Noise variance of a cell of the alert table: one onset per organisation, so 1 / (2 rho share)."""
    return 1 / (2 * float(rho * share))
