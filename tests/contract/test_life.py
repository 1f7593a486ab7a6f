"""The life of an agreement on SQLite and PostgreSQL: steps signed with own keys, duties of readers, the record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from commonwatch.agreements.record import prove
from commonwatch.agreements.signing import SigningKey, envelope_bytes
from commonwatch.agreements.statement import Kind, Statement, sign_statement
from commonwatch.errors import Conflict, InvalidInput, NotFound, NotPermitted, SignatureError
from commonwatch.hub.registry.parties import Parties
from commonwatch.web.ports import Principal
from hub_house import DAY, NOW, Wall, agreement, charter, office


class Hall:
    """A founded community and its administrators."""

    def __init__(self, copied) -> None:
        self.founded, self.wall = copied.founded, Wall()
        self.office = office(copied.url, copied.folder, self.wall)
        self.parties = Parties(self.office.documents, self.office.policy, self.office.members)
        self.acme, self.msp, self.peer, self.outsider = (self.who(o) for o in ("acme", "msp", "peer", "outsider"))

    def who(self, org: str) -> Principal:
        link = self.founded.links[f"{org}-admin"].partition("#link=")[2]
        return self.office.accounts.open_with_link(link, None).principal

    def token(self, who: Principal, *scopes: str) -> Principal:
        accounts = self.office.accounts
        return accounts.bearer(accounts.make_token(who, "x", "detect", scopes, 1)[1])

    def key(self, org: str) -> SigningKey:
        return SigningKey.from_seed(self.office.keys.need("signing", org))

    def stated(self, org: str, kind: Kind, key: SigningKey | None = None, **changed: Any) -> bytes:
        standing = self.office.documents.standing("acme-service")
        self.wall.at += 1000
        plain = {"kind": kind, "id": standing.name, "by": org, "at": self.wall.at, "version": standing.version}
        said = msgspec.convert({**plain, "hash": standing.hash, **changed}, Statement)
        return envelope_bytes(sign_statement(said, key or self.key(org)))

    def state(self) -> str:
        return self.office.documents.standing("acme-service").state

    def told(self, who: Principal) -> list[str]:
        return [one.kind for one in self.office.notifications.of(who, unseen=True)]

    def sign_all(self, document: dict[str, Any], *who: Principal) -> str:
        offer = self.office.offers.offer(who[0], document)
        for one in who:
            self.office.offers.sign(one, offer.hash, None)
        return offer.hash


@pytest.fixture
def hall(copied) -> Iterator[Hall]:
    made = Hall(copied)
    for who in (made.acme, made.msp, made.peer, made.outsider):
        made.office.notifications.mark_seen(who)
    yield made
    made.office.close()


def test_each_step_is_taken_with_a_signature_made_elsewhere_and_told_to_the_parties(hall: Hall) -> None:
    signs = hall.token(hall.acme, "agreements", "sign")
    for kind, state in (("suspend", "suspended"), ("resume", "active"), ("revoke", "revoked")):
        epoch = hall.office.policy.view().epoch
        done = hall.parties.step(signs, "acme-service", kind, statement=hall.stated("acme", kind))
        assert (hall.state(), done["epoch"] > epoch) == (state, True)
    assert sorted(hall.told(hall.msp)) == ["resumed", "revoked", "suspended"]
    assert hall.told(hall.peer) == []
    texts = [one.text for one in hall.office.notifications.of(hall.msp, unseen=True)]
    assert all("on behalf" not in text for text in texts)


def test_a_step_with_the_held_key_says_so(hall: Hall) -> None:
    hall.parties.step(hall.msp, "acme-service", "suspend", "maintenance")
    (told,) = hall.office.notifications.of(hall.acme, unseen=True)
    assert told.text == "msp suspended acme-service (signed by the hub on behalf of msp)"
    with pytest.raises(NotPermitted, match="in person"):
        hall.parties.step(hall.token(hall.acme, "sign"), "acme-service", "resume")


def test_what_is_not_open_to_an_organisation_or_in_this_state_is_refused(hall: Hall) -> None:
    assert hall.parties.one(hall.msp, "acme-service")[0].may == ("suspend", "revoke", "amend")
    with pytest.raises(Conflict, match="is active"):
        hall.parties.step(hall.acme, "acme-service", "resume")
    hall.parties.step(hall.msp, "acme-service", "suspend")
    assert hall.parties.one(hall.msp, "acme-service")[0].may == ("revoke", "amend")
    with pytest.raises(NotPermitted, match="owner"):
        hall.parties.step(hall.msp, "acme-service", "resume")
    with pytest.raises(NotFound):
        hall.parties.step(hall.peer, "acme-service", "revoke")
    hall.parties.step(hall.acme, "acme-service", "revoke")
    for kind in ("suspend", "resume", "revoke"):
        with pytest.raises(Conflict, match="is revoked"):
            hall.parties.step(hall.acme, "acme-service", kind)
    assert hall.parties.one(hall.acme, "acme-service")[0].may == ()


def test_an_envelope_that_states_something_else_changes_nothing(hall: Hall) -> None:
    step = hall.parties.step
    for wrong, error in (
        (hall.stated("acme", "suspend"), InvalidInput),
        (hall.stated("msp", "revoke"), InvalidInput),
        (hall.stated("acme", "revoke", version=2), InvalidInput),
        (hall.stated("acme", "revoke", hash="0" * 64), InvalidInput),
        (hall.stated("acme", "revoke", key=None, id="other"), InvalidInput),
        (hall.stated("acme", "revoke", SigningKey.generate()), SignatureError),
        (hall.stated("acme", "revoke", at=NOW + DAY), InvalidInput),
        (b"{}", SignatureError),
    ):
        with pytest.raises(error):
            step(hall.acme, "acme-service", "revoke", statement=wrong)
    assert hall.state() == "active"
    good = hall.stated("acme", "suspend")
    step(hall.acme, "acme-service", "suspend", statement=good)
    step(hall.acme, "acme-service", "resume")
    with pytest.raises(Conflict):
        step(hall.acme, "acme-service", "suspend", statement=good)


def test_a_life_shows_every_version_who_signed_and_whose_signature_is_awaited(hall: Hall) -> None:
    second = {k: v for k, v in agreement(title="Second").items() if k != "version"}
    offer = hall.office.offers.offer(hall.acme, second)
    hall.office.offers.sign(hall.acme, offer.hash, None)
    life = hall.office.lives.life(hall.msp, "acme-service")
    assert (life.state, life.awaiting, life.may) == ("active", ("msp",), ("suspend", "revoke", "amend"))
    assert [(o.version, o.state) for o in life.offers] == [(2, "partly-signed")]
    hall.office.offers.sign(hall.msp, offer.hash, None)
    life = hall.office.lives.life(hall.acme, "acme-service")
    assert [(v.version, v.state) for v in life.versions] == [(1, "replaced"), (2, "active")]
    assert [(s.id, s.role, s.held) for s in life.versions[1].signers] == [
        ("acme", "owner", True),
        ("msp", "operator", True),
    ]
    assert "Second" in life.versions[1].text
    assert life.offers == ()
    for read in (hall.office.lives.life, hall.office.lives.record, hall.office.lives.history):
        with pytest.raises(NotFound):
            read(hall.peer, "acme-service")


def test_an_offer_alone_has_a_life_and_no_record(hall: Hall) -> None:
    hall.office.offers.offer(hall.acme, agreement("second"))
    life = hall.office.lives.life(hall.msp, "second")
    assert (life.state, life.versions, life.awaiting) == ("offered", (), ("acme", "msp"))
    with pytest.raises(NotFound):
        hall.office.lives.record(hall.acme, "second")


def test_the_record_proves_every_version_and_the_state_without_the_hub(hall: Hall) -> None:
    hall.sign_all({k: v for k, v in agreement(title="Second").items() if k != "version"}, hall.acme, hall.msp)
    hall.parties.step(hall.acme, "acme-service", "suspend")
    record = json.dumps(hall.office.lives.record(hall.msp, "acme-service"))
    proven = prove(record, hall.wall.at)
    assert [d.document.version for d in proven.documents] == [1, 2]
    assert proven.standing is not None
    assert (proven.standing.state, proven.standing.document.version) == ("suspended", 2)
    plain = json.loads(record)
    for changed in (
        {"documents": plain["documents"][1:]},
        {"documents": [plain["documents"][0] | {"payload": plain["documents"][1]["payload"]}]},
        {"statements": [plain["statements"][0] | {"payload": "e30"}]},
        {"more": 1},
    ):
        with pytest.raises(SignatureError):
            prove(json.dumps(plain | changed), hall.wall.at)


def test_renewal_is_a_next_version_even_after_the_end(hall: Hall) -> None:
    hall.wall.at += 30 * DAY
    assert hall.state() == "expired"
    again = {k: v for k, v in agreement(ends="2027-11-30").items() if k != "version"}
    hall.sign_all(again, hall.msp, hall.acme)
    assert hall.state() == "active"


def shown_to_outsider(owner: str = "exact") -> dict[str, Any]:
    plain = agreement("for-isps", community="shield")
    plain["clauses"][1]["to"] = {"roles": ["isp"]}
    plain["clauses"][1]["fields"] = {"src_ip": "exact", "owner": owner}
    return plain


def test_a_reader_who_is_no_party_reads_what_reaches_it_and_accepts_the_duties(hall: Hall) -> None:
    hall.sign_all(shown_to_outsider(), hall.acme, hall.msp)
    (one,) = hall.parties.duties(hall.outsider)
    assert (one.id, one.owner, one.accepted) == ("for-isps", "acme", False)
    assert "[warn-peers]" in one.text
    assert "operate-for-us" not in one.text
    assert "Whoever receives under this agreement shall" in one.text
    with pytest.raises(NotFound):
        hall.parties.step(hall.peer, "for-isps", "accept-duties")
    hall.parties.step(hall.outsider, "for-isps", "accept-duties")
    assert hall.parties.duties(hall.outsider)[0].accepted
    live = {a.document.id: a for a in hall.office.policy.view().owners["acme"].documents.agreements}
    assert "outsider" in live["for-isps"].accepted
    assert "duties-accepted" in hall.told(hall.acme)


def test_who_is_not_shown_the_owner_is_not_told_its_agreements_name(hall: Hall) -> None:
    hall.sign_all(shown_to_outsider("pseudonym"), hall.acme, hall.msp)
    assert hall.parties.duties(hall.outsider) == []
    hidden = charter() | {"clauses": [{"kind": "limit", "id": "who", "fields": {"owner": "pseudonym"}}]}
    hall.sign_all(hidden, hall.acme)
    hall.sign_all(shown_to_outsider() | {"id": "for-isps-too"}, hall.acme, hall.msp)
    assert hall.parties.duties(hall.outsider) == []
    with pytest.raises(NotFound):
        hall.parties.step(hall.outsider, "for-isps-too", "accept-duties")
