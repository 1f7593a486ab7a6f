"""Promulgation: what became visible or was withdrawn goes to every connected gateway that may have it.

Rules held here: each listener is served its own organisation's publications and nothing else; one whose policy cannot
be known is left out this time and asked again; a cursor moves only after the push was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from commonwatch.agreements.reader import Reader
from commonwatch.errors import Unavailable
from commonwatch.events.labels import Tlp
from commonwatch.share.indicators import Indicator
from commonwatch.share.publication import News, Publications
from commonwatch.share.stix import markings
from commonwatch.wire.messages import IndicatorItem, Indicators, Withdraw


class Listener(msgspec.Struct):
    """Who listens: a name for `push`, whom it reads for, and how far it was told (0: nothing yet)."""

    name: str
    reader: Reader
    cursor: int = 0


#: Hands a message to a listener by name; False when it is gone or its queue is full, and is told again.
Push = Callable[[str, Indicators | Withdraw], bool]


def step(publications: Publications, listeners: Iterable[Listener], push: Push) -> int:
    """Tell every listener what is new for it; returns how many indicators and withdrawals were handed over."""
    told = 0
    ready: dict[Reader, bool] = {}
    for listener in listeners:
        if listener.reader not in ready:
            ready[listener.reader] = _refreshed(publications, listener.reader)
        if ready[listener.reader]:
            told += _tell(publications, listener, push)
    return told


def _refreshed(publications: Publications, reader: Reader) -> bool:
    try:
        publications.refresh(reader)
    except Unavailable:
        return False
    return True


def _tell(publications: Publications, listener: Listener, push: Push) -> int:
    told = 0
    while True:
        news = publications.news(listener.reader, listener.cursor)
        if news.cursor == listener.cursor or not _handed(news, listener, push):
            return told
        listener.cursor = news.cursor
        told += len(news.shown) + len(news.withdrawn)


def _handed(news: News, listener: Listener, push: Push) -> bool:
    if news.withdrawn and not push(listener.name, Withdraw(news.withdrawn)):
        return False
    items = [item(i, news.cursor) for i in news.shown]
    return not items or push(listener.name, Indicators(items))


def item(indicator: Indicator, at: int) -> IndicatorItem:
    """An indicator as the wire carries it to a gateway. `at` is when the hub handed it over."""
    return IndicatorItem(
        id=indicator.id,
        type=indicator.stix_type,
        value=indicator.value,
        pattern=indicator.pattern,
        valid_from=indicator.valid_from,
        valid_until=indicator.valid_until,
        confidence=indicator.confidence,
        sources=indicator.sources,
        tlp=Tlp(indicator.tlp).word,
        markings=markings(indicator),
        may_block=indicator.terms is None or indicator.terms.may("internal"),
        delete_after_days=indicator.terms.duties.delete_after_days if indicator.terms else None,
        sighted_at_hub=at,
    )
