"""What takes something back: a statement that revokes or suspends, a version that shows less than the one before it.

Rules held here: a case is open until it has a certificate; a version is one from the moment it is in force, and only
when somebody is shown less by it than by the version it replaced; what took effect longer ago than a day is history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from commonwatch.agreements.document import Agreement
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.impact.changes import impact
from commonwatch.agreements.impact.placing import with_document
from commonwatch.agreements.impact.world import World
from commonwatch.agreements.signing import envelope_from, read_payload
from commonwatch.hub.core import Core
from commonwatch.hub.meta.models import Document, Statement, Withdrawal
from commonwatch.hub.registry.resolve import DAY, Resolved, Standing, midnight, verified_statement

KINDS = ("revoke", "suspend")


class Case(NamedTuple):
    """What was signed (its hash), by whom, when, since when it holds (microseconds), and the document it takes from."""

    kind: str
    signed: str
    by: str
    at: int
    since: int
    hash: str
    document: Agreement


class Cases:
    """Finds the open ones."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._seen: Resolved | None = None
        self._looking: Resolved | None = None

    def open(self) -> list[Case]:
        """Everything that takes something back and has no certificate yet, statements first."""
        resolved = self._looking = self._core.policy.resolved()
        with self._core.database.read() as session:
            found = list(_stated(session))
            if resolved is not self._seen:
                found += self._amended(session, resolved)
        return found

    def closed(self) -> None:
        """What `open` found has its certificates: versions are looked at again when the policy changed since."""
        self._seen = self._looking

    def _amended(self, session: Session, resolved: Resolved) -> Iterator[Case]:
        now = self._core.clock.now()
        newer = {s.hash: s for s in resolved.standings() if s.state == "active" and s.version > 1}
        done = set(session.scalars(select(Withdrawal.statement)))
        columns = select(Document.hash, Document.registered).where(Document.kind == "agreement", Document.version > 1)
        for row in session.execute(columns):
            standing = newer.get(row.hash)
            if standing is None or row.hash in done or not isinstance(standing.document, Agreement):
                continue
            since = max(row.registered, midnight(standing.document.starts))
            before = _before(session, standing) if since > now - DAY else None
            if before is not None and narrows(before, standing.document):
                yield Case(
                    "amend", row.hash, standing.owner, row.registered, since, standing.document.previous or "", before
                )


def narrows(before: Agreement, after: Agreement) -> bool:
    """Whether anybody is shown or counted less by the later version, all else being equal."""
    nothing = OwnerDocuments(after.owner, ())
    found = impact(with_document(nothing, before), with_document(nothing, after), World())
    return bool(found.no_longer or found.no_longer_counted)


def _before(session: Session, standing: Standing) -> Agreement | None:
    previous = standing.document.previous
    held = session.get(Document, previous) if previous else None
    document = read_payload(envelope_from(held.envelope)) if held is not None else None
    return document if isinstance(document, Agreement) else None


def _stated(session: Session) -> Sequence[Case]:
    """Statements that take something back and have no certificate yet."""
    query = select(Statement).where(Statement.kind.in_(KINDS), Statement.hash.not_in(select(Withdrawal.statement)))
    cases = []
    for row in session.scalars(query.order_by(Statement.registered, Statement.hash)):
        said = verified_statement(row)
        held = session.get(Document, said.signed.statement.hash) if said is not None else None
        document = read_payload(envelope_from(held.envelope)) if held is not None else None
        if said is not None and isinstance(document, Agreement):
            told = said.signed.statement
            cases.append(
                Case(told.kind, said.signed.digest, told.by, told.at, row.registered, told.hash or "", document)
            )
    return cases
