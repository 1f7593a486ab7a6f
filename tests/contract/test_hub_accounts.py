"""Accounts on SQLite and PostgreSQL: links, sessions, tokens that only narrow, and what ends them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from commonwatch.errors import Conflict, InvalidInput, NotAuthenticated, NotFound, NotPermitted, Overloaded
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.accounts import Accounts
from commonwatch.hub.members import Members
from commonwatch.hub.meta import epoch
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.meta.credentials import Throttle
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.keys import KeyFile
from commonwatch.hub.meta.migrate import migrate
from commonwatch.hub.meta.models import Outbox, Person
from commonwatch.hub.settings import Settings

HOUR = 3600 * MICROS
PASSPHRASE = "correct horse battery"


class Wall:
    """A wall clock that tests move."""

    def __init__(self) -> None:
        self.at = 1_795_000_000 * MICROS

    def __call__(self) -> int:
        return self.at


class House:
    """A hub's people, on one database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.wall = Wall()
        self.database = Database(url)
        migrate(self.database)
        with self.database.write() as session:
            epoch.found(session)
        self.clock = Clock(self.wall, lambda: 0.0)
        self.members = Members(self.database, KeyFile(folder), self.clock)
        self.accounts = Accounts(self.database, self.clock, Settings(data=folder))
        self.members.add_org(OrgInfo("acme", "Acme Ltd", roles=("sme",), sector="Q86", region="GB-LND", size="small"))
        self.members.add_person("ann", "Ann", "acme", ["detect", "respond"], admin=True)

    def epoch(self) -> int:
        with self.database.read() as session:
            return epoch.peek(session)[0]

    def kinds(self) -> list[str]:
        with self.database.read() as session:
            return [row.kind for row in session.query(Outbox).order_by(Outbox.at)]

    def later(self, micros: int) -> None:
        self.wall.at += micros


@pytest.fixture
def house(url: str, tmp_path: Path) -> Iterator[House]:
    made = House(url, tmp_path)
    yield made
    made.database.close()
    made.members.keys.close()


def test_a_setup_link_opens_one_session_and_is_then_used_up(house: House) -> None:
    link = house.members.make_link("ann")
    opened = house.accounts.open_with_link(link, None)
    assert opened.principal.reader.org == "acme"
    assert opened.principal.reader.purpose == "detect"
    assert house.accounts.session(opened.secret) == opened.principal
    with pytest.raises(NotAuthenticated, match="used up"):
        house.accounts.open_with_link(link, None)


def test_a_link_with_uses_opens_so_many_sessions_and_expires(house: House) -> None:
    link = house.members.make_link("ann", uses=3, hours=1)
    house.accounts.open_with_link(link, None)
    house.accounts.open_with_link(link, None)
    house.later(HOUR)
    with pytest.raises(NotAuthenticated, match="expired"):
        house.accounts.open_with_link(link, None)


def test_a_link_can_set_the_passphrase_that_opens_later_sessions(house: House) -> None:
    house.accounts.open_with_link(house.members.make_link("ann"), PASSPHRASE)
    assert house.accounts.open_with_passphrase("ann", PASSPHRASE).principal.id == "ann"
    with pytest.raises(NotAuthenticated, match="wrong"):
        house.accounts.open_with_passphrase("ann", PASSPHRASE + "!")
    with pytest.raises(NotAuthenticated, match="wrong"):
        house.accounts.open_with_passphrase("nobody", PASSPHRASE)


def test_a_short_passphrase_is_refused_and_leaves_the_link_unspent(house: House) -> None:
    link = house.members.make_link("ann")
    with pytest.raises(InvalidInput, match="10 to 512"):
        house.accounts.open_with_link(link, "short")
    assert house.accounts.open_with_link(link, None).principal.id == "ann"


