"""The gateway never loses: whatever happens to logs, network, disk, power, clocks, keys and the hub, all comes through.

After each step every record is accounted for, and nothing is stored twice; when everything has healed, all is stored.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from commonwatch.gateway.report import by_reason
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.bootstrap import Founded, Spec, found_in
from commonwatch.hub.core import Office
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.settings import Settings, save
from commonwatch.wire.batch import unseal
from doubles.community import ORG, SECOND, Community, Fate, SimGateway, taken

BEGIN = 1_795_000_000 * SECOND
WHICH = st.integers(0, 1)


def agreement() -> dict[str, object]:
    """Alerts leave; anomalies are mapped and not agreed."""
    return {
        "dsa": "1", "id": "acme-service", "version": 1, "title": "Managed security for acme",
        "parties": [{"id": ORG, "role": "owner"}, {"id": "msp", "role": "operator"}],
        "starts": "2026-01-01", "ends": "2027-12-31",
        "clauses": [
            {"kind": "share", "id": "all", "to": {"organisations": ["msp"]}, "purposes": ["operate"],
             "rows": {"events": ["intrusion"], "tlp": "amber"}, "fields": {"time": "exact", "src_ip": "exact"}},
        ],
    }  # fmt: skip


@cache
def founded() -> tuple[Path, Founded]:
    """A hub founded once; every example gets a copy."""
    folder = Path(tempfile.mkdtemp(prefix="commonwatch-community-"))
    made = Settings(data=folder, database=f"sqlite:///{folder}/meta.sqlite")
    save(made)
    office = Office(made, Clock(lambda: BEGIN, lambda: 0.0))
    orgs = (OrgInfo(ORG, "Acme", ("sme",)), OrgInfo("msp", "Msp", ("mssp",)))
    result = found_in(office, Spec(organisations=orgs, documents=(agreement(),), gateways={ORG: 2}))
    office.close()
    return folder, result


class NeverLoses(RuleBasedStateMachine):
    """Two gateways of one site with a log each, and everything that can go wrong."""

    twins = False

    @initialize()
    def begin(self) -> None:
        template, made = founded()
        self.folder = Path(tempfile.mkdtemp(prefix="commonwatch-never-"))
        self.community = Community(template, self.folder, made, BEGIN, twins=self.twins)
        self.community.round(1.0)
        self.community.round(2.0)

    def at(self, which: int) -> SimGateway:
        return self.community.gateways[which]

    def log(self, which: int) -> SimGateway:
        return self.at(which).writes()

    @rule(which=WHICH, count=st.integers(1, 30), kind=st.sampled_from(["alert", "alert", "stats", "dns", "bad"]))
    def write(self, which: int, count: int, kind: str) -> None:
        self.log(which).write(count, kind)

    @rule(which=WHICH)
    def burst(self, which: int) -> None:
        self.log(which).write(2_000)

    @rule(which=WHICH)
    def write_half(self, which: int) -> None:
        self.log(which).write_half()

    @rule(which=WHICH, how=st.sampled_from(["rename", "copy", "compress"]))
    def rotate(self, which: int, how: str) -> None:
        self.log(which).rotate(how)

    @rule(which=WHICH)
    def read(self, which: int) -> None:
        self.at(which).read()

    @rule(which=WHICH)
    def tick(self, which: int) -> None:
        self.at(which).tick()

    @rule(seconds=st.sampled_from([1, 3, 70]))
    def rounds(self, seconds: int) -> None:
        for _ in range(3):
            self.community.round(seconds)

    @precondition(lambda self: self.community.network)
    @rule(number=st.integers(0, 9), fate=st.sampled_from(["arrives", "lost", "answer lost", "twice"]))
    def deliver(self, number: int, fate: Fate) -> None:
        self.community.deliver(number, fate)

    @rule(which=WHICH, online=st.booleans())
    def line(self, which: int, online: bool) -> None:
        self.at(which).set_online(online)

    @rule(days=st.sampled_from([0.01, 1, 5]))
    def wait(self, days: float) -> None:
        self.community.now += int(days * 86_400 * SECOND)

    @rule(which=WHICH, keep=st.sampled_from([0.0, 0.5, 1.0]))
    def cut_power(self, which: int, keep: float) -> None:
        self.at(which).cut_power(1.0 if self.twins else keep)

    @rule(which=WHICH, days=st.sampled_from([-7_000, -3, -0.1, 0, 0.1, 3, 7_000]))
    def set_clock(self, which: int, days: float) -> None:
        self.at(which).skew = int(days * 86_400 * SECOND)

    @rule(which=WHICH, free=st.sampled_from([0, 1 << 40]))
    def fill_disk(self, which: int, free: int) -> None:
        self.at(which).free = free

    @rule()
    def change_key(self) -> None:
        self.community.hub.change_key()

    @rule()
    def back_up(self) -> None:
        self.community.backup()

    @rule()
    def restore(self) -> None:
        self.community.restore()

    @invariant()
    def every_record_is_accounted_for(self) -> None:
        for gateway in self.community.gateways:
            counts, waiting = gateway.journal.counts(), gateway.journal.depth()[1]
            apart = sum(n for name, n in counts.items() if name.startswith(("skipped:", "quarantined:")))
            assert counts.get("mapped", 0) + apart == taken(gateway) <= gateway.writes().written
            assert counts.get("mapped", 0) == counts.get("spooled", 0) + counts.get("not_agreed", 0)
            assert counts.get("spooled", 0) == waiting + counts.get("acknowledged", 0)
            assert gateway.journal.set_aside_reasons() == []

    @invariant()
    def nothing_is_stored_twice(self) -> None:
        stored, distinct = self.community.hub.rows()
        assert stored == distinct

    def teardown(self) -> None:
        if not hasattr(self, "community"):
            return
        try:
            self.community.settle()
            self.every_record_is_accounted_for()
            self.nothing_is_stored_twice()
            self.all_is_stored()
        finally:
            self.community.close()
            shutil.rmtree(self.folder)

    def all_is_stored(self) -> None:
        spooled = 0
        for gateway in self.community.gateways:
            assert taken(gateway) == gateway.writes().written
            assert gateway.journal.depth() == (0, 0, 0)
            assert set(by_reason(gateway.journal.counts(), "quarantined")) <= {"malformed", "unknown_format"}
            mine = gateway.journal.counts().get("spooled", 0)
            spooled = mine if self.twins else spooled + mine
        assert self.community.hub.rows() == (spooled, spooled)


class OneLog(NeverLoses):
    """Two gateways of one owner over one log: each event is stored once, whoever brings it first."""

    twins = True

    def all_is_stored(self) -> None:
        one, other = ({k: g.journal.counts().get(k, 0) for k in ("spooled", "read")} for g in self.community.gateways)
        assert one == other
        super().all_is_stored()


@pytest.fixture
def community(tmp_path: Path) -> Iterator[Community]:
    template, made = founded()
    community = Community(template, tmp_path, made, BEGIN)
    for _ in range(2):
        community.round(2.0)
    yield community
    community.close()


def test_a_hub_restored_from_a_backup_gets_again_what_it_acknowledged_since(community: Community) -> None:
    one, other = community.gateways
    one.write(10)
    community.settle()
    community.backup()
    one.write(20)
    other.write(5)
    community.settle()
    assert community.hub.rows() == (35, 35)
    community.restore()
    assert community.hub.rows() == (10, 10)
    community.settle()
    assert community.hub.rows() == (35, 35)
    assert one.journal.counts()["offered_again"] == 30
    assert one.journal.counts()["acknowledged"] == 30


def test_a_batch_sealed_by_a_clock_days_ahead_is_sealed_anew_and_stored(community: Community) -> None:
    gateway = community.gateways[0]
    gateway.write(3)
    for _ in range(3):
        gateway.read()
        community.now += SECOND
    ((uid, _),) = gateway.journal.waiting(9)
    batch, policy = gateway.journal.batch(uid), gateway.keeper.policy()
    assert batch is not None
    assert policy is not None
    header, columns = unseal(batch.body, gateway.sealer.key.public_key())
    ahead = community.now + 3 * 86_400 * SECOND
    sealed = gateway.sealer.seal(columns, header.profiles, policy, seq=batch.seq, at=ahead, uid=uid)
    gateway.journal.replace(sealed, 0)
    community.settle()
    assert community.hub.rows() == (3, 3)
    assert gateway.journal.set_aside_reasons() == []


def test_a_machine_without_a_clock_knows_how_late_it_was_when_it_last_heard(community: Community) -> None:
    gateway = community.gateways[0]
    gateway.cut_power(1.0)
    gateway.skew = -50 * 365 * 86_400 * SECOND
    gateway.stop()
    gateway.boot()
    assert abs(gateway.clock.now() - community.now) < 60 * SECOND


TestTheGatewayNeverLoses = NeverLoses.TestCase
TestTheGatewayNeverLoses.settings = settings(
    max_examples=int(os.environ.get("COMMONWATCH_COMMUNITIES", "8")), stateful_step_count=30, deadline=None,
    phases=[Phase.explicit, Phase.generate], print_blob=True,
)  # fmt: skip
TestTwoGatewaysOverOneLog = OneLog.TestCase
TestTwoGatewaysOverOneLog.settings = settings(
    max_examples=max(1, int(os.environ.get("COMMONWATCH_COMMUNITIES", "8")) // 2), stateful_step_count=30,
    deadline=None, phases=[Phase.explicit, Phase.generate], print_blob=True,
)  # fmt: skip
