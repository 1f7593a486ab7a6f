"""The certificate of a withdrawal: what the hub took back when an agreement was revoked, suspended or narrowed.

Rules held here: it names readers by organisation and indicators by id, never a value; it says what cannot be taken back
and which duties bind whoever has it; it is complete when every gateway concerned has told that it obeys, and is signed
anew (a higher number) whenever that changed. The signature is the same form as a statement's (`typ` below), by the key
that gateways pin when they enrol, so that it can be verified anywhere, offline.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from commonwatch.agreements.decode import canonical, from_json
from commonwatch.agreements.document import Duties
from commonwatch.agreements.signing import Envelope, SigningKey, sign_message, verify_message
from commonwatch.errors import SignatureError

TYPE = "dsa-withdrawal+json"
VERBS = {"revoke": "revoked", "suspend": "suspended", "amend": "narrowed"}
#: What no hub can take back, in words.
REMAINS = (
    "Rows, counts and exports that readers were given before this moment are with them and cannot be taken back.",
    "Private releases that were published stay; they were agreed to as such.",
    "The audit log keeps that answers were given, never what was in them.",
)


class Withdrawn(msgspec.Struct, frozen=True):
    """An indicator that is no longer published. `served`: the reader was handed it, so it got a revoked version."""

    id: str
    served: bool


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """What one reader organisation lost. `taxii` and `pushed` count objects; the rest are things made for it."""

    org: str
    indicators: list[Withdrawn] = []
    taxii: int = 0
    pushed: int = 0
    releases: int = 0
    snapshots: int = 0
    tables: int = 0
    streams: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that has to obey: the owner's by not sending, a reader's by forgetting indicators.

    `acknowledged` (microseconds) is when it told that it does; None while that is outstanding.
    """

    gateway: str
    org: str
    side: str
    acknowledged: int | None = None


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """Where the audit log holds the statement: entry and inclusion path (hex) in the log of `size` entries."""

    entry: int
    size: int
    leaf: str
    path: list[str]


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What was withdrawn. Times are microseconds since 1970 UTC; `statement` is the hash of what was signed.

    `kind` is revoke, suspend or amend: then `statement` is the newer version, in force, and `document` the one before.
    """

    hub: str
    number: int
    agreement: str
    version: int
    document: str
    kind: str
    statement: str
    by: str
    stated: int
    epoch: int
    issued: int
    complete: bool
    readers: list[Reader]
    gateways: list[Told]
    duties: Duties
    audit: Leaf | None = None
    remains: tuple[str, ...] = REMAINS


def sign(certificate: Certificate, key: SigningKey) -> Envelope:
    """The signed certificate."""
    return sign_message(TYPE, canonical(certificate), key)


def verify(envelope: Envelope, key: str | bytes | None = None) -> Certificate:
    """The certificate inside, signed by the hub's `key` (thumbprint or public key; None: whoever). SignatureError."""
    payload = verify_message(TYPE, envelope, key).payload
    try:
        found = msgspec.convert(from_json(payload.decode()), type=Certificate)
    except (UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SignatureError(f"not a certificate: {error}", where="payload") from None
    if canonical(found) != payload:
        raise SignatureError("the payload is not in canonical form (RFC 8785)", where="payload")
    return found


def told(certificate: Certificate, kid: str) -> list[str]:
    """The certificate in lines for people."""
    c = certificate
    verb = VERBS.get(c.kind, c.kind)
    lines = [
        f"{c.agreement}@{c.version} {verb} by {c.by} at {_moment(c.stated)}; policy epoch {c.epoch} of hub {c.hub}",
        f"certificate {c.number} of {_moment(c.issued)}, signed by {kid}; {_state(c)}",
        f"statement {c.statement}" + (f", entry {c.audit.entry} of the audit log" if c.audit else ""),
    ]
    lines += [
        f"from {r.org}: {len(r.indicators)} indicators ({r.taxii} objects by TAXII, {r.pushed} pushed), "
        f"{r.releases} releases, {r.snapshots} snapshots, {r.tables} decision tables, {r.streams} streams ended"
        for r in c.readers
    ]
    for g in c.gateways:
        when = f"obeys since {_moment(g.acknowledged)}" if g.acknowledged else "has not told yet that it obeys"
        lines.append(f"gateway {g.gateway} of {g.org}: {when}")
    days = c.duties.delete_after_days
    lines += [*c.remains, f"Readers are bound to delete what they have {f'after {days} days' if days else 'now'}."]
    return lines


def _state(certificate: Certificate) -> str:
    return "complete" if certificate.complete else "outstanding"


def _moment(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros / 1_000_000, dt.UTC).isoformat(timespec="seconds")
