"""Audit entries leave with the transaction they tell of, and reach the log afterwards, at least once.

Rules: an entry is written in the same transaction as its change, so neither can exist alone; whoever runs the hub
drains; an entry that a crash delivered twice carries the same `uid`. Details name ids and counts, never values.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from commonwatch.audit.log import Entry
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import Outbox

#: Takes entries in order and returns when the log has them on disk.
Deliver = Callable[[Sequence[Entry]], object]


def record(
    session: Session, at: int, who: str, kind: str, *, org: str = "", concerns: Iterable[str] = (), **detail: Any
) -> None:
    """Put one entry into the outbox. `who` is a principal's id, `hub`, or `operator` for the command line.

    `org` and `concerns` are the organisations that may read the entry: only those that may know of each other.
    """
    named = sorted(set(concerns) - {org})
    session.add(Outbox(uid=uuid.uuid4().hex, at=at, who=who, kind=kind, org=org, concerns=named, detail=detail))


class Drain:
    """Carries entries to the log in the order they were written: call `run` after a change and now and then."""

    def __init__(self, database: Database, deliver: Deliver) -> None:
        self.database, self.deliver = database, deliver
        self._lock = threading.Lock()

    def run(self) -> int:
        """Deliver what waits; returns how many. An entry is removed only after the log took it."""
        with self._lock:
            count = 0
            while batch := self._batch():
                self.deliver([entry(row) for row in batch])
                with self.database.write() as session:
                    session.execute(delete(Outbox).where(Outbox.uid.in_([row.uid for row in batch])))
                count += len(batch)
            return count

    def _batch(self) -> list[Outbox]:
        with self.database.read() as session:
            return list(session.scalars(select(Outbox).order_by(Outbox.at, Outbox.uid).limit(200)))


def entry(row: Outbox) -> Entry:
    """The log's form of a waiting entry."""
    detail = {**row.detail, "uid": row.uid}
    return Entry(kind=row.kind, actor=row.who, org=row.org, concerns=tuple(row.concerns), detail=detail, at=row.at)
