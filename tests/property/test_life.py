"""Whatever parties do in whatever order, what is readable is exactly what a readable model of the lifecycle says.

The hub is a real one on SQLite with keys of the parties' own; the model below is plain Python. After each step the live
policy, the offers, each party's notifications and the audit entries are compared with it.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from commonwatch.agreements.signing import SigningKey, envelope_bytes, sign, unb64
from commonwatch.agreements.statement import Statement, sign_statement
from commonwatch.errors import CommonwatchError, Conflict
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.bootstrap import CommunitySpec, PersonSpec, Spec, found_in
from commonwatch.hub.meta.models import Outbox
from commonwatch.hub.registry.live import KEEP_CLOCK
from commonwatch.hub.registry.parties import Parties
from commonwatch.web.ports import Principal
from hub_house import DAY, NOW, Wall, agreement, office

NAME, OWNER, OPERATOR = "acme-service", "acme", "msp"
PARTIES = (OWNER, OPERATOR)
#: A failure is told as it was found: making it smaller takes minutes, since every try is a hub.
QUICK = settings(deadline=None, phases=[Phase.explicit, Phase.generate])


@dataclass
class Offered:
    """An offer as the model keeps it."""

    by: str
    version: int
    days: tuple[dt.date, dt.date]
    signed: set[str] = field(default_factory=set)
    state: str = "open"


@dataclass
class Model:
    """The lifecycle in words: versions that everybody signed, and what the parties said since."""

    versions: list[tuple[dt.date, dt.date]] = field(default_factory=list)
    offers: dict[str, Offered] = field(default_factory=dict)
    suspended: bool = False
    revoked: bool = False
    now: int = NOW
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    audited: Counter[str] = field(default_factory=Counter)
    moments: set[tuple[int, str]] = field(default_factory=set)

    def in_force(self) -> int:
        """The number of the newest version whose first day has come; 1 before any has; 0 with none."""
        started = [n for n, (starts, _) in enumerate(self.versions, 1) if starts <= day_of(self.now)]
        return max(started, default=min(1, len(self.versions)))

    def state(self) -> str | None:
        if not self.versions:
            return None
        starts, ends = self.versions[self.in_force() - 1]
        if self.revoked:
            return "revoked"
        if day_of(self.now) > ends:
            return "expired"
        if self.suspended:
            return "suspended"
        return "active" if day_of(self.now) >= starts else "not-yet-active"

    def tell(self, kind: str, *orgs: str) -> None:
        self.told.update((org, kind) for org in orgs)


def day_of(micros: int) -> dt.date:
    return dt.datetime.fromtimestamp(micros / 1e6, dt.UTC).date()


def other(org: str) -> str:
    return OPERATOR if org == OWNER else OWNER


class Life(RuleBasedStateMachine):
    """The rules: everything a party or the clock can do."""

    home: Path
    links: dict[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life"))
        shutil.copytree(self.home, self.folder / "hub")
        self.wall, self.model = Wall(), Model()
        self.office = office(f"sqlite:///{self.folder}/hub/meta.sqlite", self.folder / "hub", self.wall)
        self.parties = Parties(self.office.documents, self.office.policy, self.office.members)
        self.who: dict[str, Principal] = {org: self._open(org) for org in PARTIES}
        self.keys = {org: SigningKey.from_seed(self.office.keys.need("signing", org)) for org in PARTIES}
        self.drafts = 0
        for who in self.who.values():
            self.office.notifications.mark_seen(who)

    def _open(self, org: str) -> Principal:
        return self.office.accounts.open_with_link(self.links[f"{org}-admin"].partition("#link=")[2], None).principal

    def teardown(self) -> None:
        self.office.close()
        shutil.rmtree(self.folder)

    def _open_offers(self) -> list[str]:
        return [h for h, one in self.model.offers.items() if one.state == "open"]

    @rule(org=st.sampled_from(PARTIES), starts=st.integers(-3, 3), lasts=st.integers(0, 5))
    def offer(self, org: str, starts: int, lasts: int) -> None:
        model = self.model
        self.drafts += 1
        first = day_of(model.now) + dt.timedelta(days=starts)
        days = (first, first + dt.timedelta(days=lasts))
        plain = agreement(title=f"Draft {self.drafts}", starts=days[0].isoformat(), ends=days[1].isoformat())
        del plain["version"]
        if model.revoked:
            with pytest.raises(Conflict):
                self.office.offers.offer(self.who[org], plain)
            return
        made = self.office.offers.offer(self.who[org], plain)
        model.offers[made.hash] = Offered(org, len(model.versions) + 1, days)
        assert made.version == len(model.versions) + 1
        model.tell("offered", other(org))
        model.audited["offer-made"] += 1

    @precondition(lambda self: self._open_offers())
    @rule(org=st.sampled_from(PARTIES), pick=st.integers(0, 9))
    def one_signs(self, org: str, pick: int) -> None:
        self._sign(org, self._open_offers()[pick % len(self._open_offers())])

    @precondition(lambda self: self._open_offers())
    @rule(orgs=st.permutations(PARTIES), pick=st.integers(0, 9))
    def all_sign(self, orgs: list[str], pick: int) -> None:
        hash_ = self._open_offers()[pick % len(self._open_offers())]
        for org in orgs:
            if org not in self.model.offers[hash_].signed:
                self._sign(org, hash_)

    def _sign(self, org: str, hash_: str) -> None:
        one, info = self.model.offers[hash_], self.office.offers.one(self.who[org], hash_)
        part = sign(unb64(info.payload), info.typ, self.keys[org], grammar=info.grammar, text=info.text_hash)
        if org in one.signed:
            with pytest.raises(Conflict):
                self.office.offers.sign(self.who[org], hash_, part)
            return
        self.office.offers.sign(self.who[org], hash_, part)
        one.signed.add(org)
        self.model.tell("signed", other(org))
        self.model.audited["offer-signed"] += 1
        if one.signed == set(PARTIES):
            self._agree(one)

    def _agree(self, one: Offered) -> None:
        """The last signature: it is registered, and every other open offer is over."""
        one.state = "agreed"
        self.model.versions.append(one.days)
        self.model.tell("agreed", *PARTIES)
        self.model.audited["agreement-registered"] += 1
        self._outdate()

    def _outdate(self) -> None:
        for one in self.model.offers.values():
            if one.state == "open":
                one.state = "outdated"
                self.model.tell("outdated", *PARTIES)
                self.model.audited["offer-outdated"] += 1

    @precondition(lambda self: self._open_offers())
    @rule(org=st.sampled_from(PARTIES), pick=st.integers(0, 9))
    def end_offer(self, org: str, pick: int) -> None:
        hash_ = self._open_offers()[pick % len(self._open_offers())]
        one, offers = self.model.offers[hash_], self.office.offers
        how = "withdrawn" if one.by == org else "declined"
        (offers.withdraw if how == "withdrawn" else offers.decline)(self.who[org], hash_, "no")
        one.state = how
        self.model.tell(how, other(org))
        self.model.audited[f"offer-{how}"] += 1

    @rule(
        org=st.sampled_from(PARTIES), kind=st.sampled_from([*["suspend", "resume"] * 4, "revoke"]), held=st.booleans()
    )
    def step(self, org: str, kind: str, held: bool) -> None:
        model, state = self.model, self.model.state()
        model.now = self.wall.at = max(model.now, self.wall.at) + 1000
        open_in = {"suspend": ("active", "not-yet-active"), "resume": ("suspended",)}
        allowed = state in open_in.get(kind, ("active", "not-yet-active", "suspended"))
        if not allowed or (kind == "resume" and org != OWNER):
            with pytest.raises(CommonwatchError):
                self._state(org, kind, held)
            return
        self._state(org, kind, held)
        if kind == "revoke":
            model.revoked = True
        else:
            model.suspended = kind == "suspend"
        model.tell({"suspend": "suspended", "resume": "resumed", "revoke": "revoked"}[kind], *PARTIES)
        model.audited[f"agreement-{kind}"] += 1
        if kind == "revoke":
            self._outdate()

    def _state(self, org: str, kind: Any, held: bool) -> None:
        if held or not self.model.versions:
            self.parties.step(self.who[org], NAME, kind)
            return
        standing = self.office.documents.standing(NAME)
        said = Statement(kind=kind, id=NAME, by=org, at=self.model.now, version=standing.version, hash=standing.hash)
        self.parties.step(self.who[org], NAME, kind, statement=envelope_bytes(sign_statement(said, self.keys[org])))

    @rule(hours=st.sampled_from([1, 12, 24, 48, 96]))
    def time_goes_by(self, hours: int) -> None:
        self.wall.at = max(self.wall.at, self.model.now) + hours * DAY // 24
        self.model.now = self.wall.at

    @rule(hours=st.sampled_from([1, 24, 240]))
    def the_clock_is_set_back(self, hours: int) -> None:
        self.wall.at -= hours * DAY // 24

    @rule()
    def another_process_takes_over(self) -> None:
        """A restart: everything that decides is in the database."""
        url = self.office.database.url
        self.office.policy.changed()
        self.office.close()
        self.office = office(url, self.folder / "hub", self.wall)
        assert self.office.clock.now() >= self.model.now - KEEP_CLOCK, "a clock set back revives nothing"
        self.model.now = self.office.clock.now()
        self.parties = Parties(self.office.documents, self.office.policy, self.office.members)

    @invariant()
    def what_is_readable_is_the_models_active_set(self) -> None:
        live = self.office.policy.view().owners[OWNER].documents.agreements
        found = {a.document.id: (a.document.version, a.state) for a in live}
        state = self.model.state()
        assert found == ({NAME: (self.model.in_force(), state)} if state else {})
        readable = {a.document.version for a in live if a.state == "active"}
        assert readable == ({self.model.in_force()} if state == "active" else set())

    @invariant()
    def offers_stand_as_the_model_says(self) -> None:
        for hash_, one in self.model.offers.items():
            open_ = "partly-signed" if one.signed else "offered"
            assert self.office.offers.one(self.who[OWNER], hash_).state == (open_ if one.state == "open" else one.state)

    @invariant()
    def every_transition_was_told_and_audited(self) -> None:
        self._by_the_clock()
        self.office.milestones.turn()
        told: Counter[tuple[str, str]] = Counter()
        for org, who in self.who.items():
            told.update((org, one.kind) for one in self.office.notifications.of(who, unseen=True, limit=1000))
        soon = {(org, "expiring") for org in PARTIES}
        assert Counter({k: n for k, n in told.items() if k not in soon}) == self.model.told
        with self.office.database.read() as session:
            kinds = Counter(row.kind for row in session.query(Outbox).all())
        assert {k: kinds[k] for k in self.model.audited} == dict(self.model.audited)

    def _by_the_clock(self) -> None:
        """What the clock brought about is told once for each version."""
        model, state, number = self.model, self.model.state(), self.model.in_force()
        kind = {"active": "active" if number == 1 else "amended", "expired": "expired"}.get(state or "")
        if kind and (number, kind) not in model.moments:
            model.moments.add((number, kind))
            model.tell(kind, *PARTIES)
            model.audited[f"agreement-{kind}"] += 1


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Acme and its provider without any agreement."""
    folder = tmp_path_factory.mktemp("founded") / "hub"
    made = office(f"sqlite:///{folder}/meta.sqlite", folder, Wall())
    orgs = (OrgInfo("acme", "Acme", roles=("sme",)), OrgInfo("msp", "Msp", roles=("mssp",)))
    people = tuple(PersonSpec(f"{org.org}-admin", "Admin", org.org, admin=True, uses=1000) for org in orgs)
    community = CommunitySpec("shield", "Shield", "msp", ("acme",))
    Life.links = found_in(made, Spec(organisations=orgs, communities=(community,), people=people)).links
    made.close()
    return folder


def test_whatever_happens_in_whatever_order_the_hub_and_the_model_agree(founded: Path) -> None:
    Life.home = founded
    run_state_machine_as_test(Life, settings=settings(QUICK, max_examples=7, stateful_step_count=20))


@pytest.mark.slow
def test_the_same_for_long(founded: Path) -> None:
    Life.home = founded
    run_state_machine_as_test(Life, settings=settings(QUICK, max_examples=300, stateful_step_count=50))
