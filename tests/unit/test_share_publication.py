"""Publications follow the policy on the next read, date each reader's view apart, and revoke only what was served."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commonwatch.agreements.reader import ClauseRef, Reader
from commonwatch.agreements.terms.iep import Terms
from commonwatch.errors import Unavailable
from commonwatch.hub.publications import PublicationTable
from commonwatch.share.indicators import DAY, LIFE_DAYS
from commonwatch.share.ports import EVER, Ask, State
from commonwatch.share.promulgate import Listener, step
from commonwatch.share.publication import Publications
from commonwatch.wire.messages import Indicators, Withdraw

NOON = 1_790_000_000_000_000
CERT = Reader("cert-nord", ("cert",), ("sme-shield",), "detect")
SME = Reader("bakery", ("sme",), ("sme-shield",), "detect")
EVIL = "198.51.100.7"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An observable as govern would give it."""

    kind: str = "ip"
    value: str = EVIL
    first_seen: int | None = NOON - 1_000_000
    last_seen: int | None = NOON
    count: int | None = 3
    sources: int | None = 2
    tlp: int = 1
    severity: int | None = 4
    malware: str | None = None
    clauses: tuple[ClauseRef, ...] = (ClauseRef("dsa-1", 1, "attackers"),)
    terms: Terms | None = None


