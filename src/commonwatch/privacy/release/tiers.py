"""Lower tiers out of the highest one by adding noise: readers who pool their releases learn no more than the highest.

Rules held here (`privacy.md` 8): one draw per (owner set, plan, slice), at the highest tier; a lower tier is that slice
plus fresh noise of the missing variance, drawn once and stored. Sums of discrete Gaussians are Gaussian up to a ratio
within 1 +- 4 exp(-2 pi^2 s) with s = ab/(a+b); below s = 2 it is refused, above it costs 1e-12 of delta.
"""

from __future__ import annotations

import math
from fractions import Fraction

import msgspec
import numpy as np

from commonwatch.errors import InvalidInput
from commonwatch.privacy.release.noise import Draw
from commonwatch.privacy.release.slices import Slice

LEAST = 2.0
EXTRA_DELTA = 1e-12


def lowered(one: Slice, high: Fraction, low: Fraction, draw: Draw) -> Slice:
    """A slice drawn at rate `high`, made as noisy as one drawn at `low`. Raises InvalidInput."""
    if not 0 < low < high:
        raise InvalidInput("a lower tier has a positive, smaller rate", where="rho", todo="order the tiers")
    have = one.scale**2
    missing = have * float(high / low - 1)
    if have * missing / (have + missing) < LEAST:
        raise InvalidInput("the two tiers lie too close for noise this small", where="rho", todo="serve one of them")
    extra = math.nextafter(math.sqrt(missing), math.inf)
    values = draw(np.array(one.values, np.int64), extra)
    return msgspec.structs.replace(one, scale=math.sqrt(have + extra**2), values=tuple(values.tolist()))
