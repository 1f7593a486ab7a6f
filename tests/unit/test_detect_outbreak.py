"""Organisations that newly see a family are counted, never events; alerts end with the agreement that showed them."""

from __future__ import annotations

import msgspec
import pytest

from commonwatch.agreements.reader import Reader
from commonwatch.detect.alert import DAY, HOUR, Alert, Finding, Origin, advance
from commonwatch.detect.outbreak.onsets import counted, findings, k_of, onsets
from commonwatch.detect.ports import Active, Sighting
from commonwatch.detect.watch import Watch
from commonwatch.errors import Unavailable
from commonwatch.share.ports import EVER, State

NOW = 20_000 * DAY
CERT = Reader("cert-nord", ("cert",), ("sme-shield",), "detect")
MEMBERS = [f"m{n}" for n in range(12)]


def seen(owner: str, hours_ago: float, family: str = "emotet") -> Sighting:
    return Sighting(owner, family, NOW - int(hours_ago * HOUR))


def always(owners: list[str], days: int = 40) -> list[Active]:
    return [Active(owner, NOW - day * DAY) for owner in owners for day in range(days + 1)]


def test_k_follows_the_size_of_the_community_as_measured():
    assert [k_of(n) for n in (0, 12, 200, 1_000)] == [3, 3, 10, 27]
    assert sorted(k_of(n) for n in range(0, 3_000, 50)) == [k_of(n) for n in range(0, 3_000, 50)]


