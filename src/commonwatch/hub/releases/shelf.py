"""What is kept of releases: plans, what was counted, noisy slices, seats, exact weeks. In the metadata database.

Rules held here: a day closes in one transaction with everything that was drawn for it; its key (plan, owner set, table,
number, tier) makes a second draw impossible; what was counted of whom goes when the window is over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from commonwatch.errors import Conflict
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import (
    ReleaseBegun,
    ReleaseCounted,
    ReleaseOwners,
    ReleasePlan,
    ReleaseSeat,
    ReleaseSlice,
    ReleaseWeek,
)
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.releases.plans import Opened
from commonwatch.privacy.release.bounds import Onset
from commonwatch.privacy.release.plan import Plan
from commonwatch.privacy.release.slices import Slice


class Seat(NamedTuple):
    """A reader's place in a release when a day closed: its tier, and the owners that stand behind it."""

    reader: str
    tier: str
    owners: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Names the set of owners."""
        return digest_of(self.owners)


class Drawn(NamedTuple):
    """A noisy slice of a set of owners at a tier."""

    tier: str
    slice: Slice


class Week(NamedTuple):
    """An exact week for one reader: cells and what was suppressed, as JSON."""

    reader: str
    owners: tuple[str, ...]
    body: bytes


class Day(NamedTuple):
    """All that one closing day brings."""

    at: int
    arrival: int
    counted: Sequence[Onset]
    seats: Sequence[Seat]
    slices: Sequence[Drawn]
    weeks: Sequence[Week] = ()
    weekly: int | None = None


class Held(NamedTuple):
    """What a reader's seats give it: slices at its tier, the days they closed on, and the owner sets behind them."""

    seats: tuple[tuple[int, str, str], ...]
    slices: tuple[Slice, ...]


def digest_of(owners: Iterable[str]) -> str:
    """Names a set of owners."""
    return hashlib.sha256("\n".join(sorted(owners)).encode()).hexdigest()


