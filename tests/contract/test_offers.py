"""Drafts and offers on SQLite and PostgreSQL: frozen bytes, one signature a party, agreed or absent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from commonwatch.agreements.decode import canonical, decode, digest
from commonwatch.agreements.english import say
from commonwatch.agreements.signing import Signature, SigningKey, sign, unb64
from commonwatch.errors import (
    CommonwatchError,
    Conflict,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    SignatureError,
    Stale,
)
from commonwatch.hub.meta.models import Outbox
from commonwatch.web.ports import OfferInfo, Principal
from hub_house import Wall, agreement, charter, office


class Hall:
    """A founded community and its administrators; acme signs with a key of its own, msp lets the hub sign."""

    def __init__(self, copied) -> None:
        self.founded, self.wall = copied.founded, Wall()
        self.office = office(copied.url, copied.folder, self.wall)
        self.offers, self.drafts = self.office.offers, self.office.drafts
        self.acme, self.msp, self.peer = (self.who(org) for org in ("acme", "msp", "peer"))

    def who(self, org: str) -> Principal:
        link = self.founded.links[f"{org}-admin"].partition("#link=")[2]
        return self.office.accounts.open_with_link(link, None).principal

    def key(self, org: str) -> SigningKey:
        return SigningKey.from_seed(self.office.keys.need("signing", org))

    def live(self) -> dict[str, tuple[int, str]]:
        agreements = self.office.policy.view().owners["acme"].documents.agreements
        return {a.document.id: (a.document.version, a.state) for a in agreements}

    def told(self, who: Principal) -> list[str]:
        return [one.kind for one in self.office.notifications.of(who, unseen=True)]

    def audited(self) -> list[str]:
        with self.office.database.read() as session:
            return [row.kind for row in session.query(Outbox).all() if row.kind.startswith(("offer", "agreement"))]


@pytest.fixture
def hall(copied) -> Iterator[Hall]:
    made = Hall(copied)
    for who in (made.acme, made.msp, made.peer):
        made.office.notifications.mark_seen(who)
    yield made
    made.office.close()


def part(offer: OfferInfo, key: SigningKey, **changed: str) -> Signature:
    """A party's signature, as its browser makes it."""
    more = {"grammar": offer.grammar, "text": offer.text_hash} | changed
    return sign(unb64(offer.payload), more.pop("typ", offer.typ), key, **more)


def second(**changes: Any) -> dict[str, Any]:
    return agreement("second", **changes)


def test_an_agreement_is_offered_signed_by_each_party_and_then_live_at_once(hall: Hall) -> None:
    offer = hall.offers.offer(hall.acme, second())
    assert (offer.state, offer.awaiting, offer.may) == ("offered", ("acme", "msp"), ("sign", "withdraw"))
    assert digest(unb64(offer.payload)) == offer.hash
    assert digest(offer.text.encode()) == offer.text_hash
    frozen = decode(unb64(offer.payload))
    assert (canonical(frozen), say(frozen)) == (unb64(offer.payload), offer.text)
    half = hall.offers.sign(hall.acme, "second", part(offer, hall.key("acme")))
    assert (half.state, half.awaiting, half.may) == ("partly-signed", ("msp",), ("withdraw",))
    assert "second" not in hall.live()
    done = hall.offers.sign(hall.msp, offer.hash, None)
    assert (done.state, done.awaiting, done.may) == ("agreed", (), ())
    assert [p.held for p in done.parties] == [False, True]
    assert hall.live()["second"] == (1, "active")
    assert hall.told(hall.msp) == ["agreed", "offered", "signed"]
    assert hall.told(hall.acme) == ["agreed", "signed"]
    assert {"offer-made", "offer-signed", "agreement-registered"} <= set(hall.audited())


def test_what_is_left_out_follows_from_what_the_hub_knows(hall: Hall) -> None:
    first = hall.office.documents.standing("acme-service")
    plain = agreement(title="Amended")
    del plain["version"]
    plain["parties"][0]["name"] = "acme"
    offer = hall.offers.offer(hall.msp, plain)
    frozen = decode(unb64(offer.payload))
    assert (frozen.version, frozen.previous) == (2, first.hash)
    assert frozen.parties[0].name == "Acme"
    assert [p.key for p in offer.parties] == [hall.key("acme").thumbprint, hall.key("msp").thumbprint]
    hall.offers.sign(hall.acme, offer.hash, None)
    assert hall.live()["acme-service"] == (1, "active")
    hall.offers.sign(hall.msp, offer.hash, None)
    assert hall.live()["acme-service"] == (2, "active")


def test_an_offer_says_what_it_changes_beside_the_version_it_replaces(hall: Hall) -> None:
    first = hall.offers.offer(hall.acme, second())
    assert first.impact is not None
    assert first.impact["newly"]
    assert not first.impact["no_longer"]
    for who in (hall.acme, hall.msp):
        hall.offers.sign(who, first.hash, None)
    less = {k: v for k, v in second().items() if k != "version"}
    less["clauses"] = less["clauses"][:1]
    impact = hall.offers.offer(hall.acme, less).impact
    assert impact is not None
    assert (bool(impact["newly"]), bool(impact["no_longer"])) == (False, True)
    assert hall.offers.offer(hall.acme, charter()).impact is None


