"""A snapshot changes how fast an answer comes, never the answer: at once, later, and after new events."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from commonwatch.govern.decide.decisions import FOREVER, Cut
from commonwatch.govern.query import Constraint, Cube, Distinct, Filter, Histogram, Interval, Rows, Top
from commonwatch.govern.snapshot import LIFE, gaps, spans
from doubles.govern import DAY, EXACT, HOUR, NOW, Policy, batch, documents, events, govern, org, reader, share, to

QUESTIONS = (
    Top(by="src_ip"), Top(by="user"), Top(by="org"), Top(by="technique"), Distinct(by="dst_ip"), Histogram(bin="1h"),
    Histogram(filter=Filter(time=Interval(last="30d"))), Cube(by=("severity", "family")), Rows(limit=200),
    Rows(limit=20, filter=Filter(dims={"class": Constraint(within=("intrusion",))})),
    Top(by="rule", filter=Filter(dims={"src_country": Constraint(outside=("DE",))}, time=Interval(last="40d"))),
)  # fmt: skip
LOOSE = {"time": "hour", "owner": "pseudonym", "src_ip": "pseudonym+network", "user": "pseudonym", "severity": "exact"}


def policy() -> Policy:
    first = documents("acme", share("now", to("mssp"), EXACT, until=240), share("late", to("mssp"), LOOSE, after=48))
    second = documents("bolt", share("day", to("mssp"), {**LOOSE, "time": "day"}, after=24, until=1_200))
    return Policy([first, second], [org("acme"), org("bolt"), org("mssp", "mssp")])


def answers(here) -> list[bytes]:
    return [msgspec.json.encode(here.ask(reader(), q)) for q in QUESTIONS]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """The same events twice: one is asked through snapshots, the other never."""
    made = []
    for _ in range(2):
        rules, found = policy(), [batch(o, events(150, seed=n)) for n, o in enumerate(("acme", "bolt"))]
        made.append((govern(tmp_path_factory.mktemp("world"), rules, *found), rules))
    return made


def test_a_snapshot_answers_as_the_live_relation_does(worlds):
    (quick, mine), (slow, other) = worlds
    for step in range(4):
        mine.now = other.now = NOW + step * 97 * 60_000_000
        assert answers(quick) == answers(slow)
        assert quick.warm(reader())
        assert quick._snapshots._kept
        assert answers(quick) == answers(slow)
    more = batch("acme", events(40, seed=77), uid=500 + step)
    assert quick._store.append(more) == slow._store.append(more) == 40
    assert quick._snapshots._kept
    assert answers(quick) == answers(slow)


def test_what_arrives_after_a_snapshot_is_read_beside_it_be_it_moved_or_not(worlds):
    (quick, _), (slow, _) = worlds
    assert quick.warm(reader())
    first = set(quick._snapshots._kept.values())
    for step, pause in enumerate((False, True, True)):
        more = batch("bolt", events(30, seed=90 + step), uid=600 + step)
        assert quick._store.append(more) == slow._store.append(more) == 30
        quick._snapshots._due = dict.fromkeys(quick._snapshots._due, 1e18 if pause else 0.0)
        assert answers(quick) == answers(slow)
        quick._store.compact()
        assert answers(quick) == answers(slow)
    assert set(quick._snapshots._kept.values()) == first


def test_an_edge_serves_one_decision_table_only(worlds):
    (quick, mine), (slow, other) = worlds
    assert quick.warm(reader())
    assert answers(quick) == answers(slow)
    (edge,) = quick._snapshots._edges.values()
    mine.now = other.now = mine.now + 3 * HOUR
    quick._snapshots._due.clear()
    assert answers(quick) == answers(slow)
    (later,) = quick._snapshots._edges.values()
    assert later is not edge
    assert later.compiled is not edge.compiled


def test_a_snapshot_is_gone_with_its_epoch_its_hours_or_what_was_removed(worlds):
    (quick, mine), _ = worlds
    for change in (
        lambda: mine.replace(documents("acme", share("now", to("mssp"), EXACT), state="revoked")),
        lambda: setattr(mine, "now", mine.now + LIFE + DAY), lambda: quick._store.erase({}, owner="bolt"),
    ):  # fmt: skip
        assert quick.warm(reader())
        change()
        total = quick.ask(reader(), Top(by="class")).total
        assert not quick._snapshots._kept
        assert total < 400
    assert {r.cells[0] for r in quick.ask(reader(), Top(by="org")).rows} != {"acme"}


def test_readers_who_ask_often_get_one_by_themselves(worlds):
    import time

    (quick, _), _ = worlds
    quick._snapshots.worth = 0
    for _ in range(3):
        quick.ask(reader(), Top(by="severity"))
    until = time.monotonic() + 20
    while not quick._snapshots._kept and time.monotonic() < until:
        time.sleep(0.05)
    assert quick._snapshots._kept


CUTS = st.sets(
    st.builds(Cut, st.integers(0, 3_000).map(lambda h: h * HOUR), st.sampled_from([60_000_000, HOUR, DAY, 56 * DAY])),
    max_size=8,
)


@given(CUTS, st.integers(NOW, NOW + 60 * DAY), st.integers(0, LIFE - 1), st.integers(NOW - 200 * DAY, NOW + DAY))
@settings(phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_in_its_spans_no_bound_of_age_moves_past_an_event(cuts, now, later, time):
    free = spans(cuts, now)
    inside = any(w.start <= time < w.end for w in free)
    between = any(w.start <= time < w.end for w in gaps(free))
    assert inside != between
    assert free[0].start == -FOREVER
    assert free[-1].end == FOREVER
    if inside:
        for cut in cuts:
            sides = {(time < cut.bucket(at)[0], time >= cut.bucket(at)[1]) for at in (now, now + later)}
            assert len(sides) == 1
            assert (False, False) not in sides
