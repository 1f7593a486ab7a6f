"""Exact upper tails of the hypergeometric and binomial distributions, and Benjamini-Hochberg, in numpy alone.

Rules held here: sums of exact terms in logarithms, never a normal approximation; a tail is never above 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Tails:
    """Tails for counts up to `most`; logarithms of factorials are made once."""

    def __init__(self, most: int) -> None:
        self._log = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, max(most, 1) + 1)))])

    def hypergeometric(self, c: int, n: int, marked: int, drawn: int) -> float:
        """P(X >= c) where `drawn` of `n` are drawn and `marked` of `n` are marked."""
        if c <= max(0, drawn + marked - n):
            return 1.0
        k = np.arange(c, min(marked, drawn) + 1)
        terms = self._choose(marked, k) + self._choose(n - marked, drawn - k)
        return _summed(terms - self._choose(n, np.array([drawn])))

    def binomial(self, c: int, tries: int, rate: float) -> float:
        """P(X >= c) of `tries` with this rate each."""
        if c <= 0 or rate >= 1.0:
            return 1.0
        if rate <= 0.0:
            return 0.0
        k = np.arange(c, tries + 1)
        return _summed(self._choose(tries, k) + k * np.log(rate) + (tries - k) * np.log1p(-rate))

    def _choose(self, n: int, k: npt.NDArray[np.int64]) -> Floats:
        made: Floats = self._log[n] - self._log[k] - self._log[n - k]
        return made


def _summed(terms: Floats) -> float:
    if not len(terms):
        return 0.0
    most = float(terms.max())
    return min(1.0, float(np.exp(most) * np.exp(terms - most).sum()))


def adjusted(found: Sequence[float], tests: int) -> list[float]:
    """Benjamini-Hochberg adjusted p-values (1995); `tests` counts those not in the list too, which have p = 1."""
    order = sorted(range(len(found)), key=lambda i: found[i])
    made, least = [1.0] * len(found), 1.0
    for rank in range(len(order), 0, -1):
        least = min(least, found[order[rank - 1]] * tests / rank)
        made[order[rank - 1]] = least
    return made
