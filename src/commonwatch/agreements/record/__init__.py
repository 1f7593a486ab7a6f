"""The record of one agreement: every envelope that was signed about it, to be kept and verified without any hub.

Rules: a record proves itself: each document is verified as if it had just come, the versions must form one chain, and
the state follows from the statements inside and a moment that the verifier names. What does not hold is refused whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from commonwatch.agreements.chain import Link, chain_of, live
from commonwatch.agreements.decode import from_json
from commonwatch.agreements.document import Agreement
from commonwatch.agreements.effective import LiveAgreement
from commonwatch.agreements.signing import Envelope, Verified, verify_document
from commonwatch.agreements.statement import SignedStatement, verify_statement
from commonwatch.errors import SignatureError

MAX_BYTES = 32 << 20


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The envelopes: all versions in order, and the statements about them (changes of keys among them)."""

    record: Literal["1"]
    documents: Sequence[Envelope]
    statements: Sequence[Envelope]


class Proven(msgspec.Struct, frozen=True):
    """A record every part of which held: versions, statements, and how it stands (None for a charter)."""

    documents: tuple[Verified, ...]
    statements: tuple[SignedStatement, ...]
    standing: LiveAgreement | None


def record_from(text: str) -> Record:
    """A record from JSON; nothing in it is verified yet. Raises SignatureError or InvalidInput."""
    if len(text) > MAX_BYTES:
        raise SignatureError(f"the record has more than {MAX_BYTES} bytes")
    try:
        return msgspec.convert(from_json(text), type=Record)
    except msgspec.ValidationError as error:
        raise SignatureError(f"not a record: {error}", todo="get it with `commonwatch agreement export`") from None


def prove(text: str, now: int) -> Proven:
    """Verify a record (JSON). `now`: microseconds UTC, for the state. Raises SignatureError or InvalidInput."""
    record = record_from(text)
    documents = tuple(verify_document(envelope) for envelope in record.documents)
    statements = tuple(verify_statement(envelope) for envelope in record.statements)
    links = [(d.document, d.digest) for d in documents if isinstance(d.document, Agreement)]
    _check_chain(links, statements)
    standing = live(documents, statements, now)
    return Proven(documents, statements, standing[0] if standing else None)


def _check_chain(links: list[Link], statements: tuple[SignedStatement, ...]) -> None:
    if len({document.id for document, _ in links}) > 1:
        raise SignatureError("the record is about several agreements", where="documents")
    if len(chain_of(links, statements)) != len(links):
        raise SignatureError("the versions do not form one chain", where="documents", todo="ask for the whole record")