class World:
    """A policy, a store and a clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now, self.epoch, self.watermark = NOON, 1, 1
        self.good_until = EVER
        self.visible: dict[str, list[Seen]] = {}
        self.down = False
        self.asked: list[int | None] = []

    def standing(self, reader: Reader) -> State:
        if self.down:
            raise Unavailable("the policy cannot be known")
        return State(self.epoch, self.watermark, self.good_until)

    def observables(self, reader: Reader, since: int | None, *, origins: Any = None) -> list[Seen]:
        self.asked.append(since)
        return self.visible.get(reader.org, [])

    def observables_of(self, since: Mapping[Reader, int], origins: Mapping[Reader, Any]) -> dict[Reader, list[Seen]]:
        return {reader: self.observables(reader, at, origins=origins[reader]) for reader, at in since.items()}

    def see(self, *seen: Seen, org: str = "cert-nord") -> None:
        self.visible[org] = list(seen)
        self.watermark += 1
        self.now += 60_000_000

    def agree(self, *seen: Seen, org: str = "cert-nord") -> None:
        """Another policy, under which the reader sees this."""
        self.visible[org] = list(seen)
        self.epoch += 1
        self.now += 60_000_000


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def table(tmp_path: Path) -> Iterator[PublicationTable]:
    found = PublicationTable(tmp_path / "publications.sqlite")
    yield found
    found.close()


@pytest.fixture
def publications(world: World, table: PublicationTable) -> Publications:
    return Publications(table, world, "Nordic Shield", clock=lambda: world.now)


def served(publications: Publications, reader: Reader = CERT, **ask: object) -> list[dict[str, object]]:
    rows = publications.page(reader, Ask(**{"types": ("indicator", "sighting"), **ask}))  # type: ignore[arg-type]
    return [json.loads(row.body) for row in rows]


def test_a_sighting_of_an_attacker_becomes_an_indicator_and_a_sighting(world: World, publications: Publications):
    world.see(Seen())
    indicator, sighting = served(publications)
    assert indicator["pattern"] == f"[ipv4-addr:value = '{EVIL}']"
    assert indicator["confidence"] == 60
    assert sighting["sighting_of_ref"] == indicator["id"]
    assert sighting["count"] == 3


def test_what_one_reader_sees_is_nowhere_in_what_another_gets(world: World, publications: Publications):
    world.see(Seen())
    assert served(publications, SME) == []
    publications.refresh(CERT)
    assert served(publications, SME) == []
    assert publications.indicators(SME) == []
    assert len(publications.indicators(CERT)) == 1


def test_the_next_read_after_a_revocation_carries_a_revoked_last_version(world: World, publications: Publications):
    world.see(Seen())
    before = served(publications)
    world.agree()
    after = served(publications)
    assert [o["id"] for o in after] == [o["id"] for o in before]
    assert all(o["revoked"] is True for o in after)
    assert all(str(o["modified"]) > str(o["created"]) for o in after)
    assert publications.indicators(CERT) == []


def test_what_was_never_served_leaves_no_trace_when_it_is_revoked(world: World, publications: Publications):
    world.see(Seen())
    publications.refresh(CERT)
    world.agree()
    assert served(publications, versions=("all",)) == []
    assert publications.news(CERT, 0).withdrawn == []


def test_a_pattern_shared_again_after_revocation_has_a_new_id(world: World, publications: Publications):
    world.see(Seen())
    first = served(publications)[0]["id"]
    world.agree()
    served(publications)
    world.agree(Seen())
    shown = [o for o in served(publications) if not o.get("revoked") and o["type"] == "indicator"]
    assert len(shown) == 1
    assert shown[0]["id"] != first


def test_an_unknown_policy_serves_nothing(world: World, publications: Publications):
    world.see(Seen())
    assert len(served(publications)) == 2
    world.down = True
    with pytest.raises(Unavailable):
        served(publications)
    with pytest.raises(Unavailable):
        publications.indicators(CERT)


def test_an_amendment_that_shows_more_reaches_a_client_that_polls_by_time(world: World, publications: Publications):
    world.see(Seen())
    last = publications.page(CERT, Ask())[-1].added
    assert publications.page(CERT, Ask(after=last)) == []
    old = Seen(value="203.0.113.9", first_seen=NOON - 5 * DAY, last_seen=NOON - 3 * DAY)
    world.agree(Seen(), old)
    fresh = [json.loads(row.body) for row in publications.page(CERT, Ask(after=last))]
    assert [o.get("pattern") for o in fresh if o["type"] == "indicator"] == ["[ipv4-addr:value = '203.0.113.9']"]


def test_every_row_has_its_own_microsecond(world: World, publications: Publications):
    world.see(*[Seen(value=f"198.51.100.{n}") for n in range(1, 50)])
    rows = publications.page(CERT, Ask(limit=1_000))
    added = [row.added for row in rows]
    assert added == sorted(set(added))
    assert added[0] >= NOON


def test_dates_go_on_rising_while_the_clock_stands_still_or_goes_back(world: World, publications: Publications):
    dates = []
    for n in range(1, 5):
        world.see(*[Seen(value=f"198.51.100.{m}") for m in range(1, n + 1)])
        world.now = NOON - n
        dates = [row.added for row in publications.page(CERT, Ask())]
    assert len(dates) > 8
    assert dates == sorted(set(dates))


def test_nothing_changes_where_nothing_changed(world: World, publications: Publications):
    world.see(Seen())
    before = publications.page(CERT, Ask(versions=("all",)))
    asked = len(world.asked)
    assert publications.page(CERT, Ask(versions=("all",))) == before
    assert len(world.asked) == asked
    world.watermark += 1
    world.now += 60_000_000
    assert publications.page(CERT, Ask(versions=("all",))) == before


def test_a_growing_count_is_published_once_an_hour_and_at_once_when_it_doubles(
    world: World, publications: Publications
):
    world.see(Seen(count=10))
    assert served(publications)[1]["count"] == 10
    world.see(Seen(count=11))
    assert served(publications)[1]["count"] == 10
    world.see(Seen(count=20))
    assert served(publications)[1]["count"] == 20
    world.see(Seen(count=21))
    world.now += 3_700_000_000
    assert served(publications)[1]["count"] == 21


def test_a_smaller_count_is_published_at_once_and_earlier_versions_vanish_with_the_agreement(
    world: World, publications: Publications
):
    world.see(Seen(count=10, sources=2))
    served(publications)
    world.see(Seen(count=20, sources=3))
    assert len(served(publications, versions=("all",))) == 4
    world.agree(Seen(count=4, sources=1))
    everything = served(publications, versions=("all",))
    assert [o.get("count") for o in everything] == [None, 4]
    assert len(served(publications, versions=("first",))) == 2


def test_an_unchanged_indicator_keeps_its_bytes_when_only_its_sighting_changes(
    world: World, publications: Publications
):
    world.see(Seen(count=10))
    indicator = publications.page(CERT, Ask(types=("indicator",)))
    world.see(Seen(count=30))
    assert publications.page(CERT, Ask(types=("indicator",))) == indicator
    assert served(publications, types=("sighting",))[0]["count"] == 30


def test_an_ended_indicator_vanishes_and_goes_on_under_its_id_when_seen_again(world: World, publications: Publications):
    world.see(Seen())
    first = served(publications)[0]
    world.now += (LIFE_DAYS["ip"] + 2) * DAY
    assert served(publications) == []
    world.see(Seen(last_seen=world.now))
    again = served(publications)[0]
    assert (again["id"], again["created"]) == (first["id"], first["created"])
    assert "revoked" not in again


def test_withheld_times_and_counts_are_left_out_and_life_counts_from_publication(
    world: World, publications: Publications
):
    world.see(Seen(first_seen=None, last_seen=None, count=None, sources=None))
    indicator, sighting = served(publications)
    assert not {"count", "first_seen", "last_seen"} & set(sighting)
    assert "confidence" not in indicator
    world.agree(Seen(first_seen=None, last_seen=None, count=None, sources=None))
    assert served(publications) == [indicator, sighting]


def test_members_own_and_everybodys_hosts_never_become_indicators(world: World, publications: Publications):
    refused = [
        Seen(value="10.1.2.3"), Seen(value="127.0.0.1"), Seen(value="8.8.8.8"), Seen(value="pfx:100.115.72.131"),
        Seen(value="203.0.113.0/24"), Seen(kind="domain", value="dl.windowsupdate.com"), Seen(kind="user", value="a"),
        Seen(kind="domain", value="printer.local"), Seen(kind="url", value="http://10.0.0.1/x"),
        Seen(kind="url", value="https://www.microsoft.com/x"), Seen(kind="mail", value="not-a-mailbox"),
        Seen(kind="md5", value="D41D8CD98F00B204E9800998ECF8427E"), Seen(kind="domain", value="bare"),
    ]  # fmt: skip
    world.see(*refused, Seen(kind="domain", value="evil.example.net"))
    assert [o["value"] for o in publications.indicators(CERT)] == ["evil.example.net"]


def test_a_restart_goes_on_where_it_was(world: World, tmp_path: Path):
    path = tmp_path / "p.sqlite"
    world.see(Seen())
    pages = []
    for _ in range(2):
        table = PublicationTable(path)
        pages.append(Publications(table, world, "Nordic Shield", clock=lambda: world.now).page(CERT, Ask()))
        table.close()
    assert pages[0] == pages[1]


def test_gateways_are_told_what_is_new_and_what_is_withdrawn(world: World, publications: Publications):
    sent: list[tuple[str, Indicators | Withdraw]] = []

    def push(messages: Iterable[tuple[str, Indicators | Withdraw]]) -> tuple[()]:
        sent.extend(messages)
        return ()

    listeners = [Listener("gw-1", CERT), Listener("gw-2", SME)]
    world.see(Seen())
    assert step(publications, listeners, push) == 1
    assert step(publications, listeners, push) == 0
    world.agree()
    assert step(publications, listeners, push) == 1
    assert [gateway for gateway, _ in sent] == ["gw-1", "gw-1"]
    shown, gone = sent[0][1], sent[1][1]
    assert isinstance(shown, Indicators)
    assert isinstance(gone, Withdraw)
    assert [i.value for i in shown.items] == [EVIL]
    assert gone.ids == [shown.items[0].id]


def test_readers_who_lack_the_same_are_brought_up_to_date_by_one_question(world: World, publications: Publications):
    for reader in (CERT, SME):
        publications.refresh(reader)
    world.see(Seen())
    publications.refresh(SME)
    publications.refresh_all([SME, CERT])
    assert world.asked == [None, None, 1, 1]
    world.see(Seen(), org=SME.org)
    together: list[int] = []
    one_by_one = world.observables_of
    world.observables_of = lambda readers, *rest: together.append(len(list(readers))) or one_by_one(readers, *rest)  # type: ignore[method-assign]
    assert publications.refresh_all([SME, CERT, SME]) == {SME, CERT}
    assert together == [2]
    for reader in (CERT, SME):
        assert [i["value"] for i in publications.indicators(reader)] == [EVIL]
    world.down = True
    assert publications.refresh_all([SME, CERT]) == set()


def test_a_gateway_whose_queue_is_full_is_told_again(world: World, publications: Publications):
    listener = Listener("gw-1", CERT)
    world.see(Seen())
    assert step(publications, [listener], lambda _: ["gw-1"]) == 0
    assert listener.cursor == 0
    assert step(publications, [listener], lambda _: ()) == 1


def test_one_failing_policy_leaves_the_others_served(world: World, publications: Publications):
    world.see(Seen())
    world.down = True
    assert step(publications, [Listener("gw-1", CERT)], lambda _: ()) == 0
    world.down = False
    assert step(publications, [Listener("gw-1", CERT)], lambda _: ()) == 1
