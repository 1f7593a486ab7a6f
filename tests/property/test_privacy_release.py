"""The release's mathematics against brute force: least squares, variances, spans, splits, bounds, slices."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from commonwatch.privacy.release import bounds, cube, slices, split, tables
from commonwatch.privacy.release.axes import Axis, below, every, plain, shape
from commonwatch.privacy.release.bounds import Bounds, Onset
from commonwatch.privacy.release.plan import Plan, Share, covers

AXES = (
    Axis("day", tuple(f"d{i}" for i in range(8)), (8, 4, 1)),
    plain("region", ["n", "s", "e"]),
    Axis("family", tuple(f"f{i}" for i in range(4)), (4, 2, 1)),
)
LEVELS = every(AXES)
CELLS = 8 * 3 * 4
measured = st.lists(st.sampled_from(LEVELS), min_size=1, max_size=4, unique=True)
seeds = st.integers(0, 2**32 - 1)


def matrix(levels: tuple[int, ...]) -> np.ndarray:
    """The table as a dense linear map from cells to counts."""
    parts = [
        np.kron(np.eye(a.size // a.blocks[k]), np.ones((1, a.blocks[k]))) for a, k in zip(AXES, levels, strict=True)
    ]
    return np.kron(np.kron(parts[0], parts[1]), parts[2])


def random_box(rng: np.random.Generator, *, signed: bool = False) -> list[np.ndarray]:
    values = (-1, 0, 1, 2) if signed else (0, 1)
    return [rng.choice(values, axis.size).astype(float) for axis in AXES]


def flat(box: list[np.ndarray]) -> np.ndarray:
    return np.kron(np.kron(box[0], box[1]), box[2])


def noisy(which: list[tuple[int, ...]], rng: np.random.Generator) -> list[cube.Noisy]:
    return [cube.Noisy(a, float(rng.uniform(0.5, 5)), rng.integers(-9, 30, shape(AXES, a))) for a in which]


@settings(max_examples=25, deadline=None)
@given(measured, seeds)
def test_the_cube_and_its_covariances_are_those_of_dense_least_squares(which: list[tuple[int, ...]], seed: int):
    rng = np.random.default_rng(seed)
    found = noisy(which, rng)
    solved = cube.solve(AXES, found)
    rows = np.vstack([matrix(n.levels) / n.scale for n in found])
    wanted = np.concatenate([n.values.reshape(-1) / n.scale for n in found])
    inverse = np.linalg.pinv(rows.T @ rows, rcond=1e-10, hermitian=True)
    np.testing.assert_allclose(solved.cells.reshape(-1), inverse @ rows.T @ wanted, atol=1e-8)
    one, two = random_box(rng, signed=True), random_box(rng, signed=True)
    exact = flat(one) @ inverse @ flat(two)
    assert abs(cube.covariance(AXES, solved.tau, one, two) - exact) < 1e-7
    box = random_box(rng)
    outside = flat(box) - np.linalg.pinv(rows, rcond=1e-10) @ (rows @ flat(box))
    share = outside @ outside / max(flat(box).sum(), 1)
    answer = solved.ask(box)
    assert abs(answer.unmeasured - share) < 1e-8
    assert abs(answer.value - flat(box) @ solved.cells.reshape(-1)) < 1e-8
    assert abs(answer.sd**2 - flat(box) @ inverse @ flat(box)) < 1e-7


@settings(max_examples=40, deadline=None)
@given(measured, st.sampled_from(LEVELS), seeds)
def test_boxes_on_a_measured_table_are_measured_whole(which: list[tuple[int, ...]], levels: tuple[int, ...], seed: int):
    assume(covers(tuple(Share(w, Fraction(1)) for w in which), levels))
    rng = np.random.default_rng(seed)
    box = [
        np.repeat(rng.integers(0, 2, a.size // a.blocks[k]), a.blocks[k]).astype(float)
        for a, k in zip(AXES, levels, strict=True)
    ]
    solved = cube.solve(AXES, noisy(which, rng))
    assert solved.ask(box).unmeasured == 0


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.sampled_from(LEVELS), st.floats(0.01, 10), min_size=1, max_size=4))
def test_the_split_is_certified_covers_its_views_and_sums_to_one(views: dict[tuple[int, ...], float]):
    shares = split.split(AXES, 2, 4, views)
    assert sum(s.share for s in shares) == 1
    assert all(covers(shares, view) for view in views)
    candidates = [a for a in LEVELS if any(below(a, v) for v in views)]
    cost, gain = split._matrices(AXES, 2, 4, views, candidates)
    p, gap = split.optimum(cost, gain)
    assert gap < split.GAP
    best = (cost / (gain @ p)).sum()
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = rng.dirichlet(np.ones(len(candidates)))
        assert (cost / (gain @ other)).sum() >= best * (1 - 2 * split.GAP)


onset = st.builds(
    Onset, st.sampled_from(["a", "b", "canary"]), st.integers(0, 7), st.integers(0, 3), st.tuples(st.integers(0, 2))
)
PLACED = (AXES[0], AXES[1], AXES[2])


def counted(limits: Bounds, onsets: list[Onset]) -> np.ndarray:
    return tables.coded(PLACED, 2, bounds.bounded(limits, onsets))


@settings(max_examples=60, deadline=None)
@given(st.lists(onset, max_size=60), st.integers(1, 5), st.booleans())
def test_no_owner_moves_the_tables_by_more_than_the_claimed_norm(onsets: list[Onset], k: int, full: bool):
    limits = Bounds(k=k, days=8, full_at_start=full)
    with_, without = counted(limits, onsets), counted(limits, [o for o in onsets if o.owner != "canary"])
    plan = Plan(PLACED, (Share((2, 1, 2), Fraction(1)),), Fraction(1), k=k, family=2)
    for levels in LEVELS:
        moved = tables.table(PLACED, levels, with_) - tables.table(PLACED, levels, without)
        assert (moved**2).sum() <= plan.delta2(levels)


@settings(max_examples=40, deadline=None)
@given(st.lists(onset, max_size=40), st.randoms(use_true_random=False))
def test_bounding_depends_on_the_owner_alone_and_not_on_order(onsets: list[Onset], draw: Any):
    limits = Bounds(k=3, days=8)
    shuffled = list(onsets)
    draw.shuffle(shuffled)
    assert bounds.bounded(limits, onsets) == bounds.bounded(limits, shuffled)
    for owner in ("a", "b"):
        alone = bounds.bounded(limits, [o for o in onsets if o.owner == owner])
        assert alone == [o for o in bounds.bounded(limits, onsets) if o.owner == owner]
        days, families = [o.day for o in alone], [o.family for o in alone]
        assert len(set(days)) == len(days)
        assert len(set(families)) == len(families)
        assert all(i < limits.allowance(o.day) for i, o in enumerate(alone))


@settings(max_examples=20, deadline=None)
@given(st.lists(onset, max_size=40), seeds)
def test_a_closed_slice_never_changes_and_a_revision_touches_only_its_block(onsets: list[Onset], seed: int):
    rng = np.random.default_rng(seed)
    shares = (Share((2, 1, 0), Fraction(1, 2)), Share((1, 1, 2), Fraction(1, 4)), Share((0, 0, 2), Fraction(1, 4)))
    plan = Plan(PLACED, shares, Fraction(1, 2), k=4, family=2)
    codes = counted(Bounds(days=8), onsets)
    series = slices.Series(plan)
    history = [series]
    for day in range(8):
        series = slices.close(series, day, codes, f"owners-{day}", lambda v, s: v + rng.integers(-3, 4, v.shape))
        history.append(series)
    for before, after in itertools.pairwise(history):
        assert after.slices[: len(before.slices)] == before.slices
        assert series.as_of(before.closed) == before
        for start, end in slices.revised(before, after):
            assert start <= before.closed < end
    assert [(p.start, p.size) for p in slices.pieces(history[7])] == [(0, 4), (4, 1), (5, 1), (6, 1)]
    exact = slices.Series(plan)
    for day in range(8):
        exact = slices.close(exact, day, codes, "", lambda v, s: v)
        got = slices.ask(slices.pieces(exact), [None, None, None])
        assert abs(got.value - (codes[:, 0] <= day).sum()) < 1e-6
