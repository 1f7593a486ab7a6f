"""Partners' intelligence as indicators of one reader: who may get it onward, how much it is believed, how it joins.

Rules held here (TLP 2.0, FIRST): TLP:RED and TLP:AMBER+STRICT stay with the organisation that was given them; TLP:AMBER
goes to those it serves, and to its communities where the source says so; TLP:GREEN to its communities; TLP:CLEAR to
everybody here. One value is one indicator: confidence grows with independent sources by their weight, the strictest
marking of what this reader is given stands on it, and acting is permitted only where every giver permits it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from commonwatch.agreements.reader import Reader
from commonwatch.events.labels import Tlp
from commonwatch.share.allow import AllowList
from commonwatch.share.indicators import LIFE_DAYS, Indicator, pattern
from commonwatch.share.ports import Held, Partners

#: What a source that states no confidence is taken to say.
UNSTATED = 50
_MOST_NAMES = 10
#: Stands in place of a giver that may not be named.
_UNNAMED = "partner"


def may_get(reader: Reader, held: Held, communities: frozenset[str], clients: frozenset[str]) -> bool:
    """Whether the marking lets the receiver pass it to this reader; `communities` and `clients` are the receiver's."""
    if reader.org == held.receiver or held.tlp <= Tlp.CLEAR:
        return True
    together = not communities.isdisjoint(reader.communities)
    if held.tlp == Tlp.GREEN:
        return together or reader.org in clients
    if held.tlp == Tlp.AMBER:
        return reader.org in clients or (held.community and together)
    return False


def given_to(reader: Reader, partners: Partners, allow: AllowList, now: int) -> dict[str, Indicator]:
    """The live indicators that partners' markings let this reader have, by pattern."""
    several: dict[tuple[str, str], list[Held]] = {}
    around: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
    for one in partners.held(now):
        if one.receiver not in around:
            around[one.receiver] = partners.communities(one.receiver), partners.clients(one.receiver)
        if one.kind in LIFE_DAYS and may_get(reader, one, *around[one.receiver]):
            several.setdefault((one.kind, one.value), []).append(one)
    found = (_one(kind, value, said) for (kind, value), said in several.items() if not allow.refuses(kind, value))
    return {item.pattern: item for item in found}


def _one(kind: str, value: str, said: Sequence[Held]) -> Indicator:
    names = sorted({(one.source if one.attribute else _UNNAMED, one.external_id) for one in said if one.external_id})
    return Indicator(
        kind=kind, value=value, pattern=pattern(kind, value), valid_from=min(one.valid_from for one in said),
        valid_until=max(one.valid_until for one in said), confidence=confidence(said),
        tlp=max(one.tlp for one in said), seen=False, given=tuple(names[:_MOST_NAMES]),
        may_act=all(one.may_act for one in said),
    )  # fmt: skip


def confidence(said: Sequence[Held]) -> int:
    """That not every source is wrong, each taken by its weight; one source counts once."""
    doubts: dict[tuple[str, str], float] = {}
    for one in said:
        stated = UNSTATED if one.confidence is None else one.confidence
        doubt = 1 - one.weight * stated / 10_000
        named = one.receiver, one.source
        doubts[named] = min(doubts.get(named, 1.0), doubt)
    left = 1.0
    for doubt in doubts.values():
        left *= doubt
    return min(100, round(100 * (1 - left)))


def join(seen: Mapping[str, Indicator], given: Mapping[str, Indicator]) -> dict[str, Indicator]:
    """What members saw and what partners say, one indicator a pattern."""
    return {**given, **joined_only(seen, given)}


def joined_only(seen: Mapping[str, Indicator], given: Mapping[str, Indicator]) -> dict[str, Indicator]:
    """What members saw, with what partners say of the same."""
    return {key: _both(item, given[key]) if key in given else item for key, item in seen.items()}


def _both(seen: Indicator, given: Indicator) -> Indicator:
    return msgspec.structs.replace(
        seen, confidence=max(seen.confidence or 0, given.confidence or 0), tlp=max(seen.tlp, given.tlp),
        valid_until=max(seen.valid_until, given.valid_until), given=given.given, may_act=given.may_act,
    )  # fmt: skip
