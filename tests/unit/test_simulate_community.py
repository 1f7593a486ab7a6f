"""The simulated community: the same bytes for the same seed, any window alike, plausible in shape."""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from itertools import pairwise

import pytest

from commonwatch.cli import main
from commonwatch.errors import InvalidInput
from commonwatch.events.address import Scope, parse, scope_of
from commonwatch.ingest import Counters, Parsed, Source, read
from commonwatch.ingest.values.families import FAMILIES
from commonwatch.simulate import Community, Outbreak, Params, community, world
from commonwatch.simulate.params import DAY, HOUR, MINUTE
from commonwatch.simulate.rhythm import human, machine

SMALL = Params(members=6, days=1, seed=7, events_per_day=300)


def text(made: Community, index: int, start: int, end: int) -> bytes:
    """A member's log in a window."""
    return b"".join(line for _, line in made.records(made.members[index], start, end))


@pytest.fixture(scope="module")
def made() -> Community:
    """A small community."""
    return community(SMALL)


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path):
    tiny = Params(members=2, days=0.2, seed=3, events_per_day=200)
    for name, params in (("a", tiny), ("b", tiny), ("c", Params(members=2, days=0.2, seed=4, events_per_day=200))):
        community(params).write(tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 6
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    assert any((tmp_path / "a" / f).read_bytes() != (tmp_path / "c" / f).read_bytes() for f in files)


def test_a_window_read_in_pieces_and_out_of_order_is_the_same(made):
    until = SMALL.until
    whole = text(made, 1, until - 5 * HOUR, until)
    cuts = [until - 5 * HOUR, until - 3 * HOUR - 17, until - 3 * HOUR, until - HOUR + 1, until]
    pieces = {a: text(community(SMALL), 1, a, b) for a, b in reversed(list(pairwise(cuts)))}
    assert b"".join(pieces[a] for a in cuts[:-1]) == whole


def test_lines_come_in_order_of_time_and_inside_the_window(made):
    for member in made.members:
        times = [t for t, _ in made.records(member, SMALL.until - 6 * HOUR, SMALL.until)]
        assert times == sorted(times)
        assert all(SMALL.until - 6 * HOUR <= t < SMALL.until for t in times)


def test_every_line_is_native_eve_and_its_time_is_the_one_promised(made):
    own = tuple(ipaddress.ip_network(n) for n in made.members[2].networks)
    lines = list(made.records(made.members[2], SMALL.begins, SMALL.until))
    counters = Counters()
    source = Source(id="s", key=b"k" * 32, own=own, clock=lambda: SMALL.until)
    found = list(read([b"".join(line for _, line in lines)], source, counters))
    assert counters.records == len(lines)
    assert set(counters.skipped) == {"stats"}
    assert not counters.quarantined
    assert not counters.dropped
    for (time, _), outcome in zip(lines, found, strict=True):
        if isinstance(outcome, Parsed):
            assert abs(outcome.event.time - time) < MINUTE


def test_outside_hosts_lie_in_documentation_ranges_and_inside_ones_in_private_ones(made):
    allowed = [ipaddress.ip_network(n) for n in
               ("198.18.0.0/15", "203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", "2001:db8::/32")]  # fmt: skip
    for member in made.members:
        own = tuple(ipaddress.ip_network(n) for n in member.networks)
        for _, line in made.records(member, SMALL.until - 4 * HOUR, SMALL.until):
            record = json.loads(line)
            for end in (record.get("src_ip"), record.get("dest_ip")):
                if end is not None:
                    ip = ipaddress.ip_address(end)
                    inside = scope_of(parse(end), own) == Scope.INSIDE
                    assert inside or any(ip.version == n.version and ip in n for n in allowed), end


def test_members_have_roles_sectors_regions_and_heavy_tailed_volumes():
    made = community(Params(members=200, days=1))
    roles = Counter(role for m in made.members for role in m.roles)
    assert roles == {"sme": 200, "mssp": 1, "cert": 1, "isp": 1}
    assert len({m.id for m in made.members}) == 203
    assert all(m.sector[0].isalpha() and "-" in m.region for m in made.members)
    assert {m.size for m in made.members} <= {"micro", "small", "medium", "large"}
    rates = sorted(m.rate for m in made.members if "sme" in m.roles)
    assert sum(rates[-20:]) > 0.35 * sum(rates)


def test_days_have_a_rhythm_and_weekends_are_quiet():
    thursday, saturday = SMALL.until - DAY, SMALL.until + DAY
    day = [human(thursday + h * HOUR, 60) for h in range(24)]
    assert max(day) > 10 * min(day)
    assert sum(human(saturday + h * HOUR, 60) for h in range(24)) < 0.3 * sum(day)
    assert min(machine(thursday + h * HOUR, 60) for h in range(24)) > 0.3


def test_scanners_visit_several_members(made):
    seen: dict[str, set[str]] = {}
    for member in made.members:
        for _, line in made.records(member, SMALL.begins, SMALL.until):
            if b"CW SCAN" in line:
                seen.setdefault(json.loads(line)["src_ip"], set()).add(member.id)
    assert max(map(len, seen.values())) >= 3


def test_the_outbreak_is_what_the_truth_says(made):
    truth = made.truth()["outbreak"]
    hit = {case["member"] for case in truth["cases"]}
    assert len(hit) == round(0.6 * 6)
    assert set(truth["seed_members"]) <= hit
    assert truth["family"] in FAMILIES
    for member in made.members:
        log = text(made, member.index, SMALL.until - 40 * HOUR, SMALL.until)
        caught = [line for line in log.splitlines() if f"CW MALWARE {truth['spelling']}".encode() in line]
        assert bool(caught) == (member.id in hit), member.id
        if caught:
            onset = next(c["onset"] for c in truth["cases"] if c["member"] == member.id)
            first = min(json.loads(line)["timestamp"] for line in caught)
            assert first[14:16] == onset[14:16]
            assert any(d.encode() in log for d in truth["domains"])
            assert any(a.encode() in log for a in truth["addresses"])
            assert any(h.encode() in log for h in truth["sha256"])


def test_an_outbreak_can_be_chosen_or_left_out():
    assert community(Params(members=3, outbreak=None)).truth()["outbreak"] is None
    chosen = Outbreak(family="icedid", share=1.0, spread=0.01, starts_before=0.05, seeds=1)
    truth = community(Params(members=5, outbreak=chosen)).truth()["outbreak"]
    assert truth["family"] == "icedid"
    assert len(truth["cases"]) == 5
    onsets = [case["onset"] for case in truth["cases"]]
    assert max(onsets) <= "2026-11-20T00:00:00Z"
    assert min(onsets) >= "2026-11-19T23:56:59Z"


def test_families_of_the_simulation_are_in_the_public_list():
    assert set(world.BACKGROUND) | set(world.OUTBREAK_FAMILIES) <= set(FAMILIES)


def test_the_command_writes_a_folder_per_member_and_the_truth(tmp_path, capsys):
    status = main(["simulate", str(tmp_path / "out"), "--members", "2", "--days", "0.1", "--events-per-day", "100",
                   "--until", "2026-11-18T12:00:00Z", "--seed", "5"])  # fmt: skip
    assert status == 0
    truth = json.loads((tmp_path / "out" / "community.json").read_text())
    assert truth["until"] == "2026-11-18T12:00:00Z"
    assert all((tmp_path / "out" / m["log"]).is_file() for m in truth["members"])
    assert "truth in" in capsys.readouterr().out
    assert main(["simulate", str(tmp_path / "x"), "--members", "0"]) == 2
    assert main(["simulate", str(tmp_path / "x"), "--until", "soon"]) == 2


def test_what_cannot_be_simulated_is_refused():
    for params in (Params(members=0), Params(days=0), Params(certs=-1), Params(outbreak=Outbreak(share=0))):
        with pytest.raises(InvalidInput):
            community(params)
