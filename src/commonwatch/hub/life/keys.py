"""Signing keys of organisations: the hub knows public halves; the private ones are made and stay with the members.

Rules: a first key is registered by an administrator in person; every further one is introduced by a statement of the
key in force, which ends with it. A key that this hub holds is a convenience that an organisation asks for, labelled as
such wherever it signs; when the organisation registers a key of its own, the held key signs that change and is
destroyed. Every registration and change is told to all who sign documents with the organisation, and is audited.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select

from commonwatch.agreements.signing import SigningKey, b64, envelope_bytes, envelope_from, thumbprint, unb64
from commonwatch.agreements.statement import Statement, sign_statement, verify_statement
from commonwatch.errors import Conflict, InvalidInput, NotFound, SignatureError
from commonwatch.hub.members import Members
from commonwatch.hub.meta.models import OrgKey
from commonwatch.hub.registry.documents import Documents
from commonwatch.hub.registry.rights import must_be_there, must_bind
from commonwatch.web.ports import KeyInfo, Principal


class SigningKeys:
    """The port."""

    def __init__(self, documents: Documents, members: Members) -> None:
        self.documents, self.members = documents, members

    def of(self, principal: Principal) -> Sequence[KeyInfo]:
        """The organisation's keys, the newest first; those that ended among them."""
        with self.documents.database.read() as session:
            query = select(OrgKey).where(OrgKey.org == principal.reader.org)
            return [_info(row) for row in session.scalars(query.order_by(OrgKey.added.desc(), OrgKey.thumbprint))]

    def register(self, principal: Principal, public: str, statement: bytes | None = None) -> KeyInfo:
        """Register a key made elsewhere. Raises InvalidInput, SignatureError, Conflict, NotPermitted."""
        (must_bind if statement is not None else must_be_there)(principal)
        key, org = public_key(public), principal.reader.org
        name = thumbprint(key)
        if statement is not None:
            self._change(principal, name, statement)
        elif self._in_force(org):
            self._take_over(principal, key)
        else:
            self.members.add_key(org, Ed25519PublicKey.from_public_bytes(key), by=principal.id)
        return self._one(principal, name)

    def hold(self, principal: Principal) -> KeyInfo:
        """Let this hub make and hold the organisation's first key: a convenience, said wherever it signs."""
        must_be_there(principal)
        org = principal.reader.org
        if self._in_force(org):
            raise Conflict("your organisation has a key", where="key", todo="sign with that, or change it")
        return self._one(principal, self.members.hold_key(org, by=principal.id))

    def _in_force(self, org: str) -> list[str]:
        with self.documents.database.read() as session:
            query = select(OrgKey.thumbprint).where(OrgKey.org == org, OrgKey.ended.is_(None))
            return list(session.scalars(query))

    def _change(self, principal: Principal, name: str, statement: bytes) -> None:
        said = verify_statement(envelope_from(statement)).statement
        if (said.kind, said.by, said.key) != ("key-change", principal.reader.org, name):
            todo = "state a key-change of your organisation to the key you send"
            raise InvalidInput("the statement is about something else", where="statement", todo=todo)
        self.documents.state(statement, by=principal.id)

    def _take_over(self, principal: Principal, public: bytes) -> None:
        """From the key this hub holds to one of the organisation's own: the held one signs the change and is gone."""
        org = principal.reader.org
        seed = self.documents.keys.get("signing", org)
        held = SigningKey.from_seed(seed) if seed is not None else None
        if held is None or held.thumbprint not in self._in_force(org):
            todo = "send a key-change signed with the key in force as `statement`"
            raise Conflict("your organisation has a key, which introduces the next one", where="statement", todo=todo)
        now = self.documents.clock.now()
        change = Statement(kind="key-change", id=org, by=org, at=now, key=thumbprint(public))
        envelope = sign_statement(change, held)
        carried = msgspec.structs.replace(envelope, keys=(*envelope.keys, b64(public)))
        self.documents.state(envelope_bytes(carried), by=principal.id, held=True)
        self.documents.keys.destroy(org, ("signing",))

    def _one(self, principal: Principal, name: str) -> KeyInfo:
        found = [info for info in self.of(principal) if info.thumbprint == name]
        if not found:
            raise NotFound("no such key", todo="look at the list of keys")
        return found[0]


def public_key(text: str) -> bytes:
    """The 32 bytes of a public Ed25519 key in base64url. Raises InvalidInput."""
    try:
        key = unb64(text, "public")
        Ed25519PublicKey.from_public_bytes(key)
    except (SignatureError, ValueError):
        todo = "send the `x` of the key's JWK: 32 bytes in base64url"
        raise InvalidInput("this is not a public Ed25519 key", where="public", todo=todo) from None
    return key


def _info(row: OrgKey) -> KeyInfo:
    public = b64(bytes.fromhex(row.public))
    return KeyInfo(
        org=row.org, thumbprint=row.thumbprint, public=public, held=row.held, added=row.added, ended=row.ended
    )
