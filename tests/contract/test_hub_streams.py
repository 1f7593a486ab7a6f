"""Held-open streams on SQLite and PostgreSQL: what a gateway and a browser hear, and that both end when they must."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.agreements.signing import SigningKey, envelope_bytes
from commonwatch.agreements.snapshot import verify_snapshot
from commonwatch.agreements.statement import Statement, sign_statement
from commonwatch.audit.log import AuditLog
from commonwatch.audit.verify import verify_checkpoint, verify_consistency
from commonwatch.errors import Conflict, NotAuthenticated, NotPermitted, SignatureError, Unavailable
from commonwatch.hub.bootstrap import Founded
from commonwatch.hub.core import Core, Office, audit_key
from commonwatch.hub.stream import Stream
from commonwatch.web.ports import Principal
from commonwatch.wire.auth import sign_request
from commonwatch.wire.enrolment import EnrolCode, EnrolReply, EnrolRequest, open_reply, seal_request
from commonwatch.wire.messages import (
    AlertMessage,
    Checkpoint,
    Counts,
    Downlink,
    Heartbeat,
    Hello,
    IndicatorItem,
    Indicators,
    SnapshotMessage,
    Withdraw,
    decode_line,
)
from hub_house import Wall, agreement, clock, settings


class Tower:
    """A serving hub without HTTP, with a real audit log."""

    def __init__(self, url: str, folder: Path, founded: Founded) -> None:
        self.wall, self.founded, self.folder, self.url = Wall(), founded, folder, url
        made = settings(url, folder)
        self.audit = AuditLog(folder / "audit", audit_key(made), "test-hub")
        self.marks = ["2026-11-20T12:00:00Z"]
        self.core = Core(made, lambda batch: batch.rows, self.audit, lambda: self.marks[-1], clock(self.wall))
        self.core.start()
        self.codes = [EnrolCode.parse(code) for code in founded.codes["acme"]]

    def enrol(self) -> tuple[EnrolReply, Ed25519PrivateKey, Principal]:
        code, key = self.codes.pop(), Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes_raw()
        request = EnrolRequest(secret=code.secret, name="edge", key=public, pseudonym_key=b"r" * 32, at=self.wall.at)
        reply = open_reply(self.core.gateways.enrol(seal_request(request, key)), code)
        return reply, key, self.authenticate(reply, key)

    def authenticate(self, reply: EnrolReply, key: Ed25519PrivateKey) -> Principal:
        headers = sign_request("GET", "/gateway/stream", b"", self.wall.at, reply.gateway, key)
        return self.core.gateways.authenticate("GET", "/gateway/stream", headers, b"")

    def person(self, name: str) -> tuple[Principal, str]:
        opened = self.core.accounts.open_with_link(self.founded.links[name].partition("#link=")[2], None)
        return opened.principal, opened.secret

    def close(self) -> None:
        self.core.close()
        self.audit.close()


@pytest.fixture
def tower(copied: tuple[str, Path, Founded]) -> Iterator[Tower]:
    made = Tower(*copied)
    yield made
    made.close()


async def hear(notices: AsyncIterator[tuple[str, dict]], kind: str, seconds: float = 5) -> tuple[str, dict]:
    """The next notice of a kind."""
    async with asyncio.timeout(seconds):
        while (notice := await anext(notices))[0] != kind:
            pass
        return notice


async def read(lines: AsyncIterator[bytes], kind: type, seconds: float = 5) -> Downlink:
    """The next line of a kind."""
    end = time.monotonic() + seconds
    while True:
        line = await asyncio.wait_for(anext(lines), end - time.monotonic())
        if isinstance(message := decode_line(line), kind):
            return message


def test_a_gateway_hears_hello_then_a_snapshot_its_owner_signed_then_what_it_missed(tower: Tower) -> None:
    reply, _, principal = tower.enrol()
    item = IndicatorItem(id="indicator--1", type="ipv4-addr", value="203.0.113.9", pattern="[]", valid_from=0)
    tower.core.push.publish_indicators("acme", [item])
    tower.core.push.withdraw("acme", ["indicator--0"])

    async def run() -> list[Downlink | None]:
        async with aclosing(tower.core.gateways.stream(principal, 0, 0)) as lines:
            return [decode_line(await anext(lines)) for _ in range(5)]

    hello, snapshot, gone, items, head = asyncio.run(run())
    assert isinstance(hello, Hello)
    assert hello.epoch == tower.core.policy.view().epoch
    assert isinstance(snapshot, SnapshotMessage)
    verified = verify_snapshot(snapshot.body, reply.hub_key, reply.owner_key, 0, tower.wall.at)
    assert verified.snapshot.number == snapshot.number == 1
    (live,) = verified.owner_documents(tower.wall.at).agreements
    assert live.state == "active"
    assert gone == Withdraw(["indicator--0"])
    assert items == Indicators([item])
    assert isinstance(head, Checkpoint)
    assert bytes.fromhex(head.key) == reply.audit_key
    fields = {name: getattr(head, name) for name in ("origin", "size", "root", "time", "key", "signature")}
    assert verify_checkpoint(fields, reply.audit_key)


def test_what_comes_while_a_snapshot_is_due_is_told_as_well(tower: Tower) -> None:
    principal = tower.enrol()[2]

    async def run() -> list[Downlink]:
        stream = Stream(tower.core.downlink, principal, 0)
        stream.renewed -= 60
        async with tower.core.push.listen("acme") as listener:
            tower.core.push.alert("acme", AlertMessage("a1", "Outbreak", 1))
            return await stream.due(listener)

    assert [type(line) for line in asyncio.run(run())] == [SnapshotMessage, AlertMessage]


def test_a_revocation_brings_a_snapshot_without_the_agreement_within_a_second(tower: Tower) -> None:
    reply, _, principal = tower.enrol()

    async def run() -> float:
        async with aclosing(tower.core.gateways.stream(principal, 0, 0)) as lines:
            first = await read(lines, SnapshotMessage)
            at = time.monotonic()
            await asyncio.to_thread(tower.core.documents.state_for, "acme", "acme-service", "revoke")
            second = await read(lines, SnapshotMessage)
            took = time.monotonic() - at
            assert isinstance(first, SnapshotMessage)
            assert isinstance(second, SnapshotMessage)
            before = verify_snapshot(first.body, reply.hub_key, reply.owner_key, 0, tower.wall.at).snapshot
            verified = verify_snapshot(
                second.body, reply.hub_key, reply.owner_key, first.number, tower.wall.at, last=before
            )
            assert [a.state for a in verified.owner_documents(tower.wall.at).agreements] == ["revoked"]
            return took

    assert asyncio.run(run()) < 1.5


def test_snapshots_are_numbered_across_restarts_and_reissued_each_minute(tower: Tower) -> None:
    first = tower.core.snapshots.current("acme")
    assert tower.core.snapshots.current("acme") is first
    tower.wall.at += 61 * 1_000_000
    assert tower.core.snapshots.current("acme").number == first.number + 1
    again = Office(settings(tower.url, tower.folder), clock(tower.wall))
    from commonwatch.hub.registry.snapshots import Snapshots

    assert Snapshots(again.database, again.keys, again.clock, again.policy).current("acme").number == first.number + 2
    again.close()


def test_an_owner_whose_gateways_hold_a_newer_snapshot_is_closed_and_the_others_are_not(tower: Tower) -> None:
    reply, _, principal = tower.enrol()
    tower.core.snapshots.current("acme")
    beat = Heartbeat(
        at=tower.wall.at, version="1", snapshot=9, spool_batches=0, spool_events=0, checkpoint=0, counts=Counts()
    )
    tower.core.gateways.heartbeat(principal, msgspec.json.encode(beat))
    view = tower.core.policy.view()
    assert view.owners["acme"].documents.agreements == ()
    with pytest.raises(Unavailable, match="behind"):
        tower.core.snapshots.current("acme")
    assert tower.core.snapshots.current("peer").number == 1
    assert reply.org == "acme"


def test_what_an_owner_says_at_its_gateway_is_registered_and_nobody_else_is_heard(tower: Tower) -> None:
    _, _, principal = tower.enrol()
    standing = tower.core.documents.standing("acme-service")
    for by, right in (("peer", False), ("acme", True)):
        said = Statement(
            kind="revoke", id="acme-service", by=by, at=tower.wall.at, version=1, hash=standing.hash, reason="enough"
        )
        key = SigningKey.from_seed(tower.core.keys.need("signing", "peer" if not right else "acme"))
        body = envelope_bytes(sign_statement(said, key))
        if right:
            tower.core.gateways.state(principal, body)
        else:
            with pytest.raises(NotPermitted):
                tower.core.gateways.state(principal, body)
        assert tower.core.documents.standing("acme-service").state == ("revoked" if right else "active")


def test_a_removed_gateway_loses_its_stream_and_its_requests(tower: Tower) -> None:
    reply, key, principal = tower.enrol()

    async def run() -> float:
        async with aclosing(tower.core.gateways.stream(principal, 0, 0)) as lines:
            await read(lines, SnapshotMessage)
            assert tower.core.downlink.connected(reply.gateway)
            at = time.monotonic()
            await asyncio.to_thread(tower.core.enrolments.drop, reply.gateway)
            async for _ in lines:
                pass
            return time.monotonic() - at

    assert asyncio.run(asyncio.wait_for(run(), 5)) < 1.5
    assert not tower.core.downlink.connected(reply.gateway)
    with pytest.raises(NotAuthenticated):
        tower.authenticate(reply, key)


def test_a_checkpoint_proves_that_the_log_only_grew(tower: Tower) -> None:
    reply, _, principal = tower.enrol()
    tower.core.drain.run()
    known = tower.audit.checkpoint()
    tower.core.members.add_person("bob", "Bob", "acme")
    tower.core.drain.run()

    async def run() -> Checkpoint:
        async with aclosing(tower.core.gateways.stream(principal, 0, known.size)) as lines:
            head = await read(lines, Checkpoint)
            assert isinstance(head, Checkpoint)
            return head

    head = asyncio.run(run())
    path = [bytes.fromhex(step) for step in head.proof]
    assert head.proof_from == known.size < head.size
    assert verify_consistency(known.size, head.size, path, bytes.fromhex(known.root), bytes.fromhex(head.root))
    assert reply.audit_key.hex() == head.key


def test_a_request_signed_by_another_key_or_with_a_wrong_clock_is_refused(tower: Tower) -> None:
    reply, key, _ = tower.enrol()
    with pytest.raises(NotAuthenticated, match="does not verify"):
        tower.authenticate(reply, Ed25519PrivateKey.generate())
    headers = sign_request("GET", "/x", b"", tower.wall.at - 11 * 60 * 1_000_000, reply.gateway, key)
    with pytest.raises(NotAuthenticated, match="clock"):
        tower.core.gateways.authenticate("GET", "/x", headers, b"")


def test_the_operator_sees_its_customers_gateways_until_the_agreement_ends(tower: Tower) -> None:
    reply, _, _ = tower.enrol()
    operator, _ = tower.person("msp-admin")
    peer, _ = tower.person("peer-admin")
    assert [g.id for g in tower.core.gateways.visible(operator)] == [reply.gateway]
    assert not tower.core.gateways.visible(peer)
    tower.core.documents.state_for("acme", "acme-service", "revoke")
    assert not tower.core.gateways.visible(operator)


async def but_letters(notices: AsyncIterator[tuple[str, dict]]) -> tuple[str, dict]:
    """The next notice that is no notification about an agreement; when those come is tested elsewhere."""
    while (notice := await anext(notices))[0] == "notification":
        pass
    return notice


def test_a_browser_hears_hello_changes_alerts_of_its_organisation_and_bye(tower: Tower) -> None:
    principal, secret = tower.person("acme-admin")

    async def run() -> list[tuple[str, dict]]:
        heard = []
        async with aclosing(tower.core.notices.watch(principal)) as notices:
            heard.append(await anext(notices))
            tower.core.push.alert("peer", AlertMessage("a0", "not yours", 1))
            tower.core.push.alert("acme", AlertMessage("a1", "Outbreak", 1))
            heard.append(await hear(notices, "alert"))
            tower.marks.append("2026-11-20T12:01:00Z")
            heard.append(await hear(notices, "watermark"))
            await asyncio.to_thread(tower.core.members.join, "shield", "outsider")
            heard.append(await hear(notices, "epoch"))
            at = time.monotonic()
            await asyncio.to_thread(tower.core.accounts.close, secret)
            heard.append(await hear(notices, "bye"))
            assert time.monotonic() - at < 1.5
        return heard

    hello, alert, mark, epoch, bye = asyncio.run(run())
    assert hello[0] == "hello"
    assert (alert[0], alert[1]["id"]) == ("alert", "a1")
    assert mark == ("watermark", {"watermark": "2026-11-20T12:01:00Z"})
    assert epoch == ("epoch", {"epoch": tower.core.policy.view().epoch})
    assert bye == ("bye", {"reason": "session-ended"})


def test_a_revocation_ends_the_streams_of_whom_it_touches_and_tells_the_others(tower: Tower) -> None:
    touched, _ = tower.person("peer-admin")
    other, _ = tower.person("outsider-admin")
    counted: list[dict[str, int]] = []
    tower.core.leases.ended = lambda _epoch, streams: counted.append(dict(streams))

    async def run() -> tuple[float, tuple[str, dict], tuple[str, dict]]:
        async with aclosing(tower.core.notices.watch(touched)) as one, aclosing(tower.core.notices.watch(other)) as two:
            await anext(one), await anext(two)
            at = time.monotonic()
            await asyncio.to_thread(tower.core.documents.state_for, "acme", "acme-service", "revoke")
            bye = await hear(one, "bye")
            took = time.monotonic() - at
            assert [notice async for notice in one] == []
            return took, bye, await hear(two, "epoch")

    took, bye, told = asyncio.run(run())
    assert took < 1
    assert bye == ("bye", {"reason": "policy-changed"})
    assert told == ("epoch", {"epoch": tower.core.policy.view().epoch})
    assert counted == [{"peer": 1}]


def test_losing_a_membership_ends_a_browsers_stream_since_the_reader_changed(tower: Tower) -> None:
    principal, _ = tower.person("peer-admin")

    async def run() -> tuple[str, dict]:
        last = ("", {})
        async with aclosing(tower.core.notices.watch(principal)) as notices:
            await anext(notices)
            await asyncio.to_thread(tower.core.members.leave, "shield", "peer")
            async for notice in notices:
                last = notice
        return last

    assert asyncio.run(asyncio.wait_for(run(), 5))[0] == "bye"


def test_open_streams_end_within_a_second_when_the_database_is_gone(founded_sqlite, tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    shutil.copytree(founded_sqlite.folder, folder)
    tower = Tower(f"sqlite:///{folder}/meta.sqlite", folder, founded_sqlite.founded)
    _, _, gateway = tower.enrol()
    person, _ = tower.person("acme-admin")

    async def until_end(stream: AsyncIterator[object]) -> float:
        async for _ in stream:
            pass
        return time.monotonic()

    async def run() -> float:
        ends = [
            asyncio.create_task(until_end(tower.core.notices.watch(person))),
            asyncio.create_task(until_end(tower.core.gateways.stream(gateway, 0, 0))),
        ]
        await asyncio.sleep(0.6)
        assert tower.core.push.count() == 2
        at = time.monotonic()
        (folder / "meta.sqlite").rename(folder / "gone")
        return max(await asyncio.gather(*ends)) - at

    assert asyncio.run(asyncio.wait_for(run(), 10)) < 1.2
    (folder / "gone").rename(folder / "meta.sqlite")
    tower.close()


def test_everything_that_changed_is_in_the_audit_log_once(tower: Tower) -> None:
    tower.core.documents.state_for("acme", "acme-service", "revoke")
    tower.core.drain.run()
    tower.core.drain.run()
    kinds = [msgspec.json.decode(data)["kind"] for _, data in tower.audit.entries("msp", 0, 1000)]
    assert kinds.count("agreement-revoke") == 1
    assert kinds.count("agreement-registered") == 1
    kinds = [msgspec.json.decode(data)["kind"] for _, data in tower.audit.entries("peer", 0, 1000)]
    assert "agreement-revoke" not in kinds


def test_a_database_restored_from_before_a_revocation_does_not_serve(founded_sqlite, tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    shutil.copytree(founded_sqlite.folder, folder)
    backup = (folder / "meta.sqlite").read_bytes()
    url = f"sqlite:///{folder}/meta.sqlite"
    tower = Tower(url, folder, founded_sqlite.founded)
    tower.core.documents.state_for("acme", "acme-service", "revoke")
    tower.close()
    for name in ("meta.sqlite-wal", "meta.sqlite-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "meta.sqlite").write_bytes(backup)
    with pytest.raises(Conflict, match="older than the audit log"):
        Tower(url, folder, founded_sqlite.founded)


def test_a_snapshot_of_another_owner_is_never_issued_to_a_gateway(tower: Tower) -> None:
    reply, _, _ = tower.enrol()
    other = tower.core.snapshots.current("peer")
    assert not verify_snapshot(other.body, reply.hub_key, reply.owner_key, 0, tower.wall.at).documents
    tower.core.documents.sign_for(_peers())
    foreign = tower.core.snapshots.current("peer")
    with pytest.raises(SignatureError, match=r"another owner|not signed by this owner"):
        verify_snapshot(foreign.body, reply.hub_key, reply.owner_key, 0, tower.wall.at)


def _peers() -> bytes:
    plain = agreement("peer-service")
    plain["parties"] = [{"id": "peer", "role": "owner"}, {"id": "msp", "role": "operator"}]
    return msgspec.json.encode(plain)
