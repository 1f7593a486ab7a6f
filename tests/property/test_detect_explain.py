"""What stands out: null selections explain nothing, planted causes come first, longer must beat its parts."""

from __future__ import annotations

import os
from fractions import Fraction
from math import comb
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.detect.explain.mining import FEWEST, SUPPORT, Incidents, Side
from commonwatch.detect.explain.standing_out import FDR, standing_out
from commonwatch.detect.explain.tails import Tails, adjusted

LONG = os.environ.get("COMMONWATCH_HYPOTHESIS") == "long"
WORLDS = 200 if LONG else 20
ORGS, DAYS, SIZES = 120, 29, (6, 40, 12, 25, 4, 60)


class World(NamedTuple):
    """Incidents of a community over 29 days: codes per attribute, organisation, day."""

    codes: list[np.ndarray]
    orgs: np.ndarray
    days: np.ndarray

    def side(self, chosen: np.ndarray) -> Incidents:
        return Incidents([c[chosen] for c in self.codes], self.orgs[chosen], self.days[chosen])

    def split(self, chosen: np.ndarray) -> tuple[Incidents, Incidents]:
        return self.side(chosen), self.side(~chosen)


def world(seed: int, *, bursts: bool = True, habits: bool = True, n: int = 9_000) -> World:
    """Organisations of very different sizes, with lasting habits, whose incidents come in bursts of equal ones."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(0, 1, ORGS)
    orgs = rng.choice(ORGS, n, p=size / size.sum())
    days = rng.integers(0, DAYS, n)
    codes = []
    for most in SIZES:
        common = np.minimum(rng.zipf(1.6, n) - 1, most - 1)
        own = rng.integers(0, most, ORGS)
        keeps = rng.random(n) < (0.4 if habits else 0.0)
        codes.append(np.where(keeps, own[orgs], common))
    if bursts:
        times = 1 + np.where(rng.random(n) < 0.05, rng.geometric(0.05, n), 0)
        orgs, days, codes = np.repeat(orgs, times), np.repeat(days, times), [np.repeat(c, times) for c in codes]
    return World(codes, orgs, days)


def plant(made: World, seed: int, who: np.ndarray, *, day: int, each: int = 3) -> World:
    """So many incidents with one pair of values (attribute 1: 4, attribute 3: 3) at each of these organisations."""
    rng = np.random.default_rng(seed)
    orgs = np.repeat(who, each)
    usual = rng.integers(0, len(made.orgs), len(orgs))
    codes = [c[usual] for c in made.codes]
    codes[1][:], codes[3][:] = 4, 3
    days = np.full(len(orgs), day)
    joined = [np.concatenate([a, b]) for a, b in zip(made.codes, codes, strict=True)]
    return World(joined, np.concatenate([made.orgs, orgs]), np.concatenate([made.days, days]))


def rate(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def test_a_null_day_has_no_explanation() -> None:
    fired = []
    for seed in range(WORLDS):
        found = standing_out(*(made := world(seed)).split(made.days == seed % DAYS))
        fired.append(bool(found.found))
        assert found.tests > 100
    assert rate(fired) <= (0.01 if LONG else 0.0), f"{sum(fired)} of {WORLDS}"


def test_a_null_sector_has_no_explanation_by_organisations_and_would_have_many_by_days() -> None:
    """Organisations have lasting habits: days of one organisation are no independent witnesses of its sector."""
    by_org, by_day = [], []
    for seed in range(WORLDS):
        made = world(seed)
        sector = np.random.default_rng(seed).permutation(ORGS)[:25]
        sides = made.split(np.isin(made.orgs, sector))
        by_org.append(bool(standing_out(*sides, by_org=(True,)).found))
        by_day.append(bool(standing_out(*sides).found) if seed < 8 else True)
    assert rate(by_org) <= (0.01 if LONG else 0.0)
    assert rate(by_day[:8]) > 0.5, "the trap is there to be avoided"


def first(found: list, wanted: set) -> bool:
    return bool(found) and set(found[0].pattern) == wanted and found[0].more


def test_a_pair_planted_on_one_day_comes_first() -> None:
    hits = []
    for seed in range(WORLDS):
        rng = np.random.default_rng(1_000 + seed)
        made = plant(world(seed), seed, rng.permutation(ORGS)[:14], day=5)
        found = standing_out(*made.split(made.days == 5)).found
        hits.append(first(found, {(1, 4), (3, 3)}))
        assert all(f.p <= FDR for f in found)
    assert rate(hits) >= 0.95, f"{sum(hits)} of {WORLDS}"


def test_what_fell_silent_is_found_as_missing() -> None:
    """A value that half of all incidents had is gone on the day."""
    hits = []
    for seed in range(WORLDS // 2):
        made = world(seed)
        gone = (made.days == 7) & (made.codes[0] == 0)
        kept = World([c[~gone] for c in made.codes], made.orgs[~gone], made.days[~gone])
        found = standing_out(*kept.split(kept.days == 7)).found
        hits.append(bool(found) and found[0].pattern == ((0, 0),) and not found[0].more and found[0].incidents == 0)
    assert rate(hits) >= 0.95


def test_a_burst_of_one_organisation_explains_nothing() -> None:
    made = world(3)
    burst = World([np.full(4_000, 1) for _ in SIZES], np.full(4_000, 9), np.full(4_000, 5))
    loud = World(
        [np.concatenate([a, b]) for a, b in zip(made.codes, burst.codes, strict=True)],
        np.concatenate([made.orgs, burst.orgs]),
        np.concatenate([made.days, burst.days]),
    )
    assert [f for f in standing_out(*loud.split(loud.days == 5)).found if f.more] == []


def test_a_longer_combination_that_adds_nothing_is_not_told() -> None:
    """One value is planted beside random others: no pair with it is told."""
    made = plant(world(2, habits=False), 2, np.arange(30), day=4, each=8)
    made.codes[3][-30 * 8 :] = np.random.default_rng(1).choice(made.codes[3][: -30 * 8], 30 * 8)
    found = standing_out(*made.split(made.days == 4)).found
    assert found[0].pattern == ((1, 4),)
    assert [f.pattern for f in found if (1, 4) in f.pattern] == [((1, 4),)]


def test_the_order_of_rows_and_the_roles_change_nothing() -> None:
    made = plant(world(1), 1, np.arange(15), day=6)
    shuffled = np.random.default_rng(0).permutation(len(made.orgs))
    other = World([c[shuffled] for c in made.codes], made.orgs[shuffled], made.days[shuffled])
    one = standing_out(*made.split(made.days == 6))
    assert one == standing_out(*other.split(other.days == 6))
    swapped = standing_out(*reversed(made.split(made.days == 6)))
    assert {(f.pattern, not f.more) for f in swapped.found} == {(f.pattern, f.more) for f in one.found}


@given(st.integers(0, 1_000_000))
@settings(max_examples=15, deadline=None)
def test_frequent_combinations_are_those_that_counting_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 130))
    codes = [rng.integers(-1, 3, n) for _ in range(4)]
    side = Side(Incidents(codes, rng.integers(0, 5, n), rng.integers(0, 4, n)))
    counted: dict[tuple, int] = {}
    for row in zip(*codes, strict=True):
        items = [(at, int(code)) for at, code in enumerate(row) if code >= 0]
        for picks in range(1, 1 << len(items)):
            some = tuple(item for i, item in enumerate(items) if picks >> i & 1)
            counted[some] = counted.get(some, 0) + (len(some) <= 3)
    least = max(FEWEST, int(np.ceil(SUPPORT * n)))
    assert side.frequent() == {p: c for p, c in counted.items() if c >= least}


@given(st.integers(1, 40), st.data())
@settings(max_examples=30, deadline=None)
def test_tails_equal_exact_fractions(n: int, data: st.DataObject) -> None:
    marked, drawn = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    c, tenths = data.draw(st.integers(0, n)), data.draw(st.integers(0, 10))
    hyper = sum(Fraction(comb(marked, k) * comb(n - marked, drawn - k), comb(n, drawn)) for k in range(c, drawn + 1))
    binomial = sum(
        comb(n, k) * Fraction(tenths, 10) ** k * Fraction(10 - tenths, 10) ** (n - k) for k in range(c, n + 1)
    )
    tails = Tails(n)
    assert tails.hypergeometric(c, n, marked, drawn) == pytest.approx(float(hyper), abs=1e-12)
    assert tails.binomial(c, n, tenths / 10) == pytest.approx(float(binomial), abs=1e-12)


def test_adjustment_counts_what_was_tested_and_not_told() -> None:
    assert adjusted([0.01, 0.001, 0.5], 100) == pytest.approx([0.5, 0.1, 1.0])
    assert adjusted([], 100) == []
