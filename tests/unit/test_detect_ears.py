"""EARS as published: the bounds by hand, C3 by the worked example, hourly scores only from enough history."""

from __future__ import annotations

import numpy as np
import pytest

from commonwatch.detect.outbreak.ears import bound, c1, c2, c3, hourly_c2

SERIES = np.array([4, 5, 6, 5, 4, 6, 5, 5, 5, 8, 9, 12], dtype=float)


def test_c3_adds_up_what_c2_has_above_one_over_three_days():
    mean, sd = c2(SERIES, 0.5)
    assert ((SERIES - mean) / sd)[-3:] == pytest.approx([3.674, 5.590, 9.937], abs=5e-4)
    assert c3(SERIES, 0.5)[-1] == pytest.approx(16.201, abs=5e-4)


@pytest.mark.parametrize(("chart", "lag"), [(c1, 1), (c2, 3)])
def test_the_baseline_is_the_seven_days_that_end_before_the_lag(chart, lag):
    mean, sd = chart(SERIES)
    for day in range(len(SERIES)):
        before = SERIES[max(day - lag - 6, 0) : day - lag + 1]
        if day - lag - 6 < 0:
            assert np.isnan(mean[day])
        else:
            assert (mean[day], sd[day]) == pytest.approx((before.mean(), before.std(ddof=1)))
    assert bound((mean, sd))[-1] == pytest.approx(mean[-1] + 3.0902323 * sd[-1])


def test_a_series_shorter_than_its_baseline_gives_no_verdict():
    assert np.isnan(c2(SERIES[:9])[0]).all()
    assert np.isnan(c3(SERIES[:2])).all()


def test_a_flat_hourly_series_scores_nothing_and_a_jump_scores_after_ten_days():
    flat = np.ones((1, 24 * 14))
    assert not hourly_c2(flat).any()
    flat[0, -12:] += 5
    assert hourly_c2(flat)[0, -1] > 10
