"""The audit of the alert loop: the shipped code on two streams that differ by one organisation; epsilon from below.

Rules held here (`privacy.md` 7.3, 10): the streams are the worst for the loop, some counts that the organisation raises
and others that it leaves; a quarter of the runs chooses the outcome that tells the most, the others count how often it
comes; Clopper-Pearson bounds of both give eps_low = ln(p_low / q_up), in either direction.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from commonwatch.errors import InvalidInput
from commonwatch.privacy.alerts.above import Armed, arm, look
from commonwatch.privacy.audit.measure import LEAST_RUNS, upper
from commonwatch.privacy.release.noise import Draw, Ints, laplace, laplace_scale

Outcome = tuple[int, ...]


class Stream(NamedTuple):
    """Counts that the organisation raises by 1 from `low`, then counts of `high` that it leaves. All levels are 0."""

    low: int = 0
    raised: int = 5
    high: int = 1
    left: int = 3

    def counts(self, *, with_: bool) -> Ints:
        """The stream with the organisation or without it."""
        return np.array([self.low + with_] * self.raised + [self.high] * self.left, np.int64)


class Loop(NamedTuple):
    """The code under audit: how it arms, how it watches a stream (which counts were told), at which epsilon.

    On the stream that stands here by default the shipped loop reveals nearly all of its epsilon.
    """

    name: str
    eps: Fraction
    watch: Callable[[Armed, Ints], Outcome]
    arm: Callable[[Fraction], Armed] = arm
    stream: Stream = Stream()


class LoopFinding(NamedTuple):
    """With this confidence the loop reveals at least `eps_low`; it claims `eps`."""

    name: str
    runs: int
    eps: float
    eps_low: float
    confidence: float

    @property
    def kept(self) -> bool:
        """Whether the promise stands."""
        return self.eps_low <= self.eps


def shipped_loop(eps: Fraction = Fraction(2)) -> Loop:
    """The loop that ships."""
    return Loop("alert loop", eps, watching())


def watching(draw: Draw = laplace) -> Callable[[Armed, Ints], Outcome]:
    """Looks at a whole stream and says which count it told of, if any."""

    def watch(armed: Armed, stream: Ints) -> Outcome:
        _, found = look(armed, stream, [0] * len(stream), draw)
        return () if found is None else (found,)

    return watch


def faulty_loops() -> list[tuple[Loop, int]]:
    """Planted faults, each with the runs a side that catch it."""
    eps = Fraction(2)

    def half(values: Ints, scale: float) -> Ints:
        return laplace(values, scale / 2)

    def still(eps: Fraction) -> Armed:
        return Armed(eps, 0)

    def endless(armed: Armed, stream: Ints) -> Outcome:
        return tuple(np.flatnonzero(laplace(stream, laplace_scale(armed.eps / 2)) >= armed.bar).tolist())

    return [
        (Loop("half the noise", eps, watching(half), lambda e: arm(e, half)), 6_000),
        (Loop("bar without noise", eps, watching(), still, Stream(-1, 5, 2, 1)), 2_000),
        (Loop("on after an alert", eps, endless, stream=Stream(-1, 5, 0, 3)), 8_000),
    ]


def audit_loop(subject: Loop, runs: int, *, alpha: float = 0.01) -> LoopFinding:
    """Run the loop `runs` times on each stream. Raises InvalidInput for too few runs."""
    if runs < LEAST_RUNS or not 0 < alpha < 0.5:
        raise InvalidInput("too few runs to say anything", where="runs", todo=f"at least {LEAST_RUNS}, alpha below .5")
    without, with_ = (_outcomes(subject, runs, with_=there) for there in (False, True))
    first, rest = runs // 4, runs - runs // 4
    early, late = (
        tuple(Counter(side[part]) for side in (without, with_)) for part in (slice(first), slice(first, None))
    )
    swapped, outcome = _telling(early, first, alpha)
    one, two = late[::-1] if swapped else late
    low = _bound(one[outcome], two[outcome], rest, alpha)
    return LoopFinding(subject.name, runs, float(subject.eps), max(low, 0.0), 1 - alpha)


def _outcomes(subject: Loop, runs: int, *, with_: bool) -> list[Outcome]:
    stream = subject.stream.counts(with_=with_)
    return [subject.watch(subject.arm(subject.eps), stream) for _ in range(runs)]


def _telling(sides: tuple[Counter[Outcome], ...], runs: int, alpha: float) -> tuple[bool, Outcome]:
    """The outcome with the best bound, and whether it speaks for the second stream."""
    tried = [(s, o) for o in sorted(set(sides[0]) | set(sides[1])) for s in (False, True)]
    return max(tried, key=lambda t: _bound(sides[t[0]][t[1]], sides[not t[0]][t[1]], runs, alpha))


def _bound(often: int, seldom: int, runs: int, alpha: float) -> float:
    """ln of the least likely ratio: `often` of the runs on one side, `seldom` on the other."""
    least = 1 - upper(runs - often, runs, alpha / 2)
    most = upper(seldom, runs, alpha / 2)
    return math.log(max(least, 1e-12) / most)
