"""Noise is OpenDP's and exact; what is malformed is refused and spends nothing; thresholds survive subtraction."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from math import sqrt

import numpy as np
import pytest

from commonwatch.errors import Conflict, InvalidInput
from commonwatch.privacy.release import bounds, cube, noise, slices, split, tables, tiers
from commonwatch.privacy.release.axes import Axis, cells_per, every, grouped, plain
from commonwatch.privacy.release.bounds import Bounds, Onset
from commonwatch.privacy.release.plan import Plan, Share
from commonwatch.privacy.release.thresholded import Published, Row, threshold

TIME = Axis("day", tuple(map(str, range(56))), (56, 7, 1))
FAMILY = plain("family", [f"f{i}" for i in range(12)])
REGION = plain("region", [f"r{i}" for i in range(8)])


def plan(rho: Fraction = Fraction(1, 2)) -> Plan:
    shares = (Share((2, 0, 1), Fraction(1, 2)), Share((1, 1, 1), Fraction(1, 2)))
    return Plan((TIME, REGION, FAMILY), shares, rho, k=4, family=2)


@pytest.mark.parametrize("delta2", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("rho", [Fraction(1, 10), Fraction(1, 3), Fraction(1, 2), Fraction(49, 1000), Fraction(1, 7)])
def test_the_scale_keeps_opendps_own_map_within_the_exact_rate(delta2: int, rho: Fraction):
    scale = noise.scale_for(delta2, rho)
    mechanism = noise._mechanism(scale)
    assert Fraction(mechanism.map(noise.distance(delta2))) <= rho
    assert Fraction(noise.distance(delta2)) ** 2 >= delta2
    assert scale == pytest.approx(sqrt(delta2 / (2 * float(rho))), rel=1e-12)


def test_what_ships_draws_integers_of_the_stated_spread_from_opendp():
    drawn = noise.gaussian(np.zeros((40, 50), np.int64), 5.0)
    assert drawn.dtype == np.int64
    assert drawn.shape == (40, 50)
    assert 4.5 < drawn.std() < 5.5
    assert "opendp" in type(noise._mechanism(5.0)).__module__


def test_epsilon_of_the_usual_rates_and_back():
    for rho, eps in ((0.02, 0.90), (0.1, 2.14), (0.5, 5.22), (1.0, 7.77)):
        assert noise.epsilon(rho) == pytest.approx(eps, abs=0.01)
    assert noise.rate_of(2.14) <= Fraction(1, 10) <= noise.rate_of(2.16)
    rate = noise.rate_of(1.0)
    assert noise.epsilon(float(rate)) <= 1.0 < noise.epsilon(float(rate + Fraction(1, 10_000)))


def test_the_accountant_never_claims_less_than_an_independent_one():
    from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

    for rho in (Fraction(1, 10), Fraction(1, 2)):
        scale = noise.scale_for(4, rho)
        independent = from_gaussian_mechanism(scale, sensitivity=2.0, value_discretization_interval=1e-2)
        exact = independent.get_epsilon_for_delta(1e-6)
        assert exact <= noise.epsilon(float(rho)) <= exact * 1.1 + 0.02


@pytest.mark.parametrize(
    "make",
    [
        lambda: plan(Fraction(0)),
        lambda: plan(Fraction(-1, 2)),
        lambda: Plan((TIME,), (Share((1,), Fraction(1, 2)),), Fraction(1)),
        lambda: Plan((TIME,), (Share((3,), Fraction(1)),), Fraction(1)),
        lambda: Plan((TIME,), (Share((1,), Fraction(1, 2)), Share((1,), Fraction(1, 2))), Fraction(1)),
        lambda: Plan((TIME,), (Share((1,), Fraction(1)),), Fraction(1), k=0),
        lambda: Axis("day", tuple("abcdef"), (6, 4, 1)),
        lambda: plain("region", []),
        lambda: plain("region", ["a", "a"]),
        lambda: Bounds(k=0),
        lambda: bounds.close_day(Bounds(), bounds.Counted(day=5), 5, []),
        lambda: bounds.close_day(Bounds(), bounds.Counted(), 56, []),
        lambda: cube.box_of(plan().axes, {"colour": ["red"]}),
        lambda: cube.box_of(plan().axes, {"region": ["atlantis"]}),
        lambda: tables.coded(plan().axes, 2, [Onset("a", 0, 99, (0,))]),
        lambda: split.split(plan().axes, 2, 4, {}),
        lambda: noise.scale_for(4, Fraction(0)),
        lambda: noise.epsilon(-1),
        lambda: noise.rate_of(0),
        lambda: threshold(("region",), [], 1),
        lambda: threshold(("region",), [Row("a", ("x", "y"), 1)], 5),
        lambda: tiers.lowered(slices.Slice((0,), 0, 1.0, "", (1,)), Fraction(1), Fraction(1), noise.gaussian),
        lambda: tiers.lowered(slices.Slice((0,), 0, 1.0, "", (1,)), Fraction(1), Fraction(1, 2), noise.gaussian),
    ],
)
def test_what_is_malformed_is_refused_with_what_to_do(make):
    with pytest.raises(InvalidInput) as refused:
        make()
    assert refused.value.todo


def test_the_bucket_opens_with_two_and_prefers_the_rare():
    onsets = [Onset("a", d, f) for d in range(40) for f in range(12)]
    counted = bounds.bounded(Bounds(rank=tuple(range(12))[::-1]), onsets)
    assert [(o.day, o.family) for o in counted] == [(0, 11), (1, 10), (19, 9), (38, 8)]
    assert bounds.at_cap(Bounds(), counted) == 1
    assert bounds.bounded(Bounds(), []) == []


def test_a_slice_is_drawn_once_in_order_and_an_empty_community_still_gets_noise():
    codes = tables.coded(plan().axes, 2, [])
    series = slices.close(slices.Series(plan()), 0, codes, "nobody", noise.gaussian)
    assert len(series.slices) == 1
    assert any(series.slices[0].values)
    with pytest.raises(Conflict, match="closed already"):
        slices.close(series, 0, codes, "nobody", noise.gaussian)
    with pytest.raises(InvalidInput, match="one after another"):
        slices.close(series, 5, codes, "nobody", noise.gaussian)
    with pytest.raises(InvalidInput, match="not released"):
        slices.ask(slices.pieces(series), [np.ones(2), None, None])


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    onsets = [Onset(str(o), int(d), int(f), (int(r),)) for o, d, f, r in zip(
        rng.integers(0, 300, 900), rng.integers(0, 56, 900), rng.integers(0, 12, 900), rng.integers(0, 8, 900),
        strict=True)]  # fmt: skip
    codes = tables.coded(plan().axes, 2, bounds.bounded(Bounds(), onsets))
    drawn = [
        cube.Noisy(
            t.levels, plan().scale(t), noise.gaussian(tables.table(plan().axes, t.levels, codes), plan().scale(t))
        )
        for t in plan().tables
    ]
    solved, inside, asked = cube.solve(plan().axes, drawn), 0, 600
    for _ in range(asked):
        box = [np.repeat(rng.integers(0, 2, 8), 7), rng.integers(0, 2, 8), rng.integers(0, 2, 12)]
        answer = solved.ask([b.astype(float) for b in box])
        truth = sum(box[0][d] & box[1][r] & box[2][f] for d, r, f in codes)
        low, high = answer.interval
        inside += low <= truth <= high or answer.sd == 0
        assert answer.unmeasured == 0
    assert 0.90 < inside / asked < 0.985


def test_groups_of_unequal_size_are_padded_and_stay_exact():
    axis = grouped("country", {"north": ["a", "b", "c"], "south": ["d"]})
    assert axis.values == ("a", "b", "c", "d", "", "")
    assert axis.blocks == (6, 3, 1)
    counts = np.array([3, 4, 5, 7, 0, 0])
    solved = cube.solve((axis,), [cube.Noisy((2,), 1.0, counts)])
    assert solved.ask([cube.block(axis, 1, 1)]).value == pytest.approx(7)
    assert solved.ask(cube.box_of((axis,), {"country": ["a", "d"]})).value == pytest.approx(10)
    assert [cells_per((axis,), a) for a in every((axis,))] == [6, 3, 1]


def test_a_lower_tier_is_the_higher_one_with_more_noise():
    high = slices.Slice((1,), 0, 10.0, "o", tuple([100] * 4000))
    low = tiers.lowered(high, Fraction(1, 2), Fraction(1, 10), noise.gaussian)
    assert low.scale == pytest.approx(10 * sqrt(5), rel=1e-9)
    assert np.std(low.values) == pytest.approx(sqrt(low.scale**2 - 100), rel=0.1)


def test_pooling_tiers_gains_nothing():
    """The difference of two tiers is the added noise, which no owner's data enters."""
    handed = []

    def draw(values: np.ndarray, scale: float) -> np.ndarray:
        handed.append((values.copy(), scale))
        return noise.gaussian(values, scale)

    for canary in (0, 1):
        high = slices.Slice((1,), 0, 10.0, "o", (5 + canary, 9))
        low = tiers.lowered(high, Fraction(1, 2), Fraction(1, 10), draw)
        assert handed[-1][0].tolist() == list(high.values)
        assert low.levels == high.levels
    assert handed[0][1] == handed[1][1]


