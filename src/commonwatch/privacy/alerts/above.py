"""AboveThreshold inside the hub: watch counts every few hours, publish the first that is high, spend once.

Rules held here (`privacy.md` 7.3; Lyu, Su and Li, "Understanding the sparse vector technique", 2017, algorithm 7): the
bar gets Laplace noise of scale 2/epsilon once, each count gets its own of the same scale, which suffices because an
organisation moves all counts the same way and each by at most 1; the loop ends at its first alert and says nothing but
which count it was; epsilon is spent when it is armed, alert or not. Levels are public, or made from released numbers:
a level from anybody's rows would break the promise. Integers are compared with integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import msgspec
import numpy as np

from commonwatch.errors import Conflict, InvalidInput
from commonwatch.privacy.alerts.watching import LEAST, Track
from commonwatch.privacy.release.noise import Draw, Ints, laplace, laplace_scale


class Armed(msgspec.Struct, frozen=True):
    """A loop that watches. `bar` is secret and never leaves the hub's memory; `over` once it has told its alert."""

    eps: Fraction
    bar: int
    over: bool = False

    def __repr__(self) -> str:
        return f"Armed(eps={self.eps}, over={self.over})"


#: How a loop looks at counts: the code under audit is handed over as this.
Look = Callable[[Armed, Ints, Sequence[int]], "tuple[Armed, int | None]"]


def rho_of(eps: Fraction) -> Fraction:
    """What arming costs in the ledger's unit: epsilon squared over two, exactly."""
    return eps * eps / 2


def arm(eps: Fraction, draw: Draw = laplace) -> Armed:
    """Begin to watch. Spend `rho_of(eps)` first; a loop that is lost, by a restart say, is armed and paid anew."""
    scale = _scale(eps)
    return Armed(eps, int(draw(np.zeros(1, np.int64), scale)[0]))


def look(armed: Armed, counts: Ints, levels: Sequence[int], draw: Draw = laplace) -> tuple[Armed, int | None]:
    """Look at all counts of one moment: which is the first above its level, if any; then the loop is over.

    Raises Conflict when it is over already, InvalidInput where there is not one level for each count.
    """
    if armed.over:
        todo = "arm it again, which costs epsilon again"
        raise Conflict("this loop told its alert and is over", where="alerts", todo=todo)
    if counts.shape != (len(levels),):
        raise InvalidInput("each count needs its level", where="levels", todo="give one public number for each")
    noisy = draw(counts.astype(np.int64) - np.array(levels, np.int64), _scale(armed.eps))
    high = np.flatnonzero(noisy >= armed.bar)
    if not high.size:
        return armed, None
    return msgspec.structs.replace(armed, over=True), int(high[0])


def levels(tracks: Sequence[Track], hours: int, eps: Fraction, looks: int, false_alerts: float = 0.5) -> list[int]:
    """A level for each track, from released numbers alone: the expectation of so many hours, plus a margin for noise.

    `looks`: how often all of them will be looked at; `false_alerts` are wanted in all these looks at most.
    """
    if hours < 1 or looks < 1:
        raise InvalidInput("say how long is counted and how often", where="hours, looks", todo="24 hours, 4 a day")
    extra = margin(eps, looks * max(len(tracks), 1), false_alerts)
    return [math.ceil(max(float(t.daily.mean()), LEAST) * hours / 24) + extra for t in tracks]


def margin(eps: Fraction, looks: int, false_alerts: float) -> int:
    """How far above what is expected a level lies, so that noise alone raises so few alerts in so many looks.

    The tail of the difference of two Laplace variables of scale b is exp(-t/b) (1/2 + t/4b); summed over the looks.
    """
    if looks < 1 or false_alerts <= 0:
        raise InvalidInput("false alerts are positive", where="false_alerts", todo="0.5 in a window is usual")
    scale, t = _scale(eps), 0
    while looks * math.exp(-t / scale) * (0.5 + t / (4 * scale)) > false_alerts:
        t += 1
    return t


def _scale(eps: Fraction) -> float:
    return laplace_scale(eps / 2)
