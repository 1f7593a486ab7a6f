"""Alerts under privacy: the table is bounded, simulation stands beside the calculator, the loop tells once and stops."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from commonwatch.errors import Conflict, InvalidInput
from commonwatch.privacy.alerts import above, table, watching
from commonwatch.privacy.audit.loop import audit_loop, faulty_loops, shipped_loop
from commonwatch.privacy.planner import power
from commonwatch.privacy.planner.community import Community
from commonwatch.privacy.release import noise, slices, tables
from commonwatch.privacy.release.bounds import Onset
from doubles import onsets

RARE = tuple(range(5, 12))
TENTH = Fraction(1, 10)


def plan(rho: Fraction = TENTH, regions: int = 8):
    return table.alert_plan([f"r{i}" for i in range(regions)], [f"f{i}" for i in RARE], rho)


def normal(rng: np.random.Generator) -> Callable[[np.ndarray, float], np.ndarray]:
    """Rounded normal noise, for simulations only: a seed makes them the same each time."""
    return lambda values, scale: values + np.rint(rng.normal(0, scale, values.shape)).astype(np.int64)


def released(found: list[Onset], draw, rho: Fraction = TENTH, days: int = 56) -> slices.Series:
    """The series as the hub would grow it, day by day."""
    here = plan(rho)
    codes = tables.coded(here.axes, 2, [o._replace(cell=o.cell[:1]) for o in table.first_come(found, RARE)])
    series = slices.Series(here)
    for day in range(days):
        series = slices.close(series, day, codes, "owners", draw)
    return series


def test_an_organisation_reports_its_first_rare_family_once_in_a_window():
    seen = [
        Onset("a", 1, 0),
        Onset("a", 3, 7),
        Onset("a", 5, 8),
        Onset("b", 9, 11),
        Onset("b", 9, 11),
        Onset("c", 2, 1),
    ]
    assert [(o.owner, o.day, o.family) for o in table.first_come(seen, RARE)] == [("a", 3, 2), ("b", 9, 6)]
    assert all(plan().delta2(t.levels) == 1 for t in plan().tables)
    assert sum(t.share for t in plan().tables) == 1


def test_the_series_cell_noise_is_the_calculators_and_without_noise_the_counts_come_back():
    who = onsets.members(300, np.random.default_rng(2))
    found = onsets.window(who, np.random.default_rng(3))
    tracks = watching.tracks([released(found, lambda v, s: v)])
    counted = table.first_come(found, RARE)
    regional = [t for t in tracks if t.region]
    for track in tracks:
        mine = [o for o in counted if f"f{RARE[o.family]}" == track.family and track.region in (None, f"r{o.cell[0]}")]
        np.testing.assert_allclose(track.daily, np.bincount([o.day for o in mine], minlength=56), atol=1e-9)
    expected = watching.noise_of(8, 1 / (2 * 0.1 * 0.62), 1 / (2 * 0.1 * 0.38))
    assert (regional[0].noise, tracks[-1].noise) == pytest.approx(expected, rel=1e-6)
    assert power.line(Community(members=300), TENTH, "everywhere").noise == pytest.approx(expected[1])


def test_the_noise_that_is_stated_is_the_noise_that_is_there():
    tracks = watching.tracks([released([], normal(np.random.default_rng(s))) for s in range(6)])
    for regional in (True, False):
        mine = [t for t in tracks if (t.region is not None) == regional]
        spread = np.mean([t.daily.var() for t in mine])
        assert spread == pytest.approx(mine[0].noise, rel=0.15)


def test_quiet_windows_raise_no_more_false_alerts_than_were_wanted():
    rng, raised, runs = np.random.default_rng(7), 0, 30
    for _ in range(runs):
        found = onsets.window(onsets.members(1000, rng), rng)
        raised += len(watching.watch([released(found, normal(rng))], days=power.WATCHED))
    assert raised / runs <= 0.5 * 1.5


@pytest.mark.parametrize("chance", [0.5, 0.8])
def test_outbreaks_of_the_calculators_size_are_seen_at_least_as_often_and_not_from_a_third_of_it(chance: float):
    rng, runs = np.random.default_rng(11), 25
    size = power.size(power.line(Community(members=1000, rare=12), TENTH, "region"), chance)
    seen = {"full": 0, "third": 0}
    for name, hit in (("full", round(size)), ("third", round(size / 3))):
        for _ in range(runs):
            who = onsets.members(1000, rng)
            found = onsets.window(who, rng) + onsets.outbreak(who, hit, 1, rng)
            alerts = watching.watch([released(found, normal(rng))], days=16)
            seen[name] += any(a.family == "f8" and a.region in {"r1", None} and a.day >= 40 for a in alerts)
    assert seen["full"] / runs >= chance - 0.1
    assert seen["third"] / runs < chance / 2


def test_an_alert_says_where_when_and_by_how_many():
    rng = np.random.default_rng(3)
    who = onsets.members(1000, rng)
    found = onsets.window(who, rng) + onsets.outbreak(who, 90, 1, rng)
    alerts = [a for a in watching.watch([released(found, normal(rng))]) if a.family == "f8"]
    assert {a.region for a in alerts} == {"r1", None}
    first = alerts[0]
    assert 40 <= first.day <= 43
    assert first.days in watching.SPANS
    assert 5 < first.excess < 90
    assert first.z > watching.z_limit(56, 28, 0.5)


def test_a_baseline_may_lie_in_the_window_before_and_open_days_are_not_there():
    rng = np.random.default_rng(5)
    who = onsets.members(1000, rng)
    before = released(onsets.window(who, rng), normal(rng))
    now = released([o._replace(day=3) for o in onsets.outbreak(who, 120, 1, rng)], normal(rng), days=4)
    assert len(watching.tracks([before, now])[0].daily) == 60
    assert any(a.family == "f8" and a.day == 59 for a in watching.watch([before, now], days=4))
    assert watching.watch([now], days=4) == []
    with pytest.raises(InvalidInput, match="follow one another"):
        watching.tracks([now, before])


def test_what_ships_draws_the_loops_noise_from_opendp():
    drawn = noise.laplace(np.zeros(3000, np.int64), 4.0)
    assert drawn.dtype == np.int64
    assert drawn.std() == pytest.approx(4 * 2**0.5, rel=0.15)
    for eps in (Fraction(1, 3), Fraction(1), Fraction(7, 10)):
        scale = noise.laplace_scale(eps)
        assert Fraction(noise._laplace(scale).map(1)) <= eps
        assert scale == pytest.approx(float(1 / eps))
    assert above.look.__defaults__ == (noise.laplace,)
    assert above.arm.__defaults__ == (noise.laplace,)


def test_the_loop_tells_the_first_count_above_its_level_and_then_nothing_more():
    armed = above.arm(Fraction(1), lambda v, s: v)
    armed, told = above.look(armed, np.array([3, 4]), [5, 5], lambda v, s: v)
    assert told is None
    armed, told = above.look(armed, np.array([4, 5]), [5, 5], lambda v, s: v)
    assert told == 1
    assert armed.over
    with pytest.raises(Conflict, match="over") as refused:
        above.look(armed, np.array([9, 9]), [5, 5])
    assert refused.value.todo
    assert "bar" not in repr(armed)
    assert above.rho_of(Fraction(1)) == Fraction(1, 2)


def test_levels_come_from_released_numbers_and_hold_the_false_alerts_down():
    tracks = [watching.Track(f"f{i}", None, np.full(28, 1.0 + i), 2.0) for i in range(5)]
    eps, looks = Fraction(2), 4 * 28
    levels = above.levels(tracks, 24, eps, looks)
    assert [a - b for a, b in zip(levels[1:], levels, strict=False)] == [1, 1, 1, 1]
    counts, rng, raised = np.array([1, 2, 3, 4, 5]), np.random.default_rng(1), 0

    def draw(values: np.ndarray, scale: float) -> np.ndarray:
        return values + np.rint(rng.laplace(0, scale, values.shape)).astype(np.int64)

    for _ in range(150):
        armed = above.arm(eps, draw)
        for _ in range(looks):
            armed, told = above.look(armed, counts, levels, draw)
            if told is not None:
                raised += 1
                break
    assert raised / 150 <= 0.5
    assert above.look(above.arm(eps, draw), counts + 4 * above.margin(eps, looks * 5, 0.5), levels, draw)[1] is not None


def test_the_audit_of_the_loop_that_ships_passes_and_looks_at_it():
    subject = shipped_loop()
    assert subject.arm is above.arm
    found = audit_loop(subject, 3_000)
    assert found.kept
    assert found.eps_low > 0.1


@pytest.mark.parametrize("at", range(3))
def test_a_fault_planted_in_the_loop_is_caught(at: int):
    subject, runs = faulty_loops()[at]
    found = audit_loop(subject, runs)
    assert not found.kept, found


@pytest.mark.parametrize(
    "make",
    [
        lambda: plan(Fraction(0)),
        lambda: above.arm(Fraction(0)),
        lambda: above.look(above.arm(Fraction(1)), np.array([1, 2]), [1]),
        lambda: above.margin(Fraction(1), 0, 1),
        lambda: above.levels([], 0, Fraction(1), 1),
        lambda: watching.z_limit(0, 1, 0.5),
        lambda: watching.z_limit(10, 1, -1),
        lambda: audit_loop(shipped_loop(), 20),
    ],
)
def test_malformed_watching_is_refused_with_what_to_do(make):
    with pytest.raises(InvalidInput) as refused:
        make()
    assert refused.value.todo
