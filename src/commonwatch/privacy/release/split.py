"""How the rate is split between tables: the split that makes the declared views most accurate. Looks at no data.

Rules held here (`privacy.md` 4.5): the mean cell variance of the views, weighted, is convex in the shares; a
multiplicative iteration finds its least value and certifies it (the largest gradient over the value bounds the gap);
small shares are dropped only while every declared view stays inside the measured span; shares are rounded to exact
thousandths that sum to 1. Totals used for weights are public.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from commonwatch.errors import InvalidInput
from commonwatch.privacy.release.axes import Axis, Levels, below, cells_per, every, shape
from commonwatch.privacy.release.plan import Share, covers, delta2

Floats = npt.NDArray[np.float64]
GAP, LEAST, ROUNDS = 1e-3, 0.004, 10_000


def weights_for(axes: Sequence[Axis], views: Sequence[Levels], public_total: float) -> dict[Levels, float]:
    """A view weighs 1/(m + 3)^2 with m its public mean per cell: relative errors matter where counts are small."""
    return {v: 1 / (public_total / int(np.prod(shape(axes, v))) + 3) ** 2 for v in views}


def split(
    axes: tuple[Axis, ...], family: int | None, k: int, views: Mapping[Levels, float], *, finest: Sequence[Levels] = ()
) -> tuple[Share, ...]:
    """Tables and shares for weighted views. `finest` bounds the candidates (default: the views themselves)."""
    if not views or any(w <= 0 for w in views.values()):
        raise InvalidInput("a split needs views with positive weights", where="views", todo="name what must be seen")
    tops = finest or tuple(views)
    candidates = [a for a in every(axes) if any(below(a, top) for top in tops)]
    cost, gain = _matrices(axes, family, k, views, candidates)
    shares, _ = optimum(cost, gain)
    return _rounded(candidates, _thinned(candidates, shares, tuple(views)))


def optimum(cost: Floats, gain: Floats) -> tuple[Floats, float]:
    """Shares that minimise sum_B cost_B / (gain p)_B over the simplex, and the certified relative gap."""
    p = np.full(gain.shape[1], 1 / gain.shape[1])
    gap = np.inf
    for _ in range(ROUNDS):
        t = gain @ p
        gradient = gain.T @ (cost / t**2)
        gap = float(gradient.max() / (cost / t).sum() - 1)
        if gap < GAP:
            break
        p = p * np.sqrt(gradient)
        p /= p.sum()
    return p, gap


def _matrices(
    axes: tuple[Axis, ...], family: int | None, k: int, views: Mapping[Levels, float], candidates: Sequence[Levels]
) -> tuple[Floats, Floats]:
    """c_B, and J_BA = 2 W_A / Delta_A^2 where B <= A; only subspaces that some view needs."""
    needed = [b for b in every(axes) if any(below(b, view) for view in views)]
    cost = np.array([sum(w * share_of(axes, a, b) for a, w in views.items() if below(b, a)) for b in needed])
    precise = [2 * cells_per(axes, a) / delta2(axes, family, k, a) for a in candidates]
    gain = np.array([[x if below(b, a) else 0.0 for a, x in zip(candidates, precise, strict=True)] for b in needed])
    return cost, gain


def share_of(axes: Sequence[Axis], view: Levels, subspace: Levels) -> float:
    """c_AB: product over axes of b(A)^2 dim(B) / n."""
    parts = zip(axes, view, subspace, strict=True)
    return float(np.prod([axis.blocks[a] ** 2 * axis.dims[b] / axis.size for axis, a, b in parts]))


def _thinned(candidates: Sequence[Levels], shares: Floats, views: Sequence[Levels]) -> Floats:
    """Drop the smallest shares while all views stay covered."""
    kept = shares.copy()
    for at in np.argsort(shares):
        if shares[at] >= LEAST:
            break
        rest = tuple(Share(c, Fraction(1)) for i, c in enumerate(candidates) if kept[i] > 0 and i != at)
        if all(covers(rest, view) for view in views):
            kept[at] = 0
    whole: Floats = kept / kept.sum()
    return whole


def _rounded(candidates: Sequence[Levels], shares: Floats) -> tuple[Share, ...]:
    """Exact thousandths, at least one each, the largest remainders first."""
    used = [i for i in range(len(candidates)) if shares[i] > 0]
    whole = {i: max(1, int(shares[i] * 1000)) for i in used}
    by_rest = sorted(used, key=lambda i: shares[i] * 1000 - whole[i], reverse=True)
    spare = 1000 - sum(whole.values())
    for at in range(abs(spare)):
        i = by_rest[at % len(by_rest)] if spare > 0 else max(whole, key=lambda j: whole[j])
        whole[i] += 1 if spare > 0 else -1
    return tuple(Share(candidates[i], Fraction(whole[i], 1000)) for i in used)
