"""Changing a withheld value changes no byte of anything the reader can fetch: two hubs, every route, every reader.

The hubs are copies of one, their clocks stand still, and they got the same batches but for what is withheld. What may
differ between two equal hubs anyway is listed in `doubles.asking` (time headers; ids and hashes of audit entries).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from commonwatch.hub.compose import Hub
from doubles.asking import Asker, Given
from doubles.town import HOUR, MINUTE, NOW, Town

Events = list[dict[str, object]]


def seen(number: int) -> dict[str, object]:
    """An event of alder, as the first hub has it."""
    return {
        "uid": number, "time": NOW - (5 + number % 7) * HOUR, "event_class": 1 + number % 2, "dst_port": 443,
        "src_ip": f"203.0.113.{number % 200}", "rule_name": f"rule {number % 3}", "malware_family": f"fam{number % 4}",
        "domain": f"d{number % 5}.example", "url": "https://bad.example/", "severity_id": 2 + number % 3, "count": 3,
        "dst_ip": "10.1.1.1", "src_user": "ann",
    }  # fmt: skip


def hidden_from_both(n: int) -> dict[str, object]:
    """What neither birch nor cedar is shown of an event."""
    return {
        "dst_ip": f"10.9.{n}.7", "src_user": f"user{n}", "message": "different", "process_cmd": f"run {n}",
        "src_host": f"host{n}", "src_port": 1000 + n, "file_sha256": bytes([n]) * 32, "sensor_uid": f"s{n}",
        "attack_techniques": [f"T10{n:02}"], "action_id": 2, "mail_from": f"a{n}@x.example", "proto": 6,
        "bytes_in": 10_000 + n, "dst_country": "JP", "user_agent": f"ua {n}", "cve_uids": ["CVE-2026-0001"],
        "app_proto": "http", "tls_fingerprint": f"{n}", "file_name": f"{n}.exe", "site_uid": f"site-{n % 3}",
    }  # fmt: skip


def hidden_from(reader: str, n: int) -> dict[str, object]:
    """What this reader is not shown: birch the minute, the address in its network, path and port; cedar nearly all."""
    at = int(str(seen(n)["time"]))
    if reader == "birch":
        return {
            "time": at + (n + 1) * MINUTE, "src_ip": f"203.0.113.{255 - n}", "dst_port": 8 + n, "count": 1 + n % 9,
            "url": f"https://bad.example/other/{n}?q",
        }  # fmt: skip
    return {
        "time": at + 4 * HOUR + n * MINUTE, "dst_port": 50_000 + n, "count": 1 + n * 7, "domain": f"else{n}.example",
        "url": f"http://{n}.example/", "rule_name": f"another rule {n}", "severity_id": 1 + n % 5,
        "malware_names": [f"name{n}"], "rule_category": "c", "is_alert": bool(n % 2), "src_country": "FR",
    }  # fmt: skip


def invisible() -> Events:
    """Rows that no agreement shows to anybody: another class, TLP:RED."""
    flows: Events = [{**seen(n), "uid": 900 + n, "event_class": 9, "domain": "hidden.example"} for n in range(50)]
    return flows + [{**seen(n), "uid": 1900 + n, "tlp": 4, "rule_name": "red", "malware_family": "x"} for n in range(9)]


def world(reader: str | None) -> tuple[Events, Events]:
    """Events of alder and of dune; with a reader: everything withheld from it is different."""
    if reader is None:
        return [seen(n) for n in range(30)], [{**seen(n), "uid": 500 + n, "event_class": 9} for n in range(5)]
    alder = [{**seen(n), **hidden_from_both(n), **hidden_from(reader, n)} for n in range(30)]
    if reader == "birch":  # birch is shown low severity and above, malware and intrusion
        alder += [{**seen(n), "uid": 2900 + n, "severity_id": 1, "event_class": 2} for n in range(9)]
    else:  # cedar is shown malware only
        alder = [row for row in alder if row["event_class"] == 1]
        alder += [{**seen(n), "uid": 2900 + n, "event_class": 2, "malware_family": "y"} for n in range(9)]
    old = {"time": NOW - 72 * HOUR, "event_class": 1}  # dune shows malware of a day: what is older is not there
    dune = [{**seen(n), "uid": 3900 + n, "dst_ip": "10.0.0.9", "rule_name": "dune's", **old} for n in range(25)]
    return alder + invisible(), dune


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


Pair = tuple[Hub, Hub]


@pytest.fixture(scope="module")
def pairs(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pair]]:
    """For each reader two hubs that differ only in what is withheld from it. Both must always be asked the same."""
    made: dict[str, list[Hub]] = {"birch": [], "cedar": []}
    for reader, hubs in made.items():
        for name in (None, reader):
            hub = town.copy(tmp_path_factory.mktemp("hub") / "data")
            for org, events in zip(("alder", "dune"), world(name), strict=True):
                hub.core.intake.accept(town.batch(org, events))
            hubs.append(hub)
    yield {reader: (hubs[0], hubs[1]) for reader, hubs in made.items()}
    for hubs in made.values():
        for hub in hubs:
            hub.close()


def differences(one: list[Given], other: list[Given]) -> list[tuple[object, str]]:
    return [
        (a.call, f"{part}: {str(getattr(a, part))[:1500]} != {str(getattr(b, part))[:1500]}")
        for a, b in zip(one, other, strict=True)
        for part in ("status", "headers", "body")
        if getattr(a, part) != getattr(b, part)
    ]


def ask_both(pair: Pair, town: Town, org: str | None, *, token: bool = False, most: int) -> list[list[Given]]:
    return [Asker(hub.app(), town, org, token=token).sweep(most=most) for hub in pair]


@pytest.mark.parametrize(("org", "token"), [("birch", False), ("birch", True), ("cedar", False), ("cedar", True)])
def test_withheld_values_change_no_byte_of_any_answer(
    pairs: dict[str, Pair], town: Town, org: str, token: bool
) -> None:
    given = ask_both(pairs[org], town, org, token=token, most=6 if token else 1_000)
    assert differences(*given) == []
    if not token:
        assert sum(one.status == 200 for one in given[0]) > 90, "the sweep must reach answers, not only refusals"


@pytest.mark.parametrize("reader", ["birch", "cedar"])
def test_who_is_nobody_is_told_the_same_by_both(pairs: dict[str, Pair], town: Town, reader: str) -> None:
    assert differences(*ask_both(pairs[reader], town, None, most=6)) == []


@pytest.mark.parametrize(("org", "rows"), [("birch", 30), ("cedar", 15), ("dune", 5), ("alder", 30)])
def test_there_is_something_to_compare(pairs: dict[str, Pair], town: Town, org: str, rows: int) -> None:
    given, _ = ask_both(pairs["birch"], town, org, most=1)
    found = next(g for g in given if g.call.body and g.call.body.get("kind") == "rows")
    assert found.body.count(b'"cells"') == rows


def test_the_comparison_notices_a_shown_value(pairs: dict[str, Pair], town: Town) -> None:
    """Asked as the owner, who is shown what differs, the data routes differ."""
    paths = {call.path for call, _ in differences(*ask_both(pairs["birch"], town, "alder", most=9))}  # type: ignore[attr-defined]
    assert {"/api/query", "/api/releases"} <= paths
