"""Ordered pairs: techniques (or rules) that follow one another more often than the other way round (`detection.md` 10).

Rules held here: organisations are counted, never events; the order is tested against its reverse, since what is common
comes before and after everything; the false discovery rate is over all pairs; a chain's organisations are counted anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from commonwatch.detect.alert import HOUR
from commonwatch.detect.explain.tails import Tails, adjusted

SPAN = 72 * HOUR
FDR = 0.01
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Ordered(NamedTuple):
    """`first` came before `then` in `forward` organisations, after it in `reverse`; `p` is adjusted."""

    first: int
    then: int
    forward: int
    reverse: int
    p: float


class Chain(NamedTuple):
    """Three steps in a row, each pair of them ordered, in so many organisations."""

    steps: tuple[int, int, int]
    orgs: int


def followed(org: Ints, item: Ints, time: Ints, items: int, span: int = SPAN) -> Flags:
    """Whether each organisation had item x before item y within the span: (organisations, items, items).

    Args:
        org: organisation of each sighting, numbers from 0.
        item: technique or rule of each, numbers below `items`.
        time: microseconds.
        items: how many there are.
        span: longest time between the two, microseconds.
    """
    orgs = int(org.max()) + 1 if len(org) else 0
    found = np.zeros((orgs, items, items), dtype=np.bool_)
    order = np.lexsort((item, time, org))
    org, item, time = org[order], item[order], time[order]
    ends = np.searchsorted(org, np.arange(orgs + 1))
    for o, (start, end) in enumerate(pairwise(ends.tolist())):
        at, what = time[start:end], item[start:end]
        later = np.searchsorted(at, at, side="right")
        until = np.searchsorted(at, at + span, side="right")
        for i in range(end - start):
            found[o, what[i], what[later[i] : until[i]]] = True
    found[:, np.arange(items), np.arange(items)] = False
    return found


def ordered(follows: Flags, fdr: float = FDR) -> list[Ordered]:
    """The pairs whose order is no chance (binomial against one half, Benjamini-Hochberg), the surest first."""
    forward = follows.sum(axis=0)
    tails = Tails(2 * follows.shape[0])
    tested = [(int(x), int(y)) for x, y in np.argwhere((forward + forward.T) > 0) if x != y]
    p = [tails.binomial(int(forward[x, y]), int(forward[x, y] + forward[y, x]), 0.5) for x, y in tested]
    found = [
        Ordered(x, y, int(forward[x, y]), int(forward[y, x]), q)
        for (x, y), q in zip(tested, adjusted(p, len(p)), strict=True)
        if q <= fdr
    ]
    return sorted(found, key=lambda o: (o.p, -o.forward, o.first, o.then))


def chains(pairs: Sequence[Ordered], follows: Flags) -> list[Chain]:
    """Three in a row whose every pair is ordered, with the organisations that had all of them, the most first."""
    known = {(p.first, p.then) for p in pairs}
    found = [
        Chain((a, b, c), int((follows[:, a, b] & follows[:, b, c] & follows[:, a, c]).sum()))
        for a, b in known
        for b2, c in known
        if b2 == b and (a, c) in known
    ]
    return sorted((c for c in found if c.orgs), key=lambda c: (-c.orgs, c.steps))
