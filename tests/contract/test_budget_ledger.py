"""Invariant 8: the ledger never goes over budget, under threads, processes and kill -9; on both databases."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.audit.log import AuditLog
from commonwatch.errors import Conflict, InvalidInput, NotPermitted, Unavailable
from commonwatch.hub.budget.ledger import Allowance, Cost, Ledger, known_to, window_of
from commonwatch.hub.meta import epoch
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.migrate import migrate
from commonwatch.hub.meta.outbox import Drain
from hub_house import DAY, NOW, Wall, clock

HERE = window_of(NOW)
NINTH = Fraction(1, 9)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    migrate(made)
    with made.write() as session:
        epoch.found(session)
    yield made
    made.close()


def cost(release: str, rho: Fraction = NINTH, reader: str = "cert", draw: str = "", window: int = HERE) -> Cost:
    return Cost(release, reader, window, rho, draw or release, "new threat families, weekly")


def all_of(*owners: str, window: Fraction = Fraction(1), life: Fraction | None = None) -> dict[str, Allowance]:
    return dict.fromkeys(owners, Allowance(window, life))


def test_nine_ninths_fit_exactly_and_the_tenth_is_told_when_it_renews(database: Database):
    ledger = Ledger(database, clock(Wall()))
    for n in range(9):
        assert ledger.spend(cost(f"r{n}"), all_of("acme")).owners == ("acme",)
    before = ledger.account("acme")
    with pytest.raises(NotPermitted) as refused:
        ledger.spend(cost("r9", Fraction(1, 10**12)), all_of("acme"))
    assert refused.value.todo == "at most 0 is left; it renews on 2026-11-30"
    assert ledger.account("acme") == before
    assert sum(s.rho for s in before) == 1


def test_an_owner_without_enough_left_is_left_out_and_the_release_goes_on(database: Database):
    ledger = Ledger(database, clock(Wall()))
    ledger.spend(cost("first", Fraction(1, 2)), all_of("acme", "bolt"))
    allowed = all_of("acme", window=Fraction(1, 2)) | all_of("bolt") | all_of("core", life=Fraction(1, 100))
    quoted = ledger.quote(cost("second", Fraction(1, 3)), allowed)
    paid = ledger.spend(cost("second", Fraction(1, 3)), allowed)
    assert paid == quoted
    assert paid.owners == ("bolt",)
    acme, core = paid.left_out
    assert (acme.owner, acme.left) == ("acme", 0)
    assert acme.renews is not None
    assert window_of(acme.renews) == HERE + 1
    assert (core.owner, core.left, core.renews) == ("core", Fraction(1, 100), None)


def test_the_organisation_is_charged_and_another_pays_for_itself(database: Database):
    ledger = Ledger(database, clock(Wall()))
    ledger.spend(cost("a", Fraction(1)), all_of("acme"))
    ledger.spend(cost("b", Fraction(1), reader="msp"), all_of("acme"))
    with pytest.raises(NotPermitted):
        ledger.spend(cost("c", Fraction(1, 100)), all_of("acme"))
    assert [(s.reader, s.rho) for s in ledger.account("acme")] == [("msp", 1), ("cert", 1)]
    assert ledger.account("bolt") == []


def test_a_new_window_renews_and_a_life_total_does_not(database: Database):
    wall = Wall()
    ledger = Ledger(database, clock(wall))
    ledger.spend(cost("a", Fraction(1)), all_of("acme", "bolt", life=Fraction(3, 2)))
    wall.at += 56 * DAY
    allowed = {"acme": Allowance(Fraction(1), Fraction(3, 2)), "bolt": Allowance(Fraction(1))}
    assert ledger.spend(cost("b", Fraction(1), window=HERE + 1), allowed).owners == ("bolt",)


def test_a_release_is_paid_once_and_nothing_is_refunded(database: Database):
    ledger = Ledger(database, clock(Wall()))
    ledger.spend(cost("a"), all_of("acme"))
    with pytest.raises(Conflict, match="paid already"):
        ledger.spend(cost("a"), all_of("acme", "bolt"))
    assert not hasattr(ledger, "refund")
    assert len(ledger.account("acme")) == 1
    assert ledger.account("bolt") == []


@pytest.mark.parametrize("rho", [Fraction(0), Fraction(-1, 2), 0.1])
def test_a_budget_that_is_no_positive_fraction_spends_nothing(database: Database, rho: Fraction):
    ledger = Ledger(database, clock(Wall()))
    with pytest.raises(InvalidInput, match="positive exact fraction"):
        ledger.spend(cost("a", rho), all_of("acme"))
    with pytest.raises(InvalidInput, match="not open"):
        ledger.spend(cost("a", window=HERE - 1), all_of("acme"))
    with pytest.raises(NotPermitted, match="suffices"):
        ledger.spend(cost("a"), {})
    assert ledger.account("acme") == []


def test_pooling_readers_learn_the_highest_tier_of_each_draw(database: Database):
    ledger = Ledger(database, clock(Wall()))
    ledger.spend(cost("low", Fraction(1, 10), "msp", draw="d"), all_of("acme"))
    ledger.spend(cost("high", Fraction(1, 2), "cert", draw="d"), all_of("acme"))
    ledger.spend(cost("other", Fraction(1, 10), "isp", draw="e"), all_of("acme"))
    assert ledger.pooled("acme", HERE) == Fraction(6, 10)
    assert ledger.pooled("acme", HERE + 1) == 0


def test_threads_together_never_spend_more_than_there_is(database: Database):
    ledger, outcomes = Ledger(database, clock(Wall())), []

    def try_it(n: int) -> None:
        for m in range(3):
            try:
                outcomes.append(ledger.spend(cost(f"t{n}-{m}"), all_of("acme")).owners)
            except NotPermitted:
                outcomes.append(())

    threads = [threading.Thread(target=try_it, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 18
    assert outcomes.count(("acme",)) == 9
    assert sum(s.rho for s in ledger.account("acme")) == 1


SPENDER = textwrap.dedent("""
    import sys
    from fractions import Fraction
    from commonwatch.errors import NotPermitted
    from commonwatch.hub.budget.ledger import Allowance, Cost, Ledger
    from commonwatch.hub.meta.clock import Clock
    from commonwatch.hub.meta.database import Database

    url, name, window, at = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    ledger = Ledger(Database(url), Clock(lambda: at, lambda: 0.0))
    print("ready", flush=True)
    for n in range(10_000):
        release = f"{name}-{n}"
        try:
            ledger.spend(Cost(release, "cert", window, Fraction(1, 97), release, ""), {"acme": Allowance(Fraction(1))})
        except NotPermitted:
            break
        print(release, flush=True)
