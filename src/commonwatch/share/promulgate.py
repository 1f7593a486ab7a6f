"""Promulgation: what became visible or was withdrawn goes to every connected gateway that may have it.

Rules held here: each listener is served its own organisation's publications and nothing else; one whose policy cannot
be known is left out this time and asked again; a cursor moves only after the push was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from commonwatch.agreements.reader import Reader
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


Message = Indicators | Withdraw
#: Hands messages to listeners by name, in order; gives the names of those that are gone or full, who are told again.
Push = Callable[[Sequence[tuple[str, Message]]], Collection[str]]


def step(publications: Publications, listeners: Iterable[Listener], push: Push) -> int:
    """Tell every listener what is new for it; returns how many indicators and withdrawals were handed over.

    All are told together, so that what must be on disk before it leaves is written once for all.
    """
    waiting = list(listeners)
    ready = publications.refresh_all([listener.reader for listener in waiting])
    waiting, told = [listener for listener in waiting if listener.reader in ready], 0
    while waiting:
        news = [(each, found) for each in waiting if (found := _news(publications, each)).cursor != each.cursor]
        left = push([(each.name, message) for each, found in news for message in _messages(found)]) if news else ()
        waiting = [each for each, _ in news if each.name not in left]
        for listener, found in news:
            if listener.name not in left:
                listener.cursor = found.cursor
                told += len(found.shown) + len(found.withdrawn)
    return told


def _news(publications: Publications, listener: Listener) -> News:
    return publications.news(listener.reader, listener.cursor)


def _messages(news: News) -> list[Message]:
    made: list[Message] = [Withdraw(news.withdrawn, news.cursor)] if news.withdrawn else []
    return made + ([Indicators([item(i, news.cursor) for i in news.shown])] if news.shown else [])


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
        may_block=indicator.may_act and (indicator.terms is None or indicator.terms.may("internal")),
        delete_after_days=indicator.terms.duties.delete_after_days if indicator.terms else None,
        sighted_at_hub=at,
    )
