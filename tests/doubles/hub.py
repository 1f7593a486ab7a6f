"""A tiny hub on a real socket: enrols gateways, keeps batches in memory, holds streams open. For gateway tests only.

It verifies what a hub verifies (signatures, seals) and can be told to misbehave: refuse, answer late, cut connections.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from commonwatch.agreements.decode import convert
from commonwatch.agreements.document import Charter
from commonwatch.agreements.signing import Envelope, SigningKey, propose, sign_document
from commonwatch.agreements.snapshot import make_snapshot
from commonwatch.agreements.statement import Statement, sign_statement
from commonwatch.errors import CommonwatchError
from commonwatch.wire.auth import HUB_TIME, verify_request
from commonwatch.wire.batch import unseal
from commonwatch.wire.enrolment import EnrolCode, EnrolReply, open_request, raw_key, seal_reply
from commonwatch.wire.messages import BatchReceipt, Hello, Ping, SnapshotMessage, encode_line

ORG = "baker"
READER = "watchers"
OPEN_FIELDS = {
    "time": "exact", "severity": "exact", "signature": "exact", "src_ip": "exact", "dst_ip": "pseudonym+network",
    "src_port": "exact", "dst_port": "range", "action": "exact", "protocol": "exact", "domain": "registered",
    "url": "site", "host": "pseudonym", "volume": "magnitude", "attack": "exact", "malware": "exact",
}  # fmt: skip
ALL_CLASSES = [
    "malware", "intrusion", "firewall", "web", "integrity", "log", "application", "system", "dns", "flow", "auth",
    "mail", "vulnerability", "match",
]  # fmt: skip


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def agreement(
    owner: SigningKey, reader: SigningKey, *, ident: str = "watch", classes: list[str] | None = None,
    fields: dict[str, str] | None = None, tlp: str = "amber", version: int = 1,
) -> Envelope:  # fmt: skip
    """A signed agreement of ORG with READER."""
    document = convert({
        "dsa": "1", "id": ident, "version": version, "title": "Watch for the baker",
        "parties": [
            {"id": ORG, "name": "Baker", "key": owner.thumbprint, "role": "owner"},
            {"id": READER, "name": "Watchers", "key": reader.thumbprint, "role": "operator"},
        ],
        "starts": "2020-01-01", "ends": "2099-12-31",
        "clauses": [{
            "kind": "share", "id": "rows", "to": {"organisations": [READER]}, "purposes": ["operate", "detect"],
            "rows": {"events": classes or ALL_CLASSES, "tlp": tlp}, "fields": fields or OPEN_FIELDS,
        }],
    })  # fmt: skip
    return sign_document(sign_document(propose(document), owner), reader)


def charter(owner: SigningKey, fields: dict[str, str], *, version: int = 1) -> Envelope:
    """A signed charter of ORG that caps fields."""
    document = convert({
        "charter": "1", "id": "baker-charter", "version": version, "title": "What never leaves",
        "owner": {"id": ORG, "name": "Baker", "key": owner.thumbprint},
        "clauses": [{"kind": "limit", "id": "cap", "fields": fields}],
    })  # fmt: skip
    assert isinstance(document, Charter)
    return sign_document(propose(document), owner)


def revocation(envelope: Envelope, owner: SigningKey) -> Envelope:
    """The owner's statement that revokes an agreement."""
    from commonwatch.agreements.signing import verify_document

    verified = verify_document(envelope)
    about = verified.document
    said = Statement(
        kind="revoke", id=about.id, version=about.version, hash=verified.digest, at=now_us(), by=ORG, reason="test"
    )
    return sign_statement(said, owner)


