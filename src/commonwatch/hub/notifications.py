"""Notifications: what the organisations concerned are told of, in the transaction that made it so.

Rules: a notification is written with its change or not at all (`notify`), reaches open streams within a moment
(`Notifications.tell`), and waits until a person has seen it; each person has their own unseen ones. It names
agreements, organisations and counts, never a member's data, and only to whoever is a party or whom it is about.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import Notification, NotificationSeen
from commonwatch.web.ports import NotificationInfo, Principal

Kind = Literal[
    "offered", "signed", "declined", "withdrawn", "outdated", "agreed", "active", "amended", "suspended", "resumed",
    "revoked", "expiring", "expired", "charter", "key-added", "key-changed", "duties-to-accept", "duties-accepted",
    "access", "deleted",
]  # fmt: skip
#: What each kind says, over its subject and detail. `{by}` is the organisation that did it.
SAYS: dict[str, str] = {
    "offered": "{by} offers {subject} version {version} for signature",
    "signed": "{by} signed {subject} version {version}{hub}",
    "declined": "{by} declined {subject} version {version}",
    "withdrawn": "{by} withdrew its offer of {subject} version {version}",
    "outdated": "the offer of {subject} version {version} can no longer be signed: {reason}",
    "agreed": "{subject} version {version} is signed by every party{hub}",
    "active": "{subject} version {version} is in force",
    "amended": "{subject} version {version} is in force and replaces the one before",
    "suspended": "{by} suspended {subject}{hub}",
    "resumed": "{by} resumed {subject}{hub}",
    "revoked": "{by} revoked {subject}{hub}",
    "expiring": "{subject} ends {when}",
    "expired": "{subject} has expired",
    "charter": "{subject} version {version} stands{hub}",
    "key-added": "{by} registered a signing key{where}",
    "key-changed": "the signing key of {by} changed{hub}",
    "duties-to-accept": "{subject} reaches you once you accept its duties",
    "duties-accepted": "{by} accepted the duties of {subject}{hub}",
    "deleted": "{rows} of your events were deleted, as old as your agreements say",
    "access": "what {subject} shares was shown to {by} in {answers}{when}",
}
#: Of one moment: in an order that says nothing.
PLACE = (Notification.kind, Notification.subject, Notification.org, Notification.uid)
Tell = Callable[[str, NotificationInfo], None]


def notify(session: Session, at: int, orgs: Iterable[str], kind: Kind, subject: str, **detail: Any) -> None:
    """Tell these organisations, when this transaction commits. `at`: microseconds; `detail`: ids, names, counts."""
    session.add_all(
        Notification(uid=uuid.uuid4().hex, org=org, at=at, kind=kind, subject=subject, detail=detail, told=False)
        for org in sorted(set(orgs))
    )


class Notifications:
    """The port: an organisation's notifications as each of its people (and tokens) reads them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock

    def of(self, principal: Principal, *, unseen: bool = False, limit: int = 100) -> Sequence[NotificationInfo]:
        """The newest first, at most `limit`."""
        with self.database.read() as session:
            seen = _seen(session, principal)
            query = select(Notification).where(Notification.org == principal.reader.org)
            if unseen:
                query = query.where(_unseen(principal))
            newest = query.order_by(Notification.at.desc(), *PLACE).limit(limit)
            return [info(row, seen=row.uid in seen) for row in session.scalars(newest)]

    def unseen(self, principal: Principal) -> int:
        """How many this person has not seen."""
        with self.database.read() as session:
            mine = (Notification.org == principal.reader.org, _unseen(principal))
            return int(session.scalar(select(func.count()).select_from(Notification).where(*mine)) or 0)

    def mark_seen(self, principal: Principal, uids: Sequence[str] | None = None) -> int:
        """This person has seen these (None: all) of its organisation's; returns how many stay unseen."""
        with self.database.write() as session:
            query = select(Notification.uid).where(Notification.org == principal.reader.org, _unseen(principal))
            if uids is not None:
                query = query.where(Notification.uid.in_(uids))
            found = list(session.scalars(query))
            session.add_all(NotificationSeen(notification=uid, person=principal.id) for uid in found)
        return self.unseen(principal)

    def tell(self, push: Tell) -> int:
        """Hand what nobody was told yet to the streams, once; returns how many. The hub calls it all the time."""
        with self.database.read() as session:
            if session.scalar(select(Notification.uid).where(~Notification.told).limit(1)) is None:
                return 0
        with self.database.write() as session:
            query = select(Notification).where(~Notification.told).order_by(Notification.at, *PLACE)
            rows = list(session.scalars(query.limit(1000).with_for_update()))
            for row in rows:
                row.told = True
            told = [(row.org, info(row)) for row in rows]
        for org, said in told:
            push(org, said)
        return len(told)


def info(row: Notification, *, seen: bool = False) -> NotificationInfo:
    """A notification with its sentence."""
    return NotificationInfo(row.uid, row.at, row.kind, row.subject, sentence(row), row.detail, seen)


def sentence(row: Notification) -> str:
    """What it says to people. What the detail leaves out is said as nothing."""
    words = _Words(row.detail, subject=row.subject, hub=_by_hub(row))
    return SAYS.get(row.kind, "{subject}").format_map(words)


class _Words(dict[str, Any]):
    def __init__(self, detail: Mapping[str, Any], **more: Any) -> None:
        super().__init__({**detail, **more})

    def __missing__(self, _: str) -> str:
        return ""


def _by_hub(row: Notification) -> str:
    return f" (signed by the hub on behalf of {row.detail.get('by', 'the parties')})" if row.detail.get("held") else ""


def _unseen(principal: Principal) -> ColumnElement[bool]:
    mine = select(NotificationSeen.notification).where(
        NotificationSeen.person == principal.id, NotificationSeen.notification == Notification.uid
    )
    return ~mine.exists()


def _seen(session: Session, principal: Principal) -> set[str]:
    query = select(NotificationSeen.notification).where(NotificationSeen.person == principal.id)
    return set(session.scalars(query))
