"""Detectors equal their definitions written as loops, and come back in time on whatever they are given."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom

from commonwatch.detect.outbreak.charts import cusum, glr, negative_binomial
from commonwatch.detect.outbreak.expectation import LAG, LEVEL, Expected, expect
from commonwatch.detect.outbreak.farrington import judge
from commonwatch.detect.outbreak.scan import DURATIONS, Zone, conditional, expectation_based, ratio, zones
from commonwatch.detect.outbreak.series import NEW, WARM_UP, Size, onsets_of, summed, trailing
from commonwatch.simulate.hourly import town
from doubles.towns import history

HOURS = WARM_UP + 72


def counted(seed: int, keys: int = 2, hours: int = HOURS) -> np.ndarray:
    return np.random.default_rng(seed).poisson(0.4, (keys, hours)).astype(float)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 799)), max_size=60))
def test_onsets_in_arrays_equal_the_definition(sightings):
    key, org, hour = (np.array([s[i] for s in sightings], dtype=np.int64) for i in range(3))
    found = onsets_of(key, org, hour, Size(2, 3, 800), NEW)
    by_definition = {s for s in sightings if not any(o[:2] == s[:2] and s[2] - NEW <= o[2] < s[2] for o in sightings)}
    assert set(zip(found.key.tolist(), found.org.tolist(), found.hour.tolist(), strict=True)) == by_definition
    assert found.counts().sum() == len(by_definition)


def test_sums_end_with_the_hour_and_trailing_sums_before_the_lag():
    series = counted(1, hours=40)
    for t in range(40):
        assert summed(series, 5)[0, t] == series[0, max(t - 4, 0) : t + 1].sum()
        assert trailing(series, 5, 3)[0, t] == series[0, max(t - 8, 0) : max(t - 3, 0)].sum()


def test_what_is_expected_looks_only_at_what_ended_two_days_before():
    series = counted(2, hours=HOURS)
    changed = series.copy()
    changed[:, -LAG:] += 50
    assert np.array_equal(expect(series).mean[:, -LAG:], expect(changed).mean[:, -LAG:])
    assert expect(series).mean[:, LEVEL:WARM_UP].mean() == pytest.approx(0.4, rel=0.1)


def test_the_cusum_is_the_recursion():
    new = expect(counted(3))
    found = cusum(new)
    for k in range(2):
        mean = np.maximum(new.mean[k], 0.05)
        phi = max(1.0, ((new.counted[k] - new.mean[k]) ** 2 / mean)[:WARM_UP].mean())
        s = 0.0
        for t in range(HOURS):
            z = (new.counted[k, t] - new.mean[k, t]) / math.sqrt(mean[t] * phi)
            s = max(0.0, s + min(z, 4.0) - 0.25)
            assert found[k, t] == pytest.approx(s, abs=1e-9)


def test_windows_equal_loops():
    new = expect(counted(4))
    ratios, tails = glr(new), negative_binomial(new)
    phi12 = new.window(12)[2]
    for t in (WARM_UP, HOURS - 1):
        for k in range(2):
            best = tail = 0.0
            for w in (2, 4, 8, 16, 32, 64, 128):
                a, e = new.counted[k, t - w + 1 : t + 1].sum(), new.mean[k, t - w + 1 : t + 1].sum() + 0.05
                if a / e > 1.3:
                    best = max(best, (a * math.log(a / e) - (a / e - 1) * e) / phi12[k, 0])
            for w in (3, 6, 12, 24, 48):
                a, e = new.counted[k, t - w + 1 : t + 1].sum(), new.mean[k, t - w + 1 : t + 1].sum() + 0.05
                phi = max(new.window(w)[2][k, 0], 1.02)
                tail = max(tail, -nbinom.logsf(a - 1, e / (phi - 1), 1 / phi) / math.log(10))
            assert (ratios[k, t], tails[k, t]) == (pytest.approx(best), pytest.approx(max(tail, 0.0)))


def test_the_scan_equals_a_loop_over_zones_and_durations():
    quiet = history(town(40, 35, np.random.default_rng(5), keys=2))
    whole = expect(quiet.new.counts())
    found = expectation_based(quiet.new, whole, quiet.zones)
    assert len(quiet.zones) > 2
    for k, t in ((0, WARM_UP + 9), (1, quiet.new.size.hours - 1)):
        best = (0.0, 0, 0)
        for number, zone in enumerate(quiet.zones):
            y = quiet.new.counts(zone.members)[k]
            scores = {w: _zone(y, whole.mean[k], zone, w, t) for w in DURATIONS}
            best = max([best, *((score, number, w) for w, score in scores.items())], key=lambda found: found[0])
        assert found.score[k, t] == pytest.approx(best[0])
        assert (found.zone[k, t], found.duration[k, t]) == best[1:] or best[0] == 0


def _zone(y: np.ndarray, mu: np.ndarray, zone: Zone, w: int, at: int) -> float:
    share, size = np.empty(len(y)), max(zone.members.mean(), 0.001)
    for t in range(len(y)):
        a, b = (0, WARM_UP) if t < WARM_UP // 2 else (max(t - 48 - 21 * 24, 0), t - 48)
        share[t] = (y[a:b].sum() + 0.5) / (mu[a:b].sum() + 0.5 / size)
    expected = mu * share
    ends = range(len(y))
    c = np.array([y[max(t - w + 1, 0) : t + 1].sum() for t in ends])
    b = np.array([expected[max(t - w + 1, 0) : t + 1].sum() + 0.05 for t in ends])
    phi = max(1.0, ((c - b) ** 2 / b)[:WARM_UP].mean())
    return float(ratio(c, b)[at] / phi)


@given(st.integers(0, 30), st.floats(0.1, 30), st.integers(0, 30))
def test_the_conditional_ratio_is_kulldorffs(c, b, more):
    total = c + more
    found = conditional(np.array([float(c)]), np.array([min(b, total)]), float(total))[0]
    b = min(b, total)
    inside = c / b if b else 0.0
    outside = more / (total - b) if total > b else 0.0
    if total == 0 or c == 0 or inside <= outside or total <= b:
        assert found == pytest.approx(0.0, abs=1e-6) or total <= b
    else:
        expected = c * math.log(inside) + (more * math.log(outside) if more else 0.0)
        assert found == pytest.approx(expected, abs=1e-6)


def test_zones_are_everybody_and_groups_of_at_least_eight():
    found = zones(["n"] * 8 + ["s"] * 12, ["a"] * 10 + ["b"] * 10)
    assert [z.name for z in found] == ["all", "region n", "region s", "sector a", "sector b"]
    assert [int(z.members.sum()) for z in found] == [20, 8, 12, 10, 10]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 3), st.integers(0, 2**31), st.sampled_from([0.0, 0.02, 3.0, 1e12]))
def test_farrington_comes_back_whatever_it_is_given(zeros, seed, rate):
    rng = np.random.default_rng(seed)
    weekly = np.minimum(rng.poisson(min(rate, 1e9), 220), 10**9).astype(np.int64)
    weekly[: zeros * 60] = 0
    verdict = judge(weekly, 219)
    assert verdict.bound is None or verdict.bound >= 0
    assert not (verdict.alarm and verdict.bound is None)


def test_farrington_gives_no_threshold_without_history_or_cases():
    assert judge(np.ones(100, dtype=np.int64) * 9, 99).bound is None
    assert judge(np.zeros(220, dtype=np.int64), 219).bound is None


def test_all_zero_series_score_nothing():
    nothing = Expected(np.zeros((1, HOURS)), expect(np.zeros((1, HOURS))).mean)
    assert not cusum(nothing).any()
    assert not glr(nothing).any()
    assert negative_binomial(nothing).max() < 1e-3
