"""Releases in the contract of every release: one Arrow record batch and one JSON document (`explore.md` 2).

Rules held here: dense for private cubes, zeros and negative numbers included; tau for each stretch of time that was
solved on its own, 0 where nothing was measured, and never a variance for a cell; times are UTC days; values are public
lists.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from commonwatch.agreements.reader import Reader
from commonwatch.events.rungs import DAY
from commonwatch.govern.answer.asking import instant_text
from commonwatch.govern.policy import PolicyView
from commonwatch.govern.release import CONTRACT, stream
from commonwatch.hub.releases.plans import DELTA, FAMILIES, LABEL, TIERS, UNIT, WINDOW, Opened, tier_epsilon
from commonwatch.hub.releases.reading import Mine
from commonwatch.privacy.release.axes import Axis
from commonwatch.privacy.release.slices import Piece

Columns = dict[str, npt.NDArray[Any]]
_KINDS = {"region": "region", "sector": "nominal", "family": "nominal"}
EXACT = "new threat families in one week, where at least {t} organisations stand behind a number"


def private(mine: Mine, found: Sequence[Piece], version: int, changed: Sequence[tuple[int, int]], about: Any) -> bytes:
    """A private release as bytes. `changed`: stretches that this version estimates anew; `about`: provenance."""
    first, last = found[0].start, max(p.start + p.size for p in found)
    dims = [_time(mine.plan, first, last, 1), *(_dim(axis) for axis in mine.plan.plan.axes[1:])]
    meta = _head(mine, version, dims, about) | {
        "variance": {"model": "subspaces", "segments": [_segment(p, first) for p in found]},
        "threshold": None, "privacy": privacy(mine), "revised": [[a - first, b - first] for a, b in changed],
        "measures": [_measure(LABEL)],
    }  # fmt: skip
    return stream(_dense(found, first, dims), meta)


def thresholded(mine: Mine, version: int, about: Any) -> bytes:
    """Exact weeks as bytes: cells below the threshold are absent."""
    weeks = {week: cells for week, cells in mine.weeks.items() if 7 * (week + 1) <= version}
    first, last = min(weeks), max(weeks) + 1
    t = next(iter(weeks.values())).t
    hidden = [c.suppressed for c in weeks.values()]
    total = None if any(h is None for h in hidden) else {"measure": "onsets", "value": sum(h or 0 for h in hidden)}
    dims = [_time(mine.plan, first * 7, last * 7, 7), _named_dim("family", FAMILIES)]
    rows = [
        (week - first, FAMILIES.index(family), n) for week, c in sorted(weeks.items()) for family, n in c.shown.items()
    ]
    rows.sort()
    cells = np.array(rows, np.int64).reshape(len(rows), 3)
    columns: Columns = {
        "t": cells[:, 0].astype(np.uint8), "family": cells[:, 1].astype(np.uint8), "w0": cells[:, 2].astype(np.uint32),
    }  # fmt: skip
    meta = _head(mine, version, dims, about) | {
        "variance": None, "threshold": {"t": t, "suppressed": total}, "privacy": None, "revised": [],
        "measures": [_measure(EXACT.format(t=t))],
    }  # fmt: skip
    return stream(columns, meta)


def privacy(mine: Mine) -> dict[str, Any]:
    """What a private release promises, for its header."""
    assert mine.tier is not None
    eps = tier_epsilon(mine.tier)
    return {
        "rho": str(mine.plan.at(mine.tier).rho), "tier_rho": str(TIERS[mine.tier]), "eps": round(eps, 2),
        "delta": DELTA, "unit": UNIT, "window": "8 weeks", "k": mine.plan.plan.k, "tier": mine.tier,
        "profile": mine.plan.plan.label, "at_cap": None, "owners": len(mine.consents),
        "words": f"epsilon {eps:.2f} at delta 1 in a million for {UNIT}; half of it pays for this release",
    }  # fmt: skip


def provenance(view: PolicyView, reader: Reader, mine: Mine, good_until: int) -> dict[str, Any]:
    """As of when, under which policy, for whom."""
    return {
        "policy_epoch": view.epoch, "watermark": instant_text(mine.plan.start + mine.version * DAY),
        "made_at": instant_text(view.now), "good_until": instant_text(good_until),
        "reader": {"org": reader.org, "purpose": reader.purpose}, "agreements": None, "members": None,
    }  # fmt: skip


def window(plan: Opened) -> dict[str, str]:
    """The window's first moment and that of the next."""
    return {"from": instant_text(plan.start), "to": instant_text(plan.start + WINDOW)}


def day_text(plan: Opened, at: int) -> str:
    """The date of day `at` of the window."""
    return (dt.date(1970, 1, 1) + dt.timedelta(days=plan.day(at))).isoformat()


def _head(mine: Mine, version: int, dims: list[dict[str, Any]], about: Any) -> dict[str, Any]:
    return {
        "contract": CONTRACT, "release": mine.id, "version": version, "kind": mine.kind, "dims": dims, "derived": [],
        "provenance": about, "withheld": [], "windows": [window(mine.plan)], "community": mine.plan.community,
        "opened": day_text(mine.plan, mine.plan.opened),
    }  # fmt: skip


def _measure(label: str) -> dict[str, Any]:
    return {"column": "w0", "key": "onsets", "label": label, "unit": "new families", "per": None}


def _time(plan: Opened, first: int, last: int, step: int) -> dict[str, Any]:
    edges = [instant_text(plan.start + at * DAY) for at in range(first, last + 1, step)]
    shown = "week" if step == 7 else "day"
    return {"key": "t", "label": "time", "kind": "time", "n": len(edges) - 1, "edges": edges, "disclosed": shown}


def _dim(axis: Axis) -> dict[str, Any]:
    return _named_dim(axis.key, axis.values)


def _named_dim(key: str, values: Sequence[str]) -> dict[str, Any]:
    return {
        "key": key, "label": key, "kind": _KINDS[key], "n": len(values), "values": list(values), "parent": None,
        "withheld": None,
    }  # fmt: skip


def _segment(piece: Piece, first: int) -> dict[str, Any]:
    axes = [{"dim": "t" if axis.key == "day" else axis.key, "blocks": list(axis.blocks)} for axis in piece.cube.axes]
    bins = [piece.start - first, piece.start + piece.size - first]
    return {"bins": bins, "axes": axes, "tau": piece.cube.tau.reshape(-1).tolist()}


def _dense(found: Sequence[Piece], first: int, dims: Sequence[dict[str, Any]]) -> Columns:
    """Every combination of codes, in their order, and the estimate of each."""
    columns: Columns = {}
    grids = [np.indices(p.cube.cells.shape).reshape(len(dims), -1) for p in found]
    for at, dim in enumerate(dims):
        shifted = [g[at] + (p.start - first if at == 0 else 0) for g, p in zip(grids, found, strict=True)]
        columns[dim["key"]] = np.concatenate(shifted).astype(np.uint8 if dim["n"] <= 256 else np.uint16)
    columns["w0"] = np.concatenate([p.cube.cells.reshape(-1) for p in found]).astype(np.float32)
    return columns
