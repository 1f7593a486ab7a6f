"""Figures of private releases for `bench_privacy`: time, coverage of intervals, errors beside a flat histogram, audit.

Communities are those of `doubles.onsets`; noise is OpenDP's. Times are processor seconds of one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from commonwatch.privacy.audit.faults import faults
from commonwatch.privacy.audit.loop import audit_loop, faulty_loops, shipped_loop
from commonwatch.privacy.audit.measure import audit, shipped
from commonwatch.privacy.release import cube, slices, tables
from commonwatch.privacy.release.axes import Axis, every, plain
from commonwatch.privacy.release.bounds import Bounds, bounded
from commonwatch.privacy.release.noise import gaussian, scale_for
from commonwatch.privacy.release.plan import Plan, covers
from commonwatch.privacy.release.profiles import View, levels_of, profiled
from doubles import onsets

HALF, TENTH = Fraction(1, 2), Fraction(1, 10)
AXES = (
    Axis("day", tuple(map(str, range(56))), (56, 7, 1)), plain("region", list("abcdefgh")),
    plain("sector", list("abcdefghij")), plain("family", list("abcdefghijkl")), plain("severity", list("abcd")),
)  # fmt: skip
SIZES = [axis.size for axis in AXES]
VIEWS = (
    View("week"), View("day"), View("week", ("region",)), View("week", ("family",)), View("window", ("region", "family")),
    View("window", ("sector", "family")), View("day", ("family",)), View("week", ("region", "family")),
    View("window", ("region", "sector", "family")),
)  # fmt: skip


class World(NamedTuple):
    """A community's onsets as codes: all of them, and those that count."""

    seen: np.ndarray
    counted: np.ndarray


def world(members: int, seed: int) -> World:
    """One window of a community."""
    rng = np.random.default_rng(seed)
    found = onsets.window(onsets.members(members, rng), rng)
    seen, counted = (tables.coded(AXES, 3, part) for part in (found, bounded(Bounds(), found)))
    return World(seen, counted)


def drawn(plan: Plan, codes: np.ndarray) -> list[cube.Noisy]:
    """All tables of a window, noisy."""
    return [
        cube.Noisy(t.levels, plan.scale(t), gaussian(tables.table(AXES, t.levels, codes), plan.scale(t)))
        for t in plan.tables
    ]


def spent(call: Callable[[], object], times: int = 1) -> float:
    """Processor seconds of one call, the best of three."""
    best = np.inf
    for _ in range(3):
        begun = time.process_time()
        for _ in range(times):
            call()
        best = min(best, (time.process_time() - begun) / times)
    return float(best)


def times() -> None:
    """How long a release takes, a day of it, and a question."""
    codes = world(1000, 1).counted
    print(f"a release of {np.prod(SIZES):,} cells, N 1000, rho 1/2, processor seconds of one thread")
    for name in ("small", "live", "closing"):
        plan = profiled(name, AXES, HALF, 1000)
        noisy = drawn(plan, codes)
        cells = sum(n.values.size for n in noisy)
        draw, solve = spent(lambda p=plan: drawn(p, codes)), spent(lambda n=noisy: cube.solve(AXES, n))
        print(
            f"  {name:<9}{len(noisy):>3} tables {cells:>7,} cells: draw {draw:.2f} s, solve {solve:.2f} s, together {draw + solve:.2f} s"
        )
    full = spent(lambda: gaussian(np.zeros(np.prod(SIZES), np.int64), 2.0))
    print(f"  baseline: one histogram of all cells: draw {full:.2f} s;   aim for live: 0.5 s")
    plan = profiled("live", AXES, HALF, 1000)
    series, days = slices.Series(plan), []
    for day in range(14):
        begun = time.process_time()
        series = slices.close(series, day, codes, "owners", gaussian)
        days.append(time.process_time() - begun)
    print(f"  live, day by day: a day closes in {np.median(days):.3f} s, a week in {max(days[6], days[13]):.3f} s")
    solved, rng = cube.solve(AXES, drawn(plan, codes)), np.random.default_rng(2)
    boxes = [inside(plan, rng) for _ in range(50)]
    ask = spent(lambda: [solved.ask(b) for b in boxes]) / len(boxes)
    interval = spent(lambda: [cube.variance(AXES, solved.tau, b) for b in boxes]) / len(boxes)
    print(f"  a box: {ask * 1e6:.0f} us with its exact interval, of which the variance {interval * 1e6:.0f} us")


