"""Certificates of withdrawal as their owner reads them. Implements `web.ports.Withdrawals`.

Rules held here: the owner of the agreement reads them, nobody else; absent and not readable are never told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from commonwatch.agreements.signing import SigningKey, b64, envelope_from
from commonwatch.agreements.terms.certificate import Certificate
from commonwatch.errors import NotFound
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.keys import KeyFile
from commonwatch.hub.meta.models import Document, Withdrawal
from commonwatch.web.ports import Principal


class Certificates:
    """The port."""

    def __init__(self, database: Database, keys: KeyFile) -> None:
        self._database, self._keys = database, keys

    def of(self, principal: Principal, agreement: str) -> Sequence[dict[str, Any]]:
        """Certificates about an agreement of the principal's organisation, newest first. Raises NotFound."""
        return self.about(agreement, principal.reader.org)

    def about(self, agreement: str, owner: str | None = None) -> list[dict[str, Any]]:
        """The same for one owner, or (None) for whoever runs the hub, by its command."""
        with self._database.read() as session:
            mine = select(Document.owner).where(Document.kind == "agreement", Document.name == agreement).limit(1)
            found = session.scalar(mine)
            if found is None or (owner is not None and found != owner):
                raise NotFound("no such agreement", todo="look at the list of your agreements")
            query = select(Withdrawal).where(Withdrawal.agreement == agreement).order_by(Withdrawal.issued.desc())
            rows = list(session.scalars(query))
        return [self._shown(row) for row in rows]

    def _shown(self, row: Withdrawal) -> dict[str, Any]:
        key = SigningKey.from_seed(self._keys.need("hub", "hub"))
        return {
            "document": msgspec.to_builtins(msgspec.json.decode(row.body, type=Certificate)),
            "envelope": msgspec.to_builtins(envelope_from(row.signed)),
            "hub_key": {"thumbprint": key.thumbprint, "public": b64(key.public)},
        }