class Shelf:
    """All of it, for one hub. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plans(self, community: str | None = None) -> list[Opened]:
        """The plans of a community, or all, the newest window first."""
        query = select(ReleasePlan).order_by(ReleasePlan.window.desc(), ReleasePlan.id)
        with self._database.read() as session:
            rows = session.scalars(query if community is None else query.where(ReleasePlan.community == community))
            return [opened(row) for row in rows]

    def open(self, plan: Opened, at: int) -> None:
        """Keep a plan that opens. Raises Conflict when it is open."""
        with self._database.write() as session:
            marks = {name: getattr(plan, name) for name in ("opened", "closed", "arrival", "weekly")}
            about = {"id": plan.id, "community": plan.community, "window": plan.window, "places": plan.places}
            body = encode((plan.plan, plan.steps))
            session.add(ReleasePlan(plan=body, contributors=plan.contributors, **about, **marks))
            record(session, at, "hub", "release-opened-plan", release=plan.id, plan=plan.plan.digest)

    def counted(self, plan: Opened) -> dict[str, dict[int, int]]:
        """What was counted so far: owner -> family -> day."""
        found: dict[str, dict[int, int]] = {}
        with self._database.read() as session:
            for row in session.scalars(select(ReleaseCounted).where(ReleaseCounted.plan == plan.id)):
                found.setdefault(row.owner, {})[row.family] = row.day
        return found

    def lost(self, plan: Opened, at: int) -> int:
        """How often noise was begun for this day and never arrived."""
        with self._database.read() as session:
            row = session.get(ReleaseBegun, (plan.id, at))
            return 0 if row is None else row.lost + 1

    def begin(self, plan: Opened, at: int, lost: int) -> None:
        """Noise for this day is about to be drawn: on disk when it returns."""
        with self._database.write() as session:
            session.merge(ReleaseBegun(plan=plan.id, day=at, lost=lost))

    def close(self, plan: Opened, day: Day, now: int) -> None:
        """Keep what a day brought. Raises Conflict when it closed already: what was drawn now is thrown away."""
        with self._database.write() as session:
            row = session.get(ReleasePlan, plan.id, with_for_update=True)
            if row is None or row.closed != day.at:
                raise Conflict("this day closed already", where=f"{plan.id} day {day.at}", todo="read it")
            row.closed, row.arrival = day.at + 1, day.arrival
            row.weekly = row.weekly if day.weekly is None else day.weekly
            _put(session, plan, day, now)
            session.execute(delete(ReleaseBegun).where(ReleaseBegun.plan == plan.id, ReleaseBegun.day == day.at))
            if day.at + 1 == plan.plan.axes[0].size:
                session.execute(delete(ReleaseCounted).where(ReleaseCounted.plan == plan.id))
            drawn = hashlib.sha256(b"".join(_body(d.slice) for d in day.slices)).hexdigest()
            about: dict[str, Any] = {"day": day.at, "slices": len(day.slices), "weeks": len(day.weeks)}
            record(session, now, "hub", "release-drawn", release=plan.id, digest=drawn, **about)

    def held(self, plan: Opened, reader: str) -> Held:
        """What a reader may be served of a plan."""
        with self._database.read() as session:
            where = (ReleaseSeat.plan == plan.id, ReleaseSeat.reader == reader)
            rows = list(session.scalars(select(ReleaseSeat).where(*where).order_by(ReleaseSeat.day)))
            seats = {row.day: (row.owners, row.tier) for row in rows}
            sets = {row.owners for row in rows}
            found = select(ReleaseSlice).where(ReleaseSlice.plan == plan.id, ReleaseSlice.owners.in_(sets))
            slices = [s for s in session.scalars(found) if _mine(plan, s, seats)]
            kept = tuple(_slice(s) for s in sorted(slices, key=lambda s: (s.levels, s.number)))
            return Held(tuple((d, *seat) for d, seat in sorted(seats.items())), kept)

    def weeks(self, plan: Opened, reader: str) -> dict[int, tuple[str, bytes]]:
        """Exact weeks of a reader: week -> set of owners and body."""
        where = (ReleaseWeek.plan == plan.id, ReleaseWeek.reader == reader)
        with self._database.read() as session:
            return {row.week: (row.owners, row.body) for row in session.scalars(select(ReleaseWeek).where(*where))}

    def owners(self, digests: Iterable[str]) -> frozenset[str]:
        """Everybody in these sets."""
        query = select(ReleaseOwners).where(ReleaseOwners.digest.in_(set(digests)))
        with self._database.read() as session:
            return frozenset(owner for row in session.scalars(query) for owner in row.owners)

    def behind(self, plan: Opened, owner: str) -> dict[str, set[tuple[str, str]]]:
        """Which draws an owner was in: set of owners -> readers and tiers it was served to."""
        found: dict[str, set[tuple[str, str]]] = {}
        query = select(ReleaseSeat.owners, ReleaseSeat.reader, ReleaseSeat.tier).where(ReleaseSeat.plan == plan.id)
        with self._database.read() as session:
            for digest, reader, tier in session.execute(query.distinct()):
                found.setdefault(digest, set()).add((reader, tier))
            rows = session.scalars(select(ReleaseOwners).where(ReleaseOwners.digest.in_(found)))
            return {row.digest: found[row.digest] for row in rows if owner in row.owners}

    def forget(self, owner: str) -> None:
        """An owner leaves: what was counted of it goes. Closed slices stay: they hold it in noise alone."""
        with self._database.write() as session:
            session.execute(delete(ReleaseCounted).where(ReleaseCounted.owner == owner))


def opened(row: ReleasePlan) -> Opened:
    """A plan as it was kept."""
    plan, steps = msgspec.json.decode(row.plan, type=tuple[Plan, dict[str, str]], dec_hook=_read)
    return Opened(
        row.id, row.community, row.window, plan, steps, row.places, row.contributors, row.opened, row.closed,
        row.arrival, row.weekly,
    )  # fmt: skip


def encode(value: Any) -> bytes:
    """JSON with exact fractions."""
    return msgspec.json.encode(value, enc_hook=str)


def _read(kind: type, value: Any) -> Any:
    return kind(value) if kind is Fraction else value


def _put(session: Session, plan: Opened, day: Day, now: int) -> None:
    sets: dict[str, tuple[str, ...]] = {seat.digest: seat.owners for seat in day.seats}
    sets |= {digest_of(week.owners): week.owners for week in day.weeks}
    for digest, owners in sets.items():
        session.merge(ReleaseOwners(digest=digest, owners=sorted(owners)))
    session.flush()
    session.add_all(ReleaseCounted(plan=plan.id, owner=o.owner, family=o.family, day=day.at) for o in day.counted)
    session.add_all(
        ReleaseSeat(plan=plan.id, reader=s.reader, day=day.at, owners=s.digest, tier=s.tier) for s in day.seats
    )
    session.add_all(_row(plan, drawn, now) for drawn in day.slices)
    week = day.at // 7
    session.add_all(
        ReleaseWeek(plan=plan.id, week=week, reader=w.reader, owners=digest_of(w.owners), body=w.body)
        for w in day.weeks
    )


def _row(plan: Opened, drawn: Drawn, now: int) -> ReleaseSlice:
    one = drawn.slice
    return ReleaseSlice(
        plan=plan.id, owners=one.owners, levels=".".join(map(str, one.levels)), number=one.index, tier=drawn.tier,
        scale=one.scale.hex(), body=_body(one), drawn=now,
    )  # fmt: skip


def _body(one: Slice) -> bytes:
    return np.array(one.values, "<i8").tobytes()


def _slice(row: ReleaseSlice) -> Slice:
    levels = tuple(map(int, row.levels.split(".")))
    values = tuple(np.frombuffer(row.body, "<i8").tolist())
    return Slice(levels, row.number, float.fromhex(row.scale), row.owners, values)


def _mine(plan: Opened, row: ReleaseSlice, seats: Mapping[int, tuple[str, str]]) -> bool:
    """Whether a slice is that of the seat the reader had when its last day closed."""
    size = plan.plan.axes[0].blocks[int(row.levels.split(".")[0])]
    return seats.get((row.number + 1) * size - 1) == (row.owners, row.tier)
