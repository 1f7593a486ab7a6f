"""Days of releases close: real store, govern, ledger and database; noise from OpenDP, or none to see what would be."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from commonwatch.agreements.document import To
from commonwatch.errors import Conflict, InvalidInput
from commonwatch.hub.releases.plans import CUBE, TIERS
from commonwatch.privacy.release.slices import Slice
from commonwatch.store import Store
from doubles.commons import START, Commons, count, silent


def table(commons: Commons, reader: str, levels: tuple[int, ...], number: int = 0) -> Slice | None:
    held = commons.shelf.held(commons.shelf.plans()[0], reader)
    return next((s for s in held.slices if s.levels == levels and s.index == number), None)


def total(commons: Commons, reader: str, levels: tuple[int, ...] = (1,), number: int = 0) -> int:
    found = table(commons, reader, levels, number)
    assert found is not None
    return sum(found.values)


def opened(folder: Path, **more: object) -> Commons:
    made = Commons(folder, **more)  # type: ignore[arg-type]
    made.warm()
    made.go(0.01)
    return made


def test_a_week_counts_each_family_once_one_a_day_two_at_first(tmp_path: Path):
    commons = opened(tmp_path, draw=silent)
    first = commons.names[0]
    commons.saw([(n, "qakbot", 0) for n in commons.names])
    commons.saw([(first, "mirai", 0), (first, "emotet", 1), (first, "qakbot", 2), (first, "lumma", 3)])
    assert commons.go(7.01) == 7
    assert total(commons, "firm-003") == 12 + 1  # `first` has two in its bucket: one of day 0, one of day 1
    assert commons.shelf.counted(commons.shelf.plans()[0])[first].keys() == {8, 10}  # mirai is the rarer, then emotet
    assert commons.go(7.5) == 0


def test_every_reader_shares_one_draw_and_each_owner_pays_each_reader_for_the_whole_window(tmp_path: Path):
    commons = opened(tmp_path)
    commons.go(7.01)
    plan = commons.shelf.plans()[0]
    seats = {commons.shelf.held(plan, name).seats[6][1] for name in [*commons.names, "harbour-mss"]}
    assert len(seats) == 1
    assert commons.shelf.held(plan, "coast-cert").seats == ()
    spent = commons.ledger.account("firm-000")
    assert {s.reader for s in spent} == {*commons.names[1:], "harbour-mss"}
    assert {s.rho for s in spent} == {TIERS["community"] * CUBE} == {Fraction(1, 20)}
    assert commons.ledger.pooled("firm-000", 18) == Fraction(1, 20)
    commons.go(14.01)
    assert commons.ledger.account("firm-000") == spent


def test_who_revokes_on_wednesday_is_in_mondays_slice_and_not_in_the_weeks(tmp_path: Path):
    commons = opened(tmp_path, draw=silent, profile="live")
    axes = [axis.key for axis in commons.shelf.plans()[0].plan.axes]
    assert axes == ["day", "sector", "family"]
    daily = next(t.levels for t in commons.shelf.plans()[0].plan.tables if t.levels[0] == 2)
    weekly = next(t.levels for t in commons.shelf.plans()[0].plan.tables if t.levels[0] == 1)
    commons.saw([(n, "qakbot", 0) for n in commons.names])
    commons.go(1.01)
    assert total(commons, "harbour-mss", daily) == 12
    commons.go(2.5)
    commons.revoke("firm-005")
    commons.go(7.01)
    monday = table(commons, "harbour-mss", daily)
    assert monday is not None
    assert "firm-005" in commons.shelf.owners([monday.owners])
    assert sum(monday.values) == 12
    week = table(commons, "harbour-mss", weekly)
    assert week is not None
    assert "firm-005" not in commons.shelf.owners([week.owners])
    assert sum(week.values) == 11


def test_a_late_onset_counts_on_the_day_that_is_open_and_a_week_later_not_at_all(tmp_path: Path):
    commons = opened(tmp_path, draw=silent)
    commons.go(9.5)
    commons.saw([("firm-000", "emotet", 8), ("firm-001", "emotet", 1), ("firm-002", "emotet", 12)])
    commons.go(14.01)
    assert total(commons, "firm-005", number=1) == 2
    assert total(commons, "firm-005", number=0) == 0


def test_what_was_there_before_is_not_new_and_a_new_members_first_days_do_not_count(tmp_path: Path):
    commons = Commons(tmp_path, draw=silent)
    commons.saw((n, None, -20) for n in commons.names[1:])  # type: ignore[misc]
    commons.saw([("firm-001", "qakbot", -3)])
    commons.go(0.01)
    commons.saw([("firm-000", "qakbot", 1), ("firm-001", "qakbot", 1), ("firm-002", "qakbot", 1)])
    commons.go(7.01)
    assert total(commons, "firm-005") == 1


def test_events_that_may_not_be_counted_change_nothing(tmp_path: Path):
    strict = count(rows={"severity": "high"})
    commons = opened(tmp_path, draw=silent, clauses=(strict,))
    commons.saw([("firm-000", "qakbot", 1)])
    seen = commons.names[1]
    commons.saw([(seen, "emotet", 2)])
    commons.policy.replace(commons.document("firm-000", count(rows={"sites": ("elsewhere",)})))
    commons.go(7.01)
    assert total(commons, "firm-005") == 1


def test_owners_that_are_stricter_are_left_out_and_too_few_are_nothing(tmp_path: Path):
    commons = Commons(tmp_path)
    commons.policy.replace(
        commons.document("firm-000", count(epsilon=1.0)), commons.document("firm-001", count(contributors=50))
    )
    commons.go(0.01)
    commons.go(7.01)
    held = commons.shelf.held(commons.shelf.plans()[0], "harbour-mss")
    assert commons.shelf.owners(o for _, o, _ in held.seats) == set(commons.names[2:])
    assert commons.ledger.account("firm-000") == []
    commons.policy.replace(commons.document("firm-002", count(epsilon=1.0)))
    commons.go(14.01)
    assert [s.index for s in commons.shelf.held(commons.shelf.plans()[0], "harbour-mss").slices] == [0]


@pytest.mark.parametrize("members", [0, 1, 9])
def test_an_empty_community_or_a_small_one_makes_nothing_and_spends_nothing(tmp_path: Path, members: int):
    commons = Commons(tmp_path, members=members)
    commons.go(0.01)
    commons.go(7.01)
    assert all(commons.shelf.held(p, "harbour-mss").slices == () for p in commons.shelf.plans())
    assert all(commons.ledger.account(name) == [] for name in commons.names)


def test_a_day_that_is_not_over_or_closed_already_is_refused_and_nothing_is_spent(tmp_path: Path):
    commons = opened(tmp_path)
    with pytest.raises(InvalidInput, match="not over"):
        commons.closing.close("ring.18", 0)
    with pytest.raises(InvalidInput, match="not over"):
        commons.closing.close("elsewhere.18", 0)
    commons.go(2.01)
    with pytest.raises(Conflict, match="closes next"):
        commons.closing.close("ring.18", 0)
    before = commons.ledger.account("firm-000")
    commons.at = START  # a clock set back: the hub's own does not follow
    assert commons.closing.run() == 0
    assert commons.ledger.account("firm-000") == before


def test_a_lower_tier_is_the_higher_one_with_more_noise(tmp_path: Path):
    clauses = (count(to=To(communities=("ring",), roles=("cert",)), epsilon=5.3),)
    commons = opened(tmp_path, clauses=clauses, draw=silent)
    commons.saw([(n, "qakbot", 0) for n in commons.names])
    commons.go(7.01)
    low, high = table(commons, "firm-000", (1,)), table(commons, "coast-cert", (1,))
    assert low is not None
    assert high is not None
    assert low.owners == high.owners
    assert low.scale / high.scale == pytest.approx(5**0.5)
    assert commons.ledger.pooled("firm-000", 18) == Fraction(1, 4)


def test_a_late_joiner_pays_in_full_and_is_in_the_next_slice(tmp_path: Path):
    commons = opened(tmp_path)
    commons.policy.replace(commons.document("firm-000", count(epsilon=1.0)))
    commons.go(7.01)
    commons.policy.replace(commons.document("firm-000"))
    commons.go(14.01)
    held = commons.shelf.held(commons.shelf.plans()[0], "harbour-mss")
    assert "firm-000" not in commons.shelf.owners([held.slices[0].owners])
    assert "firm-000" in commons.shelf.owners([held.slices[1].owners])
    assert {s.rho for s in commons.ledger.account("firm-000")} == {Fraction(1, 20)}


def test_noise_that_was_lost_is_paid_again_and_who_cannot_pay_is_left_out(tmp_path: Path):
    commons = opened(tmp_path, clauses=(count(epsilon=3.0),))
    tight = [commons.document(n, count(epsilon=2.2)) for n in commons.names[:1]]
    commons.policy.replace(*tight)
    commons.go(6.5)
    commons.shelf.begin(commons.shelf.plans()[0], 6, 0)
    commons.go(7.01)
    names = {s.release for s in commons.ledger.account("firm-003")}
    assert "ring.18/harbour-mss/lost/6.1" in names
    assert total(commons, "harbour-mss") is not None


def test_a_new_window_opens_a_new_plan_and_forgets_what_was_counted(tmp_path: Path):
    commons = opened(tmp_path)
    commons.saw([("firm-000", "qakbot", 0)])
    commons.go(56.2)
    old, new = sorted(commons.shelf.plans(), key=lambda p: p.window)
    assert (old.closed, new.window, new.closed) == (56, 19, 0)
    assert commons.shelf.counted(old) == {}
    assert len(commons.shelf.held(old, "harbour-mss").slices) == 8


def test_the_release_survives_a_restart(tmp_path: Path):
    commons = opened(tmp_path)
    commons.go(7.01)
    before = commons.shelf.held(commons.shelf.plans()[0], "harbour-mss")
    commons.close()
    again = Commons(tmp_path, at=commons.at)
    again.go(7.6)
    assert again.shelf.held(again.shelf.plans()[0], "harbour-mss") == before
    assert isinstance(again.store, Store)
