"""The duty after an access: the owner is told of it, each time or once a day, as its agreement says.

Rules held here: uses are counted in the transaction that spreads the record, so each counts once; telling and
remembering what was told are one transaction; uses of a minute are told together, or a look around would bury the
owner; whoever wants silence has signed it (`notify_owner_on_access: never`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from commonwatch.agreements.document import Agreement
from commonwatch.agreements.signing import envelope_from, read_payload
from commonwatch.govern.answer.asking import instant_text
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import AccessUse, Document
from commonwatch.hub.notifications import notify
from commonwatch.hub.seen.sheet import Access

DAY = 86_400_000_000
#: Days of uses that are kept once they were told.
KEPT = 92
Told = Literal["each", "daily", "never"]
Key = tuple[str, str, int, str, int]


def count_uses(session: Session, entries: Iterable[Access]) -> None:
    """Add these accesses to the uses of their agreements by reader and day."""
    found: Counter[Key] = Counter()
    for entry in entries:
        for name in {ref.partition("#")[0] for ref in entry.clauses}:
            which, _, number = name.partition("@")
            found[entry.owner, which, int(number), entry.reader, entry.at // DAY] += entry.uses
    for key, more in sorted(found.items()):
        row = session.get(AccessUse, key, with_for_update=True)
        if row is None:
            owner, agreement, version, reader, day = key
            row = AccessUse(owner=owner, agreement=agreement, version=version, reader=reader, day=day, uses=0, told=0)
            session.add(row)
        row.uses += more


class TellingOwners:
    """Tells owners what their agreements ask for. Run now and then."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database, self._clock = database, clock
        self._wishes: dict[tuple[str, int], Told] = {}

    def run(self) -> int:
        """Tell what is due; returns how many notifications."""
        now, told = self._clock(), 0
        with self._database.read() as session:
            if session.scalar(select(AccessUse.owner).where(AccessUse.uses > AccessUse.told).limit(1)) is None:
                return 0
        with self._database.write() as session:
            rows = session.scalars(select(AccessUse).where(AccessUse.uses > AccessUse.told).with_for_update())
            for row in list(rows):
                told += self._tell(session, row, now)
            session.execute(delete(AccessUse).where(AccessUse.day < now // DAY - KEPT))
        return told

    def _tell(self, session: Session, row: AccessUse, now: int) -> int:
        wish = self._wish(session, row.agreement, row.version)
        if wish == "daily" and row.day >= now // DAY:
            return 0
        fresh, row.told = row.uses - row.told, row.uses
        if wish == "never":
            return 0
        when = f" on {instant_text(row.day * DAY)[:10]}" if wish == "daily" else ""
        answers = f"{fresh} answers" if fresh > 1 else "one answer"
        detail = {"version": row.version, "by": row.reader, "uses": fresh, "answers": answers, "when": when}
        notify(session, now, [row.owner], "access", row.agreement, **detail)
        return 1

    def _wish(self, session: Session, name: str, version: int) -> Told:
        """What the agreement says; told each time where it cannot be read any more."""
        if (name, version) not in self._wishes:
            which = (Document.kind == "agreement", Document.name == name, Document.version == version)
            envelope = session.scalar(select(Document.envelope).where(*which))
            document = read_payload(envelope_from(envelope)) if envelope else None
            said: Told = document.duties.notify_owner_on_access if isinstance(document, Agreement) else "each"
            self._wishes[name, version] = said
        return self._wishes[name, version]
