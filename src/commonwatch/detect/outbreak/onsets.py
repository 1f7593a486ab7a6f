"""Outbreaks by fixed k: so many organisations newly saw a malware family within 24 hours. Pure (`detection.md` 1, 3.8).

Rules held here:
- organisations that newly see something are counted, never events: an onset is a sighting with none of the same
  (organisation, family) in the 14 days before it; any order of the sightings gives the same onsets;
- to a new member everything is new: onsets in a member's first 14 days (half the age of the pool, when that is
  younger) do not count, nor those after 14 days of its silence;
- k follows the size of the community and is uncalibrated; alerts say so.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from commonwatch.detect.alert import DAY, EXPIRES, HOUR, Finding
from commonwatch.detect.ports import Active, Sighting

GAP = 14 * DAY
WINDOW = DAY
#: Mean onsets a day, family and organisation, and how many standard deviations above: fitted to measured k (3.8).
_RATE, _SPREAD, _LEAST = 0.0095, 5.5, 3


class Onset(msgspec.Struct, frozen=True, order=True):
    """An organisation newly sees a family."""

    time: int
    family: str
    owner: str


def k_of(members: int) -> int:
    """How many organisations make an outbreak in a community of this size (10 of 200, 27 of 1,000; never below 3)."""
    mean = _RATE * members
    return max(_LEAST, math.ceil(mean + _SPREAD * math.sqrt(mean)))


def onsets(sightings: Iterable[Sighting], gap: int = GAP) -> list[Onset]:
    """The onsets among sightings, by time. Order and repetition of the sightings do not matter."""
    times: dict[tuple[str, str], set[int]] = defaultdict(set)
    for sighting in sightings:
        times[sighting.owner, sighting.family].add(sighting.time)
    found = [
        Onset(start, family, owner) for (owner, family), seen in times.items() for start in _spells(sorted(seen), gap)
    ]
    return sorted(found)


def counted(found: Iterable[Onset], active: Iterable[Active]) -> list[Onset]:
    """Onsets of organisations that had been reporting long enough for "new" to mean something."""
    seen: dict[str, set[int]] = defaultdict(set)
    for activity in active:
        seen[activity.owner].add(activity.time)
    if not seen:
        return []
    began = min(min(times) for times in seen.values())
    spells = {owner: _spells(sorted(times), GAP) for owner, times in seen.items()}
    return [o for o in found if _settled(o, spells, began)]


def findings(counted: Sequence[Onset], members: int, now: int) -> list[Finding]:
    """Families whose onsets reached k within 24 hours, not longer ago than 72 hours; strongest first."""
    k, by_family = k_of(members), defaultdict(list)
    for onset in sorted(counted):
        by_family[onset.family].append(onset)
    found = [f for family, seen in by_family.items() if (f := _finding(family, seen, k, now)) is not None]
    return sorted(found, key=lambda f: (-f.organisations, f.key))


def _finding(family: str, seen: Sequence[Onset], k: int, now: int) -> Finding | None:
    involved: set[Onset] = set()
    start = 0
    for end, onset in enumerate(seen):
        while seen[start].time <= onset.time - WINDOW:
            start += 1
        window = seen[start : end + 1]
        if now - EXPIRES <= onset.time <= now + HOUR and len({o.owner for o in window}) >= k:
            involved.update(window)
    if not involved:
        return None
    first, last = min(involved).time, max(involved).time
    return Finding("malware", family, first, last, len({o.owner for o in involved}), k)


def _settled(onset: Onset, spells: Mapping[str, Sequence[int]], began: int) -> bool:
    before = [start for start in spells.get(onset.owner, ()) if start <= onset.time]
    return bool(before) and onset.time - before[-1] >= min(GAP, (onset.time - began) // 2) and onset.time > began


def _spells(times: Sequence[int], gap: int) -> list[int]:
    """The starts of runs without a pause longer than `gap`."""
    return [at for n, at in enumerate(times) if n == 0 or at - times[n - 1] > gap]