def test_a_session_ends_when_idle_and_absolutely(house: House) -> None:
    link = house.members.make_link("ann", uses=2)
    idle = house.accounts.open_with_link(link, None).secret
    busy = house.accounts.open_with_link(link, None)
    house.later(11 * HOUR)
    house.accounts.session(busy.secret)
    house.later(2 * HOUR)
    house.accounts.session(busy.secret)
    with pytest.raises(NotAuthenticated, match="ended"):
        house.accounts.session(idle)
    for _ in range(15):
        assert house.accounts.standing({busy.principal})
        house.later(11 * HOUR)
        if house.wall.at < busy.expires * MICROS:
            house.accounts.session(busy.secret)
    with pytest.raises(NotAuthenticated, match="ended"):
        house.accounts.session(busy.secret)
    assert not house.accounts.standing({busy.principal})


def test_closing_a_session_ends_it_and_what_it_holds_open(house: House) -> None:
    opened = house.accounts.open_with_link(house.members.make_link("ann"), None)
    house.accounts.close(opened.secret)
    assert not house.accounts.standing({opened.principal})
    with pytest.raises(NotAuthenticated):
        house.accounts.session(opened.secret)


def test_a_person_switches_only_between_their_own_purposes(house: House) -> None:
    opened = house.accounts.open_with_link(house.members.make_link("ann"), None)
    assert house.accounts.purposes(opened.principal) == ("detect", "respond")
    assert house.accounts.switch_purpose(opened.secret, "respond").reader.purpose == "respond"
    assert house.accounts.session(opened.secret).reader.purpose == "respond"
    with pytest.raises(NotPermitted):
        house.accounts.switch_purpose(opened.secret, "operate")


def test_a_person_cannot_be_given_a_purpose_the_roles_do_not_allow(house: House) -> None:
    with pytest.raises(InvalidInput, match="research"):
        house.members.add_person("bob", "Bob", "acme", ["research"])


def test_a_token_narrows_and_says_what_to_do_once_expired(house: House) -> None:
    ann = house.accounts.open_with_link(house.members.make_link("ann"), None).principal
    info, secret = house.accounts.make_token(ann, "feed", "detect", ["taxii"], 1)
    assert secret.startswith("cwt_")
    bearer = house.accounts.bearer(secret)
    assert (bearer.kind, bearer.scopes, bearer.admin, bearer.operator) == ("token", ("taxii",), False, False)
    assert bearer.reader == ann.reader
    house.later(24 * HOUR)
    with pytest.raises(NotAuthenticated, match="expired") as caught:
        house.accounts.bearer(secret)
    assert "new one" in caught.value.todo
    assert info.expires * MICROS == house.wall.at


def test_a_token_never_widens(house: House) -> None:
    ann = house.accounts.open_with_link(house.members.make_link("ann"), None).principal
    with pytest.raises(NotPermitted):
        house.accounts.make_token(ann, "wide", "operate", ["read"], 1)
    with pytest.raises(InvalidInput, match="admin"):
        house.accounts.make_token(ann, "wide", "detect", ["admin"], 1)
    _, secret = house.accounts.make_token(ann, "feed", "detect", ["read"], 1)
    with pytest.raises(NotPermitted):
        house.accounts.make_token(house.accounts.bearer(secret), "child", "detect", ["read"], 1)


def test_a_token_is_dropped_by_its_own_person_only(house: House) -> None:
    ann = house.accounts.open_with_link(house.members.make_link("ann"), None).principal
    house.members.add_person("bob", "Bob", "acme")
    bob = house.accounts.open_with_link(house.members.make_link("bob"), None).principal
    info, secret = house.accounts.make_token(ann, "feed", "detect", ["read"], 1)
    with pytest.raises(NotFound):
        house.accounts.drop_token(bob, info.id)
    assert [t.id for t in house.accounts.tokens(ann)] == [info.id]
    assert not house.accounts.tokens(bob)
    house.accounts.drop_token(ann, info.id)
    with pytest.raises(NotAuthenticated, match="revoked"):
        house.accounts.bearer(secret)


def test_losing_a_role_ends_the_purposes_it_gave(house: House) -> None:
    house.members.add_person("bob", "Bob", "acme", ["operate"])
    opened = house.accounts.open_with_link(house.members.make_link("bob"), None)
    house.members.set_roles("acme", ["isp"])
    with pytest.raises(NotAuthenticated, match="withdrawn"):
        house.accounts.session(opened.secret)
    assert not house.accounts.standing({opened.principal})


