"""Look-back: an indicator that comes is checked against what was seen, events against indicators; what the hub is told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from commonwatch.cli import main
from commonwatch.events.event import Event
from commonwatch.events.labels import EventClass, Label, Severity, Tlp
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.lookback import Index, Lookback
from commonwatch.gateway.lookback.index import DAY, Key
from commonwatch.gateway.report import status
from commonwatch.wire.messages import IndicatorItem, Indicators, Withdraw, encode_line
from doubles.hub import ALL_CLASSES, OPEN_FIELDS, TinyHub, agreement
from doubles.site import Site, until

NOW = time.time_ns() // 1_000
BAD = "203.0.113.66"
LABEL = Label(EventClass.FLOW, Tlp.GREEN, Severity.LOW, "shop")


def item(name: str, value: str, kind: str = "ipv4-addr", **more: Any) -> IndicatorItem:
    until_ = {"valid_until": NOW + 30 * DAY} | more
    return IndicatorItem(id=f"indicator--{name}", type=kind, value=value, pattern="p", valid_from=NOW, **until_)


def saw(site: Site, count: int) -> None:
    """The site's tool records contacts with the bad address, now."""
    record = {
        "timestamp": datetime.now(UTC).isoformat(), "event_type": "alert", "src_ip": "10.1.2.3", "src_port": 50_123,
        "dest_ip": BAD, "dest_port": 443, "proto": "TCP",
        "alert": {"gid": 1, "signature_id": 7, "rev": 1, "signature": "ET C2", "severity": 2},
    }  # fmt: skip
    with site.log.open("a") as out:
        out.write((json.dumps(record) + "\n") * count)


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    with TinyHub() as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, hub: TinyHub) -> Site:
    return Site(tmp_path, hub)


def publish(hub: TinyHub, dst: str) -> None:
    fields = {**OPEN_FIELDS, "dst_ip": dst, "volume": "exact", "time": "exact"}
    hub.publish(agreement(hub.owner, hub.reader, classes=sorted({*ALL_CLASSES, "match"}), fields=fields, tlp="red"))


def matches(hub: TinyHub) -> list[dict[str, Any]]:
    """Events of class `match` that the hub was sent."""
    found = []
    for _, columns in hub.opened.values():
        rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
        found += [r for r in rows if r["event_class"] == int(EventClass.MATCH)]
    return found


def marks(site: Site) -> list[dict[str, Any]]:
    path = site.folder.path / "indicators.json"
    return [i for i in json.loads(path.read_text()) if "seen_here" in i] if path.exists() else []


