"""A stored version of an agreement as it is printed: its words, who signed it when, and its chain of versions.

Rules: an organisation prints what it signed, and the charters of its communities, in any version; a version is opened
and its signatures are verified anew by the keys its parties had here; the time of a signature is when this hub took it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from commonwatch.agreements.document import CommunityCharter
from commonwatch.agreements.document import Document as AnyDocument
from commonwatch.agreements.signing import envelope_from, read_payload, signed_by, signers
from commonwatch.errors import NotFound
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import Document, OfferParty, OrgKey
from commonwatch.hub.registry.signed import roles_of
from commonwatch.web.ports import Principal
from commonwatch.web.print.sheet import Chain, Mark, Sheet, sheet_of


def print_version(database: Database, principal: Principal, name: str, version: int | None) -> Sheet:
    """The sheet of one version (None: the newest). Raises NotFound for what is absent or not the principal's."""
    with database.read() as session:
        rows = list(session.scalars(select(Document).where(Document.name == name).order_by(Document.version)))
        mine = [
            (row, document) for row in rows if _sees(document := read_payload(envelope_from(row.envelope)), principal)
        ]
        found = next(((row, document) for row, document in reversed(mine) if version in {None, row.version}), None)
        if found is None:
            raise NotFound("no such agreement, or no such version", todo="look at the list of your agreements")
        chain = [Chain(row.version, row.hash, row.registered) for row, _ in mine]
        return sheet_of(found[1], list(_marks(session, *found)), chain)


def _sees(document: AnyDocument, principal: Principal) -> bool:
    if isinstance(document, CommunityCharter) and document.community in principal.reader.communities:
        return True
    return principal.reader.org in roles_of(document)


def _marks(session: Session, row: Document, document: AnyDocument) -> Iterable[Mark]:
    """The signatures that verify, with the time they were taken; those that came in together, when they came in."""
    orgs = [signer.id for signer in signers(document)]
    keys = session.scalars(select(OrgKey.public).where(OrgKey.org.in_(orgs)))
    signed = signed_by(envelope_from(row.envelope), [bytes.fromhex(key) for key in keys])
    taken = {p.org: p.at for p in session.scalars(select(OfferParty).where(OfferParty.hash == row.hash))}
    for signer in signers(document):
        if signer.id in signed:
            yield Mark(signer.id, signer.key, taken.get(signer.id) or row.registered)
