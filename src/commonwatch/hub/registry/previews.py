"""Previews for the people of an owner. Implements `web.ports.Previews`.

Rules held here: a draft is previewed by people of the organisation whose document it would be (or a token of theirs
that may read), and by nobody else; the owner's log says that it was, not what was seen; objects of feeds are made by
the share room, which keeps none of them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from commonwatch.agreements.decode import canonical, digest
from commonwatch.agreements.document import CommunityCharter, Document
from commonwatch.agreements.drafted import author_of, draft_from
from commonwatch.audit.log import AuditLog, Entry
from commonwatch.errors import NotPermitted
from commonwatch.govern.preview.shapes import Drafted, OwnRows, Preview
from commonwatch.govern.service import Govern
from commonwatch.hub.registry.complete import continue_chain, plain_of
from commonwatch.hub.registry.live import Policy
from commonwatch.share.publication import Publications
from commonwatch.web.ports import AskPreview, Principal


class Previews:
    """The port."""

    def __init__(self, govern: Govern, policy: Policy, publications: Publications, audit: AuditLog) -> None:
        self._govern, self._policy, self._publications, self._audit = govern, policy, publications, audit
        self._database = policy.database

    def preview(self, principal: Principal, asked: AskPreview, cancel: threading.Event) -> Preview:
        """The preview of a draft. Raises InvalidInput with a path, NotPermitted for another's draft."""
        draft = self._draft(asked.document)
        _own(principal, author_of(draft))
        communities = {
            name: charter
            for name, held in self._policy.resolved().charters.items()
            if isinstance(charter := held.verified.document, CommunityCharter)
        }
        drafted = Drafted(draft=draft, days=asked.days, reader=asked.reader, rows=asked.rows, communities=communities)
        made = self._govern.preview(drafted, self._publications.feed, cancel=cancel)
        self._note(principal, draft, made)
        return made

    def own_rows(self, principal: Principal, days: int) -> Sequence[OwnRows]:
        """The rows of the principal's organisation by label and age."""
        _own(principal, principal.reader.org)
        return self._govern.own_rows(principal.reader.org, days)

    def _draft(self, given: dict[str, Any] | str) -> Document:
        """The document; where the version is left out it is the next one."""
        plain, orgs = plain_of(given), self._policy.view().orgs
        with self._database.read() as session:
            continue_chain(session, plain)
        return draft_from(plain, lambda org: orgs[org].name if org in orgs else None)

    def _note(self, principal: Principal, draft: Document, made: Preview) -> None:
        detail = {
            "document": draft.id, "version": draft.version, "hash": digest(canonical(draft)), "days": made.days,
            "readers": len(made.readers), "rows": made.total,
        }  # fmt: skip
        self._audit.append(Entry(kind="preview", actor=principal.id, org=principal.reader.org, detail=detail))


def _own(principal: Principal, owner: str) -> None:
    may_read = principal.kind == "person" or (principal.kind == "token" and "read" in principal.scopes)
    if not may_read or principal.reader.org != owner:
        raise NotPermitted("only people of the organisation whose events these are may look", todo="ask one of them")
