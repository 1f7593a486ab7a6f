"""Drafts: documents being written, complete or not. Nothing is read under a draft and nobody is bound by it.

Rules: a draft is its organisation's own until it is shared; then the organisations it names as signers read and edit it
too. Saving names the edition that was edited, so that two editors never overwrite each other; only the organisation it
belongs to shares and drops it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from commonwatch.errors import Conflict, InvalidInput, NotFound, NotPermitted, Stale
from commonwatch.hub.members import slug
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import Draft, DraftReader, Organisation
from commonwatch.hub.registry.complete import plain_of, signers_in
from commonwatch.web.ports import DraftInfo, Principal


class Drafts:
    """The port. Every method that changes is one transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock

    def of(self, principal: Principal) -> Sequence[DraftInfo]:
        """The organisation's own and those shared with it, the latest change first."""
        mine = principal.reader.org
        shared = select(DraftReader).where(
            DraftReader.org == Draft.org, DraftReader.draft == Draft.id, DraftReader.reader == mine
        )
        with self.database.read() as session:
            query = select(Draft).where(or_(Draft.org == mine, shared.exists()))
            return [_info(row) for row in session.scalars(query.order_by(Draft.changed.desc(), Draft.org, Draft.id))]

    def one(self, principal: Principal, draft: str, of: str | None = None) -> DraftInfo:
        """One draft, of the organisation `of` or one's own. Raises NotFound."""
        with self.database.read() as session:
            return _info(_need(session, principal, draft, of))

    def save(
        self, principal: Principal, draft: str, document: Any, *, shared: bool = False, edition: int | None = None,
        of: str | None = None,
    ) -> DraftInfo:  # fmt: skip
        """Make it (no edition), or put this in place of the edition that was edited. Raises Stale, Conflict."""
        plain, now = plain_of(document), self.clock.now()
        with self.database.write() as session:
            if edition is None:
                row = self._make(session, principal, draft, of)
            else:
                row = _need(session, principal, draft, of, lock=True)
                _check_edition(row, edition)
            if row.org == principal.reader.org:
                row.shared = shared
            row.document, row.by, row.changed, row.edition = plain, principal.id, now, row.edition + 1
            session.flush()
            _share(session, row)
            return _info(row)

    def drop(self, principal: Principal, draft: str, edition: int | None = None) -> None:
        """Remove one of one's own. Raises NotFound, Stale."""
        with self.database.write() as session:
            row = _need(session, principal, draft, None, lock=True)
            if edition is not None:
                _check_edition(row, edition)
            _forget_readers(session, row)
            session.delete(row)

    def _make(self, session: Session, principal: Principal, draft: str, of: str | None) -> Draft:
        mine, now = principal.reader.org, self.clock.now()
        if of not in {None, mine}:
            raise NotPermitted("a draft is made in one's own organisation", where="of", todo="leave `of` out")
        if session.get(Draft, (mine, slug(draft, "draft"))) is not None:
            todo = "send the edition you edited as If-Match, or choose another name"
            raise Conflict("there is a draft of this name", where="draft", todo=todo)
        made = Draft(
            org=mine, id=draft, document={}, shared=False, edition=0, by=principal.id, created=now, changed=now
        )
        session.add(made)
        return made


def _need(session: Session, principal: Principal, draft: str, of: str | None, *, lock: bool = False) -> Draft:
    """The draft, if it is one's own or shared with one. Raises NotFound."""
    mine, org = principal.reader.org, of or principal.reader.org
    row = session.get(Draft, (org, draft), with_for_update=lock or None)
    if row is None or (org != mine and session.get(DraftReader, (org, draft, mine)) is None):
        raise NotFound("no such draft", todo="look at your list of drafts")
    return row


def _check_edition(row: Draft, edition: int) -> None:
    if row.edition != edition:
        todo = "read it again, and put your change into what is there now"
        raise Stale("the draft was changed meanwhile", where="If-Match", todo=todo)


def _share(session: Session, row: Draft) -> None:
    """Set who else reads it: the signers it names that are known here, when it is shared."""
    _forget_readers(session, row)
    if not row.shared:
        return
    named = {signer["id"] for signer in signers_in(row.document)} - {row.org}
    if len(named) > 1000:
        raise InvalidInput("too many parties", where="parties", todo="name at most 1000")
    known = session.scalars(select(Organisation.id).where(Organisation.id.in_(named)))
    session.add_all(DraftReader(org=row.org, draft=row.id, reader=org) for org in known)


def _forget_readers(session: Session, row: Draft) -> None:
    session.execute(delete(DraftReader).where(DraftReader.org == row.org, DraftReader.draft == row.id))


def _info(row: Draft) -> DraftInfo:
    return DraftInfo(
        id=row.id, org=row.org, document=row.document, shared=row.shared, edition=row.edition, by=row.by,
        created=row.created, changed=row.changed,
    )  # fmt: skip
