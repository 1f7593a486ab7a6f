"""Envelopes as this hub stores them: opened with the keys it knows, or made with the keys it holds.

Rules: a document's signers must be organisations known here, each with the very key it registered; a statement's key
must be one of the organisation that states it. Everything cryptographic is in `agreements.signing`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from commonwatch.agreements.document import Agreement, Charter, CommunityCharter
from commonwatch.agreements.document import Document as AnyDocument
from commonwatch.agreements.signing import (
    Envelope,
    SigningKey,
    b64,
    envelope_bytes,
    envelope_from,
    propose,
    sign_document,
    signers,
    thumbprint,
    unb64,
    verify_document,
)
from commonwatch.agreements.statement import Kind, SignedStatement, Statement, sign_statement, verify_statement
from commonwatch.errors import InvalidInput, NotPermitted, SignatureError

#: thumbprint -> (organisation, the 32 bytes of its public key)
Keys = Mapping[str, tuple[str, bytes]]
KINDS: dict[type[AnyDocument], str] = {
    Agreement: "agreement", Charter: "charter", CommunityCharter: "community-charter",
}  # fmt: skip
#: Who may state what about an agreement, by the role in it; accepting duties is for readers who are no parties.
MAY = {
    "revoke": ("owner", "operator", "member"),
    "suspend": ("owner", "operator"),
    "resume": ("owner",),
}


class Opened(msgspec.Struct, frozen=True):
    """A document with what the register asks of it. `signers`: organisation -> role."""

    document: AnyDocument
    digest: str
    kind: str
    name: str
    version: int
    previous: str | None
    owner: str
    community: str | None
    signers: dict[str, str]


def open_document(envelope: bytes, keys: Keys) -> Opened:
    """A document, fully signed by known organisations with their own keys. Raises SignatureError or InvalidInput."""
    verified = verify_document(envelope_from(envelope), [public for _, public in keys.values()])
    check_keys(verified.document, keys)
    return described(verified.document, verified.digest)


def check_keys(document: AnyDocument, keys: Keys) -> None:
    """Refuse a document whose signers are not known here by the very keys it names. Raises SignatureError."""
    for signer in signers(document):
        if keys.get(signer.key, ("",))[0] != signer.id:
            todo = "use the key the organisation registered here, or register this one first"
            raise SignatureError(f"{signer.id} is not known here by this key", where="parties", todo=todo)


def described(document: AnyDocument, digest: str) -> Opened:
    """What the register asks of a document."""
    return Opened(
        document, digest, KINDS[type(document)], document.id, document.version, document.previous,
        owner_of(document), None if isinstance(document, Charter) else document.community, roles_of(document),
    )  # fmt: skip


def owner_of(document: AnyDocument) -> str:
    """The owner; of a community's charter, its steward."""
    if isinstance(document, Agreement):
        return document.owner
    return (document.owner if isinstance(document, Charter) else document.steward).id


def roles_of(document: AnyDocument) -> dict[str, str]:
    """Who signs, and as what."""
    if isinstance(document, Agreement):
        return {party.id: party.role for party in document.parties}
    return {owner_of(document): "owner" if isinstance(document, Charter) else "steward"}


def open_statement(envelope: Envelope, keys: Keys) -> SignedStatement:
    """A statement signed with a key of the organisation it is by. Raises SignatureError or InvalidInput."""
    signed = verify_statement(with_keys(envelope, keys))
    if keys.get(signed.kid, ("",))[0] != signed.statement.by:
        todo = "sign with the key the organisation registered here"
        raise SignatureError("the statement is not signed by whoever it is by", where="by", todo=todo)
    return signed


def with_keys(envelope: Envelope, keys: Keys) -> Envelope:
    """The same envelope with every key at hand beside it."""
    carried = tuple(dict.fromkeys((*envelope.keys, *(b64(public) for _, public in keys.values()))))
    return Envelope(envelope.payload, envelope.signatures, carried)


def introduced(envelope: Envelope, statement: Statement) -> bytes:
    """The new public key of a key change, which travels beside the signature. Raises SignatureError."""
    for text in envelope.keys:
        key = unb64(text, "keys")
        if thumbprint(key) == statement.key:
            return key
    raise SignatureError("the new key is not there", where="keys", todo="send its public half in `keys`")


def check_right(statement: Statement, roles: Mapping[str, str]) -> None:
    """Whether an organisation with this role may state this. Raises NotPermitted."""
    if statement.kind == "accept-duties":
        return
    if roles.get(statement.by) not in MAY[statement.kind]:
        who = " or ".join(MAY[statement.kind])
        raise NotPermitted(
            f"only the {who} of an agreement may {statement.kind} it", where="by", todo="ask one of them"
        )


def sign_all(document: AnyDocument, seeds: Mapping[str, bytes]) -> bytes:
    """A document signed for each of its parties with these held keys."""
    envelope = propose(document)
    for signer in signers(document):
        envelope = sign_document(envelope, SigningKey.from_seed(seeds[signer.id]))
    return envelope_bytes(envelope)


def make_statement(  # noqa: PLR0917
    kind: Kind, row: tuple[str, int, str], at: int, reason: str, by: str, seed: bytes
) -> Envelope:
    """A statement about (name, version, hash), signed with a held key. Raises InvalidInput for a reason with marks."""
    name, version, digest = row
    plain = {"kind": kind, "id": name, "by": by, "at": at, "version": version, "hash": digest}
    try:
        made = msgspec.convert(plain | ({"reason": reason} if reason else {}), type=Statement)
    except msgspec.ValidationError as error:
        todo = "write one line of at most 200 characters without quotes and brackets"
        raise InvalidInput("the reason cannot be signed as it is", where="reason", todo=todo) from error
    return sign_statement(made, SigningKey.from_seed(seed))
