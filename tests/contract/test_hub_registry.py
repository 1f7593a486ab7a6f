"""The register on SQLite and PostgreSQL: what makes a live policy, what ends it, and who may do what."""

from __future__ import annotations

import datetime as dt
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from commonwatch.agreements.decode import decode
from commonwatch.agreements.signing import (
    SigningKey,
    envelope_bytes,
    envelope_from,
    propose,
    sign_document,
    sign_message,
)
from commonwatch.agreements.statement import Statement, sign_statement
from commonwatch.errors import Conflict, InvalidInput, NotFound, NotPermitted, SignatureError, Unavailable
from commonwatch.hub.bootstrap import Founded
from commonwatch.hub.core import Office
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.meta.models import Document, Outbox
from commonwatch.hub.registry.parties import Parties
from commonwatch.web.ports import Principal
from hub_house import DAY, NOW, Wall, agreement, charter, office, settings


class Town:
    """A founded community on one database."""

    def __init__(self, url: str, folder: Path, founded: Founded) -> None:
        self.url, self.folder, self.founded, self.wall = url, folder, founded, Wall()
        self.office = office(url, folder, self.wall)
        self.parties = Parties(self.office.documents, self.office.policy, self.office.members)

    def state(self, name: str = "acme-service") -> str:
        return self.office.documents.standing(name).state

    def epoch(self) -> int:
        return self.office.policy.view().epoch

    def who(self, org: str) -> Principal:
        link = self.founded.links[f"{org}-admin"].partition("#link=")[2]
        return self.office.accounts.open_with_link(link, None).principal

    def key(self, org: str) -> SigningKey:
        return SigningKey.from_seed(self.office.keys.need("signing", org))


@pytest.fixture
def town(copied: tuple[str, Path, Founded]) -> Iterator[Town]:
    made = Town(*copied)
    yield made
    made.office.close()


def signed(town: Town, plain: dict, *orgs: str) -> bytes:
    """An envelope of a document, its signers' keys filled in, signed by these organisations."""
    for signer in [*plain.get("parties", []), *([plain["owner"]] if isinstance(plain.get("owner"), dict) else [])]:
        signer |= {"key": town.key(signer["id"]).thumbprint, "name": signer["id"].title()}
    envelope = propose(decode(msgspec.json.encode(plain)))
    for org in orgs:
        envelope = sign_document(envelope, town.key(org))
    return envelope_bytes(envelope)


def test_a_fully_signed_agreement_is_live_at_once_and_raises_the_epoch(town: Town) -> None:
    before = town.epoch()
    made = town.office.documents.register(signed(town, agreement("second"), "acme", "msp"))
    view = town.office.policy.view()
    assert view.epoch == made.epoch > before
    live = {a.document.id: a.state for a in view.owners["acme"].documents.agreements}
    assert live == {"acme-service": "active", "second": "active"}
    assert view.owners["peer"].documents.agreements == ()


def test_a_half_signed_or_foreign_signed_agreement_counts_as_absent(town: Town) -> None:
    before = town.epoch()
    with pytest.raises(SignatureError, match="not yet signed by msp"):
        town.office.documents.register(signed(town, agreement("second"), "acme"))
    plain = agreement("second")
    stranger = SigningKey.generate()
    for party in plain["parties"]:
        party |= {"key": town.key(party["id"]).thumbprint, "name": "x"}
    plain["parties"][1]["key"] = stranger.thumbprint
    envelope = sign_document(sign_document(propose(decode(msgspec.json.encode(plain))), town.key("acme")), stranger)
    with pytest.raises(SignatureError, match="not known here by this key"):
        town.office.documents.register(envelope_bytes(envelope))
    assert town.epoch() == before