""")


def spender(url: str, name: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", SPENDER, url, name, str(HERE), str(NOW)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_killed_processes_never_spend_more_and_lose_nothing_that_was_said(database: Database):
    rng = random.Random(8)
    told: list[str] = []
    both = [spender(database.url, f"p{n}") for n in range(2)]
    assert all(p.stdout and p.stdout.readline() == "ready\n" for p in both)
    time.sleep(rng.uniform(0.05, 0.2))
    for process in both:
        process.send_signal(signal.SIGKILL)
        told += process.communicate(timeout=20)[0].split()
    ledger = Ledger(database, clock(Wall()))
    left = 97 * (1 - sum((s.rho for s in ledger.account("acme")), Fraction()))
    assert 0 <= left.denominator == 1
    for n in range(int(left)):
        told.append(f"last-{n}")
        ledger.spend(cost(told[-1], Fraction(1, 97)), all_of("acme"))
    with pytest.raises(NotPermitted):
        ledger.spend(cost("too much", Fraction(1, 97)), all_of("acme"))
    account = Ledger(database, clock(Wall())).account("acme")
    assert sum(s.rho for s in account) == 1
    assert set(told) <= {s.release for s in account}
    assert len(told) == len(set(told))


def test_a_ledger_behind_the_audit_log_spends_nothing(database: Database, tmp_path: Path):
    with AuditLog(tmp_path / "audit", Ed25519PrivateKey.generate(), "hub") as audit:
        assert known_to(audit) == 0
        ledger = Ledger(database, clock(Wall()), known_to(audit))
        for n in range(2):
            ledger.spend(cost(f"r{n}"), all_of("acme"))
        Drain(database, audit.append_many).run()
        assert known_to(audit) == 2
        assert Ledger(database, clock(Wall()), known_to(audit)).spend(cost("r2"), all_of("acme")).owners
        entry = audit.entry(len(audit) - 1)
        assert b'"rho":"1/9"' in entry
        old = Ledger(database, clock(Wall()), known_to(audit) + 2)
        with pytest.raises(Unavailable, match="older than the audit log"):
            old.spend(cost("r3"), all_of("acme"))
    assert len(ledger.account("acme")) == 3


def test_the_window_numbers_follow_the_public_mondays():
    assert window_of(NOW + 56 * DAY) == HERE + 1
