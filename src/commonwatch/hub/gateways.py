"""Gateways: enrolment by a one-time code, signed requests, status. Implements `web.ports.Gateways`.

Rules: a code works once, expires, and pins the hub's and the owner's key; a gateway acts for the organisation whose
code it used and for the purpose `detect`; every request is signed with the key it enrolled; removing a gateway raises
the epoch, so that its open stream ends. Its organisation sees its status, and so does the operator that an agreement
of its owner names.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from commonwatch.errors import InvalidInput, NotAuthenticated, NotFound
from commonwatch.hub.accounts import reader_of
from commonwatch.hub.intake import Intake
from commonwatch.hub.members import Members, need_org
from commonwatch.hub.meta import epoch
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.meta.credentials import hashed, random_secret
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.keys import KeyFile
from commonwatch.hub.meta.models import Enrolment, Gateway, Organisation, Quarantined
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.registry.documents import Documents
from commonwatch.hub.stream import Downlink
from commonwatch.web.ports import GatewayInfo, Principal
from commonwatch.wire.auth import claimed_gateway, verify_request
from commonwatch.wire.enrolment import EnrolCode, EnrolReply, EnrolRequest, open_request, raw_key, seal_reply
from commonwatch.wire.messages import Heartbeat

#: Status is written to the database at most this often; the newest is always in memory.
FLUSH = 30 * MICROS
SILENT = 30 * MICROS


class Enrolments:
    """Codes and what becomes of them."""

    def __init__(self, database: Database, keys: KeyFile, clock: Clock, members: Members) -> None:
        self.database, self.keys, self.clock, self.members = database, keys, clock, members

    def make_code(self, org: str, name: str = "", *, hours: float = 72, by: str = "operator") -> EnrolCode:
        """A new one-time code for a gateway of this organisation."""
        owner = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.members.key_of(org).public))
        code = EnrolCode.make(secrets.token_bytes(15), self._hub().public_key(), owner)
        now = self.clock.now()
        with self.database.write() as session:
            expires = now + int(hours * 3600 * MICROS)
            row = Enrolment(
                hash=hashed(code.secret),
                org=org,
                name=name or f"{org}-gateway",
                gateway=None,
                created=now,
                expires=expires,
            )
            session.add(row)
            record(session, now, by, "code-made", org=org)
        return code

    def enrol(self, body: bytes) -> bytes:
        """Answer an enrolment request. Raises InvalidInput, SignatureError, NotAuthenticated."""
        request = open_request(body)
        with self.database.write() as session:
            row = session.get(Enrolment, hashed(request.secret), with_for_update=True)
            if row is None or row.gateway is not None or row.expires <= self.clock.now():
                todo = "ask the hub for a new enrolment code"
                raise NotAuthenticated("this enrolment code is unknown, used or expired", where="code", todo=todo)
            first = not session.scalar(
                select(func.count()).select_from(Gateway).where(Gateway.org == row.org, Gateway.active)
            )
            gateway = self._new_gateway(session, row, request)
        if first:
            self.keys.put("pseudonym", gateway.org, request.pseudonym_key)
        return seal_reply(self._reply(gateway), request.secret, self._hub())

    def drop(self, gateway: str, *, by: str = "operator") -> None:
        """Remove a gateway: its requests are refused from now on and its stream ends."""
        with self.database.write() as session:
            if (row := session.get(Gateway, gateway)) is None:
                raise NotFound(f"no gateway {gateway}", todo="see: commonwatch hub gateway list")
            row.active, now = False, self.clock.now()
            record(session, now, by, "gateway-dropped", org=row.org, gateway=gateway, epoch=epoch.rise(session, now))

    def _new_gateway(self, session: Session, row: Enrolment, request: EnrolRequest) -> Gateway:
        now = self.clock.now()
        gateway = Gateway(
            id=f"gw-{random_secret(16)}", org=row.org, name=request.name or row.name, key=request.key.hex(),
            enrolled=now, seen=now, status={},
        )  # fmt: skip
        session.add(gateway)
        row.gateway = gateway.id
        record(session, now, gateway.id, "gateway-enrolled", org=row.org, epoch=epoch.rise(session, now))
        return gateway

    def _reply(self, gateway: Gateway) -> EnrolReply:
        owner = bytes.fromhex(self.members.key_of(gateway.org).public)
        audit = Ed25519PrivateKey.from_private_bytes(self.keys.ensure("audit", "hub")).public_key()
        with self.database.read() as session:
            name = need_org(session, gateway.org).name
        return EnrolReply(
            gateway=gateway.id, org=gateway.org, org_name=name, hub_key=raw_key(self._hub().public_key()),
            owner_key=owner, audit_key=raw_key(audit), hub_time=self.clock.now(),
        )  # fmt: skip

    def _hub(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.keys.ensure("hub", "hub"))


class Gateways:
    """The port."""

    def __init__(  # noqa: PLR0917
        self, database: Database, clock: Clock, enrolments: Enrolments, intake: Intake, downlink: Downlink,
        operated: Callable[[str], set[str]], documents: Documents,
    ) -> None:  # fmt: skip
        self.database, self.clock = database, clock
        self.enrolments, self.intake, self.downlink, self.operated = enrolments, intake, downlink, operated
        self.documents = documents
        self._beats: dict[str, tuple[int, dict[str, Any]]] = {}
        self._flushed: dict[str, int] = {}
        self.heard: Callable[[str, Heartbeat], None] = lambda _gateway, _beat: None
        self._lock = threading.Lock()

    def enrol(self, body: bytes) -> bytes:
        """Answer POST /gateway/enrol."""
        return self.enrolments.enrol(body)

    def authenticate(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Principal:
        """Who signed this request. `path` with its query, as sent. Raises NotAuthenticated."""
        name = claimed_gateway(headers)
        with self.database.read() as session:
            row = session.get(Gateway, name)
            org = session.get(Organisation, row.org) if row else None
            if row is None or org is None or not row.active:
                todo = "enrol the gateway again with a new code"
                raise NotAuthenticated("the request's signature does not verify", where="CW-Signature", todo=todo)
            reader = reader_of(session, org, "detect")
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(row.key))
        verify_request(method, path, body, headers, self.clock.now(), key)
        return Principal(kind="gateway", id=row.id, name=row.name, reader=reader, grant=row.id)

    def accept(self, body: bytes) -> bytes:
        """Store a sealed batch; the receipt as JSON."""
        return self.intake.accept(body)

    def stream(self, principal: Principal, last_snapshot: int, checkpoint: int) -> AsyncIterator[bytes]:
        """The held-open downlink: NDJSON lines."""
        return self.downlink.lines(principal, last_snapshot, checkpoint)

    def heartbeat(self, principal: Principal, body: bytes) -> None:
        """Take a gateway's status. Raises InvalidInput."""
        try:
            beat = msgspec.json.decode(body, type=Heartbeat)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput("a heartbeat is malformed", where="body", todo="update the gateway") from error
        now = self.clock.now()
        with self._lock:
            self._beats[principal.id] = (now, msgspec.to_builtins(beat))
            due = now - self._flushed.get(principal.id, 0) > FLUSH
            if due:
                self._flushed[principal.id] = now
        self.downlink.snapshots.held(principal.reader.org, beat.snapshot)
        self.heard(principal.id, beat)
        if due:
            self._flush(principal.id, now, beat)

    def state(self, principal: Principal, body: bytes) -> None:
        """Take a statement the organisation signed at its gateway. Raises SignatureError, NotPermitted, Conflict, ...

        The organisation's own signature decides; the gateway only carries it.
        """
        self.documents.state(body, by=principal.id)

    def visible(self, principal: Principal) -> Sequence[GatewayInfo]:
        """Gateways of the principal's organisation, and of owners whose live agreements name it operator."""
        orgs = {principal.reader.org} | self.operated(principal.reader.org)
        with self.database.read() as session:
            query = select(Gateway).where(Gateway.org.in_(sorted(orgs)), Gateway.active)
            rows = list(session.scalars(query.order_by(Gateway.org, Gateway.id)))
            refused = select(Quarantined.gateway, func.sum(Quarantined.times)).group_by(Quarantined.gateway)
            counts = {name: int(times) for name, times in session.execute(refused)}
        return [self._info(row, counts.get(row.id, 0)) for row in rows]

    def _info(self, row: Gateway, refused: int) -> GatewayInfo:
        at, status = self._beats.get(row.id, (row.seen, row.status))
        connected = self.downlink.connected(row.id) or (at is not None and self.clock.now() - at < SILENT)
        return GatewayInfo(
            id=row.id, org=row.org, name=row.name, enrolled=row.enrolled // MICROS,
            last_seen=at // MICROS if at is not None else None, connected=connected,
            status={**status, "refused_batches": refused},
        )  # fmt: skip

    def _flush(self, gateway: str, now: int, beat: Heartbeat) -> None:
        values = {
            "seen": now, "snapshot": beat.snapshot, "checkpoint": beat.checkpoint, "status": msgspec.to_builtins(beat),
        }  # fmt: skip
        with self.database.write() as session:
            session.execute(update(Gateway).where(Gateway.id == gateway).values(**values))
