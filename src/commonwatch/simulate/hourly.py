"""Communities hour by hour, as arrays: what many organisations see of some keys, and outbreaks with known contacts.

For measuring detectors, where tens of thousands of organisation-years are needed; `simulate.world` writes tools' logs.
The model is that of `detection.md` 6.1: rates of keys and exposures of members differ widely, days are over-dispersed,
members have hours and working days, drift in common and bursts of their own.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from commonwatch.errors import InvalidInput

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
DAY = 24
_REGIONS = np.array([0.3, 0.15, 0.1, *[0.45 / 7] * 7])
_SECTORS = np.array([0.25, 0.2, 0.15, *[0.4 / 5] * 5])
_ELSEWHERE = 0.05


class Town(NamedTuple):
    """Organisations with region and sector, and what they saw: key, organisation, hour, number of events."""

    region: Ints
    sector: Ints
    keys: int
    hours: int
    key: Ints
    org: Ints
    hour: Ints
    events: Ints

    @property
    def orgs(self) -> int:
        """How many organisations there are."""
        return len(self.region)

    def hit(self, outbreak: Hit) -> Town:
        """The town with an outbreak's sightings added, as far as they fall into its hours."""
        kept = outbreak.seen_hour < self.hours
        org, hour = outbreak.seen_org[kept], outbreak.seen_hour[kept]
        key = np.full(len(org), outbreak.key)
        return self._replace(
            key=np.concatenate([self.key, key]),
            org=np.concatenate([self.org, org]),
            hour=np.concatenate([self.hour, hour]),
            events=np.concatenate([self.events, np.ones(len(org), dtype=np.int64)]),
        )


class Wave(NamedTuple):
    """An outbreak asked for: share of members hit, hours it takes, where, and how arrivals are spread."""

    share: float = 0.15
    duration: int = 72
    focus: Literal["none", "sector", "region"] = "none"
    arrivals: Literal["logistic", "uniform"] = "uniform"


class Hit(NamedTuple):
    """An outbreak that happened. `contact` and `impact` are hours, one for each of `orgs`."""

    key: int
    orgs: Ints
    contact: Ints
    impact: Floats
    seen_org: Ints
    seen_hour: Ints


def town(orgs: int, days: int, rng: np.random.Generator, keys: int = 12) -> Town:
    """A community over whole weeks without any outbreak.

    Raises:
        InvalidInput: fewer than one organisation, or days that are no whole weeks.
    """
    if orgs < 1 or days < 7 or days % 7:
        raise InvalidInput("a simulated community needs an organisation and whole weeks")
    size = rng.lognormal(0, 1.2, orgs)
    size /= np.exp(1.2**2 / 2)
    seen = [_key(size, days, rng) for _ in range(keys)]
    return Town(
        rng.choice(len(_REGIONS), orgs, p=_REGIONS),
        rng.choice(len(_SECTORS), orgs, p=_SECTORS),
        keys,
        days * DAY,
        np.repeat(np.arange(keys), [len(org) for org, _, _ in seen]),
        *(np.concatenate(parts) for parts in zip(*seen, strict=True)),
    )


def outbreak(of: Town, wave: Wave, begins: int, rng: np.random.Generator) -> Hit:
    """An outbreak of a random key that begins at this hour: who is hit, when, what each sees, when it does harm."""
    number = min(of.orgs, max(4, round(wave.share * of.orgs)))
    weight = np.ones(of.orgs)
    if wave.focus != "none":
        place = of.sector if wave.focus == "sector" else of.region
        weight = np.where(place == rng.choice(np.unique(place)), 1.0, _ELSEWHERE)
    orgs = rng.choice(of.orgs, number, replace=False, p=weight / weight.sum())
    contact = begins + np.floor(_arrivals(number, wave, rng)).astype(np.int64)
    impact = contact + rng.exponential(48.0, number)
    events = rng.geometric(0.35, number)
    later = np.floor(rng.uniform(0, 12, events.sum())).astype(np.int64)
    later[np.cumsum(events) - events] = 0
    return Hit(
        int(rng.integers(of.keys)), orgs, contact, impact, np.repeat(orgs, events), np.repeat(contact, events) + later
    )


def _key(size: Floats, days: int, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Who saw one key in which hours, in how many events."""
    orgs, hours = len(size), np.arange(days * DAY)
    base = np.exp(rng.normal(np.log(0.01), 1.0))
    exposed = (rng.random(orgs) < 0.5) * rng.gamma(0.7, 1 / 0.7, orgs) + 0.02
    season = (1 + 0.6 * np.sin(2 * np.pi * (hours % DAY - 9) / DAY)) * np.where(hours // DAY % 7 >= 5, 0.45, 1.2)
    drift = np.repeat(np.exp(np.cumsum(rng.normal(0, 0.05, days))), DAY)
    mood = np.repeat(rng.gamma(1.5, 1 / 1.5, (orgs, days)), DAY, axis=1)
    counts = rng.poisson(base * (size * exposed)[:, None] * (season * drift)[None, :] * mood)
    for _ in range(rng.poisson(orgs * days / 60) // 4):
        start, length = rng.integers(len(hours)), rng.integers(2, 12)
        counts[rng.integers(orgs), start : start + length] += rng.poisson(rng.lognormal(2, 1))
    org, hour = np.nonzero(counts)
    return org, hour, counts[org, hour]


def _arrivals(number: int, wave: Wave, rng: np.random.Generator) -> Floats:
    """Hours after the begin, one each: uniform, or logistic with about 98 % within the duration."""
    if wave.arrivals == "uniform":
        return rng.uniform(0, wave.duration, number)
    rank = (rng.permutation(number) + 0.5) / number
    place = 0.5 + np.log(rank / (1 - rank)) / (2 * np.log(0.99 / 0.01))
    found: Floats = np.maximum(place + rng.normal(0, 0.03, number), 0.0) * wave.duration
    return found
