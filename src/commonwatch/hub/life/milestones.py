"""What the clock brings about, told once to those concerned: in force, ending in 30, 7 or 1 days, over, duties asked.

Rules: whether an agreement is in force is decided elsewhere, at every question; this only tells of it. Each moment of a
version is told once, however often and by however many processes it is looked for; a look that finds nothing new costs
one comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from commonwatch.agreements.chain import day_of
from commonwatch.agreements.document import Agreement, Share, named
from commonwatch.agreements.effective import LiveAgreement
from commonwatch.hub.meta.models import Milestone
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.notifications import Kind, notify
from commonwatch.hub.registry.documents import Documents
from commonwatch.hub.registry.duties import ENDED, shows_owner
from commonwatch.hub.registry.resolve import Resolved

#: Days before the end at which parties are told.
SOON = (1, 7, 30)


class Due(NamedTuple):
    """Something to tell: a version's moment (its name is the key it is told once by), the kind, and to whom."""

    live: LiveAgreement
    what: str
    kind: Kind
    orgs: tuple[str, ...]
    days: int = 0


class Milestones:
    """The job: `turn` it every few seconds."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self._told: set[tuple[str, str]] = set()
        self._seen: tuple[object, object] = (None, None)

    def turn(self) -> int:
        """Tell what is due and was not told; returns how much that was. Raises Unavailable."""
        resolved, now = self.documents.policy.resolved(), self.documents.clock.now()
        if self._seen[0] is resolved and self._seen[1] == day_of(now):
            return 0
        due = [one for one in find(resolved, now) if (one.live.digest, one.what) not in self._told]
        told = self._tell(due, now) if due else 0
        self._told |= {(one.live.digest, one.what) for one in due}
        self._seen = (resolved, day_of(now))
        return told

    def _tell(self, due: list[Due], now: int) -> int:
        with self.documents.database.write() as session:
            fresh = [one for one in due if _first(session, one, now)]
            for one in fresh:
                _say(session, one, now)
        return len(fresh)


def find(resolved: Resolved, now: int) -> Iterator[Due]:
    """Every moment that has come, told already or not."""
    for policy in resolved.owners.values():
        for live in policy.documents.agreements:
            yield from _moments(live, now)
            if live.state not in ENDED and _may_show_owner(live.document):
                for org in resolved.orgs.values():
                    if org.org not in live.accepted and shows_owner(live.document, org, policy.documents):
                        yield Due(live, f"duties {org.org}", "duties-to-accept", (org.org,))


def _moments(live: LiveAgreement, now: int) -> Iterator[Due]:
    document = live.document
    parties = tuple(sorted(document.party_ids))
    if live.state == "expired":
        yield Due(live, "expired", "expired", parties)
    if live.state != "active":
        return
    yield Due(live, "active", "active" if document.version == 1 else "amended", parties)
    left = (document.ends - day_of(now)).days
    if soon := next((days for days in SOON if left <= days), 0):
        yield Due(live, f"expiring {soon}", "expiring", parties, left)


def _when(days: int) -> str:
    return {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")


def _may_show_owner(document: Agreement) -> bool:
    return any(isinstance(c, Share) and named(c.fields).get("owner") == "exact" for c in document.clauses)


def _first(session: Session, due: Due, now: int) -> bool:
    """Whether nobody told it before; from now on somebody did."""
    key = (due.live.digest, due.what)
    if session.scalar(select(Milestone.at).where(Milestone.hash == key[0], Milestone.what == key[1])) is not None:
        return False
    session.add(Milestone(hash=key[0], what=key[1], at=now))
    return True


def _say(session: Session, due: Due, now: int) -> None:
    document = due.live.document
    about = {"version": document.version, "hash": due.live.digest}
    more = {"days": due.days, "when": _when(due.days)} if due.kind == "expiring" else {"owner": document.owner}
    notify(session, now, due.orgs, due.kind, document.id, **about, **more)
    if due.kind in {"active", "amended", "expired"}:
        kind, concerned = f"agreement-{due.kind}", due.orgs
        record(session, now, "hub", kind, org=document.owner, concerns=concerned, id=document.id, **about)
