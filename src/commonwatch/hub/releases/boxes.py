"""Questions to a release: one box, and the same box broken down. Answered from what is kept; costs nothing further.

Rules held here (`privacy.md` 4.8, 8): only time that is released is asked; a breakdown by time shows weeks and days as
they are; an exact cube adds up shown cells, so its totals are "at least".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from commonwatch.errors import InvalidInput
from commonwatch.hub.releases.plans import DAYS, FAMILIES, LABEL
from commonwatch.hub.releases.reading import Mine, released
from commonwatch.hub.releases.wire import EXACT, day_text
from commonwatch.privacy.release.axes import PADDING, Axis
from commonwatch.privacy.release.cube import Box, box_of
from commonwatch.privacy.release.saying import Said, noisy, say
from commonwatch.privacy.release.slices import Piece, ask
from commonwatch.web.ports.releases import AskBox, BoxInfo

Floats = npt.NDArray[np.float64]
TIMES = {"day": 1, "week": 7}


def private(mine: Mine, found: Sequence[Piece], asked: AskBox) -> BoxInfo:
    """The answer of a private release. Raises InvalidInput for what is not in it."""
    axes = mine.plan.plan.axes
    days = _days(mine, released(found), asked)
    box = box_of(axes, _known(axes, asked))
    total = say("in all", ask(found, [_chosen(days, found), *box[1:]]))
    rows = [say(label, ask(found, part)) for label, part in _parts(mine, found, asked, days, box)]
    return BoxInfo(
        release=mine.id, version=mine.version, measure=LABEL, by=asked.by, total=total, rows=rows, note=noisy(rows)
    )


def exact(mine: Mine, asked: AskBox) -> BoxInfo:
    """The answer of exact weeks: sums of what is shown. Raises InvalidInput for what is not in them."""
    families = asked.where.get("family", FAMILIES)
    if (unknown := asked.where.keys() - {"family"}) or (bad := set(families) - set(FAMILIES)):
        raise InvalidInput("the release has no such value", where=min(unknown or bad), todo="see the release's axes")
    if asked.by not in (None, "week", "family"):
        raise InvalidInput("exact weeks have no such breakdown", where="by", todo="say week or family")
    whole = [day for week in mine.weeks for day in range(7 * week, 7 * week + 7)]
    weeks = sorted({day // 7 for day in _days(mine, whole, asked)})
    cells = {(week, family): mine.weeks[week].shown.get(family, 0) for week in weeks for family in families}
    total = _plain("in all", sum(cells.values()))
    rows = []
    if asked.by == "week":
        rows = [_plain(day_text(mine.plan, 7 * w), sum(cells[w, f] for f in families)) for w in weeks]
    if asked.by == "family":
        rows = [_plain(f, sum(cells[w, f] for w in weeks)) for f in families]
    t = next(iter(mine.weeks.values())).t
    return BoxInfo(
        release=mine.id, version=mine.version, measure=EXACT.format(t=t), by=asked.by, total=total, rows=rows
    )


def _plain(label: str, n: int) -> Said:
    return Said(label, n, 0.0, n, n, 0.0, "measured", sure=True, text=f"at least {n:,}")


def _known(axes: Sequence[Axis], asked: AskBox) -> dict[str, Sequence[str]]:
    if "day" in asked.where:
        raise InvalidInput("days are chosen by `since` and `until`", where="where.day", todo="say since and until")
    if asked.by is not None and asked.by not in {*TIMES, *(axis.key for axis in axes[1:])}:
        known = ", ".join([*TIMES, *(axis.key for axis in axes[1:])])
        raise InvalidInput("the release has no such breakdown", where="by", todo=f"say one of {known}")
    return dict(asked.where)


def _days(mine: Mine, there: Sequence[int], asked: AskBox) -> list[int]:
    """The days that are asked, all of them released."""
    if asked.since is None and asked.until is None:
        return sorted(there)
    first = _at(mine, asked.since, min(there, default=0), "since")
    last = _at(mine, asked.until, max(there, default=0) + 1, "until")
    wanted = list(range(max(first, 0), min(last, DAYS)))
    if not wanted or first < 0 or last > DAYS or set(wanted) - set(there):
        todo = f"ask from {day_text(mine.plan, min(there))} until before {day_text(mine.plan, max(there) + 1)}"
        raise InvalidInput("part of this time is not released", where="since, until", todo=todo)
    return wanted


def _at(mine: Mine, text: str | None, default: int, where: str) -> int:
    if text is None:
        return default
    try:
        day = (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days
    except ValueError:
        raise InvalidInput("this is no day", where=where, todo="say it as 2026-11-30") from None
    return day - mine.plan.day(0)


def _chosen(days: Sequence[int], found: Sequence[Piece]) -> Floats:
    picked = np.zeros(max((p.start + p.size for p in found), default=0))
    picked[list(days)] = 1
    return picked


def _parts(
    mine: Mine, found: Sequence[Piece], asked: AskBox, days: Sequence[int], box: Box
) -> Iterator[tuple[str, Box]]:
    """The boxes of a breakdown."""
    if asked.by in TIMES:
        size = TIMES[asked.by]
        for start in sorted({day // size for day in days}):
            within = [day for day in days if day // size == start]
            yield day_text(mine.plan, max(start * size, within[0])), [_chosen(within, found), *box[1:]]
    elif asked.by is not None:
        at = next(i for i, axis in enumerate(mine.plan.plan.axes) if axis.key == asked.by)
        axis = mine.plan.plan.axes[at]
        wanted = asked.where.get(asked.by, [v for v in axis.values if v != PADDING])
        for value in wanted:
            one = [_chosen(days, found), *box[1:]]
            one[at] = np.array([float(v == value) for v in axis.values])
            yield value, one