def test_an_unknown_party_community_or_field_is_refused_with_its_place(town: Town) -> None:
    with pytest.raises(NotFound, match="no community"):
        town.office.documents.register(signed(town, agreement("second", community="nowhere"), "acme", "msp"))
    with pytest.raises(InvalidInput) as caught:
        decode(msgspec.json.encode(agreement("second", shares="everything")))
    assert caught.value.where
    with pytest.raises(SignatureError):
        town.office.documents.register(b'{"payload": "x"}')


def test_a_revoked_agreement_is_gone_from_the_very_next_view(town: Town) -> None:
    before = town.office.policy.view()
    answer = town.parties.revoke(town.who("acme"), "acme-service", "we changed provider")
    after = town.office.policy.view()
    assert answer["epoch"] == after.epoch > before.epoch
    assert [a.state for a in after.owners["acme"].documents.agreements] == ["revoked"]
    assert after.owners["acme"].digest != before.owners["acme"].digest
    assert after.owners["peer"].digest == before.owners["peer"].digest


def test_suspending_and_resuming_follow_the_owner(town: Town) -> None:
    documents = town.office.documents
    documents.state_for("msp", "acme-service", "suspend")
    assert town.state() == "suspended"
    town.wall.at += 1000
    with pytest.raises(NotPermitted, match="owner"):
        documents.state_for("msp", "acme-service", "resume")
    documents.state_for("acme", "acme-service", "resume")
    assert town.state() == "active"


def test_a_statement_by_a_stranger_or_with_a_strange_key_changes_nothing(town: Town) -> None:
    documents, before = town.office.documents, town.epoch()
    with pytest.raises(NotPermitted, match="revoke"):
        documents.state_for("peer", "acme-service", "revoke")
    standing = documents.standing("acme-service")
    said = Statement(kind="revoke", id="acme-service", by="acme", at=NOW, version=1, hash=standing.hash)
    with pytest.raises(SignatureError, match="not signed by whoever"):
        documents.state(envelope_bytes(sign_statement(said, SigningKey.generate())))
    with pytest.raises(SignatureError):
        documents.state(envelope_bytes(sign_message("dsa+json", b"{}", town.key("acme"))))
    other = msgspec.structs.replace(said, hash="0" * 64)
    with pytest.raises(NotFound):
        documents.state(envelope_bytes(sign_statement(other, town.key("acme"))))
    assert town.epoch() == before
    assert town.state() == "active"


def test_an_externally_signed_revocation_is_taken_once(town: Town) -> None:
    standing = town.office.documents.standing("acme-service")
    said = Statement(kind="revoke", id="acme-service", by="msp", at=NOW, version=1, hash=standing.hash)
    envelope = envelope_bytes(sign_statement(said, town.key("msp")))
    town.office.documents.state(envelope)
    assert town.state() == "revoked"
    with pytest.raises(Conflict, match="already"):
        town.office.documents.state(envelope)


