"""Which indicators go into a list: the blocklist is selective, the watchlist has everything permitted.

Rules held here: two products, named apart, since a pooled union as blocklist ruins precision (`detection.md` 7); a list
to block with holds only what every giver and every agreement lets one act on; what names a reader's own house, or is on
its own list of exceptions, is in neither; what ended is in neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from commonwatch.share.allow import AllowList
from commonwatch.share.indicators import Indicator

Product = Literal["block", "watch"]
KINDS = ("ip", "domain", "url", "mail", "sha256", "sha1", "md5")
#: Duties under which blocking in one's own network is permitted (IEP 2.0 permitted actions).
_MAY_BLOCK = frozenset({"internal", "external-indirect", "external-direct"})


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a list is asked for. The defaults of a blocklist: three members, or a partner as sure as that."""

    product: Product = "block"
    kinds: tuple[str, ...] = KINDS
    least_confidence: Annotated[int, Meta(ge=0, le=100)] = 75
    least_severity: Annotated[int, Meta(ge=0, le=6)] = 0


def chosen(items: Iterable[Indicator], wanted: Wanted, own: AllowList, now: int) -> list[Indicator]:
    """The indicators that go into the list, by kind and value. `now` is microseconds."""
    kept = {(i.kind, i.value): i for i in items if _fits(i, wanted, now) and not own.refuses(i.kind, i.value)}
    return [kept[key] for key in sorted(kept)]


def may_block(item: Indicator) -> bool:
    """Whether its givers and agreements permit acting on it in one's own network."""
    return item.may_act and (item.terms is None or item.terms.duties.actions in _MAY_BLOCK)


def _fits(item: Indicator, wanted: Wanted, now: int) -> bool:
    if item.kind not in wanted.kinds or item.valid_until <= now or (item.severity or 0) < wanted.least_severity:
        return False
    if wanted.product == "watch":
        return True
    return may_block(item) and (item.confidence or 0) >= wanted.least_confidence
