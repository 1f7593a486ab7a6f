"""The ledger of privacy budgets: exact fractions per (owner, reader organisation, window), spent before noise.

Rules held here (`privacy.md` 9, invariant 8): one serialised transaction looks what is left and commits the spend;
noise is drawn only after it returned; nothing is refunded, whatever happens then; an owner without enough left is left
out and the release goes on; the reader's *organisation* is charged, whoever asked and under whichever agreement; each
spend is in the audit log of its owner alone (a reader need not know who is in a release), and a ledger behind that log
(an old backup) spends nothing. Amounts are fractions, never floats.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from commonwatch.audit.log import AuditLog
from commonwatch.errors import Conflict, InvalidInput, NotPermitted, Unavailable
from commonwatch.events.rungs import ANCHOR, STEPS
from commonwatch.hub.meta import epoch
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import Spending
from commonwatch.hub.meta.outbox import record

WINDOW = STEPS["window"]


class Allowance(NamedTuple):
    """What an owner's agreements allow one reader organisation: in each window, and over their life."""

    window: Fraction
    life: Fraction | None = None


class Cost(NamedTuple):
    """One release to be paid. `draw`: the draw it is made from; lower tiers of one draw share it."""

    release: str
    reader: str
    window: int
    rho: Fraction
    draw: str
    what: str


class LeftOut(NamedTuple):
    """An owner whose budget does not suffice: what is left, and when (microseconds) more is; None: never again."""

    owner: str
    left: Fraction
    renews: int | None


class Paid(NamedTuple):
    """Who is in the release, and who is left out."""

    owners: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


class Spent(NamedTuple):
    """One line of an owner's account. Time in microseconds."""

    reader: str
    window: int
    release: str
    rho: Fraction
    what: str
    at: int


class Ledger:
    """The ledger in the metadata database. Thread-safe, and safe between processes. `known`: see `known_to`."""

    def __init__(self, database: Database, clock: Clock, known: int = 0) -> None:
        self._database, self._clock, self._known = database, clock, known

    def quote(self, cost: Cost, allowed: Mapping[str, Allowance]) -> Paid:
        """Who would be in a release of this cost, and who not; spends nothing. Raises InvalidInput."""
        _check(cost, self._clock.now())
        with self._database.read() as session:
            return _judged(cost, allowed, _accounts(session, cost.reader, allowed))

    def spend(self, cost: Cost, allowed: Mapping[str, Allowance], *, who: str = "hub") -> Paid:
        """Charge every owner that can pay. When this returns it is on disk: only then may noise be drawn.

        Raises Conflict when this release was paid already (it is there, or it was lost and must be a new one),
        NotPermitted when nobody can pay (nothing is charged), Unavailable when the ledger is older than the log.
        """
        now = self._clock.now()
        _check(cost, now)
        with self._database.write() as session:
            epoch.lock(session)
            number = self._next(session)
            if session.scalar(select(func.count()).where(Spending.release == cost.release)):
                todo = "read the release that was made; a lost one is paid anew under another name"
                raise Conflict("this release was paid already", where=cost.release, todo=todo)
            paid = _judged(cost, allowed, _accounts(session, cost.reader, allowed))
            if not paid.owners:
                raise NotPermitted("no owner's privacy budget suffices", where=cost.reader, todo=_advice(paid))
            for owner in paid.owners:
                session.add(_row(cost, owner, number, now))
                about: dict[str, Any] = {"release": cost.release, "rho": str(cost.rho), "window": cost.window}
                record(session, now, who, "budget-spent", org=owner, reader=cost.reader, ledger=number, **about)
        return paid

    def account(self, owner: str) -> list[Spent]:
        """What an owner's budget was spent on, the newest first."""
        with self._database.read() as session:
            rows = session.scalars(
                select(Spending).where(Spending.owner == owner).order_by(Spending.number.desc(), Spending.release)
            )
            return [Spent(r.reader, r.window, r.release, amount(r.rho), r.what, r.at) for r in rows]

    def begun(self, prefix: str) -> dict[str, set[str]]:
        """Releases whose name begins so, by the next part of the name: who has paid for any of them."""
        found: dict[str, set[str]] = {}
        with self._database.read() as session:
            query = select(Spending.release, Spending.owner).where(Spending.release.startswith(prefix, autoescape=True))
            for release, owner in session.execute(query):
                found.setdefault(release.removeprefix(prefix).partition("/")[0], set()).add(owner)
        found.pop("lost", None)
        return found

    def times(self, prefix: str) -> int:
        """How many releases whose name begins so were paid."""
        query = select(func.count(func.distinct(Spending.release)))
        with self._database.read() as session:
            return session.scalar(query.where(Spending.release.startswith(prefix, autoescape=True))) or 0

    def pooled(self, owner: str, window: int) -> Fraction:
        """The rate that all readers together would have if they pooled: each draw once, at its highest tier."""
        with self._database.read() as session:
            rows = session.execute(
                select(Spending.draw, Spending.rho).where(Spending.owner == owner, Spending.window == window)
            )
            highest: dict[str, Fraction] = {}
            for draw, rho in rows:
                highest[draw] = max(highest.get(draw, Fraction()), amount(rho))
        return sum(highest.values(), Fraction())

    def _next(self, session: Session) -> int:
        """The number of the next spend. Raises Unavailable when the log knows later ones than the database."""
        last = session.scalar(select(func.max(Spending.number))) or 0
        if last < self._known:
            todo = "restore a newer backup of the metadata; until then private releases stay closed"
            raise Unavailable("the privacy ledger is older than the audit log", todo=todo)
        return last + 1


