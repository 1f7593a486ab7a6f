"""What stands out in the stand-in's world: its rows beside each other, tested by the project's own engine.

Rules held here: only the comparing is made up; tests and words are the hub's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
from world import LABELS, START, WATERMARK, World, chosen_of, instant, shown

from commonwatch.detect.explain.asking import told
from commonwatch.govern.answer.comparing import Against, Attribute, Comparison, Incidents

COMPARED = ("family", "rule", "class", "severity", "src_ip", "src_country", "dst_port", "sector", "region")


def explanation(world: World, role: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The answer to POST /api/explain."""
    found = asked["filter"]
    rows = world.visible(role)
    chosen = chosen_of(rows, found)
    timed = found.get("time") is not None
    against: Against = found["base"] if isinstance(found.get("base"), str) else "rest"
    there = found | {"time": None} if timed else {"dims": {}, "time": None}
    if isinstance(found.get("base"), dict):
        against, there = "interval", found | {"time": found["base"]}
    rest = [row for row in chosen_of(rows, there) if id(row) not in {id(r) for r in chosen}]
    varied = {"time"} if timed else set(found["dims"])
    keys = [k for k in COMPARED if k not in varied and not (k in ("sector", "region") and "org" in varied)]
    attributes = [Attribute(k, LABELS[k], sorted({shown(r, k) for r in rows} - {"(withheld)", "(none)"})) for k in keys]
    sides = [_incidents(side, attributes) for side in (chosen, rest)]
    made = Comparison("q1", instant(WATERMARK), against, frozenset(varied), attributes, sides[0], sides[1])
    built: dict[str, Any] = msgspec.to_builtins(told(made))
    return built


def _incidents(rows: list[dict[str, Any]], attributes: list[Attribute]) -> Incidents:
    whole = [r for r in rows if shown(r, "org") != "(withheld)"]
    orgs = sorted({r["org"] for r in whole})
    codes = []
    for key, _, values in attributes:
        places = {value: i for i, value in enumerate(values)}
        codes.append(np.array([places.get(shown(r, key), -1) for r in whole], np.int32))
    numbers = np.array([orgs.index(r["org"]) for r in whole], np.int32)
    days = np.array([(r["time"] - START) // timedelta(days=1) for r in whole], np.int64)
    return Incidents(codes, numbers, days, len(whole), len(rows) - len(whole))