class TinyHub:
    """The hub. `stored` maps batch_uid to its event ids; `columns` the same to its columns and header."""

    def __init__(self) -> None:
        self.key, self.owner, self.reader = Ed25519PrivateKey.generate(), SigningKey.generate(), SigningKey.generate()
        self.audit = Ed25519PrivateKey.generate()
        self.gateways: dict[str, Ed25519PublicKey] = {}
        self.stored: dict[int, list[bytes]] = {}
        self.opened: dict[int, tuple[Any, dict[str, list[Any]]]] = {}
        self.receipts = self.duplicates = self.requests = 0
        self.heartbeats: list[dict[str, Any]] = []
        self.pseudonym_keys: list[bytes] = []
        self.statements: list[bytes] = []
        self.clock_ahead = 0
        self.answer: Callable[[int], int] = lambda _: 200
        self.cut_answers = 0
        self.snapshot: bytes | None = None
        self.number = 0
        self._lines: list[bytes] = []
        self._changed = threading.Condition()
        self._closing = False
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __enter__(self) -> TinyHub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and end all streams."""
        self._closing = True
        with self._changed:
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def hub_signing(self) -> SigningKey:
        """Its key as the agreements room wants it."""
        return SigningKey(self.key)

    def code(self) -> str:
        """A fresh enrolment code."""
        owner = Ed25519PublicKey.from_public_bytes(self.owner.public)
        return str(EnrolCode.make(b"0123456789abc", self.key.public_key(), owner))

    def publish(self, *documents: Envelope, statements: tuple[Envelope, ...] = (), **more: Any) -> bytes:
        """Issue a snapshot with these documents and say it on every stream."""
        self.number += 1
        previous = more.pop("previous", None) or getattr(self, "_digest", None)
        body = make_snapshot(
            ORG, self.number, more.pop("issued", now_us() + self.clock_ahead), documents, statements,
            key=self.hub_signing, previous=previous, **more,
        )  # fmt: skip
        from commonwatch.agreements.snapshot import verify_snapshot

        self._digest = verify_snapshot(body, self.hub_signing.public, self.owner.public, 0, 0).digest
        self.snapshot = body
        self.say(encode_line(SnapshotMessage(self.number, body)))
        return body

    def say(self, line: bytes) -> None:
        """A line for every open stream, and for those that open later."""
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    def now(self) -> int:
        """Its clock."""
        return now_us() + self.clock_ahead

    def events(self) -> list[bytes]:
        """Every event id stored."""
        return [uid for uids in list(self.stored.values()) for uid in uids]

    # What the handler calls

    def enrol(self, body: bytes) -> bytes:
        request = open_request(body)
        name = f"gw-{len(self.gateways) + 1}"
        self.gateways[name] = Ed25519PublicKey.from_public_bytes(request.key)
        self.pseudonym_keys.append(request.pseudonym_key)
        reply = EnrolReply(
            gateway=name, org=ORG, org_name="Baker", hub_key=raw_key(self.key.public_key()),
            owner_key=self.owner.public, audit_key=raw_key(self.audit.public_key()), hub_time=self.now(),
        )  # fmt: skip
        return seal_reply(reply, request.secret, self.key)

    def batch(self, gateway: str, body: bytes) -> bytes:
        header, columns = unseal(body, self.gateways[gateway])
        duplicate = header.batch_uid in self.stored
        if not duplicate:
            self.opened[header.batch_uid] = (header, columns)
            self.stored[header.batch_uid] = columns["event_uid"]
        self.duplicates += duplicate
        self.receipts += 1
        return msgspec.json.encode(
            BatchReceipt(header.batch_uid, header.rows, 0 if duplicate else header.rows, duplicate=duplicate)
        )

    def lines_from(self, start: int, wait: float) -> list[bytes] | None:
        with self._changed:
            if len(self._lines) <= start and not self._closing:
                self._changed.wait(wait)
            return None if self._closing else self._lines[start:]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Cut connections are what these tests are about."""


def _handler(hub: TinyHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _gateway(self, body: bytes) -> str:
            hub.requests += 1
            name = self.headers.get("CW-Gateway", "")
            if name not in hub.gateways:
                raise CommonwatchError("unknown gateway")
            return verify_request(self.command, self.path, body, dict(self.headers), hub.now(), hub.gateways[name])

        def _reply(self, status: int, body: bytes = b"{}") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header(HUB_TIME, str(hub.now()))
            self.end_headers()
            self.wfile.write(body)

        def _problem(self, error: CommonwatchError) -> None:
            self._reply(error.status, json.dumps({"detail": error.what, "where": error.where}).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                if self.path == "/gateway/enrol":
                    return self._reply(200, hub.enrol(body))
                gateway = self._gateway(body)
                if self.path == "/gateway/heartbeat":
                    hub.heartbeats.append(json.loads(body))
                    return self._reply(204, b"")
                if self.path == "/gateway/statements":
                    hub.statements.append(body)
                    return self._reply(204, b"")
                return self._batch(gateway, body)
            except CommonwatchError as error:
                return self._problem(error)

        def _batch(self, gateway: str, body: bytes) -> None:
            status = hub.answer(len(hub.stored))
            if status != 200:
                return self._reply(status, b'{"detail": "no"}')
            receipt = hub.batch(gateway, body)
            if hub.cut_answers > 0:
                hub.cut_answers -= 1
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return None
            return self._reply(200, receipt)

        def do_GET(self) -> None:
            try:
                self._gateway(b"")
            except CommonwatchError as error:
                return self._problem(error)
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header(HUB_TIME, str(hub.now()))
            self.end_headers()
            self._chunk(encode_line(Hello(hub.now(), 1)))
            told = 0
            while (lines := hub.lines_from(told, 1.0)) is not None:
                told += len(lines)
                self._chunk(b"".join(lines) or encode_line(Ping(hub.now())))
            self.close_connection = True
            return None

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    return Handler
