"""Which stored column stands behind each shown column at each level: the bits of a decision.

One bit per (column, rung): a decision sets it where its level picks that rung, and SQL keeps the stored column under
the bit, else null. Rungs of one column share a type, so a shown column is one expression. Addresses, identities and
mailboxes keep the *held* value beside a key number; Python turns the pair into the token on the way out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from commonwatch.agreements.lattice import TRUE, WITHHELD, Point
from commonwatch.events.columns import COLUMNS, COMMUNITY_ID_NEEDS
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName, family_of
from commonwatch.store.layout import RUNGS

Levels = tuple[Point, ...]
#: Position of each clause field in `Levels`, and its bit in the relation's `fields`.
FIELD_NO: dict[FieldName, int] = {name: i for i, name in enumerate(FIELDS)}
NOTHING: Levels = (WITHHELD,) * len(FIELDS)
#: Clause fields whose values can leave as tokens, owner aside (owner tokens are made once per table).
TOKEN_FIELDS: tuple[FieldName, ...] = ("sensor", "src_ip", "dst_ip", "host", "user", "mail_from", "mail_to")
ADDRESS_RUNGS = FAMILIES["address"].precisions
SCOPE, SUBNET, COUNTRY, NETWORK, EXACT = range(1, 6)
WORD_BITS = 62


class Bit(NamedTuple):
    """Under bit `no` (word `no // 62`), the shown `column` is the stored column `stored`."""

    no: int
    column: str
    stored: str
    picks: Callable[[Levels], bool]


def _at(field: FieldName, test: Callable[[Point], bool]) -> Callable[[Levels], bool]:
    no = FIELD_NO[field]
    return lambda levels: test(levels[no])


def _exact(point: Point) -> bool:
    return point.linkage == TRUE


def _token(point: Point) -> bool:
    return 0 < point.linkage < TRUE


def _rungs_of(column: str) -> list[str]:
    return [r.rung for r in RUNGS if r.column == column and r.rung != "folded"]


def _picks(field: FieldName, column: str) -> list[tuple[str, Callable[[Levels], bool]]]:
    """(stored column, test) for each rung of a column outside the address family."""
    family = family_of(field)
    chain, top = family.precisions, len(family.precisions) - 1
    follows = chain.index(COLUMNS[column].follows)
    rungs = _rungs_of(column)
    found = []
    if family.tokens:
        found = [(column, _at(field, _exact)), (f"{column}__folded", _at(field, _token))]
        domain = _at(field, lambda p: p.linkage == 0 and p.precision > 0)
        return found + ([(f"{column}__domain", domain)] if family.name == "mailbox" else [])
    if not rungs:
        return [(column, _at(field, lambda p: p.precision >= follows))]
    found.append((column, _at(field, lambda p: p.precision == top)))
    for rung in rungs:
        at = chain.index(rung)
        found.append((f"{column}__{rung}", _at(field, lambda p, at=at: p.precision == at)))  # type: ignore[misc]
    return found


def _address(side: str) -> list[tuple[str, str, Callable[[Levels], bool]]]:
    field: FieldName = "src_ip" if side == "src" else "dst_ip"
    held = _at(field, lambda p: p.linkage > 0)
    net = _at(field, lambda p: p.precision == NETWORK)
    country = _at(field, lambda p: p.precision >= COUNTRY)
    scope = _at(field, lambda p: p.precision >= SCOPE)
    pairs = [(f"{side}_ip_{h}", held) for h in ("hi", "lo")] + [(f"{side}_net_{h}", net) for h in ("hi", "lo")]
    pairs += [(f"{side}_country", country), (f"{side}_asn", country), (f"{side}_scope", scope)]
    return [(name, name, test) for name, test in pairs]


def _community_id(levels: Levels) -> bool:
    return all(levels[FIELD_NO[f]].linkage == TRUE for f in COMMUNITY_ID_NEEDS)


def _all() -> list[tuple[str, str, Callable[[Levels], bool]]]:
    found = _address("src") + _address("dst")
    done = {column for column, _, _ in found} | {"src_ip", "dst_ip", "time", "end_time", "org_uid"}
    for column in COLUMNS.values():
        if column.name == "community_id":
            found.append((column.name, column.name, _community_id))
        elif column.field and column.name not in done:
            found += [(column.name, stored, test) for stored, test in _picks(column.field, column.name)]
    return found


BITS: tuple[Bit, ...] = tuple(Bit(no, column, stored, test) for no, (column, stored, test) in enumerate(_all()))
#: How many 62-bit words the bits take.
WORDS = -(-len(BITS) // WORD_BITS)
BITS_OF: dict[str, tuple[Bit, ...]] = {}
for _bit in BITS:
    BITS_OF[_bit.column] = (*BITS_OF.get(_bit.column, ()), _bit)


def words(levels: Levels) -> tuple[int, ...]:
    """The bits of a decision, in words of 62."""
    made = [0] * WORDS
    for bit in BITS:
        if bit.picks(levels):
            made[bit.no // WORD_BITS] |= 1 << (bit.no % WORD_BITS)
    return tuple(made)


def fields_word(levels: Levels) -> int:
    """One bit per clause field that is shown at any level."""
    return sum(1 << no for no, level in enumerate(levels) if level != WITHHELD)
