"""Signed documents for tests: fixed keys, a valid agreement, and how to forge parts of an envelope."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import msgspec

from commonwatch.agreements.decode import convert
from commonwatch.agreements.document import Agreement, Charter
from commonwatch.agreements.signing import Envelope, Signature, SigningKey, b64, propose, sign_document, unb64

DAY = 86_400_000_000


def key(name: str) -> SigningKey:
    """The same key for the same name."""
    return SigningKey.from_seed(hashlib.sha256(name.encode()).digest())


OWNER, OPERATOR, HUB, STRANGER = key("owner"), key("operator"), key("hub"), key("stranger")


def instant(day: str) -> int:
    """Noon UTC of a day, microseconds."""
    noon = dt.datetime.fromisoformat(f"{day}T12:00:00+00:00")
    return int(noon.timestamp()) * 1_000_000


NOW = instant("2027-01-15")


def agreement(**changes) -> Agreement:
    """A valid agreement of alpha-dental with its operator delta-mss; `changes` replace members."""
    return convert(
        {
            "dsa": "1", "id": "alpha-shield", "version": 1, "title": "Outbreak warning", "starts": "2026-12-01",
            "ends": "2027-11-30",
            "parties": [
                {"id": "alpha-dental", "name": "Alpha Dental Ltd", "role": "owner", "key": OWNER.thumbprint},
                {"id": "delta-mss", "name": "Delta", "role": "operator", "key": OPERATOR.thumbprint},
            ],
            "clauses": [
                {"kind": "share", "id": "operate", "to": {"organisations": ["delta-mss"]}, "purposes": ["operate"],
                 "rows": {"events": ["malware"], "tlp": "amber"}, "fields": {"time": "exact", "user": "pseudonym"}},
            ],
        } | changes
    )  # fmt: skip


def charter(**changes) -> Charter:
    """A valid charter of alpha-dental."""
    return convert(
        {
            "charter": "1", "id": "alpha-charter", "version": 1, "title": "Standing limits",
            "owner": {"id": "alpha-dental", "name": "Alpha Dental Ltd", "key": OWNER.thumbprint},
            "clauses": [{"kind": "limit", "id": "people", "fields": {"user": "withheld"}}],
        } | changes
    )  # fmt: skip


def signed(document, *keys: SigningKey) -> Envelope:
    """The document signed by these keys, in this order."""
    envelope = propose(document)
    for one in keys or (OWNER, OPERATOR):
        envelope = sign_document(envelope, one)
    return envelope


def header_of(signature: Signature) -> dict[str, object]:
    """A protected header as plain data."""
    return json.loads(unb64(signature.protected))


def resign(envelope: Envelope, number: int, by: SigningKey, payload: str | None = None, **changes: object) -> Envelope:
    """Signature `number` made again by `by` with a changed protected header (None removes a member)."""
    header = {k: v for k, v in (header_of(envelope.signatures[number]) | changes).items() if v is not None}
    protected = b64(json.dumps(header).encode())
    made = Signature(protected, b64(by.sign(f"{protected}.{payload or envelope.payload}".encode())))
    signatures = [made if i == number else s for i, s in enumerate(envelope.signatures)]
    return msgspec.structs.replace(envelope, signatures=tuple(signatures))
