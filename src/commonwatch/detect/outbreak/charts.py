"""Charts over the whole community: residual CUSUM, window GLR, negative binomial windows (`detection.md` 3.3 to 3.5).

Rules held here: one burst cannot alarm a CUSUM alone; scores are comparable to thresholds that were calibrated on the
same detector, and mean nothing by themselves; every logarithm is guarded against zero.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import nbinom

from commonwatch.detect.outbreak.expectation import Expected
from commonwatch.detect.outbreak.series import WARM_UP, Floats

_GLR = (2, 4, 8, 16, 32, 64, 128)
_NB = (3, 6, 12, 24, 48)
_SLACK, _MOST, _LEAST = 0.25, 4.0, 0.05
_HIGHEST = 200.0
#: Below this dispersion a negative binomial cannot be told from a Poisson and its parameters overflow.
_NB_LEAST = 1.02


def cusum(new: Expected) -> Floats:
    """S_t = max(0, S_(t-1) + min(z_t, 4) - 1/4) of the standardised residuals: (keys, hours)."""
    mean = np.maximum(new.mean, _LEAST)
    residual = new.counted - new.mean
    trained = residual[:, :WARM_UP] ** 2 / mean[:, :WARM_UP]
    phi = np.maximum(trained.mean(axis=1, keepdims=True), 1.0)
    step = np.minimum(residual / np.sqrt(mean * phi), _MOST) - _SLACK
    return _reflected(step)


def glr(new: Expected) -> Floats:
    """Largest log likelihood ratio of a raised rate over windows of 2 to 128 hours, over the dispersion of 12."""
    phi = new.window(12)[2]
    best = np.zeros_like(new.counted)
    for hours in _GLR:
        a, e, _ = new.window(hours)
        ratio = np.maximum(a / e, 1.0)
        score = np.where(ratio > 1.3, a * np.log(ratio) - (ratio - 1.0) * e, 0.0)
        best = np.maximum(best, score)
    found: Floats = best / phi
    return found


def negative_binomial(affected: Expected) -> Floats:
    """Largest -log10 P(count at least so high) over windows of 3 to 48 hours, at most 200."""
    best = np.zeros_like(affected.counted)
    for hours in _NB:
        a, e, phi = affected.window(hours)
        phi = np.maximum(phi, _NB_LEAST)
        tail = nbinom.logsf(a - 1.0, e / (phi - 1.0), np.broadcast_to(1.0 / phi, a.shape)) / -np.log(10.0)
        best = np.maximum(best, np.clip(np.nan_to_num(tail, nan=0.0, posinf=_HIGHEST), 0.0, _HIGHEST))
    return best


def _reflected(step: Floats) -> Floats:
    """The running maximum-at-zero sum along the last axis: the path minus its lowest point so far, if below zero."""
    path = np.cumsum(step, axis=-1)
    found: Floats = path - np.minimum(np.minimum.accumulate(path, axis=-1), 0.0)
    return found
