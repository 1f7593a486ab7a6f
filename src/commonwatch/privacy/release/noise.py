"""Noise: OpenDP's discrete Gaussian for releases, its discrete Laplace for the alert loop, and nothing else.

Rules held here (`privacy.md` 3): the scale is moved up until OpenDP's own privacy map, read as an exact fraction, is at
most the rate that is charged; distances are rounded up; a draw is handed in as a value, so that tests can ask what
would be drawn without drawing, and a test asserts that what ships is `gaussian`. Noise cannot be seeded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import opendp.combinators
import opendp.domains
import opendp.measurements
import opendp.metrics
import opendp.mod

from commonwatch.errors import InvalidInput

Ints = npt.NDArray[np.int64]
#: Adds noise of this scale to every cell.
Draw = Callable[[Ints, float], Ints]
opendp.mod.enable_features("contrib")


@lru_cache(maxsize=256)
def _mechanism(scale: float) -> Any:
    """OpenDP's integer Gaussian under the L2 distance; zero-concentrated privacy by default."""
    domain = opendp.domains.vector_domain(opendp.domains.atom_domain(T="i64"))
    return opendp.measurements.make_gaussian(domain, opendp.metrics.l2_distance(T="f64"), scale=scale)


def gaussian(values: Ints, scale: float) -> Ints:
    """`values` with discrete Gaussian noise of this scale, fresh in each cell."""
    return _drawn(_mechanism(scale), values)


@lru_cache(maxsize=64)
def _laplace(scale: float) -> Any:
    """OpenDP's integer Laplace under the L1 distance; pure differential privacy."""
    domain = opendp.domains.vector_domain(opendp.domains.atom_domain(T="i64"))
    return opendp.measurements.make_laplace(domain, opendp.metrics.l1_distance(T="i64"), scale=scale)


def laplace(values: Ints, scale: float) -> Ints:
    """`values` with discrete Laplace noise of this scale, fresh in each cell."""
    return _drawn(_laplace(scale), values)


def _drawn(mechanism: Any, values: Ints) -> Ints:
    """What a mechanism over vectors makes of `values`, in their shape."""
    flat = np.ascontiguousarray(values, np.int64).reshape(-1)
    return np.array(mechanism(flat), np.int64).reshape(values.shape)


@lru_cache(maxsize=256)
def laplace_scale(eps: Fraction) -> float:
    """The smallest scale found at which one unit of distance costs at most `eps`, as OpenDP states it."""
    if eps <= 0:
        raise InvalidInput("noise needs a positive budget", where="epsilon", todo="a positive fraction, such as 1")
    scale = float(1 / eps)
    while Fraction(_laplace(scale).map(1)) > eps:
        scale = math.nextafter(scale, math.inf)
    return scale


def distance(delta2: int) -> float:
    """The root of a squared sensitivity, rounded up so that its square is not below."""
    root = math.sqrt(delta2)
    while Fraction(root) ** 2 < delta2:
        root = math.nextafter(root, math.inf)
    return root


@lru_cache(maxsize=4096)
def scale_for(delta2: int, rho: Fraction) -> float:
    """The smallest scale found whose privacy map, as OpenDP states it, is at most `rho`."""
    if rho <= 0 or delta2 <= 0:
        todo = "a budget is a positive fraction, such as 1/10"
        raise InvalidInput("noise needs a positive budget and sensitivity", where="rho", todo=todo)
    d_in, scale = distance(delta2), math.sqrt(delta2 / (2 * float(rho)))
    while Fraction(_mechanism(scale).map(d_in)) > rho:
        scale = math.nextafter(scale, math.inf)
    return scale


@lru_cache(maxsize=4096)
def epsilon(rho: float, delta: float = 1e-6) -> float:
    """Epsilon at this delta for a rate of zero-concentrated privacy, by OpenDP's conversion."""
    if rho <= 0 or not 0 < delta < 1:
        raise InvalidInput("rho is positive and delta between 0 and 1", where="rho, delta", todo="say rho 1/10")
    converted: Any = opendp.combinators.make_zCDP_to_approxDP(_mechanism(1.0))
    return float(converted.map(math.sqrt(2 * rho)).epsilon(delta))


@lru_cache(maxsize=4096)
def rate_of(eps: float, delta: float = 1e-6) -> Fraction:
    """The largest rate found, in 1/10,000, whose epsilon stays within `eps`: bisected, rounded down."""
    if eps <= 0:
        raise InvalidInput("epsilon is positive", where="epsilon", todo="2 is usual for a community")
    low, high = 0, 1_000_000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if epsilon(middle / 10_000, delta) <= eps else (low, middle)
    if low == 0:
        raise InvalidInput("this epsilon buys nothing", where="epsilon", todo="at least 0.1 is needed")
    return Fraction(low, 10_000)
