"""Keys and moments on SQLite and PostgreSQL: own keys come in, held ones go, and the clock tells its story once."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from commonwatch.agreements.signing import SigningKey, b64, envelope_bytes, sign, unb64
from commonwatch.agreements.statement import Statement, sign_statement
from commonwatch.errors import Conflict, InvalidInput, NotPermitted, SignatureError
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.life.milestones import Milestones
from commonwatch.hub.meta.models import Outbox
from commonwatch.web.ports import Principal
from hub_house import DAY, Wall, agreement, office


class Hall:
    """A founded community and its administrators."""

    def __init__(self, copied) -> None:
        self.founded, self.wall = copied.founded, Wall()
        self.office = office(copied.url, copied.folder, self.wall)
        self.keys = self.office.signing_keys
        self.acme, self.msp, self.peer, self.outsider = (self.who(o) for o in ("acme", "msp", "peer", "outsider"))

    def who(self, org: str) -> Principal:
        link = self.founded.links[f"{org}-admin"].partition("#link=")[2]
        return self.office.accounts.open_with_link(link, None).principal

    def change(self, org: str, old: SigningKey, new: SigningKey, **changed: str) -> bytes:
        plain = {"kind": "key-change", "id": org, "by": org, "at": self.wall.at, "key": new.thumbprint, **changed}
        envelope = sign_statement(msgspec.convert(plain, Statement), old)
        return envelope_bytes(msgspec.structs.replace(envelope, keys=(*envelope.keys, b64(new.public))))

    def told(self, who: Principal) -> list[tuple[str, str]]:
        told = [(one.kind, one.text) for one in self.office.notifications.of(who, unseen=True)]
        self.office.notifications.mark_seen(who)
        return told


@pytest.fixture
def hall(copied) -> Iterator[Hall]:
    made = Hall(copied)
    made.office.milestones.turn()
    for who in (made.acme, made.msp, made.peer, made.outsider):
        made.office.notifications.mark_seen(who)
    yield made
    made.office.close()


def test_a_member_takes_its_key_over_and_the_hub_forgets_the_one_it_held(hall: Hall) -> None:
    own, before = SigningKey.generate(), hall.office.policy.view().epoch
    info = hall.keys.register(hall.acme, b64(own.public))
    assert (info.thumbprint, info.held) == (own.thumbprint, False)
    assert hall.office.keys.get("signing", "acme") is None
    assert hall.office.keys.get("pseudonym", "acme") is not None
    assert {k.held: k.ended is None for k in hall.keys.of(hall.acme)} == {False: True, True: False}
    assert hall.office.policy.view().epoch > before
    assert hall.office.documents.standing("acme-service").state == "active"
    text = "the signing key of acme changed (signed by the hub on behalf of acme)"
    assert hall.told(hall.msp) == hall.told(hall.acme) == [("key-changed", text)]
    assert hall.told(hall.outsider) == []
    with pytest.raises(NotPermitted, match="holds no signing key"):
        hall.office.documents.state_for("acme", "acme-service", "revoke")


def test_a_further_key_is_introduced_by_the_one_in_force_and_nothing_else(hall: Hall) -> None:
    own, next_, stranger = (SigningKey.generate() for _ in range(3))
    hall.keys.register(hall.acme, b64(own.public))
    with pytest.raises(Conflict, match="introduces the next"):
        hall.keys.register(hall.acme, b64(next_.public))
    for statement, error in (
        (hall.change("acme", stranger, next_), SignatureError),
        (hall.change("msp", own, next_), InvalidInput),
        (hall.change("acme", own, stranger), InvalidInput),
        (hall.change("acme", own, next_, kind="key-change")[:-2], SignatureError),
    ):
        with pytest.raises((error, InvalidInput)):
            hall.keys.register(hall.acme, b64(next_.public), statement)
    assert hall.keys.register(hall.acme, b64(next_.public), hall.change("acme", own, next_)).ended is None
    with pytest.raises(SignatureError):
        hall.keys.register(hall.acme, b64(stranger.public), hall.change("acme", own, stranger))
    assert {kind for kind, _ in hall.told(hall.msp)} == {"key-changed"}


def test_a_changed_key_ends_offers_that_name_the_old_one_and_signs_the_next_version(hall: Hall) -> None:
    second = {k: v for k, v in agreement(title="Second").items() if k != "version"}
    offer = hall.office.offers.offer(hall.msp, second)
    hall.office.offers.sign(hall.msp, offer.hash, None)
    own = SigningKey.generate()
    hall.keys.register(hall.acme, b64(own.public))
    with pytest.raises(Conflict, match="outdated"):
        hall.office.offers.sign(hall.acme, offer.hash, None)
    again = hall.office.offers.offer(hall.msp, second)
    assert again.hash != offer.hash
    hall.office.offers.sign(hall.msp, again.hash, None)
    made = sign(unb64(again.payload), again.typ, own, grammar=again.grammar, text=again.text_hash)
    hall.office.offers.sign(hall.acme, again.hash, made)
    standing = hall.office.documents.standing("acme-service")
    assert (standing.version, standing.state) == (2, "active")


def test_a_first_key_needs_an_administrator_in_person_and_holding_is_asked_for(hall: Hall) -> None:
    office = hall.office
    office.members.add_org(OrgInfo("fresh", "Fresh", roles=("sme",)))
    office.members.add_person("fresh-admin", "F", "fresh", admin=True)
    who = office.accounts.open_with_link(office.members.make_link("fresh-admin"), None).principal
    token = office.accounts.bearer(office.accounts.make_token(who, "x", "detect", ["sign"], 1)[1])
    own = SigningKey.generate()
    for public in ("A" * 42 + "!", "", "AAAA"):
        with pytest.raises(InvalidInput):
            hall.keys.register(who, public)
    with pytest.raises(NotPermitted, match="in person"):
        hall.keys.register(token, b64(own.public))
    held = hall.keys.hold(who)
    assert held.held
    with pytest.raises(Conflict):
        hall.keys.hold(who)
    assert hall.told(who) == [("key-added", "fresh registered a signing key which this hub holds for it")]
    with pytest.raises(Conflict):
        hall.keys.register(hall.outsider, hall.keys.of(hall.acme)[0].public)


def test_the_clock_tells_of_starts_ends_and_what_comes_soon_once(hall: Hall) -> None:
    office = hall.office
    offer = office.offers.offer(hall.acme, agreement("later", starts="2026-12-01", ends="2027-02-15"))
    for who in (hall.acme, hall.msp):
        office.offers.sign(who, offer.hash, None)
    hall.told(hall.msp)
    office.milestones.turn()
    assert hall.told(hall.msp) == []
    heard: list[str] = []
    for step in (3, 6, 1, 1, 46, 23, 6, 2):  # to 23, 29, 30 November, 1 December, 16 January, 8, 14, 16 February
        hall.wall.at += step * DAY
        office.milestones.turn()
        assert Milestones(office.documents).turn() == 0, "another process tells nothing again"
        heard += sorted(text for _, text in hall.told(hall.msp))
    assert heard == [
        "acme-service ends in 7 days", "acme-service ends tomorrow", "acme-service has expired",
        "later version 1 is in force", "later ends in 30 days", "later ends in 7 days", "later ends tomorrow",
        "later has expired",
    ]  # fmt: skip
    with office.database.read() as session:
        kinds = [row.kind for row in session.query(Outbox).all()]
    assert (kinds.count("agreement-active"), kinds.count("agreement-expired")) == (2, 2)
    assert hall.told(hall.peer) == []
