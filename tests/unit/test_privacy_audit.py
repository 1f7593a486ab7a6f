"""The audit passes what ships and catches every planted fault."""

from __future__ import annotations

import json
from fractions import Fraction
from math import comb

import pytest

from commonwatch.cli import main
from commonwatch.errors import InvalidInput
from commonwatch.privacy.audit.faults import faults
from commonwatch.privacy.audit.measure import audit, shipped, upper
from commonwatch.privacy.release.bounds import bounded
from commonwatch.privacy.release.noise import gaussian

#: Runs a side that suffice, at a false alarm in a thousand.
FEW = {
    "no truncation": 600,
    "duplicate family": 400,
    "wrong sensitivity": 400,
    "budget not split": 700,
    "15 % less noise": 4_000,
}


def test_what_ships_keeps_its_promise_and_the_audit_looks_at_it():
    subject = shipped()
    assert subject.bound is bounded
    assert subject.draw is gaussian
    found = audit(subject, 1_000, alpha=0.001)
    assert found.kept
    assert found.mu == 1.0
    assert found.mu_low > 0.5


@pytest.mark.parametrize("name", FEW)
def test_a_planted_fault_is_caught(name: str):
    subject = next(s for s, _ in faults() if s.name == name)
    found = audit(subject, FEW[name], alpha=0.001)
    assert not found.kept, found


def test_the_bounds_are_clopper_and_pearsons():
    for hits, n in ((0, 100), (3, 100), (37, 400)):
        p = Fraction(upper(hits, n, 0.005))
        tail = sum(comb(n, x) * p**x * (1 - p) ** (n - x) for x in range(hits + 1))
        assert float(tail) == pytest.approx(0.005, rel=1e-6)
    assert upper(10, 10, 0.005) == 1


def test_too_few_runs_say_nothing():
    with pytest.raises(InvalidInput, match="too few"):
        audit(shipped(), 20)


def test_the_command_says_what_was_found(capsys: pytest.CaptureFixture[str]):
    assert main(["privacy", "audit", "--runs", "200", "--alpha", "0.001", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["good"]
    assert [f["name"] for f in said["findings"]] == ["shipped", "alert loop"]
