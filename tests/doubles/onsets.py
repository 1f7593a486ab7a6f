"""A synthetic community's onsets, as the notes on privacy describe them: skewed regions, sectors, families and members.

For accuracy and power: families rank^-1.1 with tastes per region and sector, weekdays, a slow wave, members between
nearly silent and very busy. Outbreaks are planted on chosen days. Everything follows from the generator that is given.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from commonwatch.privacy.release.bounds import Onset

REGIONS = np.array([0.22, 0.2, 0.15, 0.12, 0.1, 0.09, 0.07, 0.05])
SECTORS = np.array([0.18, 0.16, 0.13, 0.12, 0.1, 0.09, 0.08, 0.06, 0.05, 0.03])
FAMILIES, SEVERITIES, DAYS, GAP = 12, 4, 56, 14
WEEKDAYS = np.array([1.15, 1.1, 1.1, 1.05, 1, 0.8, 0.8])


class Members(NamedTuple):
    """Where each member is, what it does, how often it newly sees something in a window."""

    region: np.ndarray
    sector: np.ndarray
    busy: np.ndarray
    taste: np.ndarray


def members(n: int, rng: np.random.Generator) -> Members:
    """So many members; `taste` gives each its chances of the families."""
    region, sector = rng.choice(8, n, p=REGIONS / REGIONS.sum()), rng.choice(10, n, p=SECTORS / SECTORS.sum())
    ranks = np.arange(1, FAMILIES + 1) ** -1.1
    by = [np.maximum(0.1, 1 + 0.6 * np.clip(rng.normal(size=(k, FAMILIES)), -1, 1)) for k in (8, 10)]
    taste = ranks * by[0][region] * by[1][sector]
    return Members(
        region, sector, np.minimum(rng.lognormal(np.log(2.2) - 0.5, 1, n), 25), taste / taste.sum(1, keepdims=True)
    )


def window(who: Members, rng: np.random.Generator) -> list[Onset]:
    """All onsets of a window, uncapped: nothing of the same family in 14 days. `cell` is (region, sector, severity)."""
    season = WEEKDAYS[np.arange(DAYS) % 7] * (1 + 0.15 * np.sin(np.arange(DAYS) / 9))
    owner = np.repeat(np.arange(len(who.busy)), rng.poisson(who.busy))
    day = rng.choice(DAYS, len(owner), p=season / season.sum())
    family = (who.taste[owner].cumsum(1) < rng.random((len(owner), 1))).sum(1).clip(max=FAMILIES - 1)
    order = np.lexsort((day, family, owner))
    owner, day, family = owner[order], day[order], family[order]
    again = (np.diff(owner, prepend=-1) == 0) & (np.diff(family, prepend=-1) == 0) & (np.diff(day, prepend=-99) <= GAP)
    owner, day, family = owner[~again], day[~again], family[~again]
    severity = rng.choice(SEVERITIES, len(owner))
    return [
        Onset(str(o), int(d), int(f), (int(who.region[o]), int(who.sector[o]), int(s)))
        for o, d, f, s in zip(owner, day, family, severity, strict=True)
    ]


def outbreak(who: Members, hit: int, region: int | None, rng: np.random.Generator, family: int = 8) -> list[Onset]:
    """`hit` members of one region (or of all) newly see a family from day 40 on, most within a few days."""
    there = np.flatnonzero(who.region == region) if region is not None else np.arange(len(who.region))
    days = 40 + np.minimum(np.floor(rng.gamma(2.5, 1.1, hit)), 10).astype(int)
    chosen = rng.choice(there, hit, replace=False)
    return [
        Onset(str(o), int(d), family, (int(who.region[o]), int(who.sector[o]), 0))
        for o, d in zip(chosen, days, strict=True)
    ]