def test_a_second_sighting_within_fourteen_days_is_no_onset_and_one_after_that_is():
    found = onsets([seen("a", 24 * 20), seen("a", 24 * 10), seen("a", 1), seen("b", 24 * 15), seen("b", 2)])
    assert [(o.owner, (NOW - o.time) // HOUR) for o in found] == [("a", 480), ("b", 360), ("b", 2)]


def test_three_members_within_a_day_are_an_outbreak_and_a_thousand_events_of_one_are_not():
    noisy = [seen("m0", n / 100) for n in range(1_000)]
    assert findings(counted(onsets(noisy), always(MEMBERS)), 12, NOW) == []
    spread = [seen("m0", 20), seen("m1", 10), seen("m2", 1)]
    (found,) = findings(counted(onsets(noisy + spread), always(MEMBERS)), 12, NOW)
    assert (found.key, found.organisations, found.threshold) == ("emotet", 3, 3)


def test_onsets_spread_over_more_than_a_day_are_no_outbreak():
    slow = [seen("m0", 50), seen("m1", 25), seen("m2", 1)]
    assert findings(counted(onsets(slow), always(MEMBERS)), 12, NOW) == []


def test_families_are_not_added_up():
    mixed = [seen("m0", 3, "a"), seen("m1", 2, "b"), seen("m2", 1, "c")]
    assert findings(counted(onsets(mixed), always(MEMBERS)), 12, NOW) == []


def test_new_members_raise_no_outbreak():
    spread = [seen("n0", 3), seen("n1", 2), seen("n2", 1)]
    active = always(MEMBERS) + always(["n0", "n1", "n2"], days=2)
    assert findings(counted(onsets(spread), active), 15, NOW) == []
    assert len(findings(counted(onsets(spread), always([*MEMBERS, "n0", "n1", "n2"])), 15, NOW)) == 1


def test_members_that_come_back_after_two_weeks_of_silence_raise_no_outbreak():
    owners = ["m0", "m1", "m2"]
    silent = [a for a in always(MEMBERS) if a.owner not in owners or not NOW - 20 * DAY < a.time < NOW - DAY]
    spread = [seen(owner, 2) for owner in owners]
    assert findings(counted(onsets(spread), silent), 12, NOW) == []


def test_a_pool_that_began_today_warns_only_after_half_its_age():
    active = [Active(owner, NOW - 20 * HOUR) for owner in MEMBERS]
    early, late = [seen(m, 19.5) for m in MEMBERS[:3]], [seen(m, 1) for m in MEMBERS[:3]]
    assert len(findings(counted(onsets(late), active), 12, NOW)) == 1
    assert counted(onsets([Sighting("m0", "emotet", NOW - 20 * HOUR)]), active) == []
    late_joiner = [*active, Active("n0", NOW - 2 * HOUR)]
    assert [o.owner for o in counted(onsets([*early, seen("n0", 1)]), late_joiner)] == ["m0", "m1", "m2"]


def test_an_old_outbreak_raises_no_new_alert_and_the_future_none():
    past = [Finding("malware", "emotet", NOW - 60 * HOUR, NOW - 50 * HOUR, 5, 3)]
    assert advance({}, past, origin()) == []
    ahead = [Sighting(m, "emotet", NOW + 30 * DAY) for m in MEMBERS]
    assert findings(counted(onsets(ahead), always(MEMBERS)), 12, NOW) == []


def origin(now: int = NOW, epoch: int = 1) -> Origin:
    return Origin("cert-nord detect", "all", now, epoch, 1)


def finding(organisations: int, last: int = NOW) -> Finding:
    return Finding("malware", "emotet", last - HOUR, last, organisations, 3)


def put(known: dict[str, Alert], changed: list[Alert]) -> dict[str, Alert]:
    return {**known, **{alert.id: alert for alert in changed}}


def test_an_alert_is_extended_not_repeated_and_told_again_when_it_grew_by_half():
    (first,) = advance({}, [finding(4)], origin())
    known = {first.id: first}
    assert advance(known, [finding(5)], origin()) == []
    (grown,) = advance(known, [finding(6)], origin())
    assert (grown.id, grown.organisations, len(grown.history)) == (first.id, 6, 2)
    assert first.calibration is None


def test_an_alert_without_support_is_withdrawn_and_a_quiet_one_expires():
    (alert,) = advance({}, [finding(4)], origin())
    (gone,) = advance({alert.id: alert}, [], origin(NOW + HOUR, epoch=2))
    assert gone.state == "withdrawn"
    (quiet,) = advance({alert.id: alert}, [], origin(NOW + 80 * HOUR))
    assert quiet.state == "expired"


def test_the_same_family_again_is_another_alert():
    (alert,) = advance({}, [finding(4)], origin())
    ended = advance({alert.id: alert}, [], origin(NOW + 80 * HOUR))
    known = put({alert.id: alert}, ended)
    (again,) = advance(known, [finding(4, NOW + 90 * HOUR)], origin(NOW + 90 * HOUR))
    assert again.id != alert.id


class World:
    """Governed answers and a store a test changes by hand."""

    def __init__(self) -> None:
        self.now, self.epoch, self.watermark, self.down = NOW, 1, 1, False
        self.rows: list[Sighting] = []
        self.kept: dict[str, Alert] = {}
        self.at: tuple[int, int, int] | None = None
        self.asked = 0

    def standing(self, reader: Reader) -> State:
        if self.down:
            raise Unavailable("the policy cannot be known")
        return State(self.epoch, self.watermark, EVER)

    def sightings(self, reader: Reader, start: int, end: int) -> list[Sighting]:
        self.asked += 1
        return [row for row in self.rows if start <= row.time < end]

    def active(self, reader: Reader, start: int, end: int) -> list[Active]:
        return [a for a in always(MEMBERS) if start <= a.time < end]

    def members(self, reader: Reader) -> int:
        return len(MEMBERS)

    def alerts(self, audience: str) -> dict[str, Alert]:
        return dict(self.kept)

    def put(self, audience: str, alerts: list[Alert], standing: tuple[int, int, int]) -> None:
        self.kept, self.at = put(self.kept, alerts), standing


class Kept:
    """The store half of a world."""

    def __init__(self, world: World) -> None:
        self.alerts, self.put = world.alerts, world.put
        self.standing = lambda audience: world.at


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def watch(world: World) -> Watch:
    return Watch(world, Kept(world), clock=lambda: world.now)


def test_a_revocation_withdraws_an_open_alert_before_the_next_answer(world: World, watch: Watch):
    world.rows = [seen("m0", 3), seen("m1", 2), seen("m2", 1)]
    assert [a.organisations for a in watch.alerts(CERT)] == [3]
    world.rows, world.epoch = world.rows[:2], 2
    assert watch.alerts(CERT) == []
    assert [a.state for a in world.kept.values()] == ["withdrawn"]


def test_a_withheld_event_changes_no_alert(world: World, watch: Watch):
    world.rows = [seen("m0", 3), seen("m1", 2), seen("m2", 1)]
    before = watch.alerts(CERT)
    world.watermark += 1
    assert [msgspec.to_builtins(a) for a in watch.alerts(CERT)] == [msgspec.to_builtins(a) for a in before]


def test_nothing_is_recomputed_while_nothing_moved_and_each_hour_it_is(world: World, watch: Watch):
    watch.refresh(CERT)
    watch.refresh(CERT)
    assert world.asked == 1
    world.now += HOUR
    watch.refresh(CERT)
    assert world.asked == 2


def test_an_unknown_policy_shows_no_alert(world: World, watch: Watch):
    world.rows = [seen("m0", 3), seen("m1", 2), seen("m2", 1)]
    watch.refresh(CERT)
    world.down = True
    with pytest.raises(Unavailable):
        watch.alerts(CERT)