def test_a_dropped_person_has_no_session_token_or_link(house: House) -> None:
    link = house.members.make_link("ann", uses=5)
    opened = house.accounts.open_with_link(link, PASSPHRASE)
    _, token = house.accounts.make_token(opened.principal, "feed", "detect", ["read"], 1)
    house.members.drop_person("ann")
    for attempt in (
        lambda: house.accounts.session(opened.secret),
        lambda: house.accounts.bearer(token),
        lambda: house.accounts.open_with_link(link, None),
        lambda: house.accounts.open_with_passphrase("ann", PASSPHRASE),
    ):
        with pytest.raises(NotAuthenticated):
            attempt()


def test_failed_logins_slow_down_per_person_and_over_all(house: House) -> None:
    house.accounts.throttle = Throttle(each=2, total=4, clock=lambda: house.wall.at / MICROS)
    for _ in range(2):
        with pytest.raises(NotAuthenticated):
            house.accounts.open_with_passphrase("ann", "wrong wrong wrong")
    with pytest.raises(Overloaded) as caught:
        house.accounts.open_with_passphrase("ann", "wrong wrong wrong")
    assert 0 < caught.value.retry_after <= 301
    for _ in range(2):
        with pytest.raises(NotAuthenticated):
            house.accounts.open_with_link("no such link", None)
    with pytest.raises(Overloaded):
        house.accounts.open_with_link(house.members.make_link("ann"), None)
    house.later(301 * MICROS)
    assert house.accounts.open_with_link(house.members.make_link("ann"), None).principal.id == "ann"


def test_no_secret_is_stored_in_clear(house: House, url: str, tmp_path: Path) -> None:
    link = house.members.make_link("ann", uses=2)
    opened = house.accounts.open_with_link(link, PASSPHRASE)
    _, token = house.accounts.make_token(opened.principal, "feed", "detect", ["read"], 1)
    with house.database.read() as session:
        assert (session.get(Person, "ann").passphrase or "").startswith("scrypt$")
    if url.startswith("sqlite"):
        held = b"".join(path.read_bytes() for path in tmp_path.glob("meta.sqlite*"))
        assert not [s for s in (link, opened.secret, token, PASSPHRASE) if s.encode() in held]


def test_roles_and_memberships_raise_the_epoch_and_reach_the_next_request(house: House) -> None:
    opened = house.accounts.open_with_link(house.members.make_link("ann"), None)
    before = house.epoch()
    house.members.add_community("shield", "SME Shield", "acme")
    assert house.epoch() == before + 1
    assert house.accounts.session(opened.secret).reader.communities == ("shield",)
    house.members.join("shield", "acme")
    assert house.epoch() == before + 1, "joining twice is no change"
    house.members.leave("shield", "acme")
    assert house.epoch() == before + 2
    assert house.accounts.session(opened.secret).reader.communities == ()


def test_every_login_and_change_waits_for_the_audit_log(house: House) -> None:
    house.accounts.open_with_link(house.members.make_link("ann"), None)
    with pytest.raises(NotAuthenticated):
        house.accounts.open_with_link("wrong", None)
    assert {"org-added", "person-added", "link-made", "login", "login-failed"} <= set(house.kinds())


@pytest.mark.parametrize("name", ["Acme", "a", "-a", "a b", "ä-corp", "x" * 64])
def test_names_are_slugs(house: House, name: str) -> None:
    with pytest.raises(InvalidInput, match="valid name"):
        house.members.add_org(OrgInfo(name, "X", roles=("sme",)))


def test_what_exists_is_not_made_twice(house: House) -> None:
    with pytest.raises(Conflict):
        house.members.add_org(OrgInfo("acme", "Acme", roles=("sme",)))
    with pytest.raises(Conflict):
        house.members.add_person("ann", "Ann", "acme")
    assert msgspec.structs.asdict(house.accounts.org("acme"))["sector"] == "Q86"