def test_an_indicator_that_comes_later_finds_what_was_seen_and_the_hub_is_told_once(
    site: Site, hub: TinyHub, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(hub, "exact")
    saw(site, 3)
    with site.running() as runtime:
        until(lambda: runtime.journal.counts().get("acknowledged", 0) == 13)
        hub.say(encode_line(Indicators([item("a", BAD), item("b", "203.0.113.1")])))
        until(lambda: len(matches(hub)) == 1)
        until(lambda: len(marks(site)) == 1)
        hub.say(encode_line(Indicators([item("a", BAD), item("c", BAD)])))
        until(lambda: len(json.loads((site.folder.path / "indicators.json").read_text())) == 3)
    (told,) = matches(hub)
    assert (told["count"], told["rule_uid"]) == (3, "look-back")
    assert "dst_ip_lo" in told
    (mark, *_) = marks(site)
    assert (mark["value"], mark["seen_here"]["count"]) == (BAD, 3)
    assert BAD not in json.dumps(status(site.folder)), "the status page serves this"
    assert status(site.folder)["matches"] == 1
    assert main(["gateway", "status", "--state", str(site.folder.path)]) == 0
    assert f"SEEN HERE 3 times: {BAD}" in capsys.readouterr().out
    assert any("seen here before" in line and BAD not in line for line in site.said)
    journal = Journal(site.folder.path / "gateway.db")
    assert journal.counts()["matches"] == 1
    journal.close()


def test_where_the_observable_may_not_leave_exactly_only_the_member_is_told(site: Site, hub: TinyHub) -> None:
    publish(hub, "network")
    saw(site, 2)
    with site.running() as runtime:
        until(lambda: runtime.journal.counts().get("acknowledged", 0) == 12)
        hub.say(encode_line(Indicators([item("a", BAD)])))
        until(lambda: len(marks(site)) == 1)
        time.sleep(1.5)
    assert matches(hub) == []


def test_an_event_that_comes_later_is_matched_against_the_indicators_held_even_after_a_restart(
    site: Site, hub: TinyHub
) -> None:
    publish(hub, "exact")
    with site.running():
        hub.say(encode_line(Indicators([item("a", BAD), item("w", "203.0.113.1")])))
        until((site.folder.path / "indicators.txt").exists)
        hub.say(encode_line(Withdraw(["indicator--w"])))
    saw(site, 1)
    site.once()
    (told,) = matches(hub)
    assert told["tlp"] == int(Tlp.AMBER), "the label of what was seen goes along"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = Index(tmp_path / "o.db", rows=5, days=10)
    yield made
    made.close()


def event(domain: str, at: int = NOW, **more: Any) -> Event:
    return Event(event_class=EventClass.FLOW, class_uid=4001, time=at, domain=domain, **more)


def test_the_index_is_bounded_by_rows_and_age_and_the_oldest_go_first(index: Index) -> None:
    look = Lookback(index, bytes(32))
    look.note([(LABEL, event(f"d{n}.example", NOW - n * DAY)) for n in range(15)], NOW)
    kept = {k.value for k, *_ in index.find([f"d{n}.example" for n in range(15)])}
    assert kept == {f"d{n}.example" for n in range(5)}


def test_what_expired_or_was_withdrawn_matches_nothing(index: Index) -> None:
    look = Lookback(index, bytes(32), [item("old", "a.example", valid_until=NOW - 1), item("gone", "b.example")])
    look.withdrawn(["indicator--gone"])
    assert look.note([(LABEL, event("a.example")), (LABEL, event("b.example"))], NOW) == 0
    assert look.arrived([item("late", "a.example", valid_until=NOW - 1)], NOW) == 0
    assert look.arrived([item("new", "b.example")], NOW) == 1
    assert look.arrived([item("new", "b.example")], NOW) == 0


def test_a_match_is_told_once_a_day_with_a_stable_id_and_says_nothing_of_the_indicator(index: Index) -> None:
    look = Lookback(index, bytes(32), [item("secret-name", "a.example")])
    look.note([(LABEL, event("a.example", count=4))] * 2, NOW)
    look.note([(LABEL, event("a.example"))], NOW)
    ((match, label, made),) = look.untold()
    assert (made.count, made.domain, label) == (
        9,
        "a.example",
        Label(EventClass.MATCH, Tlp.GREEN, Severity.MEDIUM, "shop"),
    )
    assert "secret" not in repr(made)
    assert look.untold()[0][2].event_uid == made.event_uid
    look.told([match])
    assert look.untold() == []
    look.note([(LABEL, event("a.example"))], NOW)
    assert look.untold() == []


def test_addresses_inside_are_never_indexed(index: Index) -> None:
    from commonwatch.events.address import Scope, parse

    inside = Event(event_class=EventClass.FLOW, class_uid=4001, time=NOW, src_ip=parse("10.0.0.7"), dst_ip=parse(BAD))
    inside.src_scope, inside.dst_scope = int(Scope.INSIDE), int(Scope.OUTSIDE)
    Lookback(index, bytes(32)).note([(LABEL, inside)], NOW)
    assert [k for k, *_ in index.find(["10.0.0.7", BAD])] == [Key(BAD, "dst_ip", "10:1:2:shop")]
