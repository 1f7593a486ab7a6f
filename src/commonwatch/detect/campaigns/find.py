"""Campaigns as communities of a graph of incidents and indicators (weighted Louvain; `detection.md` 10).

Rules held here: an indicator that many incidents share says little, so its edges weigh little; the same edges give the
same campaigns; what one organisation saw alone is a campaign only from five incidents on.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import networkx as nx

#: Organisations, or else incidents, that make a campaign.
LEAST_ORGS, LEAST_INCIDENTS = 3, 5
_SEED = 1


class Link(msgspec.Struct, frozen=True, order=True):
    """An incident in which an indicator was seen, by whom and when (microseconds)."""

    incident: str
    org: str
    indicator: str
    time: int


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """Incidents and indicators that belong together. Times of the first and last incident, microseconds."""

    incidents: tuple[str, ...]
    indicators: tuple[str, ...]
    orgs: tuple[str, ...]
    first: int
    last: int


def campaigns(links: Iterable[Link], resolution: float = 1.0) -> list[Campaign]:
    """The campaigns among links of some days, the largest (organisations, then incidents) first.

    Modularity has a resolution limit: ask for windows of about 14 days (Fortunato and Barthélemy 2007).
    """
    known = sorted(set(links))
    if not known:
        return []
    parts = nx.community.louvain_communities(_graph(known), weight="weight", resolution=resolution, seed=_SEED)
    number = {node: i for i, part in enumerate(parts) for node in part}
    inside: dict[int, list[Link]] = defaultdict(list)
    for link in known:
        if number["incident", link.incident] == number["indicator", link.indicator]:
            inside[number["incident", link.incident]].append(link)
    found = [_campaign(part) for part in inside.values()]
    kept = [c for c in found if len(c.orgs) >= LEAST_ORGS or len(c.incidents) >= LEAST_INCIDENTS]
    return sorted(kept, key=lambda c: (-len(c.orgs), -len(c.incidents), c.indicators))


def weights(links: Sequence[Link]) -> Mapping[str, float]:
    """What an edge to each indicator weighs: ln(1 + I/d)^2 / sqrt(d), d incidents that share it, I incidents in all."""
    degree = Counter(indicator for _, indicator in {(link.incident, link.indicator) for link in links})
    incidents = len({link.incident for link in links})
    return {i: math.log1p(incidents / d) ** 2 / math.sqrt(d) for i, d in degree.items()}


def _graph(links: Sequence[Link]) -> nx.Graph[tuple[str, str]]:
    weight = weights(links)
    graph: nx.Graph[tuple[str, str]] = nx.Graph()
    for link in links:
        graph.add_edge(("incident", link.incident), ("indicator", link.indicator), weight=weight[link.indicator])
    return graph


def _campaign(links: Sequence[Link]) -> Campaign:
    times = [link.time for link in links]
    return Campaign(
        incidents=tuple(sorted({link.incident for link in links})),
        indicators=tuple(sorted({link.indicator for link in links})),
        orgs=tuple(sorted({link.org for link in links})),
        first=min(times),
        last=max(times),
    )
