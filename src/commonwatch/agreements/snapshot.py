"""Snapshots: what a hub tells a gateway about its owner's documents, so that nothing old, missing or foreign is used.

Rules held here (`agreements.md` 11, after TUF's snapshot and timestamp roles): the hub signs number, times, the
previous snapshot's digest and id, version and hash of every document and statement; a lower number (rollback), a past
expiry (freeze) and any hash that does not match (mix and match) are refused. The gateway also verifies the *owner's*
own signature on every document: a hub can withhold, but never make a gateway send more than its owner signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from commonwatch.agreements.chain import keys_of, live
from commonwatch.agreements.decode import canonical, digest, from_json
from commonwatch.agreements.document import Agreement, Charter, CommunityCharter, Digest, Model, Party, Slug, Version
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.signing import (
    Envelope,
    SigningKey,
    Verified,
    sign_message,
    thumbprint,
    unb64,
    verify_document,
    verify_message,
)
from commonwatch.agreements.statement import Micros, SignedStatement, verify_statement
from commonwatch.errors import SignatureError

TYPE = "dsa-snapshot+json"
#: Microseconds a snapshot is valid after it was issued.
VALID = 15 * 60 * 1_000_000
MAX_BYTES = 32 << 20
_KINDS: dict[type[Agreement] | type[Charter] | type[CommunityCharter], Literal["agreement", "charter", "community"]] = {
    Agreement: "agreement", Charter: "charter", CommunityCharter: "community",
}  # fmt: skip


class Entry(Model, frozen=True):
    """One document of a snapshot."""

    kind: Literal["agreement", "charter", "community"]
    id: Slug
    version: Version
    hash: Digest


class Snapshot(Model, frozen=True):
    """The list the hub signs. `statements` are payload digests. Times are microseconds UTC."""

    owner: Slug
    number: Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
    issued: Micros
    expires: Micros
    documents: tuple[Entry, ...]
    statements: tuple[Digest, ...]
    previous: Digest | None = None


class Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed snapshot with the envelopes it lists: what travels to a gateway."""

    snapshot: Envelope
    documents: tuple[Envelope, ...]
    statements: tuple[Envelope, ...]


class VerifiedSnapshot(msgspec.Struct, frozen=True):
    """A snapshot every check of which held: its list, its digest, and what was inside."""

    snapshot: Snapshot
    digest: str
    documents: tuple[Verified, ...]
    statements: tuple[SignedStatement, ...]

    def owner_documents(self, now: int, said: Sequence[SignedStatement] = ()) -> OwnerDocuments:
        """The owner's live documents at `now`: what `edge.ceiling` asks for. Who accepted duties is not known here.

        `said` are further statements, made where the hub may not have heard them yet.
        """
        charters = [d.document for d in self.documents if isinstance(d.document, Charter)]
        communities = [d.document for d in self.documents if isinstance(d.document, CommunityCharter)]
        return OwnerDocuments(
            self.snapshot.owner,
            tuple(live(self.documents, (*self.statements, *said), now)),
            max(charters, key=lambda c: c.version, default=None),
            {c.community: c for c in sorted(communities, key=lambda c: c.version)},
        )


def make_snapshot(
    owner: str, number: int, issued: int, documents: Sequence[Envelope], statements: Sequence[Envelope], *,
    key: SigningKey, previous: str | None = None, valid: int = VALID,
) -> bytes:  # fmt: skip
    """A bundle for the gateways of `owner`, signed with the hub's key; as JSON. `previous` is the last one's digest.

    Send every version of an agreement's chain, and the newest version of each charter.
    """
    listed = [(entry_of(verify_document(e)), e) for e in documents]
    listed.sort(key=lambda pair: (pair[0].kind, pair[0].id, pair[0].version))
    said = sorted((digest(unb64(e.payload)), e) for e in statements)
    snapshot = Snapshot(
        owner=owner, number=number, issued=issued, expires=issued + valid, previous=previous,
        documents=tuple(entry for entry, _ in listed), statements=tuple(d for d, _ in said),
    )  # fmt: skip
    signed = sign_message(TYPE, canonical(snapshot), key)
    return msgspec.json.encode(Bundle(signed, tuple(e for _, e in listed), tuple(e for _, e in said)))


def entry_of(verified: Verified) -> Entry:
    """How a snapshot lists a document."""
    document = verified.document
    return Entry(kind=_KINDS[type(document)], id=document.id, version=document.version, hash=verified.digest)


