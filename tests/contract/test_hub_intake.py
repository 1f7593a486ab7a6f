"""Enrolment and batches: what is believed, stored once and acknowledged, and what is refused with what to do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.errors import InvalidInput, NotAuthenticated, SignatureError, Unavailable
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.gateways import Enrolments
from commonwatch.hub.intake import Intake
from commonwatch.hub.members import Members
from commonwatch.hub.meta import epoch
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.keys import KeyFile
from commonwatch.hub.meta.migrate import migrate
from commonwatch.hub.meta.models import Outbox, Quarantined
from commonwatch.store import Store
from commonwatch.wire.batch import BatchHeader, batch_uid, seal
from commonwatch.wire.enrolment import EnrolCode, EnrolReply, EnrolRequest, open_reply, seal_request
from commonwatch.wire.messages import BatchReceipt

NOW = 1_795_000_000 * MICROS


class Wall:
    """A wall clock that tests move."""

    at = NOW

    def __call__(self) -> int:
        return self.at


class Site:
    """A hub's intake on one database and a real store, with two organisations that hold keys here."""

    def __init__(self, url: str, folder: Path) -> None:
        self.wall = Wall()
        self.database, self.keys = Database(url), KeyFile(folder)
        self.clock = Clock(self.wall, lambda: 0.0)
        migrate(self.database)
        with self.database.write() as session:
            epoch.found(session)
        self.members = Members(self.database, self.keys, self.clock)
        self.enrolments = Enrolments(self.database, self.keys, self.clock, self.members)
        self.store = Store.open(folder / "store", memory_limit="256MB", threads=1)
        self.intake = Intake(self.database, self.clock, self.store.append)
        for org in ("acme", "other"):
            self.members.add_org(OrgInfo(org, org.title(), roles=("sme",)))
            self.members.hold_key(org)

    def enrol(self, org: str, key: Ed25519PrivateKey, root: bytes = b"r" * 32) -> EnrolReply:
        code = self.enrolments.make_code(org)
        return open_reply(self.enrolments.enrol(request(code, key, root)), code)

    def close(self) -> None:
        self.store.close()
        self.database.close()
        self.keys.close()


def request(code: EnrolCode, key: Ed25519PrivateKey, root: bytes = b"r" * 32) -> bytes:
    public = key.public_key().public_bytes_raw()
    made = EnrolRequest(secret=code.secret, name="edge", key=public, pseudonym_key=root, at=NOW)
    return seal_request(made, key)


def batch(
    gateway: str, org: str, key: Ed25519PrivateKey, *, rows: int = 3, seq: int = 1, snapshot: int = 0, made: int = NOW
) -> bytes:
    uids = [secrets.token_bytes(16) for _ in range(rows)]
    header = BatchHeader(
        batch_uid=batch_uid(gateway, uids), gateway=gateway, org=org, seq=seq, snapshot=snapshot, rows=rows,
        profiles=[{"time": "exact", "severity": "exact"}], rules_version=1, made_at=made,
    )  # fmt: skip
    columns = {
        "event_uid": uids, "time": [made - 1] * rows, "event_class": [2] * rows, "tlp": [1] * rows,
        "severity_id": [3] * rows, "profile": [0] * rows,
    }  # fmt: skip
    return seal(header, columns, key)


@pytest.fixture
def site(url: str, tmp_path: Path) -> Iterator[Site]:
    made = Site(url, tmp_path)
    yield made
    made.close()


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def receipt(body: bytes) -> BatchReceipt:
    return msgspec.json.decode(body, type=BatchReceipt)


def test_a_gateway_enrols_once_with_a_code_and_learns_the_pinned_keys(site: Site, key: Ed25519PrivateKey) -> None:
    code = site.enrolments.make_code("acme")
    body = request(code, key)
    reply = open_reply(site.enrolments.enrol(body), code)
    assert (reply.org, reply.org_name) == ("acme", "Acme")
    with pytest.raises(NotAuthenticated, match="used"):
        site.enrolments.enrol(body)


def test_a_code_expires_and_unknown_codes_are_refused(site: Site, key: Ed25519PrivateKey) -> None:
    code = site.enrolments.make_code("acme", hours=1)
    site.wall.at += 3600 * MICROS
    with pytest.raises(NotAuthenticated, match="expired"):
        site.enrolments.enrol(request(code, key))
    with pytest.raises(NotAuthenticated, match="unknown"):
        site.enrolments.enrol(request(code._replace(secret="A" * 20), key))


