"""A campaign over time: which of yesterday's it is, and who met it first along which infrastructure.

Rules held here: a campaign keeps its name while three in ten of its indicators stay (Jaccard); a name is given once;
an origin is who was first in what this reader is shown, and is said so: nobody's rows are looked at for it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from commonwatch.detect.campaigns.find import Campaign, Link

LIKE = 0.3


class Step(msgspec.Struct, frozen=True):
    """An organisation met a campaign: when, through what, and who had met that last before it (None: nobody)."""

    org: str
    time: int
    after: str | None
    indicator: str


def named(found: Sequence[Campaign], known: Mapping[str, Campaign]) -> dict[str, Campaign]:
    """Today's campaigns by name: yesterday's name where they are like enough, the likest pair first, else a new one."""
    pairs = sorted(
        (
            (like, name, i)
            for i, c in enumerate(found)
            for name, old in known.items()
            if (like := alike(c, old)) >= LIKE
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    names: dict[int, str] = {}
    for _, name, i in pairs:
        if i not in names and name not in names.values():
            names[i] = name
    return {names.get(i) or _new(c): c for i, c in enumerate(found)}


def alike(a: Campaign, b: Campaign) -> float:
    """Jaccard index of the indicators."""
    one, other = set(a.indicators), set(b.indicators)
    return len(one & other) / len(one | other)


def spread(campaign: Campaign, links: Iterable[Link]) -> list[Step]:
    """Who met a campaign in which order. Each comes after whoever last saw, before it, what it saw first."""
    indicators, incidents = set(campaign.indicators), set(campaign.incidents)
    of: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        if link.indicator in indicators and link.incident in incidents:
            of[link.org].append(link)
    first = {org: min(link.time for link in seen) for org, seen in of.items()}
    met = sorted(first, key=lambda org: (first[org], org))
    earliest = {(org, link.indicator): t for org, seen in of.items() for link, t in _firsts(seen)}
    return [_step(org, met[:n], first, earliest, of[org]) for n, org in enumerate(met)]


def _step(
    org: str, before: Sequence[str], first: Mapping[str, int], earliest: Mapping[tuple[str, str], int], seen: list[Link]
) -> Step:
    mine = sorted({link.indicator for link in seen if link.time == first[org]})
    found = [
        (earliest[other, indicator], other, indicator)
        for other in before
        for indicator in mine
        if earliest.get((other, indicator), first[org]) < first[org]
    ]
    if not found:
        return Step(org, first[org], None, mine[0])
    _, other, indicator = max(found)
    return Step(org, first[org], other, indicator)


def _firsts(seen: Sequence[Link]) -> list[tuple[Link, int]]:
    """The first link of each indicator, with its time."""
    by: dict[str, Link] = {}
    for link in sorted(seen, key=lambda link: link.time):
        by.setdefault(link.indicator, link)
    return [(link, link.time) for link in by.values()]


def _new(campaign: Campaign) -> str:
    text = "\n".join([str(campaign.first), *campaign.indicators])
    return f"campaign-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