def test_an_agreement_starts_and_ends_by_the_clock_and_each_is_a_new_epoch(town: Town) -> None:
    town.office.documents.register(
        signed(town, agreement("later", starts="2026-12-01", ends="2026-12-01"), "acme", "msp")
    )
    first = town.epoch()
    assert town.state("later") == "not-yet-active"
    town.wall.at = int(dt.datetime(2026, 12, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000
    second = town.epoch()
    assert (town.state("later"), town.state()) == ("active", "expired")
    town.wall.at += DAY
    assert town.epoch() > second > first
    assert town.state("later") == "expired"


def test_a_clock_set_back_revives_nothing_even_after_a_restart(town: Town) -> None:
    town.wall.at += 30 * DAY
    assert town.state() == "expired"
    town.wall.at = NOW
    assert town.state() == "expired"
    again = Office(settings(town.url, town.folder), Clock(Wall(), lambda: 0.0))
    try:
        assert again.documents.standing("acme-service").state == "expired"
        assert again.policy.view().now >= NOW + 30 * DAY
    finally:
        again.close()


def test_an_amendment_replaces_its_version_and_nothing_out_of_chain_does(town: Town) -> None:
    documents = town.office.documents
    first = documents.standing("acme-service").hash
    for wrong in ({"version": 3, "previous": first}, {"version": 2, "previous": "0" * 64}, {"version": 1}):
        with pytest.raises(Conflict):
            documents.register(signed(town, agreement(**wrong), "acme", "msp"))
    amended = agreement(version=2, previous=first, title="Less for everybody")
    amended["clauses"] = amended["clauses"][:1]
    documents.register(signed(town, amended, "acme", "msp"))
    (live,) = town.office.policy.view().owners["acme"].documents.agreements
    assert (live.document.version, len(live.document.clauses)) == (2, 1)


def test_a_charter_works_at_once_and_is_replaced_by_its_next_version(town: Town) -> None:
    before = town.office.policy.view().owners["acme"].digest
    made = town.office.documents.register(signed(town, charter(), "acme"))
    policy = town.office.policy.view().owners["acme"]
    assert policy.documents.charter is not None
    assert policy.digest != before
    town.office.documents.register(signed(town, charter(2, made.hash), "acme"))
    newest = town.office.policy.view().owners["acme"].documents.charter
    assert newest is not None
    assert newest.version == 2
    with pytest.raises(NotPermitted):
        town.parties.revoke(town.who("acme"), "acme-charter", "")


def test_readers_who_are_no_party_and_no_member_are_bound_once_they_accept(town: Town) -> None:
    (live,) = town.office.policy.view().owners["acme"].documents.agreements
    assert live.accepted == {"acme", "msp", "peer", "cert"}
    town.office.members.leave("shield", "peer")
    (live,) = town.office.policy.view().owners["acme"].documents.agreements
    assert "peer" not in live.accepted


def test_membership_and_roles_raise_the_epoch_and_reach_the_view(town: Town) -> None:
    before = town.office.policy.view()
    town.office.members.join("shield", "outsider")
    after = town.office.policy.view()
    assert after.epoch > before.epoch
    assert after.orgs["outsider"].communities == ("shield",)


def test_only_parties_see_an_agreement_and_only_their_administrators_revoke(town: Town) -> None:
    assert [a.id for a in town.parties.of(town.who("msp"))] == ["acme-service"]
    assert town.parties.of(town.who("peer")) == []
    with pytest.raises(NotFound):
        town.parties.one(town.who("outsider"), "acme-service")
    with pytest.raises(NotFound):
        town.parties.revoke(town.who("outsider"), "acme-service", "")
    town.office.members.add_person("clerk", "Clerk", "acme")
    clerk = town.office.accounts.open_with_link(town.office.members.make_link("clerk"), None).principal
    with pytest.raises(NotPermitted, match="administrator"):
        town.parties.revoke(clerk, "acme-service", "")
    info, detail = town.parties.one(town.who("acme"), "acme-service")
    assert info.may_revoke
    assert detail["document"]["id"] == "acme-service"
    assert envelope_from(msgspec.json.encode(detail["envelope"])).signatures
    assert [s["kind"] for s in detail["statements"]] == ["accept-duties"]


def test_registering_is_for_signers_only(town: Town) -> None:
    envelope = signed(town, agreement("second"), "acme", "msp")
    with pytest.raises(NotPermitted):
        town.parties.register(town.who("outsider"), envelope)
    assert town.parties.register(town.who("msp"), envelope).state == "active"


def test_a_reason_that_cannot_be_signed_is_refused_and_nothing_is_revoked(town: Town) -> None:
    with pytest.raises(InvalidInput, match="reason"):
        town.parties.revoke(town.who("acme"), "acme-service", 'a "quoted"\nreason')
    assert town.state() == "active"


def test_a_document_tampered_with_in_the_database_counts_as_absent(town: Town) -> None:
    with town.office.database.write() as session:
        row = session.query(Document).filter_by(name="acme-service").one()
        wider = row.envelope.replace(b'"payload":"ey', b'"payload":"fy')
        session.execute(update(Document).where(Document.hash == row.hash).values(envelope=wider))
    again = Office(settings(town.url, town.folder), Clock(town.wall, lambda: 0.0))
    try:
        assert again.policy.view().owners["acme"].documents.agreements == ()
    finally:
        again.close()


def test_a_change_by_another_process_is_noticed_and_told_within_a_third_of_a_second(town: Town) -> None:
    heard: list[tuple[int, float]] = []
    town.office.policy.listen(lambda epoch: heard.append((epoch, time.monotonic())))
    town.office.policy.start()
    time.sleep(0.3)
    heard.clear()
    other = Office(settings(town.url, town.folder), Clock(town.wall, lambda: 0.0))
    try:
        epoch = other.documents.state_for("acme", "acme-service", "revoke")
        at = time.monotonic()
        while not heard and time.monotonic() - at < 2:
            time.sleep(0.01)
        assert heard[-1][0] == epoch
        assert heard[-1][1] - at < 0.5
        assert town.state() == "revoked"
    finally:
        other.close()


def test_every_change_waits_for_the_audit_log_and_names_only_its_parties(town: Town) -> None:
    town.office.documents.state_for("acme", "acme-service", "revoke")
    with town.office.database.read() as session:
        rows = {row.kind: row for row in session.query(Outbox).order_by(Outbox.at)}
    assert {rows["agreement-revoke"].org, *rows["agreement-revoke"].concerns} == {"acme", "msp"}
    assert {rows["agreement-registered"].org, *rows["agreement-registered"].concerns} == {"acme", "msp"}
    assert rows["agreement-registered"].detail["signed_by_hub"] is True


def test_racing_statements_give_every_change_its_own_epoch(town: Town) -> None:
    documents = town.office.documents
    epochs: list[int] = []

    def accept(org: str) -> None:
        epochs.append(documents.state_for(org, "acme-service", "accept-duties"))

    threads = [threading.Thread(target=accept, args=(org,)) for org in ("peer", "outsider", "msp", "acme")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(epochs)) == 4
    assert town.epoch() == max(epochs)


def test_a_changed_key_is_introduced_by_the_old_one(town: Town) -> None:
    old, new = town.key("acme"), SigningKey.generate()
    said = Statement(kind="key-change", id="acme", by="acme", at=NOW, key=new.thumbprint)
    envelope = sign_statement(said, old)
    with pytest.raises(SignatureError, match="new key is not there"):
        town.office.documents.state(envelope_bytes(envelope))
    from commonwatch.agreements.signing import b64

    carried = msgspec.structs.replace(envelope, keys=(*envelope.keys, b64(new.public)))
    town.office.documents.state(envelope_bytes(carried))
    standing = town.office.documents.standing("acme-service")
    revoke = Statement(kind="revoke", id="acme-service", by="acme", at=NOW, version=1, hash=standing.hash)
    with pytest.raises(SignatureError):
        town.office.documents.state(envelope_bytes(sign_statement(revoke, old)))
    town.office.documents.state(envelope_bytes(sign_statement(revoke, new)))
    assert town.state() == "revoked"


def test_a_sqlite_file_taken_away_closes_the_policy_within_half_a_second(founded_sqlite, tmp_path: Path) -> None:
    shutil.copytree(founded_sqlite.folder, tmp_path, dirs_exist_ok=True)
    town = Town(f"sqlite:///{tmp_path}/meta.sqlite", tmp_path, founded_sqlite.founded)
    town.office.policy.start()
    time.sleep(0.3)
    assert town.office.policy.alive()
    (tmp_path / "meta.sqlite").rename(tmp_path / "elsewhere")
    at = time.monotonic()
    while town.office.policy.alive() and time.monotonic() - at < 3:
        time.sleep(0.01)
    assert time.monotonic() - at < 0.8
    with pytest.raises(Unavailable):
        town.office.policy.view()
    (tmp_path / "elsewhere").rename(tmp_path / "meta.sqlite")
    assert town.office.policy.view().epoch
    town.office.close()