def test_the_owner_of_the_first_gateway_gives_the_pseudonym_key_and_a_second_does_not_change_it(site: Site) -> None:
    made_here = site.keys.pseudonym_key("acme")
    site.enrol("acme", Ed25519PrivateKey.generate(), b"1" * 32)
    assert site.keys.pseudonym_key("acme") == b"1" * 32 != made_here
    site.enrol("acme", Ed25519PrivateKey.generate(), b"2" * 32)
    assert site.keys.pseudonym_key("acme") == b"1" * 32


def test_a_batch_is_stored_once_however_often_it_is_sent(site: Site, key: Ed25519PrivateKey) -> None:
    gateway = site.enrol("acme", key).gateway
    body = batch(gateway, "acme", key)
    assert receipt(site.intake.accept(body)) == receipt(body_receipt(body, stored=3))
    for _ in range(3):
        again = receipt(site.intake.accept(body))
        assert (again.stored, again.duplicate) == (0, True)
    assert site.store.watermark()[0] == 1


def body_receipt(body: bytes, stored: int) -> bytes:
    from commonwatch.wire.batch import peek_header

    header = peek_header(body)
    return msgspec.json.encode(BatchReceipt(header.batch_uid, header.rows, stored, duplicate=False))


def test_batches_in_any_order_are_all_stored(site: Site, key: Ed25519PrivateKey) -> None:
    gateway = site.enrol("acme", key).gateway
    bodies = [batch(gateway, "acme", key, seq=seq) for seq in (5, 1, 3)]
    assert [receipt(site.intake.accept(body)).stored for body in (*bodies, bodies[0])] == [3, 3, 3, 0]


def test_a_batch_signed_by_somebody_else_is_refused_and_remembered_without_its_content(
    site: Site, key: Ed25519PrivateKey
) -> None:
    gateway = site.enrol("acme", key).gateway
    body = batch(gateway, "acme", Ed25519PrivateKey.generate())
    for _ in range(2):
        with pytest.raises(SignatureError, match="does not verify") as caught:
            site.intake.accept(body)
        assert caught.value.todo
    with site.database.read() as session:
        (row,) = session.query(Quarantined).all()
        assert (row.gateway, row.times, row.size) == (gateway, 2, len(body))
        assert session.query(Outbox).filter_by(kind="batch-refused").count() == 1
    assert site.store.watermark()[0] == 0


def test_a_gateway_cannot_send_events_of_another_organisation(site: Site, key: Ed25519PrivateKey) -> None:
    gateway = site.enrol("acme", key).gateway
    with pytest.raises(SignatureError, match="another organisation"):
        site.intake.accept(batch(gateway, "other", key))
    assert site.store.watermark()[0] == 0


def test_a_batch_of_an_unknown_or_removed_gateway_is_refused(site: Site, key: Ed25519PrivateKey) -> None:
    with pytest.raises(NotAuthenticated, match="not enrolled"):
        site.intake.accept(batch("gw-nobody", "acme", key))
    gateway = site.enrol("acme", key).gateway
    site.enrolments.drop(gateway)
    with pytest.raises(NotAuthenticated, match="removed"):
        site.intake.accept(batch(gateway, "acme", key))


def test_garbage_is_refused_with_what_to_do_and_a_good_batch_still_lands(site: Site, key: Ed25519PrivateKey) -> None:
    gateway = site.enrol("acme", key).gateway
    good = batch(gateway, "acme", key)
    for bad in (b"", b"\x00" * 100, good[:-1], good[: len(good) // 2], good + b"x"):
        with pytest.raises((InvalidInput, SignatureError)) as caught:
            site.intake.accept(bad)
        assert caught.value.todo
    assert receipt(site.intake.accept(good)).stored == 3


def test_a_batch_made_more_than_a_day_ahead_is_refused_and_the_clock_named(site: Site, key: Ed25519PrivateKey) -> None:
    gateway = site.enrol("acme", key).gateway
    with pytest.raises(InvalidInput, match="future") as caught:
        site.intake.accept(batch(gateway, "acme", key, made=NOW + 25 * 3600 * MICROS))
    assert "clock" in caught.value.todo


def test_a_gateway_with_a_newer_snapshot_than_we_issued_means_we_are_behind_and_nothing_is_taken(
    site: Site, key: Ed25519PrivateKey
) -> None:
    gateway = site.enrol("acme", key).gateway
    with pytest.raises(Unavailable, match="newer policy snapshot"):
        site.intake.accept(batch(gateway, "acme", key, snapshot=7))
    assert site.store.watermark()[0] == 0
