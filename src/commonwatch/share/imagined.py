"""What would be published to a reader for given observables, had it nothing yet: the real objects, and none is kept."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from commonwatch.govern.preview.shapes import Feed
from commonwatch.share.allow import AllowList
from commonwatch.share.change import Desk, Draft
from commonwatch.share.indicators import Indicator, indicators_from
from commonwatch.share.ports import Observable, Version

MOST_INDICATORS = 50


def feed(desk: Desk, allow: AllowList, now: Sequence[Observable], would: Sequence[Observable]) -> Feed:
    """What a reader who may act on `would` instead of `now` would newly get, and how much it would lose."""
    before, after = indicators_from(now, allow, desk.now), indicators_from(would, allow, desk.now)
    newly = sorted(set(after) - set(before))
    objects = {v.id: v.body for pattern in newly[:MOST_INDICATORS] for v in imagined(desk, after[pattern])}
    return Feed(
        newly=len(newly), no_longer=len(set(before) - set(after)),
        objects=tuple(msgspec.json.decode(body) for body in objects.values()),
    )  # fmt: skip


def imagined(desk: Desk, item: Indicator) -> list[Version]:
    """The objects that a first publication of an indicator would write at the desk."""
    draft = Draft(desk)
    draft.show(item, None, touched=False)
    return [*draft.markings.values(), *draft.versions]
