"""A whole community in one process: gateways' real cores, journals and readers, the hub's real intake and store.

Only time, the network, the disk's size and the power are simulated. The network drops, delays, repeats and reorders, or
loses the answer alone; a power cut leaves of each log what was synced at least, and of a journal what was committed.
Gateways may share one log (a `Twin` reads another's): then they hold one root key, and each event is stored once.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.agreements.signing import SigningKey, b64, envelope_bytes
from commonwatch.agreements.statement import Statement, sign_statement
from commonwatch.errors import CommonwatchError
from commonwatch.gateway import protocol as p
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.downlink.policy import PolicyKeeper
from commonwatch.gateway.edge import edge_keys
from commonwatch.gateway.journal import Journal, Spooled
from commonwatch.gateway.keeping.outgoing import Outgoing
from commonwatch.gateway.keeping.room import Room
from commonwatch.gateway.reading.collect import Collector, Sealer
from commonwatch.gateway.reading.numbers import shared_key
from commonwatch.gateway.state import Identity, StateFolder
from commonwatch.hub.bootstrap import Founded
from commonwatch.hub.core import Core
from commonwatch.hub.meta.clock import Clock as HubClock
from commonwatch.hub.settings import Settings
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.rules import default_rules
from commonwatch.ingest.source import Source
from commonwatch.store import Store
from commonwatch.wire.enrolment import EnrolCode, EnrolRequest, open_reply, seal_request
from commonwatch.wire.messages import Hello, Ping, SnapshotMessage, encode_line

ORG = "acme"
SECOND = 1_000_000
SPOOL = 40_000
Fate = Literal["arrives", "lost", "answer lost", "twice"]


class Parcel(NamedTuple):
    """A batch on its way, sent by one life of a gateway."""

    gateway: SimGateway
    life: int
    batch_uid: int
    body: bytes


class SimHub:
    """The hub's intake, snapshots and store over a founded folder; can be backed up and restored."""

    def __init__(self, folder: Path, now: Callable[[], int]) -> None:
        self.folder, self._now = folder, now
        self.owner: SigningKey | None = None
        self.open()

    def open(self) -> None:
        """Start."""
        settings = Settings(data=self.folder, database=f"sqlite:///{self.folder}/meta.sqlite")
        self.store = Store.open(self.folder / "store", memory_limit="256MB", threads=1)
        self.core = Core(settings, self.store.append, None, clock=HubClock(self._now, lambda: 0.0))

    def close(self) -> None:
        """Stop."""
        self.core.close()
        self.store.close()

    def enrol(self, code: EnrolCode, key: Ed25519PrivateKey) -> Any:
        """A new gateway of the organisation."""
        public = key.public_key().public_bytes_raw()
        request = EnrolRequest(secret=code.secret, name="edge", key=public, pseudonym_key=b"r" * 32, at=self._now())
        return open_reply(self.core.gateways.enrol(seal_request(request, key)), code)

    def answer(self, parcel: Parcel) -> tuple[int, bytes]:
        """Status and body for a batch."""
        try:
            return 200, self.core.intake.accept(parcel.body)
        except CommonwatchError as error:
            return error.status, b""

    def copy_to(self, folder: Path) -> None:
        """A backup of everything."""
        self.close()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        self.open()

    def restore_events(self, folder: Path) -> None:
        """The events come from the backup; the metadata is as it was."""
        self.close()
        shutil.rmtree(self.folder / "store")
        shutil.copytree(folder / "store", self.folder / "store")
        self.open()

    def rows(self) -> tuple[int, int]:
        """Rows stored, and different events among them."""
        query = "SELECT event_uid FROM store.main.settled UNION ALL SELECT event_uid FROM store.main.tail"
        with self.store._cursor() as cursor:
            found = cursor.execute(f"SELECT count(*), count(DISTINCT event_uid) FROM ({query})").fetchone()
        assert found
        return int(found[0]), int(found[1])

    def change_key(self) -> None:
        """The owner introduces a further key, signed with the one in force."""
        held, new = self.owner or SigningKey.from_seed(self.core.keys.need("signing", ORG)), SigningKey.generate()
        said = Statement(kind="key-change", id=ORG, by=ORG, at=self._now(), key=new.thumbprint)
        signed = sign_statement(said, held)
        signed = msgspec.structs.replace(signed, keys=(*signed.keys, b64(new.public)))
        self.core.documents.state(envelope_bytes(signed))
        self.owner = new


