"""Random draws from named streams: (seed, purpose, numbers...) always gives the same stream.

Rules held here: PCG64 through numpy's SeedSequence; only `random()` and `poisson()` are taken from it, everything else
is arithmetic on uniform numbers, so that the bytes do not hang on a library's distributions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np

T = TypeVar("T")
_BLOCK: Final = 512


class Draws:
    """One stream of random numbers."""

    def __init__(self, seed: int, purpose: int, *numbers: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, purpose, *numbers])))
        self._block: list[float] = []

    def uniform(self) -> float:
        """In [0, 1)."""
        if not self._block:
            self._block = self._generator.random(_BLOCK).tolist()
        return self._block.pop()

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def below(self, limit: int) -> int:
        """An integer in [0, limit)."""
        return int(self.uniform() * limit)

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.uniform()

    def pick(self, items: Sequence[T]) -> T:
        """One item, each as likely."""
        return items[int(self.uniform() * len(items))]

    def popular(self, items: Sequence[T]) -> T:
        """One item, the first ones far more likely (a power law)."""
        return items[int(self.uniform() ** 3 * len(items))]

    def waiting(self, mean: float) -> float:
        """An exponential waiting time."""
        return -math.log(1.0 - self.uniform()) * mean

    def normal(self) -> float:
        """A standard normal number (Box-Muller)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        return radius * math.cos(2.0 * math.pi * self.uniform())

    def heavy(self, sigma: float) -> float:
        """A log-normal factor with median 1."""
        return math.exp(sigma * self.normal())

    def count(self, mean: float) -> int:
        """A Poisson number."""
        return int(self._generator.poisson(mean)) if mean > 0 else 0

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        return [item for _, _, item in sorted((self.uniform(), i, item) for i, item in enumerate(items))]
