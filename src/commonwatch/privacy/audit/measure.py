"""The empirical audit of a private release: a lower bound, with confidence, on what one organisation's data reveals.

Rules held here (`privacy.md` 10): the code under audit bounds, counts and draws by itself, on two communities that
differ by all one organisation contributed, which reports everything every day; the score of a run is the log-likelihood
ratio up to a constant; a quarter of the runs chooses the threshold, the others count its errors; Clopper-Pearson bounds
of both give mu_low. The audit fails where mu_low exceeds the mu that the plan claims, sqrt(2 rho).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from commonwatch.errors import InvalidInput
from commonwatch.privacy.release.axes import Axis, plain
from commonwatch.privacy.release.bounds import Bounds, Onset, bounded
from commonwatch.privacy.release.noise import Draw, gaussian
from commonwatch.privacy.release.plan import Plan, Share
from commonwatch.privacy.release.slices import Series, close
from commonwatch.privacy.release.tables import coded

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
REGIONS, OWNERS, K, LEAST_RUNS = 2, 200, 4, 200
CANARY = "canary"
_BATCH = 500


class Subject(NamedTuple):
    """The code under audit: its caps and bounding, its plan, its noise."""

    name: str
    plan: Plan
    limits: Bounds
    bound: Callable[[Bounds, Sequence[Onset]], list[Onset]] = bounded
    draw: Draw = gaussian


class Finding(NamedTuple):
    """What an audit found. `mu_low`: with this confidence at least so much is revealed; `mu` is what is claimed."""

    name: str
    runs: int
    mu: float
    mu_low: float
    confidence: float

    @property
    def kept(self) -> bool:
        """Whether the promise stands."""
        return self.mu_low <= self.mu

    @property
    def rho_low(self) -> float:
        """The rate that corresponds to the bound."""
        return self.mu_low**2 / 2


def small_plan(days: int = 4, families: int = 6, kind: type[Plan] = Plan, rho: Fraction = Fraction(1, 2)) -> Plan:
    """Three tables on a small domain, mu 1 at rho 1/2; every table is on the edge of its sensitivity."""
    time = Axis("day", tuple(map(str, range(days))), (days, 1))
    axes = (time, plain("region", ["n", "s"]), plain("family", [f"f{i}" for i in range(families)]))
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    shares = (Share((1, 1, 1), half), Share((1, 0, 1), quarter), Share((0, 1, 1), quarter))
    return kind(axes, shares, rho, k=K, family=2)


def shipped(days: int = 4, families: int = 6) -> Subject:
    """The code that ships, its bucket full at the start."""
    plan = small_plan(days, families)
    return Subject("shipped", plan, Bounds(k=K, days=days, full_at_start=True))


def audit(subject: Subject, runs: int, *, alpha: float = 0.01, seed: int = 1) -> Finding:
    """Run the release `runs` times on each side. Raises InvalidInput for too few runs. The seed is of the community."""
    if runs < LEAST_RUNS or not 0 < alpha < 0.5:
        raise InvalidInput("too few runs to say anything", where="runs", todo=f"at least {LEAST_RUNS}, alpha below .5")
    without, with_ = _exact(subject, seed, canary=False), _exact(subject, seed, canary=True)
    moved = [(b.values - a.values).astype(float) / a.scale**2 for a, b in zip(without, with_, strict=True)]
    low, high = (_scores(subject.draw, side, moved, runs) for side in (without, with_))
    choose = runs // 4
    threshold = _best(low[:choose], high[:choose], alpha)
    mu_low = _bound(low[choose:], high[choose:], threshold, alpha)
    return Finding(subject.name, runs, math.sqrt(2 * float(subject.plan.rho)), max(mu_low, 0.0), 1 - alpha)


class _Drawn(NamedTuple):
    values: Ints
    scale: float


def _exact(subject: Subject, seed: int, *, canary: bool) -> list[_Drawn]:
    """What the code under audit hands to its noise, slice by slice."""
    found: list[_Drawn] = []

    def note(values: Ints, scale: float) -> Ints:
        found.append(_Drawn(values.reshape(-1), scale))
        return values

    plan, onsets = subject.plan, _community(subject.plan, seed)
    if canary:
        onsets += [Onset(CANARY, d, f, (0,)) for d in range(plan.axes[0].size) for f in range(plan.axes[2].size)]
    codes = coded(plan.axes, plan.family, subject.bound(subject.limits, onsets))
    series = Series(plan)
    for day in range(plan.axes[0].size):
        series = close(series, day, codes, "audit", note)
    return found


def _community(plan: Plan, seed: int) -> list[Onset]:
    """The organisations that are on both sides."""
    rng = np.random.default_rng(seed)
    days, regions, families = (axis.size for axis in plan.axes)
    n = 2 * OWNERS
    where = rng.integers(0, regions, OWNERS).repeat(2)
    drawn = zip(rng.integers(0, days, n), rng.integers(0, families, n), where, strict=True)
    return [Onset(f"o{i // 2}", int(d), int(f), (int(r),)) for i, (d, f, r) in enumerate(drawn)]


def _scores(draw: Draw, exact: Sequence[_Drawn], moved: Sequence[Floats], runs: int) -> Floats:
    """The score of each run: every cell of every slice gets its noise from the code under audit."""
    total = np.zeros(runs)
    for one, weight in zip(exact, moved, strict=True):
        for at in range(0, runs, _BATCH):
            here = min(_BATCH, runs - at)
            noisy = draw(np.tile(one.values, (here, 1)), one.scale)
            total[at : at + here] += noisy @ weight
    return total


def _best(low: Floats, high: Floats, alpha: float) -> float:
    """The threshold with the best bound among 97 quantiles of what was seen."""
    tried = np.quantile(np.concatenate([low, high]), np.linspace(0.02, 0.98, 97))
    return float(max(tried, key=lambda t: _bound(low, high, t, alpha)))


def _bound(low: Floats, high: Floats, threshold: float, alpha: float) -> float:
    """mu_low = PhiInv(1 - FPR_up) - PhiInv(FNR_up)."""
    wrong = upper(int((low > threshold).sum()), len(low), alpha / 2)
    missed = upper(int((high <= threshold).sum()), len(high), alpha / 2)
    normal = NormalDist()
    return normal.inv_cdf(_inside(1 - wrong)) - normal.inv_cdf(_inside(missed))


def _inside(p: float) -> float:
    return min(max(p, 1e-12), 1 - 1e-12)


@lru_cache(maxsize=8192)
def upper(hits: int, n: int, alpha: float) -> float:
    """Clopper and Pearson's one-sided upper bound of a probability after `hits` of `n`: bisected."""
    if hits >= n:
        return 1.0
    x = np.arange(hits + 1)
    ways = np.cumsum(np.log(np.concatenate([[1], (n - x[1:] + 1) / np.maximum(x[1:], 1)])))
    low, high = hits / n, 1.0
    for _ in range(40):
        p = (low + high) / 2
        tail = float(np.exp(ways + x * math.log(p) + (n - x) * math.log1p(-p)).sum()) if p < 1 else 0.0
        low, high = (p, high) if tail > alpha else (low, p)
    return high
