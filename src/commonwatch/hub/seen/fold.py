"""Folding: after two days alike accesses of an hour become one entry, after a quarter those of a day; then they go.

Rules held here: what is folded is bound by the audit log anew before the single entries go, with counts and uses added
and the highest level of each field; a crash in between leaves the single entries and a log entry that binds nothing
kept. So the book grows with readers, clauses and hours, never with answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from commonwatch.audit.log import Entry
from commonwatch.govern.access import highest
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import AccessEntry, AccessSheet
from commonwatch.hub.seen.book import DAY, Book, decoded, put
from commonwatch.hub.seen.sheet import Access, Grain, Sheet

HOUR = DAY // 24
#: Entries one folded sheet binds at most, and stretches folded in one run.
MOST_BOUND, MOST_STRETCHES = 4_096, 200


class Step(NamedTuple):
    """Entries of one grain older than `age` become entries of a coarser one, a stretch of `step` at a time."""

    grain: Grain
    to: Grain
    step: int
    age: int


STEPS = (Step("answer", "hour", HOUR, 2 * DAY), Step("hour", "day", DAY, 92 * DAY))
#: Days are kept for three years.
KEPT = 1_096 * DAY


class Folding:
    """Keeps the book small. `append` writes entries to the audit log and gives the number of the first."""

    def __init__(
        self, book: Book, database: Database, append: Callable[[Sequence[Entry]], int], clock: Callable[[], int]
    ) -> None:
        self._book, self._database, self._append, self._clock = book, database, append, clock

    def run(self) -> int:
        """Fold what is old enough and drop what is too old; returns how many stretches were folded."""
        self._book.spread()
        now, done = self._clock(), 0
        for step in STEPS:
            before = (now - step.age) // step.step * step.step
            while done < MOST_STRETCHES and (start := self._oldest(step.grain, before)) is not None:
                self._fold(step, start // step.step * step.step)
                done += 1
        with self._database.write() as session:
            session.execute(delete(AccessEntry).where(AccessEntry.at < now - KEPT))
            _sweep(session)
        return done

    def _oldest(self, grain: Grain, before: int) -> int | None:
        query = select(func.min(AccessEntry.at)).join(AccessSheet, AccessSheet.leaf == AccessEntry.leaf)
        with self._database.read() as session:
            return session.scalar(query.where(AccessSheet.grain == grain, AccessEntry.at < before))

    def _fold(self, step: Step, start: int) -> None:
        """One stretch: bind the sums, then put them in the place of what was added up."""
        of_grain = select(AccessSheet.leaf).where(AccessSheet.grain == step.grain)
        within = (AccessEntry.at >= start, AccessEntry.at < start + step.step, AccessEntry.leaf.in_(of_grain))
        with self._database.read() as session:
            sums = added(decoded(row) for row in session.scalars(select(AccessEntry).where(*within)))
        chunks = [tuple(sums[i : i + MOST_BOUND]) for i in range(0, len(sums), MOST_BOUND)]
        sheets = [Sheet(chunk, secrets.token_bytes(32), step.to) for chunk in chunks]
        first = self._append([sheet.logged() for sheet in sheets])
        with self._database.write() as session:
            session.execute(delete(AccessEntry).where(*within))
            for number, sheet in enumerate(sheets):
                put(session, sheet, first + number, start)
            _sweep(session)


def added(entries: Iterable[Access]) -> list[Access]:
    """Alike entries as one, by owner and then in time."""
    sums: dict[tuple[object, ...], Access] = {}
    for e in entries:
        key = (e.owner, e.reader, e.purpose, e.by, e.surface, e.clauses)
        sums[key] = _both(sums[key], e) if key in sums else msgspec.structs.replace(e, query="")
    return sorted(sums.values(), key=lambda e: (e.owner, e.at, e.reader, e.surface))


def _both(one: Access, other: Access) -> Access:
    return msgspec.structs.replace(
        one, at=min(one.at, other.at), until=max(one.until, other.until), fields=highest(one.fields, other.fields),
        count=one.count + other.count, uses=one.uses + other.uses,
    )  # fmt: skip


def _sweep(session: Session) -> None:
    """Sheets without entries go."""
    kept = select(AccessEntry.leaf).where(AccessEntry.leaf == AccessSheet.leaf).exists()
    session.execute(delete(AccessSheet).where(~kept))
