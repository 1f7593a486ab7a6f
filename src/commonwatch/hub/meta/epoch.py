"""The policy epoch: one row that every change of policy raises, inside the transaction of that change.

Rules: writers lock the row first (`with_for_update`; on SQLite the write lock already holds), so epochs are never equal
for two policies; `clock` keeps the largest time seen; `settled` is the time up to which starts and ends by the clock
have been counted as changes.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from commonwatch.errors import Unavailable
from commonwatch.hub.meta.models import Epoch


def found(session: Session) -> Epoch:
    """Make the row in a new database, or return it."""
    row = session.get(Epoch, 1, with_for_update=True)
    if row is None:
        row = Epoch(id=1, epoch=1, clock=0, settled=0)
        session.add(row)
        session.flush()
    return row


def lock(session: Session) -> Epoch:
    """The row, locked until the transaction ends."""
    row = session.get(Epoch, 1, with_for_update=True)
    if row is None:
        raise Unavailable("the metadata database holds no hub", todo="run: commonwatch hub init")
    return row


def rise(session: Session, at: int) -> int:
    """Raise the epoch; returns the new one. `at` moves the largest time seen.

    Who reads the new epoch reads the clock with it, so whatever starts or ends up to `at` is counted by this rise.
    """
    row = lock(session)
    row.epoch += 1
    row.clock = max(row.clock, at)
    row.settled = max(row.settled, at)
    return row.epoch


def peek(session: Session) -> tuple[int, int, int]:
    """(epoch, clock, settled) without a lock."""
    found = session.execute(select(Epoch.epoch, Epoch.clock, Epoch.settled)).first()
    if found is None:
        raise Unavailable("the metadata database holds no hub", todo="run: commonwatch hub init")
    return found.epoch, found.clock, found.settled
