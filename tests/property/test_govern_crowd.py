"""Several readers asked together are told what each is told alone, whoever else is asked."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest

from doubles.govern import EXACT, Keys, Log, Policy, batch, documents, event, govern, limit, org, reader, share, to

READERS = [reader(name) for name in ("mssp", "cert", "peer", "acme")]
PLAIN = {"time": "hour", "owner": "pseudonym", "src_ip": "exact", "volume": "magnitude", "severity": "exact"}
WITHOUT = {**PLAIN, "domain": "exact", "src_ip": "pseudonym"}


def policy() -> Policy:
    acme = documents(
        "acme", share("all", to("mssp", "cert"), EXACT, until=900), share("old", to("peer"), PLAIN, after=24)
    )
    bolt = documents("bolt", share("some", to("cert"), WITHOUT), limit("less", {"src_ip": "withheld"}, to("mssp")))
    peer = documents("peer", share("more", to("mssp", "acme"), EXACT, events=("malware",), tlp="green"))
    return Policy(
        [acme, bolt, peer],
        [org(n) for n in ("acme", "bolt", "peer", "isp")] + [org("mssp", "mssp"), org("cert", "cert")],
    )


def some(seed: int) -> list:
    rng = random.Random(seed)
    return [event(rng, event_class=rng.choice((1, 2)), src_ip=f"198.51.100.{rng.randrange(9)}") for _ in range(25)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    found = [batch(owner, some(n)) for n, owner in enumerate(("acme", "bolt", "peer") * 3)]
    log = Log()
    return govern(tmp_path_factory.mktemp("crowd"), policy(), *found, keys=Keys(gone=["bolt"]), log=log), log


def told(here, readers, since) -> dict:
    origins = {who: {} for who in readers}
    found = here.observables_of(dict.fromkeys(readers, since), origins)
    return {who: (msgspec.json.encode(seen), sorted(origins[who].items())) for who, seen in found.items()}


def alone(here, who, since) -> tuple:
    origins: dict = {}
    return msgspec.json.encode(here.observables(who, since, origins=origins)), sorted(origins.items())


@pytest.mark.parametrize("since", [0, 4, 7, 8, 9])
def test_a_crowd_is_told_what_each_is_told_alone(world, since):
    here, _ = world
    assert told(here, READERS, since) == {who: alone(here, who, since) for who in READERS}
    assert all(told(here, READERS, since)[who][0] == b"[]" for who in READERS) == (since == 9)


def test_what_one_is_told_does_not_depend_on_who_else_is_asked(world):
    here, _ = world
    whole = told(here, READERS, 5)
    for size in (1, 2):
        for few in itertools.permutations(READERS, size):
            assert told(here, few, 5) == {who: whole[who] for who in few}


def test_each_is_told_what_came_since_its_own_number(world):
    here, _ = world
    since = dict(zip(READERS, (0, 8, 4, 7), strict=True))
    found = here.observables_of(since, {})
    assert {who: msgspec.json.encode(seen) for who, seen in found.items()} == {
        who: alone(here, who, at)[0] for who, at in since.items()
    }


def test_a_crowd_too_large_for_one_table_is_told_in_parts(world, monkeypatch):
    here, _ = world
    whole = told(here, READERS, 0)
    monkeypatch.setattr("commonwatch.govern.crowd.MOST_READERS", 3)
    monkeypatch.setattr("commonwatch.govern.crowd.MOST_ROWS", 60)
    assert told(here, READERS, 0) == whole


def test_who_is_no_member_is_left_out_and_every_other_has_its_entry_in_the_log(world):
    here, log = world
    log.seen.clear()
    assert set(here.observables_of(dict.fromkeys([*READERS, reader("stranger")], 5), {})) == set(READERS)
    assert [(who.org, kind) for who, kind, _ in log.seen] == [(who.org, "observables") for who in READERS]