def verify_snapshot(
    data: bytes, hub_key: str | bytes, owner_key: str | bytes, last_number: int, now: int, *,
    last: Snapshot | None = None,
) -> VerifiedSnapshot:  # fmt: skip
    """The bundle, if every check holds. Keys are public keys or thumbprints, as pinned at enrolment.

    `last_number` is that of the last snapshot accepted (0 at first), `last` that snapshot's list, which the gateway
    keeps: then nothing said before may be unsaid. `now` is the gateway's corrected clock, microseconds UTC. Raises
    SignatureError; the same snapshot sent again is accepted again.
    """
    bundle = _bundle(data)
    payload = verify_message(TYPE, bundle.snapshot, hub_key).payload
    snapshot = _snapshot(payload)
    found = digest(payload)
    _fresh(snapshot, last_number, now)
    if last:
        _continues(snapshot, last)
    documents = tuple(verify_document(e) for e in bundle.documents)
    statements = tuple(verify_statement(e) for e in bundle.statements)
    if tuple(map(entry_of, documents)) != snapshot.documents:
        raise SignatureError("documents are not those the snapshot lists (mix and match)", where="documents")
    if tuple(s.digest for s in statements) != snapshot.statements:
        raise SignatureError("statements are not those the snapshot lists (mix and match)", where="statements")
    _owned(snapshot.owner, owner_key, documents, statements)
    return VerifiedSnapshot(snapshot, found, documents, statements)


def _bundle(data: bytes) -> Bundle:
    if len(data) > MAX_BYTES:
        raise SignatureError(f"the snapshot has more than {MAX_BYTES} bytes")
    try:
        return msgspec.convert(from_json(data.decode()), type=Bundle)
    except (UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SignatureError(f"not a snapshot: {error}") from None


def _snapshot(payload: bytes) -> Snapshot:
    try:
        return msgspec.convert(from_json(payload.decode()), type=Snapshot)
    except (UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SignatureError(f"not a snapshot: {error}", where="snapshot.payload") from None


def _fresh(snapshot: Snapshot, last_number: int, now: int) -> None:
    """Refuse rollback and freeze."""
    if snapshot.number < last_number:
        raise SignatureError(
            f"snapshot {snapshot.number} is older than {last_number}, already seen (rollback)",
            where="number", todo="the hub must not go back behind what it told its gateways",
        )  # fmt: skip
    if not snapshot.issued < snapshot.expires or now >= snapshot.expires:
        raise SignatureError("the snapshot has expired (freeze)", where="expires", todo="wait for a fresh one")


def _continues(snapshot: Snapshot, last: Snapshot) -> None:
    """Refuse forks and whatever unsays what was said: older versions, charters gone, statements gone."""
    before = digest(canonical(last))
    if snapshot.number == last.number and snapshot != last:
        raise SignatureError("two different snapshots have the same number", where="number")
    if snapshot.number == last.number + 1 and snapshot.previous != before:
        raise SignatureError("the snapshot does not follow the last one seen", where="previous")
    newest = {(e.kind, e.id): e.version for e in sorted(snapshot.documents, key=lambda e: e.version)}
    for entry in last.documents:
        version = newest.get((entry.kind, entry.id), entry.version if entry.kind == "agreement" else 0)
        if version < entry.version:
            raise SignatureError(f"{entry.id} is older than, or gone since, version {entry.version}", where="documents")
    if not set(last.statements) <= set(snapshot.statements):
        raise SignatureError("a statement seen before is missing", where="statements")


def _owned(
    owner: str, owner_key: str | bytes, documents: Iterable[Verified], statements: Sequence[SignedStatement]
) -> None:
    """Every agreement and charter is of this owner and signed with its pinned key or a key that one introduced."""
    first = owner_key if isinstance(owner_key, str) else thumbprint(owner_key)
    keys = keys_of(owner, first, statements)
    for verified in documents:
        document = verified.document
        if isinstance(document, CommunityCharter):
            continue
        signer = document.owner if isinstance(document, Charter) else owner_party(document)
        if signer.id != owner:
            raise SignatureError(f"{document.id} is of another owner", where="documents")
        if signer.key not in keys:
            raise SignatureError(f"{document.id} is not signed by this owner's key", where="documents")


def owner_party(document: Agreement) -> Party:
    """The party whose events an agreement is about."""
    return next(p for p in document.parties if p.role == "owner")