def test_a_signature_over_anything_else_is_refused_and_changes_nothing(hall: Hall) -> None:
    offer = hall.offers.offer(hall.acme, second())
    other = hall.offers.offer(hall.acme, second(title="Another title"))
    acme, good = hall.key("acme"), part(offer, hall.key("acme"))
    cut = Signature(good.protected, good.signature[:-2])
    bad = [
        part(offer, SigningKey.generate()), part(offer, hall.key("msp")), part(other, acme),
        part(offer, acme, text="0" * 64), part(offer, acme, grammar="99"), part(offer, acme, typ="dsa-charter+json"),
        part(offer, acme, jwk="x"), sign(b"other bytes", offer.typ, acme, grammar="1", text=offer.text_hash), cut,
        Signature(part(other, acme).protected, good.signature), Signature("", ""), Signature("e30", good.signature),
    ]  # fmt: skip
    for wrong in bad:
        with pytest.raises(SignatureError):
            hall.offers.sign(hall.acme, offer.hash, wrong)
    assert hall.offers.one(hall.acme, offer.hash).state == "offered"
    hall.offers.sign(hall.acme, offer.hash, good)
    with pytest.raises(Conflict, match="signed already"):
        hall.offers.sign(hall.acme, offer.hash, good)
    with pytest.raises(SignatureError):
        hall.offers.sign(hall.msp, offer.hash, good)
    assert "second" not in hall.live()


def test_the_first_of_two_offers_wins_and_the_other_can_no_longer_be_signed(hall: Hall) -> None:
    one = hall.offers.offer(hall.acme, second())
    two = hall.offers.offer(hall.msp, second(title="Another title"))
    for who in (hall.acme, hall.msp):
        hall.offers.sign(who, one.hash, None)
    assert hall.offers.one(hall.msp, two.hash).state == "outdated"
    with pytest.raises(Conflict, match="outdated"):
        hall.offers.sign(hall.acme, two.hash, None)
    assert "outdated" in hall.told(hall.acme)


def test_any_other_party_declines_and_whoever_offers_withdraws(hall: Hall) -> None:
    offer = hall.offers.offer(hall.acme, second())
    with pytest.raises(NotPermitted):
        hall.offers.decline(hall.acme, offer.hash)
    with pytest.raises(NotPermitted):
        hall.offers.withdraw(hall.msp, offer.hash)
    ended = hall.offers.decline(hall.msp, offer.hash, "too much")
    assert (ended.state, ended.reason, ended.awaiting) == ("declined", "too much", ())
    with pytest.raises(Conflict, match="declined"):
        hall.offers.sign(hall.acme, offer.hash, None)
    again = hall.offers.offer(hall.acme, second())
    assert (again.hash, again.state) == (offer.hash, "offered")
    hall.offers.withdraw(hall.acme, offer.hash)
    assert hall.told(hall.msp) == ["offered", "offered", "withdrawn"]
    assert hall.told(hall.acme) == ["declined"]
    assert hall.offers.of(hall.acme) == []


def test_who_is_no_party_and_who_is_no_administrator_gets_nowhere(hall: Hall) -> None:
    with pytest.raises(NotPermitted, match="no party"):
        hall.offers.offer(hall.peer, second())
    offer = hall.offers.offer(hall.acme, second())
    for step in (hall.offers.one, hall.offers.decline, hall.offers.withdraw):
        with pytest.raises(NotFound):
            step(hall.peer, offer.hash)
    with pytest.raises(NotFound):
        hall.offers.sign(hall.peer, offer.hash, None)
    assert hall.offers.of(hall.peer) == []
    hall.office.members.add_person("clerk", "Clerk", "acme")
    clerk = hall.office.accounts.open_with_link(hall.office.members.make_link("clerk"), None).principal
    assert hall.offers.one(clerk, offer.hash).may == ()
    for step in (lambda: hall.offers.offer(clerk, second(title="x")), lambda: hall.offers.sign(clerk, "second", None)):
        with pytest.raises(NotPermitted, match="administrator"):
            step()


def test_a_token_hands_in_signatures_made_elsewhere_and_never_uses_the_held_key(hall: Hall) -> None:
    accounts = hall.office.accounts
    reads = accounts.bearer(accounts.make_token(hall.acme, "reads", "detect", ["agreements"], 1)[1])
    secret = accounts.make_token(hall.acme, "signs", "detect", ["agreements", "sign"], 1)[1]
    signs = accounts.bearer(secret)
    with pytest.raises(NotPermitted):
        hall.offers.offer(reads, second())
    offer = hall.offers.offer(signs, second())
    with pytest.raises(NotPermitted, match="in person"):
        hall.offers.sign(signs, offer.hash, None)
    assert hall.offers.sign(signs, offer.hash, part(offer, hall.key("acme"))).state == "partly-signed"
    hall.office.members.drop_person("acme-admin")
    with pytest.raises(NotAuthenticated):
        accounts.bearer(secret)


