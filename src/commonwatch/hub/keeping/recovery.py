"""A hub whose metadata came from an older backup than its audit log: made to serve again, never opening anything.

Rules held here: the log names every document and statement by hash; an owner of whom one is lacking is closed until
that very one is registered again. What narrowed access since is done again from the log (members who left, roles,
people and gateways that were removed); what widened it is not. Every session, token and link ends. The policy epoch
goes beyond all the log knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from commonwatch.agreements.decode import digest
from commonwatch.agreements.signing import envelope_from, unb64
from commonwatch.audit.log import AuditLog
from commonwatch.hub.core import Office, audit_key
from commonwatch.hub.meta import epoch as epochs
from commonwatch.hub.meta.models import (
    Absent,
    Document,
    Gateway,
    Link,
    Login,
    Membership,
    Organisation,
    Person,
    Statement,
    Token,
)  # fmt: skip
from commonwatch.hub.meta.outbox import record


class _Entry(msgspec.Struct):
    kind: str
    org: str = ""
    detail: dict[str, Any] = {}


def recover(office: Office, envelopes: Iterable[bytes] = ()) -> Iterator[str]:
    """Bring the database up to the audit log as far as that closes; take envelopes it lacks. Says what was done."""
    known, newer = _newer(office)
    with office.database.write() as session:
        now = office.clock.now()
        for entry in newer:
            _do_again(session, entry)
        if newer:
            for table in (Login, Token, Link):
                session.execute(delete(table))
            row = epochs.lock(session)
            row.epoch = max(row.epoch, known)
            record(session, now, "operator", "hub-recovered", entries=len(newer), epoch=epochs.rise(session, now))
    yield f"the audit log knew {len(newer)} later changes; policy epoch {office.policy.view().epoch}"
    for envelope in envelopes:
        yield _take(office, envelope)
    with office.database.read() as session:
        have = select(Document.hash).union_all(select(Statement.hash))
        rows = session.scalars(select(Absent).where(Absent.hash.not_in(have)).order_by(Absent.owner, Absent.name))
        for lacking in list(rows):
            yield f"{lacking.owner} is closed: {lacking.kind} of {lacking.name} is lacking, SHA-256 {lacking.hash}"


def _newer(office: Office) -> tuple[int, list[_Entry]]:
    """The highest epoch the log knows, and its entries that are later than the database, oldest first."""
    mine, highest, found = office.policy.view().epoch, 0, list[_Entry]()
    with AuditLog(office.settings.audit, audit_key(office.settings), office.settings.name) as audit:
        for number in range(len(audit)):
            entry = msgspec.json.decode(audit.entry(number), type=_Entry)
            epoch = entry.detail.get("epoch")
            if isinstance(epoch, int) and epoch > mine and not entry.kind.startswith("disclosed"):
                highest = max(highest, epoch)
                found.append(entry)
    return highest, found


def _do_again(session: Session, entry: _Entry) -> None:
    """Do what only closes; note what is lacking."""
    detail, kind = entry.detail, entry.kind
    if isinstance(lacking := detail.get("hash"), str):
        _note(session, entry, lacking)
    elif kind == "community-left":
        gone = Membership.community == detail["community"], Membership.org == detail["org"]
        session.execute(delete(Membership).where(*gone))
    elif kind == "person-dropped" and (person := session.get(Person, detail["person"])) is not None:
        person.active, person.passphrase = False, None
    elif kind == "gateway-dropped" and (gateway := session.get(Gateway, detail["gateway"])) is not None:
        gateway.active = False
    elif kind == "roles-changed" and (org := session.get(Organisation, detail["org"])) is not None:
        org.roles = [role for role in org.roles if role in detail["roles"]]


def _note(session: Session, entry: _Entry, lacking: str) -> None:
    """Remember that something is lacking, and of whom: the owner of the agreement, or who stated it."""
    if session.get(Document, lacking) or session.get(Statement, lacking) or session.get(Absent, lacking):
        return
    name = str(entry.detail.get("id", ""))
    owner = session.scalar(select(Document.owner).where(Document.name == name).limit(1)) or entry.org
    session.add(Absent(hash=lacking, owner=owner, kind=entry.kind, name=name))
    session.flush()


def _take(office: Office, body: bytes) -> str:
    """Register an envelope, or put it in the place of a row that no longer verifies."""
    name = digest(unb64(envelope_from(body).payload, "payload"))
    with office.database.write() as session:
        row = session.get(Document, name) or session.get(Statement, name)
        if row is not None:
            row.envelope = body
            epochs.rise(session, office.clock.now())
            return f"{name} is here and was put in place again"
    if _is_statement(body):
        office.documents.state(body)
    else:
        office.documents.register(body)
    return f"{name} is registered again"


def _is_statement(body: bytes) -> bool:
    """A statement names what it says (`kind`); documents have a member of their own instead."""
    plain = msgspec.json.decode(unb64(envelope_from(body).payload, "payload"))
    return isinstance(plain, dict) and "kind" in plain
