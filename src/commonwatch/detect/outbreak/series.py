"""Onsets as arrays: who newly saw which key in which hour, and the series of any group of organisations.

Rules held here: hour 0 of a history is the first hour of a Monday, UTC, so that hours of the day and of the week are
read from the number alone; an organisation adds at most one to an hour of a key, however much it saw.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
DAY, WEEK = 24, 168
#: Hours of a run that only train, and of one that is scored after them (`detection.md` 3.8).
WARM_UP, SCORED = 28 * DAY, 28 * DAY
#: Pauses after which a sighting counts anew, in hours (`detection.md` 1).
NEW, AFFECTED = 14 * DAY, DAY


class Size(NamedTuple):
    """How many keys, organisations and hours a history has."""

    keys: int
    orgs: int
    hours: int


class Onsets(NamedTuple):
    """Parallel arrays: key, organisation and hour of each onset; the gap they were made with says what they mean."""

    key: Ints
    org: Ints
    hour: Ints
    size: Size

    def counts(self, members: Flags | None = None) -> Floats:
        """How many organisations (of `members`, a flag each) had an onset: (keys, hours)."""
        kept = slice(None) if members is None else members[self.org]
        cells = self.key[kept] * self.size.hours + self.hour[kept]
        made = np.bincount(cells, minlength=self.size.keys * self.size.hours)
        return made.reshape(self.size.keys, self.size.hours).astype(np.float64)

    def run(self, start: int, hours: int) -> Onsets:
        """`hours` from `start` on, a whole number of weeks; a history that ends before is gone round again."""
        whole = self.size.hours
        rounds = [(self.hour - start) % whole + n * whole for n in range(-(-hours // whole))]
        hour = np.concatenate(rounds)
        kept = hour < hours
        key, org = np.tile(self.key, len(rounds))[kept], np.tile(self.org, len(rounds))[kept]
        return Onsets(key, org, hour[kept], self.size._replace(hours=hours))

    def shifted(self, weeks: Ints) -> Onsets:
        """Each organisation's onsets rolled by its own number of whole weeks, all its keys together."""
        return self._replace(hour=(self.hour + weeks[self.org] * WEEK) % self.size.hours)


def onsets_of(key: Ints, org: Ints, hour: Ints, size: Size, gap: int) -> Onsets:
    """The onsets among sightings: those with none of the same (key, organisation) in the `gap` hours before.

    Sightings may come in any order and more than once.
    """
    if not len(key):
        return Onsets(key, org, hour, size)
    seen = np.unique((key * size.orgs + org) * size.hours + hour)
    pair, at = seen // size.hours, seen % size.hours
    first = np.concatenate([[True], (np.diff(pair) != 0) | (np.diff(at) > gap)])
    return Onsets(pair[first] // size.orgs, pair[first] % size.orgs, at[first], size)


def summed(series: Floats, hours: int) -> Floats:
    """Sums over the `hours` that end with each hour; fewer where the history begins. Shape as given."""
    total = np.concatenate([np.zeros((*series.shape[:-1], 1)), np.cumsum(series, axis=-1)], axis=-1)
    end = np.arange(1, series.shape[-1] + 1)
    found: Floats = total[..., end] - total[..., np.maximum(end - hours, 0)]
    return found


def trailing(series: Floats, hours: int, lag: int) -> Floats:
    """Sums over [t - lag - hours, t - lag) for each hour t; fewer where the history begins."""
    found = np.zeros_like(series)
    found[..., lag + 1 :] = summed(series, hours)[..., : -lag - 1]
    return found