def test_a_document_that_could_not_be_registered_is_not_offered(hall: Hall) -> None:
    before = hall.offers.of(hall.acme)
    for plain, error in (
        (second(community="nowhere"), NotFound),
        (second(parties=[{"id": "acme", "role": "owner"}, {"id": "ghost", "role": "operator"}]), NotFound),
        (second(clauses=[]), InvalidInput),
        (agreement(), Conflict),
        (agreement(version=3, previous="0" * 64), Conflict),
        ("no: [yaml", InvalidInput),
    ):
        with pytest.raises(error):
            hall.offers.offer(hall.acme, plain)
    stranger = [{"id": "acme", "role": "owner", "key": SigningKey.generate().thumbprint}]
    with pytest.raises(SignatureError, match="not known here"):
        hall.offers.offer(hall.acme, second(parties=stranger))
    assert hall.offers.of(hall.acme) == before


def test_a_draft_that_will_not_be_offered_does_not_tell_who_is_here(hall: Hall) -> None:
    """A provider's administrator cannot find out, untraced, whether `peer` or `ghost` is a member."""
    given = {"name": "x", "key": "A" * 43}
    said = {}
    for org in ("peer", "ghost"):
        parties = [{"id": "acme", "role": "owner"}, {"id": org, "role": "operator"}]
        said[org] = []
        for wrong in ({"clauses": []}, {"community": "nowhere"}, {"version": 7}, {"id": "acme-charter-x", "x": 1}):
            with pytest.raises(CommonwatchError) as caught:
                hall.offers.offer(hall.acme, second(parties=parties) | wrong)
            said[org].append(str(caught.value).replace(org, "ORG"))
        for half in (given, {"key": "A" * 43}):
            with pytest.raises(SignatureError) as caught:
                hall.offers.offer(hall.acme, second(parties=[parties[0], parties[1] | half]))
            said[org].append(str(caught.value).replace(org, "ORG"))
    assert said["peer"] == said["ghost"]
    assert hall.offers.offer(
        hall.acme, second(parties=[{"id": "acme", "role": "owner"}, {"id": "peer", "role": "operator"}])
    )
    assert "offered" in hall.told(hall.peer), "whoever is found is told"


def test_a_charter_stands_with_its_owners_signature_alone(hall: Hall) -> None:
    offer = hall.offers.offer(hall.acme, charter())
    assert offer.awaiting == ("acme",)
    assert hall.offers.sign(hall.acme, offer.hash, part(offer, hall.key("acme"))).state == "agreed"
    assert hall.office.policy.view().owners["acme"].documents.charter is not None
    assert hall.told(hall.acme) == ["charter"]


def test_parties_that_sign_at_the_same_moment_agree_once(hall: Hall) -> None:
    offer = hall.offers.offer(hall.acme, second())
    wrong: list[BaseException] = []

    def go(who: Principal) -> None:
        try:
            hall.offers.sign(who, offer.hash, None)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=go, args=(who,)) for who in (hall.acme, hall.msp)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert hall.live()["second"] == (1, "active")
    assert hall.audited().count("agreement-registered") == 2  # the founding one and this


def test_two_editors_of_a_draft_never_overwrite_each_other(hall: Hall) -> None:
    made = hall.drafts.save(hall.acme, "plan", {"title": "one"})
    assert made.edition == 1
    with pytest.raises(Conflict, match="there is a draft"):
        hall.drafts.save(hall.acme, "plan", {})
    again = hall.drafts.save(hall.acme, "plan", {"title": "two"}, edition=1)
    with pytest.raises(Stale, match="changed meanwhile"):
        hall.drafts.save(hall.acme, "plan", {"title": "three"}, edition=1)
    assert hall.drafts.one(hall.acme, "plan").document == {"title": "two"}
    with pytest.raises(Stale):
        hall.drafts.drop(hall.acme, "plan", 1)
    hall.drafts.drop(hall.acme, "plan", again.edition)
    with pytest.raises(NotFound):
        hall.drafts.one(hall.acme, "plan")


def test_a_draft_is_its_organisations_own_until_it_is_shared_with_the_parties_it_names(hall: Hall) -> None:
    hall.drafts.save(hall.acme, "plan", second())
    for who in (hall.msp, hall.peer):
        assert hall.drafts.of(who) == []
        with pytest.raises(NotFound):
            hall.drafts.one(who, "plan", "acme")
    hall.drafts.save(hall.acme, "plan", second(), shared=True, edition=1)
    assert [one.id for one in hall.drafts.of(hall.msp)] == ["plan"]
    edited = hall.drafts.save(hall.msp, "plan", second(title="By msp"), edition=2, of="acme")
    assert (edited.edition, edited.shared, edited.by) == (3, True, "msp-admin")
    with pytest.raises(NotFound):
        hall.drafts.one(hall.peer, "plan", "acme")
    with pytest.raises(NotFound):
        hall.drafts.drop(hall.msp, "plan")
    hall.drafts.save(hall.acme, "plan", edited.document, shared=False, edition=3)
    assert hall.drafts.of(hall.msp) == []
