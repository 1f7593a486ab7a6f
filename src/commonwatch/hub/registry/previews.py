"""Previews for the people of an owner. Implements `web.ports.Previews`.

Rules held here: a draft is previewed by a person of the organisation whose document it would be, and nobody else; the
owner's log says that it was, not what was seen; objects of feeds come from the share room, which keeps none of them.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from commonwatch.agreements.check import check
from commonwatch.agreements.decode import canonical, convert, digest, from_json, from_yaml
from commonwatch.agreements.document import CommunityCharter, Document
from commonwatch.agreements.drafted import owner_of
from commonwatch.agreements.reader import Reader
from commonwatch.audit.log import AuditLog, Entry
from commonwatch.errors import InvalidInput, NotPermitted
from commonwatch.govern.observe import Observable
from commonwatch.govern.preview.shapes import Drafted, Feed, OwnRows, Preview
from commonwatch.govern.service import Govern
from commonwatch.hub.registry.live import Policy
from commonwatch.share.publication import Publications
from commonwatch.web.ports import AskPreview, Principal

MOST_OBJECTS = 50
#: Stands for the hash of the version before where a draft does not name it yet; like keys it decides nothing.
NO_HASH = "0" * 64


class Previews:
    """The port."""

    def __init__(self, govern: Govern, policy: Policy, publications: Publications, audit: AuditLog) -> None:
        self._govern, self._policy, self._publications, self._audit = govern, policy, publications, audit

    def preview(self, principal: Principal, asked: AskPreview, cancel: threading.Event) -> Preview:
        """The preview of a draft. Raises InvalidInput with a path, NotPermitted for another's draft."""
        draft = self._draft(asked.document)
        _own(principal, owner_of(draft))
        communities = {
            name: charter
            for name, held in self._policy.resolved().charters.items()
            if isinstance(charter := held.verified.document, CommunityCharter)
        }
        drafted = Drafted(draft=draft, days=asked.days, reader=asked.reader, rows=asked.rows, communities=communities)
        made = self._govern.preview(drafted, self._feed, cancel=cancel)
        self._note(principal, draft, made)
        return made

    def own_rows(self, principal: Principal, days: int) -> Sequence[OwnRows]:
        """The rows of the principal's organisation by label and age."""
        _own(principal, principal.reader.org)
        return self._govern.own_rows(principal.reader.org, days)

    def _draft(self, given: dict[str, Any] | str) -> Document:
        """The document; what signing adds to it (names, keys, the hash before) is filled in where it is missing."""
        if isinstance(given, str):
            given = from_json(given) if given.lstrip().startswith("{") else from_yaml(given)
        if not isinstance(given, dict):
            raise InvalidInput("a document is an object", where="document", todo='begin with `dsa: "1"`')
        given = (
            {**given, "previous": given.get("previous") or NO_HASH} if given.get("version") not in (None, 1) else given
        )
        parties = given.get("parties")
        for signer in (*(parties if isinstance(parties, list) else ()), given.get("owner"), given.get("steward")):
            if isinstance(signer, dict):
                self._complete(signer)
        draft = convert(given)
        check(draft)
        return draft

    def _complete(self, signer: dict[str, Any]) -> None:
        """Name and key of a signer, where they are missing."""
        org = str(signer.get("id"))
        known = self._policy.view().orgs.get(org)
        signer.setdefault("name", known.name if known else "Unknown here")
        signer.setdefault("key", hashlib.sha256(org.encode()).hexdigest()[:43])

    def _feed(self, reader: Reader, now: Sequence[Observable], would: Sequence[Observable]) -> Feed:
        """What would be published to the reader that is not now, by the rules of publishing."""
        before, after = self._publications.imagine(reader, now), self._publications.imagine(reader, would)
        newly = sorted(set(after) - set(before))
        objects = {version.id: version.body for pattern in newly[:MOST_OBJECTS] for version in after[pattern]}
        return Feed(
            newly=len(newly), no_longer=len(set(before) - set(after)),
            objects=tuple(msgspec.json.decode(body) for body in objects.values()),
        )  # fmt: skip

    def _note(self, principal: Principal, draft: Document, made: Preview) -> None:
        detail = {
            "document": draft.id, "version": draft.version, "hash": digest(canonical(draft)), "days": made.days,
            "readers": len(made.readers), "rows": made.total,
        }  # fmt: skip
        self._audit.append(Entry(kind="preview", actor=principal.id, org=principal.reader.org, detail=detail))


def _own(principal: Principal, owner: str) -> None:
    if principal.kind != "person" or principal.reader.org != owner:
        raise NotPermitted("only people of the organisation whose events these are may look", todo="ask one of them")
