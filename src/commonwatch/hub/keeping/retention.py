"""Retention: rows are deleted when their owner's agreements say so, with everything made from them.

Rules held here: an owner's rows are kept as long as any agreement that lives may need them: the longest of their
`delete_after_days`, and without end where one that lives names none. When no agreement lives any more, what the last
ones named counts, and for one that named none a week of grace ("when the agreement ends"). Moments are whole days.
What was made from deleted rows goes through a new policy epoch, as after a revocation. Owners are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from commonwatch.agreements.effective import LiveAgreement
from commonwatch.govern.policy import PolicyView
from commonwatch.hub.core import Core
from commonwatch.hub.meta import epoch as epochs
from commonwatch.hub.meta.clock import MICROS
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.notifications import notify

DAY = 86_400 * MICROS
GRACE_DAYS = 7
LIVING = ("active", "suspended", "not-yet-active")


def days_of(agreements: Iterable[LiveAgreement]) -> int | None:
    """How many days an owner's rows are kept; None: without end."""
    found = list(agreements)
    living = [a.document.duties.delete_after_days for a in found if a.state in LIVING]
    if living:
        return None if None in living else max(d for d in living if d is not None)
    ended = [a.document.duties.delete_after_days or GRACE_DAYS for a in found]
    return max(ended, default=None)


def moments(view: PolicyView) -> dict[str, int]:
    """Owner -> the moment (microseconds) before which its rows go."""
    days = {owner: days_of(policy.documents.own) for owner, policy in view.owners.items()}
    today = view.now // DAY * DAY
    return {owner: today - kept * DAY for owner, kept in days.items() if kept is not None}


class Erases(Protocol):
    """All that retention may do with stored events: let them go. It reads none."""

    def erase(self, old: Mapping[str, int]) -> dict[str, int]:
        """Delete owners' rows from before a moment each, without a byte left; rows deleted, by owner."""


class Retention:
    """The job."""

    def __init__(self, core: Core, store: Erases) -> None:
        self._core, self._store = core, store

    def run(self) -> int:
        """Delete what is due; rows that went."""
        due = moments(self._core.policy.view())
        gone = self._store.erase(due)
        if gone:
            self._tell(due, gone)
        return sum(gone.values())

    def _tell(self, due: dict[str, int], gone: dict[str, int]) -> None:
        """What was made from the rows goes too; each owner has it in the audit log."""
        with self._core.database.write() as session:
            now = self._core.clock.now()
            epoch = epochs.rise(session, now)
            for owner, rows in sorted(gone.items()):
                notify(session, now, [owner], "deleted", owner, rows=rows, before=due[owner])
                record(session, now, "hub", "rows-deleted", org=owner, rows=rows, before=due[owner], epoch=epoch)
        self._core.policy.changed()
