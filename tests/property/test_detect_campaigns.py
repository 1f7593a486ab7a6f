"""Campaigns, sequences, progress, emerging indicators and hotspots find what was planted and little else."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatch.detect.campaigns.find import Campaign, Link, campaigns
from commonwatch.detect.campaigns.follow import named, spread
from commonwatch.detect.emerging import Counted, emerging
from commonwatch.detect.hotspots import hotspots
from commonwatch.detect.outbreak.scan import zones
from commonwatch.detect.outbreak.series import DAY as HOURS_OF_DAY
from commonwatch.detect.outbreak.series import NEW, Size, onsets_of
from commonwatch.detect.sequences.pairs import HOUR, chains, followed, ordered
from commonwatch.detect.sequences.progress import DAY, Seen, progress
from commonwatch.simulate.hourly import town


def planted(seed: int = 1, many: int = 25) -> tuple[list[Link], dict[str, int]]:
    """Campaigns with infrastructure of their own, a CDN that everybody meets, noise of single incidents."""
    rng = np.random.default_rng(seed)
    links, truth = list[Link](), dict[str, int]()
    for campaign in range(many):
        for n in range(int(rng.integers(12, 30))):
            incident, org = f"c{campaign}-{n}", f"org{rng.integers(300)}"
            truth[incident] = campaign
            mine = rng.choice(8, int(rng.integers(1, 4)), replace=False)
            links += [Link(incident, org, f"c{campaign}-i{i}", int(rng.integers(1000))) for i in mine]
            if rng.random() < 0.4:
                links.append(Link(incident, org, f"cdn{rng.integers(3)}", int(rng.integers(1000))))
    for n in range(300):
        links += [Link(f"noise{n}", f"org{rng.integers(300)}", f"noise-i{n}-{i}", 5) for i in range(2)]
        if rng.random() < 0.4:
            links.append(Link(f"noise{n}", "org1", f"cdn{rng.integers(3)}", 5))
    return links, truth


def rand(truth: dict[str, int], found: dict[str, int]) -> float:
    """Adjusted Rand index."""

    def pairs(labels) -> float:
        return sum(math.comb(n, 2) for n in Counter(labels).values())

    together = pairs((truth[i], found[i]) for i in truth)
    a, b, every = pairs(truth.values()), pairs(found[i] for i in truth), math.comb(len(truth), 2)
    return (together - a * b / every) / ((a + b) / 2 - a * b / every)


def test_planted_campaigns_are_found_though_all_share_a_cdn():
    links, truth = planted()
    found = campaigns(links)
    label = {incident: n for n, campaign in enumerate(found) for incident in campaign.incidents}
    assert rand(truth, {i: label.get(i, -1 - k) for k, i in enumerate(truth)}) > 0.9
    assert not any(len(c.orgs) < 3 and len(c.incidents) < 5 for c in found)


def test_the_same_links_in_any_order_give_the_same_campaigns():
    links, _ = planted(many=4)
    assert campaigns(links) == campaigns(links[::-1] + links[:9])
    assert campaigns([]) == []


def campaign(*indicators: str, first: int = 0) -> Campaign:
    return Campaign(incidents=("x",), indicators=indicators, orgs=("a", "b", "c"), first=first, last=9)


def test_a_campaign_keeps_its_name_while_three_in_ten_indicators_stay():
    old = {"campaign-old": campaign("a", "b", "c")}
    assert list(named([campaign("a", "b", "z", "y")], old)) == ["campaign-old"]
    assert list(named([campaign("a", "x", "z", "y")], old)) != ["campaign-old"]
    both = named([campaign("a", "b", "z"), campaign("a", "b", "c")], old)
    assert both["campaign-old"].indicators == ("a", "b", "c")
    assert len(both) == 2


def test_the_origin_is_first_and_each_comes_after_the_last_that_had_what_it_met():
    links = [Link("1", "a", "ip", 1), Link("2", "b", "ip", 5), Link("2", "b", "domain", 6), Link("3", "c", "domain", 9)]
    whole = Campaign(incidents=("1", "2", "3"), indicators=("domain", "ip"), orgs=("a", "b", "c"), first=1, last=9)
    steps = spread(whole, [*links, Link("4", "d", "ip", 2)])
    assert [(s.org, s.after, s.indicator) for s in steps] == [("a", None, "ip"), ("b", "a", "ip"), ("c", "b", "domain")]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 200)), max_size=40))
def test_followed_equals_the_definition(sightings):
    org, item, hour = (np.array([s[i] for s in sightings], dtype=np.int64) for i in range(3))
    found = followed(org, item, hour * HOUR, 4)
    for o, x, y in itertools.product(range(len(found)), range(4), range(4)):
        truth = x != y and any(
            a[0] == b[0] == o and (a[1], b[1]) == (x, y) and 0 < b[2] - a[2] <= 72
            for a, b in itertools.product(sightings, repeat=2)
        )
        assert found[o, x, y] == truth


def test_a_planted_chain_is_the_only_ordered_one():
    rng = np.random.default_rng(4)
    orgs, items, each = 400, 30, 30
    org = np.repeat(np.arange(orgs), each)
    item, hour = rng.integers(0, items, orgs * each), rng.integers(0, 90 * 24, orgs * each)
    start = rng.integers(0, 80 * 24, 60)
    extra = [(o, step, int(start[o]) + 10 * n) for o in range(60) for n, step in enumerate((3, 7, 11))]
    org, item, hour = (np.concatenate([a, [e[i] for e in extra]]) for i, a in enumerate((org, item, hour)))
    follows = followed(org, item, hour * HOUR, items)
    pairs = ordered(follows)
    assert {(p.first, p.then) for p in pairs} == {(3, 7), (7, 11), (3, 11)}
    (chain,) = chains(pairs, follows)
    assert chain.steps == (3, 7, 11)
    assert chain.orgs >= 60


NOW = 20_000 * DAY


@pytest.mark.parametrize(
    ("tactics", "warns"),
    [
        (["TA0001", "TA0002", "TA0006"], True),
        (["TA0001", "TA0002", "TA0005"], False),  # not far enough
        (["TA0006", "TA0002", "TA0001"], False),  # against the order
        (["TA0001", "TA0008"], False),  # two only
        (["TA0043", "TA0040", "TA0003", "TA0011"], True),  # three in order, one beside
    ],
)
def test_progress_warns_of_three_tactics_in_order_with_a_late_one(tactics, warns):
    seen = [Seen("a", tactic, NOW - DAY + n) for n, tactic in enumerate(tactics)]
    assert progress(seen, NOW)["a"].warn is warns


def test_progress_forgets_after_seven_days_and_knows_no_other_tactics():
    old = [Seen("a", "TA0001", NOW - 8 * DAY), Seen("a", "TA0002", NOW - DAY), Seen("b", "TA9999", NOW)]
    found = progress([*old, Seen("a", "TA0040", NOW)], NOW)
    assert set(found) == {"a"}
    assert set(found["a"].first) == {"TA0002", "TA0040"}
    assert found["a"].stage == "TA0040"


def test_what_many_newly_see_today_comes_before_what_many_saw_all_along():
    usual = [Counted(f"cdn{n}", 5, 70) for n in range(3)]
    rare = [Counted(f"rare{n}", 0, n % 2) for n in range(500)]
    found = emerging([*usual, *rare, Counted("new", 5, 0), Counted("one", 1, 0)])
    assert found[0].indicator == "new"
    assert found[0].score > 2 * max(e.score for e in found[1:])
    assert not any(e.indicator.startswith("rare") for e in found if e.today == 0)
    assert emerging([]) == []


def test_a_planted_cluster_is_a_hotspot_and_a_zone_that_is_always_busy_is_none():
    rng = np.random.default_rng(2)
    of = town(120, 56, rng, keys=6)
    region = of.region
    busy = np.isin(of.org, np.nonzero(region == 1)[0])
    size = Size(of.keys, of.orgs, of.hours)
    places = zones([str(r) for r in region], [""] * of.orgs)
    key, org, hour = (np.concatenate([a, a[busy]]) for a in (of.key, of.org, of.hour))
    quiet = onsets_of(key, org, (hour + np.arange(len(hour)) % 5) % of.hours, size, NEW)
    assert hotspots(quiet, places, replicas=99) == []
    hit = np.nonzero(region == 2)[0]
    start = 40 * HOURS_OF_DAY
    more = quiet._replace(
        key=np.concatenate([quiet.key, np.repeat(np.arange(6), len(hit))]),
        org=np.concatenate([quiet.org, np.tile(hit, 6)]),
        hour=np.concatenate([quiet.hour, start + rng.integers(0, 48, 6 * len(hit))]),
    )
    found = hotspots(more, places, replicas=99)
    assert places[found[0].zone].name == "region 2"
    assert found[0].first == 40
    assert found[0].days in (2, 3)
    assert found[0].observed > 2 * found[0].expected
