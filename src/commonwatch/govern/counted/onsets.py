"""What consenting organisations newly saw: (owner, family, day) out of the relation. For the hub's counting alone.

Rules held here: events are read through a relation that shows nothing but the owner, the day and the family, of rows
whose labels their owners let be counted; novelty is computed on that relation, so what may not be counted changes
nothing; a family is new where it was not seen for 14 days, and a member counts only once its own rows reach 14 days
back, or the first days of each would be a burst; what arrives after its day has closed counts on the day that is open,
up to a week late, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import NamedTuple

import numpy as np
from sqlglot import exp

from commonwatch.agreements.lattice import parse_point, top_of
from commonwatch.agreements.reader import Reader
from commonwatch.events.fields import FieldName, family_of
from commonwatch.events.rungs import DAY
from commonwatch.govern.decide.compiling import Compiled
from commonwatch.govern.decide.decisions import Aged, Decision, held_levels, lowered
from commonwatch.govern.decide.shown import FIELD_NO, NOTHING
from commonwatch.govern.decide.table import Book, Builder, Lot, Table
from commonwatch.govern.policy import PolicyView
from commonwatch.govern.relation import Window, arrived, relation
from commonwatch.store import Handling, Session, Store

#: Days without a family after which it is new again, and how many days late an onset may come.
NOVEL, LATE = 14, 7
BACK = NOVEL + LATE
#: The reader of the counting relation is no organisation.
NOBODY = Reader("", (), (), "detect")
SHOWN: dict[FieldName, str] = {"owner": "exact", "time": "day", "malware": "family"}
_SERIAL = count()


class New(NamedTuple):
    """An organisation newly sees a family. `day`: days since 1970 on which it happened."""

    owner: str
    family: str
    day: int


class Closing(NamedTuple):
    """The day that closes (days since 1970), and the arrival numbers of what had been looked at and is there now."""

    day: int
    since: int
    until: int


class _Row(NamedTuple):
    owner: str
    family: str
    day: int
    arrival: int


def countable(handling: Handling) -> bool:
    """Whether its rows hold a day and a family at all."""
    levels = held_levels(handling.held)
    needs: tuple[FieldName, ...] = ("time", "malware")
    points = {field: parse_point(family_of(field).name, SHOWN[field]) for field in needs}
    return all(levels[FIELD_NO[field]].precision >= point.precision for field, point in points.items())


def onsets(
    store: Store, session: Session, view: PolicyView, counted: Mapping[Handling, str], closing: Closing
) -> list[New]:
    """What the owners of these handlings newly saw on a day, late arrivals included; sorted.

    `counted`: handling -> its owner, of labels that may be counted.
    """
    table = Compiled(_table(view, counted), store, f"c{next(_SERIAL)}")
    table.use()
    try:
        seen, first = _read(store, session, table, counted, closing)
    finally:
        table.retire()
        table.release()
    days: dict[tuple[str, str], list[int]] = {}
    for row in seen:
        days.setdefault((row.owner, row.family), []).append(row.day)
    fresh = {row[:3] for row in seen if row.day == closing.day or row.arrival > closing.since}
    return sorted(New(*row) for row in fresh if _new(row, days, first, closing.day))


def _new(
    row: tuple[str, str, int], days: Mapping[tuple[str, str], list[int]], first: Mapping[str, int], today: int
) -> bool:
    owner, family, day = row
    known = first[owner] <= day - NOVEL
    return known and today - LATE <= day <= today and not any(day - NOVEL <= d < day for d in days[owner, family])


def _table(view: PolicyView, counted: Mapping[Handling, str]) -> Table:
    """A decision table that shows owner, day and family of these handlings, as far as they are held."""
    builder, levels = Builder(NOBODY, view.now, Book(NOBODY, view.orgs)), list(NOTHING)
    for field, point in SHOWN.items():
        levels[FIELD_NO[field]] = top_of("owner") if field == "owner" else parse_point(family_of(field).name, point)
    for handling, owner in counted.items():
        whole = Decision(owner, tuple(levels))
        decision = lowered(whole, held_levels(handling.held), keyless=False)
        numbers = np.array([handling.no], np.int64), np.array([int(handling.label.tlp)], np.int64)
        builder.add(Lot(*numbers, [Aged(0, None, decision)], {}))
    return builder.table()


def _read(
    store: Store, session: Session, table: Compiled, counted: Mapping[Handling, str], closing: Closing
) -> tuple[list[_Row], dict[str, int]]:
    """Families by owner and day with their first arrival, and the first day of each owner."""
    owners = {handling.no: owner for handling, owner in counted.items()}
    start, end = (closing.day - BACK - NOVEL) * DAY, (closing.day + 1) * DAY
    names = ["handling", "time", "malware_family", "arrival"]
    tree = relation(store, table.kept, names, Window(start, end), [arrived(closing.until, after=False)])
    source = session.define(tree)
    column = {name: exp.column(name, quoted=True) for name in names}
    by = [column["handling"].as_("handling"), column["malware_family"].as_("family"), column["time"].as_("time")]
    asked = exp.select(*by, exp.Min(this=column["arrival"]).as_("arrival")).from_(source)
    asked = asked.where(exp.Not(this=exp.Is(this=column["time"].copy(), expression=exp.null())))
    rows = session.run(asked.group_by(*(exp.Literal.number(n) for n in (1, 2, 3)))).to_pylist()
    first: dict[str, int] = {}
    seen: dict[tuple[str, str, int], int] = {}
    for row in rows:
        owner, day = owners[row["handling"]], row["time"] // DAY
        first[owner] = min(first.get(owner, day), day)
        if row["family"] is not None:
            key = (owner, row["family"], day)
            seen[key] = min(seen.get(key, row["arrival"]), row["arrival"])
    return [_Row(*key, arrival) for key, arrival in seen.items()], first
