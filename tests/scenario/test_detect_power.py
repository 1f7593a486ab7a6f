"""On communities with known truth: alerts are as rare as the budget says, warn before contact, and beat event counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from commonwatch.detect.outbreak.calibrate import Calibration, calibrate, episodes
from commonwatch.detect.outbreak.charts import cusum
from commonwatch.detect.outbreak.ensemble import score
from commonwatch.detect.outbreak.expectation import expect
from commonwatch.detect.outbreak.series import DAY, WARM_UP
from commonwatch.errors import InvalidInput
from commonwatch.simulate.hourly import Hit, Town, Wave, outbreak, town
from doubles import towns
from doubles.towns import FIRST_JUDGED, LIVE, events, live, quiet

DAYS = towns.SETTLING + towns.QUIET + towns.JUDGED
WAVES = [
    Wave(0.15, duration, focus, arrivals)
    for duration, arrivals in ((12, "logistic"), (72, "uniform"), (240, "logistic"))
    for focus in ("none", "sector", "region")
]


class Warned(NamedTuple):
    """Shares of the hit members that were warned an hour before contact, and before impact."""

    contact: float
    impact: float


def made(orgs: int, seed: int) -> tuple[Town, Calibration, np.random.Generator]:
    rng = np.random.default_rng(seed)
    of = town(orgs, DAYS, rng)
    return of, calibrate(quiet(of), 1.0, seed), rng


def warned(alert: np.ndarray, hit: Hit, wave: Wave) -> Warned:
    """By the first alert of the outbreak's key; an alert is told at the end of its hour."""
    hours = np.nonzero(alert)[0] + FIRST_JUDGED + 1
    begins = hit.contact.min()
    during = hours[(hours > begins) & (hours <= begins + wave.duration + 48)]
    if not len(during):
        return Warned(0.0, 0.0)
    return Warned(float((during[0] + 1 <= hit.contact).mean()), float((during[0] + 1 <= hit.impact).mean()))


def waves(of: Town, rng: np.random.Generator) -> list[tuple[Hit, Wave]]:
    return [(outbreak(of, w, FIRST_JUDGED + int(rng.integers(48, 14 * DAY)), rng), w) for w in WAVES]


def test_outbreaks_of_fifteen_in_a_hundred_are_told_before_most_harm_and_onsets_beat_events():
    together, by_events = [], []
    for seed in (1, 2):
        of, calibration, rng = made(200, seed)
        counts = cusum(expect(events(of)[:, LIVE:]))
        threshold = np.sort(counts[:, WARM_UP:].max(axis=1))[-2]  # one false alert in the judged month, as favoured
        for hit, wave in waves(of, rng):
            after = of.hit(hit)
            judged = calibration.judge(score(live(after)))[hit.key, WARM_UP:]
            together.append(warned(judged > 1, hit, wave))
            naive = cusum(expect(events(after)[:, LIVE:]))[hit.key, WARM_UP:]
            by_events.append(warned(naive > threshold, hit, wave))
    contact, impact = np.mean(together, axis=0)
    assert contact >= 0.45
    assert impact >= 0.70
    assert np.mean(by_events, axis=0)[0] < contact / 2


def test_false_alerts_are_about_as_many_as_asked_for():
    found = 0
    for seed in range(10, 18):
        rng = np.random.default_rng(seed)
        of = town(60, DAYS, rng)
        judged = calibrate(quiet(of), 3.0, seed).judge(score(live(of)))
        found += episodes(judged[:, WARM_UP:], 1.0)
    months = 8 * towns.JUDGED / 30
    assert 0.5 * 3.0 <= found / months <= 1.5 * 3.0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("budget", [0.5, 1.0, 3.0])
def test_the_realised_rate_holds_over_many_communities(budget: float):
    found, communities = 0, 40 if budget >= 1 else 80
    for seed in range(100, 100 + communities):
        rng = np.random.default_rng(seed)
        of = town(200, DAYS, rng)
        judged = calibrate(quiet(of), budget, seed).judge(score(live(of)))
        found += episodes(judged[:, WARM_UP:], 1.0)
    rate = found / (communities * towns.JUDGED / 30)
    assert 0.5 * budget <= rate <= 1.5 * budget


def test_a_past_that_is_too_short_or_a_budget_of_nothing_is_refused():
    short = quiet(town(20, DAYS, np.random.default_rng(1))).run(0, 35 * DAY)
    with pytest.raises(InvalidInput, match="six whole weeks"):
        calibrate(short, 1.0)
    with pytest.raises(InvalidInput, match="cannot be met"):
        calibrate(short.run(0, 84 * DAY), 0.0)


def test_the_same_past_and_seed_give_the_same_thresholds():
    past = quiet(town(30, DAYS, np.random.default_rng(3), keys=3))
    assert calibrate(past, 2.0, 7) == calibrate(past, 2.0, 7)