def inside(plan: Plan, rng: np.random.Generator) -> list[np.ndarray | None]:
    """A random box on the axes of a random measured table."""
    levels = plan.tables[rng.integers(len(plan.tables))].levels
    box: list[np.ndarray | None] = []
    for axis, level in zip(AXES, levels, strict=True):
        size = axis.blocks[level]
        picked = rng.random(axis.size // size) < rng.uniform(0.1, 0.9)
        picked[rng.integers(len(picked))] = True
        box.append(None if level == 0 else np.repeat(picked, size).astype(float))
    return box


def anywhere(rng: np.random.Generator) -> list[np.ndarray | None]:
    """A random box on all axes, in single days and values."""
    return [(rng.random(axis.size) < 0.5).astype(float) for axis in AXES]


def true(codes: np.ndarray, box: Sequence[np.ndarray | None]) -> float:
    """What is counted in a box."""
    picked = np.ones(len(codes))
    for at, chosen in enumerate(box):
        picked = picked if chosen is None else picked * chosen[codes[:, at]]
    return float(picked.sum())


def coverage(boxes: int = 10_000, draws: int = 10) -> bool:
    """How often the 95 % interval holds the counted truth, inside the span and out of it; whether that is 93 to 97 %."""
    print(f"95 % privacy intervals over {boxes:,} random boxes inside the measured span ({draws} draws)")
    good = True
    for members, rho in ((200, HALF), (1000, TENTH), (1000, HALF), (5000, HALF)):
        rng, hits = np.random.default_rng(members), 0
        codes, plan = world(members, 3).counted, profiled("live", AXES, rho, members)
        for _ in range(draws):
            solved = cube.solve(AXES, drawn(plan, codes))
            for _ in range(boxes // draws):
                box = inside(plan, rng)
                answer = solved.ask(box)
                hits += answer.interval[0] <= true(codes, box) <= answer.interval[1]
        others = [anywhere(rng) for _ in range(300)]
        answers = [solved.ask(box) for box in others]
        out = np.mean([a.interval[0] <= true(codes, b) <= a.interval[1] for a, b in zip(answers, others, strict=True)])
        unknown = np.mean([a.unmeasured for a in answers])
        good &= 0.93 <= hits / boxes <= 0.97
        print(f"  N {members:>5}, rho {rho!s:>4}: {hits / boxes:.1%} covered;   any boxes of single days and values: "
              f"{unknown:.0%} of the question unmeasured, {out:.0%} covered")  # fmt: skip
    return good


def wape(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Sum of errors over sum of truth."""
    return float(np.abs(estimate - truth).sum() / truth.sum())


def summed(cells: np.ndarray, levels: tuple[int, ...]) -> np.ndarray:
    """A view of a full array."""
    form: list[int] = []
    for axis, level in zip(AXES, levels, strict=True):
        form += [axis.size // axis.blocks[level], axis.blocks[level]]
    return cells.reshape(form).sum(axis=tuple(range(1, 2 * len(AXES), 2)))


def errors(rhos: Sequence[Fraction] = (TENTH, HALF), seeds: Sequence[int] = (11, 12)) -> None:
    """Errors against uncapped truth, beside one noisy histogram of all cells at the same rate."""
    print("error (WAPE) against the uncapped truth; flat: one histogram of all cells at the same rate")
    print(f"{'':<24}" + "".join(f"{_short(v):>12}" for v in VIEWS))
    for rho in rhos:
        noise = gaussian(np.zeros(SIZES, np.int64), scale_for(4, rho)).astype(float)
        for members in (200, 1000, 5000):
            worlds = [world(members, seed) for seed in seeds]
            lost = 1 - sum(len(w.counted) for w in worlds) / sum(len(w.seen) for w in worlds)
            print(f"N {members}: the cap alone loses {lost:.2f}")
            for name in ("small", "live", "closing") if members == 200 else ("live", "closing"):
                rows = [_errors(profiled(name, AXES, rho, members), w) for w in worlds]
                _row(f"N {members:>5} rho {rho!s:<5}{name}", rows)
            _row(f"N {members:>5} rho {rho!s:<5}flat", [_flat(w, noise) for w in worlds])


def _short(view: View) -> str:
    """`wk·reg·fam`; no step is the whole window."""
    step = {"week": "wk" if view.by else "week", "day": "day", "window": ""}[view.step]
    return "·".join(filter(None, (step, *(name[:3] for name in view.by))))


def _errors(plan: Plan, one: World) -> list[float | None]:
    solved, found = cube.solve(AXES, drawn(plan, one.counted)), list[float | None]()
    for view in VIEWS:
        levels = levels_of(AXES, view)
        known = covers(plan.tables, levels)
        found.append(wape(summed(solved.cells, levels), tables.table(AXES, levels, one.seen)) if known else None)
    return found


def _flat(one: World, noise: np.ndarray) -> list[float | None]:
    cells = tables.table(AXES, every(AXES)[-1], one.counted) + noise
    return [wape(summed(cells, levels_of(AXES, v)), tables.table(AXES, levels_of(AXES, v), one.seen)) for v in VIEWS]


def _row(name: str, rows: Sequence[Sequence[float | None]]) -> None:
    texts = []
    for values in zip(*rows, strict=True):
        known = [v for v in values if v is not None]
        texts.append(f"{np.mean(known):>12.2f}" if known else f"{'-':>12}")
    print(f"{name:<24}" + "".join(texts))


def audits(runs: int) -> bool:
    """Lower bounds of what is revealed: what ships keeps its promise, each planted fault is caught."""
    print("audit: at least so much is revealed (99 % sure) of what is claimed")
    real, loop = audit(shipped(), runs), audit_loop(shipped_loop(), runs)
    caught = [audit(s, n) for s, n in faults()]
    loops = [audit_loop(s, n) for s, n in faulty_loops()]
    for f in (real, *caught):
        print(
            f"  {f.name:<20} mu {f.mu:.2f}: {f.mu_low:.2f}  {f.runs:>6,} runs a side  {'kept' if f.kept else 'caught'}"
        )
    for g in (loop, *loops):
        print(
            f"  {g.name:<20}eps {g.eps:.2f}: {g.eps_low:.2f}  {g.runs:>6,} runs a side  {'kept' if g.kept else 'caught'}"
        )
    return real.kept and loop.kept and not any(f.kept for f in (*caught, *loops))