class SimGateway:
    """One gateway over one log. `written` counts the whole records that its log ever held and no power cut took."""

    def __init__(self, community: Community, folder: Path, code: EnrolCode, number: int) -> None:
        self.community, self.folder, self.number = community, StateFolder(folder / "state"), number
        self.prepare(folder)
        reply = community.hub.enrol(code, self.folder.signing_key)
        self.identity = Identity(
            url="", gateway=reply.gateway, org=reply.org, org_name=reply.org_name, name="edge", hub_key=reply.hub_key,
            owner_key=reply.owner_key, audit_key=reply.audit_key, enrolled=1,
        )  # fmt: skip
        self.skew = self.written = self.made = self.life = 0
        self.online, self.half, self.free = True, b"", 1 << 40
        self.boot()

    def prepare(self, folder: Path) -> None:
        """Keys of its own and a log of its own."""
        self.folder.prepare()
        self.log = folder / "logs" / "eve.json"
        self.log.parent.mkdir()
        self.log.touch()

    def boot(self) -> None:
        """Start on what is on disk."""
        time, identity = self.community, self.identity
        self.life += 1
        self.journal = Journal(self.folder.path / "gateway.db")
        self.clock = Clock(wall=lambda: time.now + self.skew, tick=lambda: time.now / SECOND)
        keys = edge_keys(self.folder.root, identity.org)
        shared = shared_key(self.folder.root, identity.org) if self.community.twins else None
        self.keeper = PolicyKeeper(self.journal, identity, keys, self.clock)
        self.keeper.restore()
        self.sealer = Sealer(identity.gateway, identity.org, self.folder.signing_key, 1, shared=shared is not None)
        self.outgoing = Outgoing(self.journal, self.keeper, self.sealer, self.clock, 1 << 30)
        self.room = Room(self.folder.path, 1, free=lambda _: self.free, tick=self.clock.tick)
        key = self.folder.events_key
        self.collector = Collector(
            [self.log], self.journal, sealer=self.sealer, labeller=Labeller(default_rules()), clock=self.clock,
            source=lambda m: Source(id=m.source, generation=m.generation, key=key, clock=self.clock.now),
            shared=shared,
        )  # fmt: skip
        self.protocol, self.streaming = p.Protocol(lambda: 0.5), False

    def stop(self) -> None:
        """Without a word, like kill -9."""
        self.collector.close()
        self.journal.close()

    def writes(self) -> SimGateway:
        """Whose log it is."""
        return self

    # The tool that writes the log -----------------------------------------------------------------------------------

    def record(self, kind: str) -> bytes:
        """One record with a number of its own."""
        self.made += 1
        record = {
            "timestamp": "2026-11-17T11:00:00.000000+0000", "event_type": kind, "flow_id": self.made,
            "src_ip": f"203.0.113.{self.number}", "src_port": self.made % 60_000, "dest_ip": "192.0.2.10",
            "dest_port": 443, "proto": "TCP", "payload": "x" * 200,
            "alert": {"gid": 1, "signature_id": 7, "rev": 1, "signature": "ET SCAN", "severity": 2},
        }  # fmt: skip
        return json.dumps(record).encode() + b"\n"

    def write(self, count: int, kind: str = "alert") -> None:
        """Append whole records; a half one is completed before."""
        self.complete()
        self._append(b"".join(b"not json\n" if kind == "bad" else self.record(kind) for _ in range(count)))
        self.written += count

    def write_half(self) -> None:
        """Append the beginning of a record."""
        if not self.half:
            record = self.record("alert")
            self.half = record[100:]
            self._append(record[:100])

    def complete(self) -> None:
        """Append the rest of the half record."""
        if self.half:
            self._append(self.half)
            self.half, self.written = b"", self.written + 1

    def _append(self, data: bytes) -> None:
        with self.log.open("ab") as out:
            out.write(data)

    def rotate(self, how: str) -> None:
        """Like logrotate: rename (and compress what is older), or copy and truncate."""
        self.complete()
        for old in range(8, 0, -1):
            for end in ("", ".gz"):
                path = self.log.with_name(f"eve.json.{old}{end}")
                if path.exists():
                    path.rename(self.log.with_name(f"eve.json.{old + 1}{end}"))
        if how == "copy":
            shutil.copy(self.log, self.log.with_name("eve.json.1"))
            os.truncate(self.log, 0)
        else:
            self.log.rename(self.log.with_name("eve.json.1"))
            self.log.touch()
        second = self.log.with_name("eve.json.2")
        if how == "compress" and second.exists():
            second.with_name("eve.json.2.gz").write_bytes(gzip.compress(second.read_bytes()))
            second.unlink()

    def cut_power(self, keep: float) -> None:
        """The machine dies: of the log's unsynced lines only the first `keep` share is there afterwards."""
        self.stop()
        data, synced = self.log.read_bytes(), self.community.synced.get(self.log.stat().st_ino, 0)
        safe = data.rfind(b"\n", 0, synced) + 1 if synced <= len(data) else 0
        lines = data[max(safe, synced) :].splitlines(keepends=True)
        left = lines[: int(len(lines) * keep)]
        if left != lines:
            self.written -= sum(line.endswith(b"\n") for line in lines[len(left) :])
            os.truncate(self.log, max(safe, synced) + sum(map(len, left)))
            self.half = b""
        self.boot()

    # The gateway's shell, as the runtime has it -----------------------------------------------------------------------

    def read(self) -> None:
        """What the reading thread does in one round."""
        policy = self.keeper.policy()
        if policy is None or self.room.full or self.journal.depth()[2] > SPOOL:
            self.collector.abandon()
            return
        while self.collector.step(policy):
            pass

    def tick(self) -> None:
        """What happens ten times a second."""
        self.handle(p.Tick(self.clock.tick(), not self.room.stuck and self.keeper.policy() is not None))
        waiting = tuple(uid for uid, _ in self.journal.waiting(64))
        self.handle(p.Queued(self.clock.tick(), waiting))
        if self.streaming:
            self.hear()

    def handle(self, event: p.Event) -> None:
        """Do what the core says."""
        for action in self.protocol.handle(event):
            self.do(action)

    def do(self, action: p.Action) -> None:
        match action:
            case p.SendBatch():
                ready = self.outgoing.prepare(action.batch_uid)
                if isinstance(ready, Spooled):
                    self.community.network.append(Parcel(self, self.life, ready.batch_uid, ready.body))
                else:
                    self.handle(ready)
            case p.Acknowledge():
                assert self.community.hub.store.has(action.receipt.batch_uid)
                self.outgoing.acknowledge(action.receipt)
            case p.SetAside():
                self.journal.set_aside(action.batch_uid, action.reason, self.clock.now())
            case p.OpenStream():
                self.outgoing.asked()
                self.open_stream()
            case p.CloseStream():
                self.streaming = False
            case p.Deliver() if isinstance(action.message, SnapshotMessage):
                with suppress(CommonwatchError):
                    self.keeper.offer(action.message.body)
            case p.Compare():
                self.outgoing.compare(action.last)
            case p.AdjustClock():
                self.clock.offset = action.offset
            case _:
                pass

    def open_stream(self) -> None:
        """The hub answers at once, or nobody does."""
        self.streaming = self.online
        if not self.online:
            self.handle(p.StreamEnded(self.clock.tick()))
            return
        hub, now = self.community.hub, self.community.now
        self.handle(p.StreamAnswered(self.clock.tick(), 200, self.clock.wall(), now))
        last = hub.store.last_batch(self.identity.gateway)
        self.handle(p.StreamBytes(self.clock.tick(), encode_line(Hello(now, 1, last)), self.clock.wall()))

    def hear(self) -> None:
        """What the stream says now: a snapshot, if it is a new one, and that the hub is there."""
        message = self.community.hub.core.snapshots.current(ORG)
        lines = encode_line(message) if message.number != self.keeper.number else b""
        data = lines + encode_line(Ping(self.community.now))
        self.handle(p.StreamBytes(self.clock.tick(), data, self.clock.wall()))

    def set_online(self, online: bool) -> None:
        """The line breaks or heals."""
        self.online = online
        if not online and self.streaming:
            self.streaming = False
            self.handle(p.StreamEnded(self.clock.tick()))


