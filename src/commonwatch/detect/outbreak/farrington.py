"""Farrington flexible (Noufaily et al., Statistics in Medicine 2013): weekly counts over three years and more.

Rules held here: the threshold is the negative binomial quantile with plugged-in estimates, as R's `surveillance` gives
it with `thresholdMethod = "nbPlugin"`; a model that does not converge or a design without full rank gives no verdict;
nothing is asked of the far tail of a distribution at means where it does not come back.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.stats import nbinom, poisson
from scipy.stats import t as student

from commonwatch.detect.outbreak.series import Floats, Ints

YEAR = 52
_EPSILON, _ROUNDS = 1e-8, 25
_OUTLYING, _ETA, _MOST = 2.58, 50.0, 1e6
_POISSON = 1e-9


class Setting(NamedTuple):
    """As in the paper: years back, half-window, seasonal groups, latest weeks left out, one-sided alpha.

    `trend_below`: the trend stays when its p-value is below this. `least`: cases in the last `weeks` without which
    there is no threshold.
    """

    years: int = 3
    half: int = 3
    groups: int = 10
    left_out: int = 26
    alpha: float = 0.01
    trend_below: float = 1.0
    least: int = 5
    weeks: int = 4


class Verdict(NamedTuple):
    """The threshold of a week (None: none could be given) and whether its count is above."""

    bound: float | None
    alarm: bool


class _Fit(NamedTuple):
    beta: Floats
    mean: Floats
    weights: Floats
    phi: float
    cross: Floats  # inverse of X' W X


def judge(counts: Ints, week: int, setting: Setting = Setting()) -> Verdict:
    """Judge one week (0-based) of weekly counts by those before it.

    Args:
        counts: weekly counts, shape (weeks,).
        week: the week to judge; `setting.years` years and the half-window must lie before it.
        setting: the method's constants.
    """
    if counts[max(week - setting.weeks + 1, 0) : week + 1].sum() < setting.least:
        return Verdict(None, False)
    bound = _bound(counts.astype(np.float64), week, setting)
    return Verdict(bound, bound is not None and counts[week] > bound)


def first_week(setting: Setting = Setting()) -> int:
    """The first week (0-based) with enough history."""
    return setting.years * YEAR + setting.half


def _bound(counts: Floats, week: int, setting: Setting) -> float | None:
    if week < first_week(setting):
        return None
    group = _groups(week, setting)
    at = np.nonzero(group)[0]
    at = at[at < week - setting.left_out]
    for trend in (True, False):
        fit = _fitted(counts[at], _design(at, group[at], setting.groups, trend=trend))
        if fit is None:
            continue
        mean = _predicted(fit, week, group[week], setting.groups, trend=trend)
        if trend and not _keeps_trend(fit, len(at), mean, counts[at].max(), setting):
            continue
        return _quantile(mean, fit.phi, setting.alpha)
    return None


def _groups(week: int, setting: Setting) -> Ints:
    """The seasonal group of every week up to `week`, 1 to `groups`; 0: in none."""
    found = np.zeros(week + 1, dtype=np.int64)
    half, last = setting.half, setting.groups
    around = [week - i * YEAR for i in range(setting.years + 1)]
    found[week - half : week + 1] = last
    for at in around[1:]:
        found[at - half : at + half + 1] = last
    for newer, older in pairwise(around):
        start, n = older + half + 1, newer - older - 2 * half - 1
        size, longer = divmod(n, last - 1) if last > 1 else (n, 0)
        for j in range(last - 1):
            end = start + size + (1 if j < longer else 0)
            found[start:end] = j + 1
            start = end
    return found


def _design(at: Ints, group: Ints, groups: int, *, trend: bool) -> Floats:
    columns = [np.ones(len(at))]
    if trend:
        columns.append(at.astype(np.float64))
    columns += [(group == g).astype(np.float64) for g in range(2, groups + 1)]
    return np.stack(columns, axis=1)


def _fitted(y: Floats, design: Floats) -> _Fit | None:
    """The quasi-Poisson model, fitted again with outlying weeks weighed down."""
    first = _glm(y, design, np.ones(len(y)))
    if first is None:
        return None
    leverage = np.einsum("ij,jk,ik->i", design, first.cross, design) * first.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        anscombe = 1.5 * (y ** (2 / 3) * first.mean ** (-1 / 6) - np.sqrt(first.mean))
        residual = anscombe / np.sqrt(first.phi * (1 - leverage))
        weights = np.where(residual > _OUTLYING, residual**-2.0, 1.0)
    weights *= len(y) / weights.sum()
    return _glm(y, design, weights)


def _glm(y: Floats, design: Floats, weights: Floats) -> _Fit | None:
    """Weighted Poisson regression with log link by iterated least squares; None when it does not converge."""
    mean, before = y + 0.1, np.inf
    eta = np.log(mean)
    for _ in range(_ROUNDS):
        work = weights * mean
        normal = (design * work[:, None]).T @ design
        try:
            cross = np.linalg.inv(normal)
        except np.linalg.LinAlgError:
            return None
        if np.linalg.cond(normal) > 1 / np.finfo(np.float64).eps:
            return None
        beta = cross @ (design.T @ (work * (eta + (y - mean) / mean)))
        eta = np.clip(design @ beta, -_ETA, _ETA)
        mean = np.exp(eta)
        now = _deviance(y, mean, weights)
        if abs(now - before) / (abs(now) + 0.1) < _EPSILON:
            free = len(y) - design.shape[1]
            phi = max(1.0, float((weights * (y - mean) ** 2 / mean).sum() / free))
            final = np.asarray(np.linalg.inv((design * (weights * mean)[:, None]).T @ design), dtype=np.float64)
            return _Fit(beta, mean, weights, phi, final)
        before = now
    return None


def _deviance(y: Floats, mean: Floats, weights: Floats) -> float:
    logs = np.where(y > 0, y * np.log(np.maximum(y, 1e-300) / mean), 0.0)
    return float(2 * (weights * (logs - (y - mean))).sum())


def _predicted(fit: _Fit, week: int, group: int, groups: int, *, trend: bool) -> float:
    row = _design(np.array([week]), np.array([group]), groups, trend=trend)[0]
    return float(np.exp(np.clip(row @ fit.beta, -_ETA, _ETA)))


def _keeps_trend(fit: _Fit, n: int, mean: float, most: float, setting: Setting) -> bool:
    if setting.years < Setting().years or mean > most:
        return False
    if setting.trend_below >= 1:
        return True
    score = fit.beta[1] / np.sqrt(fit.phi * fit.cross[1, 1])
    return bool(2 * student.sf(abs(score), n - len(fit.beta)) < setting.trend_below)


def _quantile(mean: float, phi: float, alpha: float) -> float | None:
    if mean > _MOST:
        return None
    if phi <= 1 + _POISSON:
        return float(poisson.ppf(1 - alpha, mean))
    return float(nbinom.ppf(1 - alpha, mean / (phi - 1), 1 / phi))