def window_of(at: int) -> int:
    """The number of the eight-week window that holds an instant (microseconds)."""
    return (at - ANCHOR) // WINDOW


def known_to(audit: AuditLog) -> int:
    """The highest number of a spend that the audit log knows."""
    highest = 0
    for number in range(len(audit)):
        line = audit.entry(number)
        if b"budget-spent" in line:
            found = msgspec.json.decode(line, type=_Logged)
            highest = max(highest, found.detail.ledger if found.kind == "budget-spent" else 0)
    return highest


def amount(text: str) -> Fraction:
    """A stored amount."""
    return Fraction(text)


class _Detail(msgspec.Struct):
    ledger: int = 0


class _Logged(msgspec.Struct):
    kind: str
    detail: _Detail


def _check(cost: Cost, now: int) -> None:
    if cost.rho.__class__ is not Fraction or cost.rho <= 0:
        raise InvalidInput("a spend is a positive exact fraction", where="rho", todo="such as 1/10; nothing was spent")
    if cost.window != window_of(now):
        todo = "spend in the window that is open; nothing was spent"
        raise InvalidInput("this window is not open", where=f"window {cost.window}", todo=todo)


def _accounts(session: Session, reader: str, owners: Iterable[str]) -> dict[str, list[tuple[int, Fraction]]]:
    """(window, amount) of all that was spent on this reader, per owner."""
    found: dict[str, list[tuple[int, Fraction]]] = {owner: [] for owner in owners}
    rows = session.execute(select(Spending.owner, Spending.window, Spending.rho).where(Spending.reader == reader))
    for owner, window, rho in rows:
        if owner in found:
            found[owner].append((window, amount(rho)))
    return found


def _judged(cost: Cost, allowed: Mapping[str, Allowance], accounts: Mapping[str, list[tuple[int, Fraction]]]) -> Paid:
    paid, out = [], []
    for owner, allowance in sorted(allowed.items()):
        life = sum((rho for _, rho in accounts[owner]), Fraction())
        here = sum((rho for window, rho in accounts[owner] if window == cost.window), Fraction())
        rest = None if allowance.life is None else allowance.life - life
        left = allowance.window - here if rest is None else min(allowance.window - here, rest)
        if cost.rho <= left:
            paid.append(owner)
        else:
            ever = cost.rho <= allowance.window and (rest is None or cost.rho <= rest)
            out.append(LeftOut(owner, max(left, Fraction()), ANCHOR + (cost.window + 1) * WINDOW if ever else None))
    return Paid(tuple(paid), tuple(out))


def _row(cost: Cost, owner: str, number: int, now: int) -> Spending:
    return Spending(
        release=cost.release, owner=owner, reader=cost.reader, window=cost.window, rho=str(cost.rho), draw=cost.draw,
        what=cost.what, number=number, at=now,
    )  # fmt: skip


def _advice(paid: Paid) -> str:
    """What is left at best and when it renews."""
    if not paid.left_out:
        return "no owner allows this reader a private release; ask for an agreement with a count clause"
    most = max(paid.left_out, key=lambda o: o.left)
    times = [o.renews for o in paid.left_out if o.renews is not None]
    when = f"renews on {dt.datetime.fromtimestamp(min(times) / MICROS, dt.UTC):%Y-%m-%d}" if times else "never renews"
    return f"at most {most.left} is left; it {when}"
