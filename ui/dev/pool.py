"""The stand-in's private release: a community of 400, drawn by the code that ships; what happened is seeded.

Nothing here is a member's data; the noise is OpenDP's, so numbers differ from run to run.
"""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import msgspec

from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.releases import boxes, wire
from commonwatch.hub.releases.plans import COMMON, DAYS, Opened, made
from commonwatch.hub.releases.reading import Mine
from commonwatch.privacy.release.bounds import bounded
from commonwatch.privacy.release.noise import gaussian
from commonwatch.privacy.release.slices import Series, close, pieces
from commonwatch.privacy.release.tables import coded
from commonwatch.web.ports.releases import AskBox

MEMBERS, CLOSED, WINDOW = 400, 31, 18
STEPS = {"region": "country", "sector": "section", "family": "family"}


@cache
def plan() -> Opened:
    """The plan of the community."""
    rng = random.Random(5)
    orgs = [
        OrgInfo(f"m{n}", f"M{n}", ("sme",), ("alpine",), rng.choice(("Q86", "M69", "C25")), rng.choice(("AT", "DE")))
        for n in range(MEMBERS)
    ]
    return made("alpine", WINDOW, STEPS, orgs, "live", opened=0, closed=CLOSED, arrival=0, weekly=0)


@cache
def release() -> Mine:
    """A release of four weeks and some days, at the vetted tier."""
    opened, rng = plan(), random.Random(6)
    onsets = []
    for day in range(DAYS):
        families = [*COMMON[:6], *(["darkgate"] * 9 if 15 <= day < 25 else [])]
        onsets += [opened.onset(f"m{rng.randrange(MEMBERS)}", day, rng.choice(families)) for _ in range(22)]
    full = opened.at("vetted")
    codes = coded(full.axes, full.family, bounded(opened.bounds, onsets))
    series = Series(full)
    for day in range(CLOSED):
        series = close(series, day, codes, "all", gaussian)
    return Mine("pool-1", "private", opened, "vetted", CLOSED, series.slices, {}, {}, frozenset())


def listed() -> dict[str, Any]:
    """The release as a list has it."""
    mine, opened = release(), plan()
    about = {
        "community": "alpine", "tier": "vetted", "version": CLOSED, "versions": mine.versions, "opened": "2026-10-05",
        "released_until": f"{wire.day_text(opened, CLOSED)}T00:00:00Z", "measure": boxes.LABEL,
        "privacy": wire.privacy(mine), "values": {axis.key: list(axis.values) for axis in opened.plan.axes[1:]},
    }  # fmt: skip
    return {
        "id": mine.id, "kind": "private", "window": wire.window(opened), "bin": "1d", "cells": 1, "bytes": 0,
        "dims": ["t", *STEPS], "measures": ["onsets"], "good_until": None, "about": about,
    }  # fmt: skip


@cache
def solved() -> list[Any]:
    """The release's pieces."""
    mine = release()
    return pieces(Series(plan().at("vetted"), CLOSED, mine.slices))


def box(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a question, by the code that ships."""
    found: dict[str, Any] = msgspec.to_builtins(boxes.private(release(), solved(), msgspec.convert(body, AskBox)))
    return found


BUDGET: dict[str, Any] = {
    "window": {"from": "2026-10-05T00:00:00Z", "to": "2026-11-30T00:00:00Z"},
    "unit": "one organisation, 8 weeks, at most 4 new families", "delta": 1e-6,
    "readers": [
        {"reader": "alpine-cert", "allowed": "1/2", "spent": "1/4", "left": "1/4", "epsilon": 5.22, "life_left": None,
         "renews": "2026-11-30T00:00:00Z"},
        {"reader": "birch-bakery", "allowed": "1/10", "spent": "1/20", "left": "1/20", "epsilon": 2.14,
         "life_left": "3/20", "renews": "2026-11-30T00:00:00Z"},
    ],
    "spent": [
        {"at": "2026-10-05T00:01:00Z", "reader": "alpine-cert", "release": "alpine.18/alpine-cert/vetted/0",
         "what": "new threat families reported, at most 4 per organisation in 8 weeks: alpine, vetted",
         "window": "2026-10-05", "rho": "1/4", "epsilon": 3.54},
        {"at": "2026-10-05T00:01:00Z", "reader": "birch-bakery", "release": "alpine.18/birch-bakery/community/0",
         "what": "new threat families reported, at most 4 per organisation in 8 weeks: alpine, community",
         "window": "2026-10-05", "rho": "1/20", "epsilon": 1.47},
    ],
    "pooled": "1/4", "pooled_epsilon": 3.54,
    "words": "Budgets are for one organisation, 8 weeks, at most 4 new families, at delta 1 in a million. What was "
    "spent is never given back; a new window opens on 2026-11-30.",
}  # fmt: skip