class Twin(SimGateway):
    """A second gateway over the first one's log; the log is on a third machine, whose power stays."""

    def prepare(self, folder: Path) -> None:
        """The first one's root key and log."""
        first = self.community.gateways[0]
        self.folder.prepare()
        self.folder.adopt_root(first.folder.root)
        self.log = first.log

    def writes(self) -> SimGateway:
        """Whose log it is."""
        return self.community.gateways[0]


class Community:
    """A hub, its gateways, the network between them, and the time."""

    def __init__(
        self, template: Path, folder: Path, founded: Founded, begin: int, gateways: int = 2, *, twins: bool = False
    ) -> None:
        self.now, self.folder, self.twins = begin, folder, twins
        self.network: list[Parcel] = []
        self.synced: dict[int, int] = {}
        self._real = os.fdatasync
        os.fdatasync = self._sync
        shutil.copytree(template, folder / "hub")
        self.hub = SimHub(folder / "hub", lambda: self.now)
        codes = [EnrolCode.parse(code) for code in founded.codes[ORG]][:gateways]
        self.gateways: list[SimGateway] = []
        for number, code in enumerate(codes):
            (folder / f"gw{number}").mkdir()
            kind = Twin if twins and number else SimGateway
            self.gateways.append(kind(self, folder / f"gw{number}", code, number))

    def _sync(self, fd: int) -> None:
        stat = os.fstat(fd)
        self.synced[stat.st_ino] = stat.st_size

    def close(self) -> None:
        """Stop everything."""
        os.fdatasync = self._real
        for gateway in self.gateways:
            gateway.stop()
        self.hub.close()

    def deliver(self, which: int, fate: Fate) -> None:
        """One parcel meets its fate."""
        parcel = self.network.pop(which % len(self.network))
        gateway = parcel.gateway
        arrives = gateway.online and fate != "lost"
        status, body = self.hub.answer(parcel) if arrives else (0, b"")
        if arrives and fate == "twice":
            status, body = self.hub.answer(parcel)
        if gateway.life != parcel.life:
            return  # whoever asked is dead
        if not arrives or fate == "answer lost":
            gateway.handle(p.Failed(gateway.clock.tick(), parcel.batch_uid))
        else:
            wall = gateway.clock.wall()
            gateway.handle(p.Answered(gateway.clock.tick(), parcel.batch_uid, status, body, wall, hub_time=self.now))

    def backup(self) -> None:
        """Copy the hub."""
        self.hub.copy_to(self.folder / "backup")

    def restore(self) -> None:
        """The hub's events come from the last backup, if there is one; all streams break."""
        if (self.folder / "backup").exists():
            self.hub.restore_events(self.folder / "backup")
            for gateway in self.gateways:
                online = gateway.online
                gateway.set_online(False)
                gateway.set_online(online)

    def round(self, seconds: float) -> None:
        """Time passes, everybody does what is due, and all parcels arrive."""
        self.now += int(seconds * SECOND)
        for gateway in self.gateways:
            gateway.read()
            gateway.tick()
        while self.network:
            self.deliver(0, "arrives")

    def settle(self) -> None:
        """Everything heals, and nothing more happens until everybody is done."""
        for gateway in self.gateways:
            gateway.complete()
            gateway.free = 1 << 40
            gateway.set_online(True)
        quiet = 0
        for _ in range(400):
            self.round(2.0 if quiet < 6 else 31.0)
            done = all(g.journal.depth()[0] == 0 and taken(g) == g.writes().written for g in self.gateways)
            quiet = quiet + 1 if done else 0
            if quiet > 3:
                return


def taken(gateway: SimGateway) -> int:
    """Records the gateway has read and accounted for."""
    return gateway.journal.counts().get("read", 0)