def test_no_sum_of_shown_numbers_gives_a_small_cell():
    """Random cubes: every linear combination an attacker can form spans no cell below the threshold alone."""
    rng = random.Random(3)
    for _ in range(60):
        rows = [
            Row(f"o{rng.randrange(9)}", (rng.choice("ab"), rng.choice("xyz")), rng.randrange(1, 50)) for _ in range(30)
        ]
        t = rng.randrange(2, 5)
        made = threshold(("r", "f"), rows, t, known=["o0"])
        behind: dict[tuple[str, ...], set[str]] = {}
        for row in rows:
            behind.setdefault(row.cell, set()).add(row.owner)
        small = {cell for cell, who in behind.items() if len(who - {"o0"}) < t}
        assert not small & made.cells.keys()
        assert set(made.cells) == behind.keys() - small
        boxes = list(itertools.product(["a", "b", "ab"], ["x", "y", "z", "xy", "xyz"]))
        for r, f in boxes:
            wanted = sum(n for c, n in made.cells.items() if c[0] in r and c[1] in f)
            assert made.total({"r": set(r), "f": set(f)}) == wanted
        if made.suppressed is not None:
            assert len(set().union(*(behind[c] for c in small)) - {"o0"}) >= t


def test_a_closed_slice_never_reappears_otherwise():
    first = Published().admit("mssp", "2026-w48", {"a", "b", "c"}, ("region",), 3)
    assert first.admit("mssp", "2026-w48", {"a", "b", "c"}, ("region",), 3) == first
    for owners, dims, t in (
        ({"a", "b"}, ("region",), 3),
        ({"a", "b", "c"}, ("region", "family"), 3),
        ({"a", "b", "c"}, ("region",), 2),
    ):
        with pytest.raises(Conflict, match="difference would tell"):
            first.admit("mssp", "2026-w48", owners, dims, t)
    assert first.admit("mssp", "2026-w49", {"a", "b"}, ("region",), 3)
