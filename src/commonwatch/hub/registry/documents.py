"""Registering what was signed: documents and statements. The one way in, for the browser, the command line, a founding.

Rules: a document comes in fully signed, by keys its organisations have here, or not at all; a version continues the
chain of the one before; a statement is signed by a party that may make it. Each is stored as the very bytes that were
signed, raises the epoch in the same transaction, and is an audit entry that only the parties read. The hub signs for an
organisation only with a key that this organisation lets it hold, and the entry says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from commonwatch.agreements.decode import convert
from commonwatch.agreements.signing import Envelope, SigningKey, envelope_bytes, envelope_from, signers, signing_keys
from commonwatch.agreements.statement import Kind, SignedStatement
from commonwatch.errors import Conflict, InvalidInput, NotFound, NotPermitted
from commonwatch.hub.members import read_orgs
from commonwatch.hub.meta import epoch as epochs
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.keys import KeyFile
from commonwatch.hub.meta.models import Community, Document, OrgKey, Party, Statement
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.notifications import Kind as Notice
from commonwatch.hub.notifications import notify
from commonwatch.hub.registry import signed
from commonwatch.hub.registry.complete import complete, plain_of
from commonwatch.hub.registry.live import Policy
from commonwatch.hub.registry.resolve import Standing, reach
from commonwatch.hub.registry.signed import Opened
from commonwatch.hub.registry.telling import outdate_key, outdate_name, partners, settle, tell_registered

Check = Callable[[Opened], None]
TOLD: dict[Kind, Notice] = {
    "revoke": "revoked", "suspend": "suspended", "resume": "resumed", "accept-duties": "duties-accepted",
    "key-change": "key-changed",
}  # fmt: skip
#: How far ahead of our clock a statement may be dated.
AHEAD = 600 * MICROS


class Registered(NamedTuple):
    """What was registered."""

    kind: str
    name: str
    version: int
    hash: str
    epoch: int


class Documents:
    """The register. Every method that changes is one transaction."""

    def __init__(self, database: Database, keys: KeyFile, clock: Clock, policy: Policy) -> None:
        self.database, self.keys, self.clock, self.policy = database, keys, clock, policy

    def register(
        self, envelope: bytes, *, by: str = "operator", held: bool = False, check: Check = lambda _opened: None
    ) -> Registered:
        """Take a fully signed document. Raises InvalidInput, SignatureError, Conflict, NotFound, what `check` does."""
        with self.database.write() as session:
            epochs.lock(session)
            made = self.admit(session, envelope, by=by, held=held, check=check)
        self.policy.changed()
        return made

    def admit(
        self, session: Session, envelope: bytes, *, by: str, held: bool = False, check: Check = lambda _opened: None
    ) -> Registered:
        """The same inside a transaction that holds the epoch's lock; say `policy.changed()` once it is committed."""
        opened = signed.open_document(envelope, self.keys_in_force(session, signing_keys(envelope_from(envelope))))
        check(opened)
        self.check_fits(session, opened)
        epoch = self._insert(session, opened, envelope, by, held=held)
        return Registered(opened.kind, opened.name, opened.version, opened.digest, epoch)

    def _insert(self, session: Session, opened: Opened, envelope: bytes, by: str, *, held: bool) -> int:
        now, digest = self.clock.now(), opened.digest
        row = Document(
            hash=digest,
            kind=opened.kind,
            name=opened.name,
            version=opened.version,
            owner=opened.owner,
            envelope=envelope,
            registered=now,
        )
        session.add(row)
        session.flush()
        session.add_all(Party(hash=digest, org=org, role=role) for org, role in opened.signers.items())
        epoch = epochs.rise(session, now)
        record(
            session, now, by, f"{opened.kind}-registered", org=opened.owner, concerns=opened.signers, epoch=epoch,
            id=opened.name, version=opened.version, hash=digest, signed_by_hub=held,
        )  # fmt: skip
        settle(session, now, opened)
        tell_registered(session, now, opened, held=held)
        return epoch

    def sign_for(self, document: bytes, *, by: str = "operator") -> Registered:
        """Sign a document (JSON or YAML) for all its parties with the keys they let this hub hold; register it.

        Parties may leave out `name` and `key`: they are completed with what this hub knows.
        """
        plain = plain_of(document)
        with self.database.read() as session:
            complete(session, plain, lambda org: SigningKey.from_seed(must_hold(self.keys, org)).thumbprint)
        made = convert(plain)
        seeds = {signer.id: must_hold(self.keys, signer.id) for signer in signers(made)}
        return self.register(signed.sign_all(made, seeds), by=by, held=True)

    def state(self, envelope: bytes, *, by: str = "operator", held: bool = False) -> int:
        """Take a signed statement; returns the new epoch. Raises InvalidInput, SignatureError, NotFound, Conflict."""
        found = envelope_from(envelope)
        with self.database.write() as session:
            epochs.lock(session)
            keys = self.keys_in_force(session, signing_keys(found))
            opened = signed.open_statement(found, keys)
            if session.get(Statement, opened.digest) is not None:
                raise Conflict("this statement is registered already", todo="nothing needs to be done")
            concerned = self._apply(session, opened, found)
            stored = envelope_bytes(signed.with_keys(found, {opened.kid: keys[opened.kid]}))
            epoch = self._say(session, opened, stored, by, concerned, held=held)
        self.policy.changed()
        return epoch

    def _apply(self, session: Session, opened: SignedStatement, envelope: Envelope) -> dict[str, str]:
        """Check the right to state it, and do what a key change asks; returns who is concerned."""
        said = opened.statement
        if said.kind == "key-change":
            self._change_key(session, opened, envelope)
            return dict.fromkeys(partners(session, said.by), "partner")
        target = session.get(Document, said.hash)
        if target is None or (target.name, target.version) != (said.id, said.version):
            todo = "register the agreement first, or name the version this hub has"
            raise NotFound("the statement is about a document this hub does not have", where="hash", todo=todo)
        if target.kind != "agreement":
            raise InvalidInput("a charter is replaced by its next version", where="id", todo="register that version")
        parties = self._parties(session, target.hash)
        signed.check_right(said, parties)
        if said.at > self.clock.now() + AHEAD:
            raise InvalidInput(
                "the statement is from the future", where="at", todo="correct the clock it was made with"
            )
        return parties if said.kind != "accept-duties" else {target.owner: "owner"}

    def _change_key(self, session: Session, opened: SignedStatement, envelope: Envelope) -> None:
        public, now = signed.introduced(envelope, opened.statement), self.clock.now()
        old = session.get(OrgKey, opened.kid)
        if session.get(OrgKey, opened.statement.key) is not None or old is None:
            raise Conflict("the new key is known already", where="key", todo="introduce a key that is new")
        old.ended = now
        outdate_key(session, now, opened.statement.by, opened.kid)
        name = opened.statement.key or ""
        session.add(
            OrgKey(thumbprint=name, org=opened.statement.by, public=public.hex(), held=False, added=now, ended=None)
        )

    def _say(
        self, session: Session, opened: SignedStatement, stored: bytes, by: str, concerned: Iterable[str], *, held: bool
    ) -> int:
        now, said = self.clock.now(), opened.statement
        row = Statement(
            hash=opened.digest, kind=said.kind, name=said.id, signer=said.by, envelope=stored, registered=now
        )
        session.add(row)
        epoch = epochs.rise(session, now)
        record(
            session, now, by, f"agreement-{said.kind}", org=said.by, concerns=concerned, epoch=epoch, id=said.id,
            version=said.version, hash=opened.digest, signed_by_hub=held,
        )  # fmt: skip
        if said.kind == "revoke":
            outdate_name(session, now, said.id, "the agreement was revoked")
        told = TOLD[said.kind]
        about = {"by": said.by, "version": said.version, "hash": said.hash, "reason": said.reason, "held": held}
        notify(session, now, {said.by, *concerned}, told, said.id, **about)
        return epoch

    def state_for(self, org: str, name: str, kind: Kind, reason: str = "", *, by: str = "operator") -> int:
        """State something about the version in force of an agreement, with the key the organisation lets us hold."""
        standing = self.standing(name)
        seed = must_hold(self.keys, org)
        about = (standing.name, standing.version, standing.hash)
        envelope = signed.make_statement(kind, about, self.clock.now(), reason, org, seed)
        return self.state(envelope_bytes(envelope), by=by, held=True)

    def version(self, digest: str) -> Document:
        """One stored version by its hash. Raises NotFound."""
        with self.database.read() as session:
            if (row := session.get(Document, digest)) is None:
                raise NotFound("no such version", todo="look at the list of agreements")
            return row

    def standing(self, name: str) -> Standing:
        """A document's newest standing. Raises NotFound."""
        found = [s for s in self.policy.resolved().standings() if s.name == name]
        if not found:
            raise NotFound(f"no agreement {name}", todo="see: commonwatch hub agreement list")
        return found[-1]

    def reached(self) -> dict[str, set[str]]:
        """For each agreement: the organisations its clauses reach that are not yet bound by its duties."""
        resolved = self.policy.resolved()
        return {
            live.document.id: reach(live.document, resolved.orgs.values()) - live.accepted
            for policy in resolved.owners.values()
            for live in policy.documents.agreements
        }

    def check_fits(self, session: Session, opened: Opened) -> None:
        """Parties exist, the steward is the steward, the version continues the chain; else NotFound, Conflict, ..."""
        known = read_orgs(session)
        if missing := sorted(set(opened.signers) - set(known)):
            raise NotFound(f"organisation {missing[0]} is not known here", where="parties", todo="add it first")
        self.check_place(session, opened)

    def check_place(self, session: Session, opened: Opened) -> None:
        """Community, steward and chain fit; says nothing of parties. Raises NotFound, NotPermitted, Conflict."""
        community = opened.community
        if community is not None:
            row = session.get(Community, community)
            if row is None:
                raise NotFound(f"no community {community}", where="community", todo="add it first")
            if opened.kind == "community-charter" and row.steward != opened.owner:
                raise NotPermitted("a community's charter is signed by its steward", where="steward")
        self._check_chain(session, opened)

    def _check_chain(self, session: Session, opened: Opened) -> None:
        query = select(Document).where(Document.name == opened.name).order_by(Document.version.desc()).limit(1)
        last = session.scalar(query)
        if last is None:
            if opened.version != 1 or opened.previous is not None:
                raise Conflict(
                    "the first version of a document has number 1", where="version", todo="register it first"
                )
            return
        if (last.kind, last.owner) != (opened.kind, opened.owner):
            raise Conflict("this name belongs to another document", where="id", todo="choose another id")
        if opened.version != last.version + 1 or opened.previous != last.hash:
            todo = f"amend version {last.version}: version {last.version + 1}, previous {last.hash}"
            raise Conflict("this version does not continue the newest one", where="previous", todo=todo)

    def keys_in_force(self, session: Session, only: Collection[str] | None = None) -> signed.Keys:
        """Signing keys in force, all or `only` those: thumbprint -> (organisation, 32 bytes)."""
        query = select(OrgKey.thumbprint, OrgKey.org, OrgKey.public).where(OrgKey.ended.is_(None))
        rows = session.execute(query if only is None else query.where(OrgKey.thumbprint.in_(only)))
        return {row.thumbprint: (row.org, bytes.fromhex(row.public)) for row in rows}

    def _parties(self, session: Session, document: str) -> dict[str, str]:
        rows: Iterable[Party] = session.scalars(select(Party).where(Party.hash == document))
        return {row.org: row.role for row in rows}


def must_hold(keys: KeyFile, org: str) -> bytes:
    """The organisation's held signing key, or NotPermitted with what to do instead."""
    if (seed := keys.get("signing", org)) is None:
        todo = "sign the statement where the key is kept, and register it with: commonwatch hub agreement state FILE"
        raise NotPermitted(f"this hub holds no signing key of {org}", todo=todo)
    return seed
