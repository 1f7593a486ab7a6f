"""How a noisy number is said: with its interval, rounded to what it is worth, and never ranked where it is noise.

Rules held here (`privacy.md` 4.8): an estimate and its privacy interval are rounded to the first digit of its standard
deviation; below two deviations it is "not distinguishable from 0", negative estimates too, since counts are never below
0; what was measured only in part has a wider, partly modelled interval; what was mostly not measured is not part of the
release. Nothing is clipped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from commonwatch.privacy.release.cube import INTERVAL, Answer

Basis = Literal["measured", "partly modelled", "not part of this release"]
#: Shares above which an answer is no answer, and below which a view is mostly noise.
MOST_UNMEASURED, LEAST_SURE = 0.5, 0.2
NOISE = "mostly noise at this detail: ask for a wider time or fewer breakdowns"


class Said(msgspec.Struct, frozen=True):
    """One number as it is shown. `value`, `sd`, `low` and `high` are None where it is not part of the release."""

    label: str
    value: float | None
    sd: float | None
    low: float | None
    high: float | None
    unmeasured: float
    basis: Basis
    sure: bool
    text: str


def say(label: str, found: Answer) -> Said:
    """The answer to one question, as it may be shown."""
    if found.unmeasured > MOST_UNMEASURED:
        gone: Basis = "not part of this release"
        return Said(label, None, None, None, None, round(found.unmeasured, 3), gone, sure=False, text=gone)
    sd = math.sqrt(found.sd**2 + found.unmeasured * max(found.value, 1))
    value, low, high = (_worth(x, sd) for x in (found.value, found.value - INTERVAL * sd, found.value + INTERVAL * sd))
    sure = found.value >= 2 * sd
    basis: Basis = "partly modelled" if found.unmeasured > 0 else "measured"
    interval = f"{_plain(low)} to {_plain(high)}"
    text = f"{_plain(value)} ({interval})" if sure else f"not distinguishable from 0 ({interval})"
    return Said(label, value, _worth(sd, sd), low, high, round(found.unmeasured, 3), basis, sure=sure, text=text)


def noisy(found: Sequence[Said]) -> str:
    """What to say of a view of several numbers, if most of it is noise."""
    told = [s for s in found if s.value is not None]
    return NOISE if len(told) > 1 and sum(s.sure for s in told) < LEAST_SURE * len(told) else ""


def _worth(number: float, sd: float) -> float:
    """Rounded to the first digit of the standard deviation."""
    digits = -math.floor(math.log10(sd)) if sd > 0 else 0
    return round(number, digits) + 0.0


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"
