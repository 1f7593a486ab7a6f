"""Onsets are a function of the set of sightings: order, batches and repetition change nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from commonwatch.detect.outbreak.onsets import GAP, Onset, findings, onsets
from commonwatch.detect.ports import Sighting

HOUR = 3_600_000_000
SIGHTINGS = st.lists(
    st.builds(
        Sighting, st.sampled_from("abcd"), st.sampled_from(["x", "y"]), st.integers(0, 60 * 24).map(lambda h: h * HOUR)
    ),
    max_size=40,
)


@given(SIGHTINGS, st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_same_onsets(sightings: list[Sighting], random):
    shuffled = sightings * 2
    random.shuffle(shuffled)
    assert onsets(shuffled) == onsets(sightings)


@given(SIGHTINGS)
def test_onsets_equal_the_definition(sightings: list[Sighting]):
    by_definition = {
        Onset(s.time, s.family, s.owner)
        for s in sightings
        if not any((o.owner, o.family) == (s.owner, s.family) and s.time - GAP <= o.time < s.time for o in sightings)
    }
    assert set(onsets(sightings)) == by_definition


@given(SIGHTINGS, st.sampled_from("abcd"))
def test_one_member_moves_no_other_members_onsets(sightings: list[Sighting], member: str):
    others = [s for s in sightings if s.owner != member]
    assert [o for o in onsets(sightings) if o.owner != member] == onsets(others)


@given(SIGHTINGS, st.sampled_from("abcd"))
def test_a_member_adds_at_most_one_organisation_to_a_finding_of_one_window(sightings: list[Sighting], member: str):
    recent = [o for o in onsets(sightings) if o.time > 59 * 24 * HOUR]
    without = [o for o in recent if o.owner != member]
    now = 60 * 24 * HOUR
    more = {f.key: f.organisations for f in findings(recent, 1, now)}
    less = {f.key: f.organisations for f in findings(without, 1, now)}
    assert all(count - less.get(key, 2) <= 1 for key, count in more.items())
