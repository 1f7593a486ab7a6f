"""Statements: small signed sentences. Revoke, suspend or resume an agreement, accept its duties, change a key.

Rules held here: same envelope as documents, `typ: dsa-statement+json`; a statement names the agreement version by the
digest of its payload; a new key is introduced by the old one. What a statement changes is decided in `chain.py`.
Times are microseconds UTC.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from commonwatch.agreements.decode import canonical, digest, from_json
from commonwatch.agreements.document import Digest, Line, Model, Slug, Thumbprint, Version
from commonwatch.agreements.signing import Envelope, SigningKey, sign_message, unb64, verify_message
from commonwatch.errors import SignatureError

TYPE = "dsa-statement+json"
Kind = Literal["revoke", "suspend", "resume", "accept-duties", "key-change"]
Micros = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]


class Statement(Model, frozen=True):
    """What `by` says about agreement `id`. For key-change `id` is the organisation and `key` its new key."""

    kind: Kind
    id: Slug
    by: Slug
    at: Micros
    version: Version | None = None
    hash: Digest | None = None
    key: Thumbprint | None = None
    reason: Line | None = None


class SignedStatement(msgspec.Struct, frozen=True):
    """A statement whose signature was verified, the thumbprint of its key, and the digest of its payload."""

    statement: Statement
    kid: str
    digest: str


def sign_statement(statement: Statement, key: SigningKey) -> Envelope:
    """A signed statement."""
    if what := _fault(statement):
        raise SignatureError(what, where=statement.kind)
    return sign_message(TYPE, canonical(statement), key)


def verify_statement(envelope: Envelope, key: str | bytes | None = None) -> SignedStatement:
    """The statement inside, signed by `key` (thumbprint or public key; None: whoever, see `chain.py` for who may)."""
    message = verify_message(TYPE, envelope, key)
    try:
        statement = msgspec.convert(from_json(message.payload.decode()), type=Statement)
    except (UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SignatureError(f"not a statement: {error}", where="payload") from None
    if canonical(statement) != message.payload:
        raise SignatureError("the payload is not in canonical form (RFC 8785)", where="payload")
    if what := _fault(statement):
        raise SignatureError(what, where=statement.kind)
    return SignedStatement(statement, message.kid, digest(unb64(envelope.payload)))


def _fault(statement: Statement) -> str:
    """What a statement of this kind lacks or has too much."""
    if statement.kind == "key-change":
        good = statement.key and not statement.version and not statement.hash and statement.id == statement.by
        return "" if good else "a change of key names the organisation (twice) and the new key, nothing else"
    return (
        ""
        if statement.version and statement.hash and not statement.key
        else "a statement about an agreement names its version and hash"
    )
