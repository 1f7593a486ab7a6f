"""The book of what left: kept before an answer is given, spread into one row per entry soon after, read by owners.

Rules held here: an answer costs one row in one transaction, however many owners it concerns; what is read is always
spread first, so nothing kept is missed; an owner finds its own entries and no others, an unknown entry and another's
are the same; whatever cannot be written is not answered.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, delete, func, insert, select, tuple_
from sqlalchemy.orm import Session

from commonwatch.errors import InvalidInput, NotFound
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import AccessEntry, AccessSheet, AccessWaiting
from commonwatch.hub.seen.duty import count_uses
from commonwatch.hub.seen.sheet import Access, Sheet, place, proof

DAY = 86_400_000_000
_BATCH = 50
_sheets = msgspec.msgpack.Decoder(Sheet)
_entries = msgspec.json.Decoder(Access)


class Wanted(NamedTuple):
    """Which entries of an owner: [since, until) in microseconds, and what they must be; "" is anything.

    `after` is the cursor of the page before: entries come newest first.
    """

    since: int = 0
    until: int = 1 << 62
    reader: str = ""
    agreement: str = ""
    clause: str = ""
    surface: str = ""
    after: str = ""
    limit: int = 100


class Found(NamedTuple):
    """An entry, its id (which is also the cursor of the page after it) and the audit entry that binds it."""

    id: str
    leaf: int
    entry: Access


class Sum(NamedTuple):
    """Entries of one reader, purpose, surface, set of clauses and day (days since 1970), added up."""

    reader: str
    purpose: str
    surface: str
    clauses: tuple[str, ...]
    day: int
    uses: int
    amount: int
    last: int


class Book:
    """All entries of all owners, in the metadata database. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database, self._spreading = database, threading.Lock()

    def keep(self, sheets: Iterable[tuple[Sheet, int]], at: int) -> None:
        """Write sheets down; on disk when it returns. With each comes the number of the audit entry that binds it."""
        rows = [AccessWaiting(leaf=n, at=at, body=msgspec.msgpack.encode(s)) for s, n in sheets if s.entries]
        if rows:
            with self._database.write() as session:
                session.add_all(rows)

    def spread(self) -> int:
        """Make one row per entry of what was kept since; returns how many sheets."""
        with self._spreading:
            done = 0
            while leaves := self._some():
                with self._database.write() as session:
                    rows = list(session.scalars(select(AccessWaiting).where(AccessWaiting.leaf.in_(leaves))))
                    sheets = [_sheets.decode(row.body) for row in rows]
                    for row, sheet in zip(rows, sheets, strict=True):
                        put(session, sheet, row.leaf, row.at)
                    count_uses(session, (entry for sheet in sheets for entry in sheet.entries))
                    session.execute(delete(AccessWaiting).where(AccessWaiting.leaf.in_(leaves)))
                done += len(leaves)
            return done

    def page(self, owner: str, wanted: Wanted) -> list[Found]:
        """The owner's entries, newest first."""
        self.spread()
        where = conditions(owner, wanted)
        if wanted.after:
            at = tuple_(AccessEntry.at, AccessEntry.leaf, AccessEntry.place)
            where.append(at < tuple_(*_cursor(wanted.after)))
        order = (AccessEntry.at.desc(), AccessEntry.leaf.desc(), AccessEntry.place.desc())
        with self._database.read() as session:
            rows = session.scalars(select(AccessEntry).where(*where).order_by(*order).limit(wanted.limit))
            return [_found(row) for row in rows]

    def sums(self, owner: str, wanted: Wanted) -> list[Sum]:
        """The owner's entries, added up by whatever a summary tells apart."""
        self.spread()
        day = AccessEntry.at // DAY
        columns = (AccessEntry.reader, AccessEntry.purpose, AccessEntry.surface, AccessEntry.clauses)
        sums = (func.sum(AccessEntry.uses), func.sum(AccessEntry.count), func.max(AccessEntry.at))
        query = select(*columns, day, *sums).where(*conditions(owner, wanted)).group_by(*columns, day)
        with self._database.read() as session:
            return [Sum(*row[:3], tuple(row[3].split()), *map(int, row[4:])) for row in session.execute(query)]

    def proven(self, owner: str, name: str) -> tuple[Found, dict[str, Any]]:
        """An entry of the owner and its proof inside its sheet. Raises NotFound."""
        self.spread()
        _, leaf, where = _cursor(name)
        with self._database.read() as session:
            mine = (AccessEntry.leaf == leaf, AccessEntry.place == where, AccessEntry.owner == owner)
            row = session.scalar(select(AccessEntry).where(*mine))
            sheet = session.get(AccessSheet, leaf)
            if row is None or sheet is None:
                raise NotFound("no such access", where="id", todo="look at /api/accesses")
            all_ = select(AccessEntry.body).where(AccessEntry.leaf == leaf).order_by(AccessEntry.number)
            entries = [_entries.decode(body) for body in session.scalars(all_)]
        return _found(row), proof(entries, sheet.seed, row.number)

    def _some(self) -> list[int]:
        with self._database.read() as session:
            return list(session.scalars(select(AccessWaiting.leaf).order_by(AccessWaiting.leaf).limit(_BATCH)))


def put(session: Session, sheet: Sheet, leaf: int, at: int) -> None:
    """One row per entry of a sheet."""
    session.add(AccessSheet(leaf=leaf, at=at, grain=sheet.grain, seed=sheet.seed))
    session.flush()
    rows = [
        {
            "leaf": leaf, "number": number, "place": place(sheet.seed, number), "owner": e.owner, "at": e.at,
            "reader": e.reader, "purpose": e.purpose, "surface": e.surface, "clauses": f" {' '.join(e.clauses)} ",
            "count": e.count, "uses": e.uses, "body": msgspec.json.encode(e, order="sorted"),
        }
        for number, e in enumerate(sheet.entries)
    ]  # fmt: skip
    session.execute(insert(AccessEntry), rows)


def conditions(owner: str, wanted: Wanted) -> list[ColumnElement[bool]]:
    """What the entries must be; names hold none of LIKE's signs, so whatever else is asked for finds nothing."""
    where = [AccessEntry.owner == owner, AccessEntry.at >= wanted.since, AccessEntry.at < wanted.until]
    if wanted.reader:
        where.append(AccessEntry.reader == wanted.reader)
    if wanted.surface:
        where.append(AccessEntry.surface == wanted.surface)
    if wanted.agreement:
        where.append(AccessEntry.clauses.contains(f" {wanted.agreement}@", autoescape=True))
    if wanted.clause:
        where.append(AccessEntry.clauses.contains(f"#{wanted.clause.rpartition('#')[2]} ", autoescape=True))
    return where


def decoded(row: AccessEntry) -> Access:
    """The entry of a row."""
    return _entries.decode(row.body)


def _found(row: AccessEntry) -> Found:
    return Found(f"{row.at}-{row.leaf}-{row.place}", row.leaf, decoded(row))


def _cursor(name: str) -> tuple[int, int, int]:
    try:
        at, leaf, where = map(int, name.split("-"))
    except ValueError:
        raise InvalidInput("this is not the id of an access", where="id", todo="look at /api/accesses") from None
    return at, leaf, where
