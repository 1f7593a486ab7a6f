"""What would be published to a reader for given observables, had it nothing yet: the real objects, and none is kept."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from commonwatch.govern.preview.shapes import Feed
from commonwatch.share.allow import AllowList
from commonwatch.share.change import Desk, Draft
from commonwatch.share.indicators import indicators_from
from commonwatch.share.ports import Observable, Version

MOST_INDICATORS = 50


def imagined(desk: Desk, observables: Sequence[Observable], allow: AllowList) -> dict[str, list[Version]]:
    """The objects by pattern, as a first publication at the desk's time would write them."""
    made = dict[str, list[Version]]()
    for pattern, item in indicators_from(observables, allow, desk.now).items():
        draft = Draft(desk)
        draft.show(item, None, touched=False)
        made[pattern] = [*draft.markings.values(), *draft.versions]
    return made


def feed(desk: Desk, allow: AllowList, now: Sequence[Observable], would: Sequence[Observable]) -> Feed:
    """What a reader who may act on `would` instead of `now` would newly get, and how much it would lose."""
    before, after = imagined(desk, now, allow), imagined(desk, would, allow)
    newly = sorted(set(after) - set(before))
    objects = {version.id: version.body for pattern in newly[:MOST_INDICATORS] for version in after[pattern]}
    return Feed(
        newly=len(newly), no_longer=len(set(before) - set(after)),
        objects=tuple(msgspec.json.decode(body) for body in objects.values()),
    )  # fmt: skip
