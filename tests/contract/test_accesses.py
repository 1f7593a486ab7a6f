"""Who saw what: every answer that showed something of an owner is in that owner's record, and nothing else is."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commonwatch.audit import verify
from commonwatch.detect.alert import Alert
from commonwatch.hub.compose import Hub
from doubles.asking import TAXII, Asker, Call
from doubles.town import HOUR, NOW, Town

OPERATE, WARN, FRESH = "alder-service@1#operate", "alder-service@1#warn", "dune-brief@1#fresh"


def event(number: int, **more: Any) -> dict[str, Any]:
    """A malware (or, every third, an intrusion) event, hours old."""
    found = {
        "uid": number, "time": NOW - (3 + number % 12) * HOUR, "event_class": 2 if number % 3 == 0 else 1,
        "src_ip": f"203.0.113.{number % 5}", "dst_ip": "10.0.0.7", "rule_name": f"rule {number % 2}", "dst_port": 443,
        "malware_family": f"fam{number % 3}", "malware_names": [f"fam{number % 3}"], "severity_id": 2 + number % 3,
        "domain": f"d{number % 4}.example", "count": 2,
    }  # fmt: skip
    return found | more


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


@pytest.fixture(scope="module")
def hub(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub for all tests: each looks at what was recorded since it began."""
    made = peopled(town, tmp_path_factory.mktemp("hub") / "data")
    yield made
    made.close()


def peopled(town: Town, folder: Path) -> Hub:
    """alder: 20 events birch sees, 5 nobody sees; dune: 7 that birch sees, 6 too old; birch and cedar their own."""
    made = town.copy(folder)
    seen = [event(n) for n in range(20)]
    made.core.intake.accept(town.batch("alder", seen + [event(100 + n, event_class=9) for n in range(5)]))
    fresh = [event(200 + n, event_class=1) for n in range(7)]
    old = [event(300 + n, event_class=1, time=NOW - 72 * HOUR) for n in range(6)]
    made.core.intake.accept(town.batch("dune", fresh + old))
    made.core.intake.accept(town.batch("birch", [event(400 + n) for n in range(9)]))
    return made


class Asking:
    """Everybody's requests to one hub."""

    def __init__(self, hub: Hub, town: Town) -> None:
        self.hub, self.town, self.before = hub, town, dict.fromkeys(town.sessions, 0)
        self.before = {org: len(self.of(org)) for org in town.sessions}

    def get(self, org: str, path: str, body: Any = None, *, token: bool = False) -> Any:
        asker = Asker(self.hub.app(), self.town, org, token=token)
        with asker.client:
            given = asker.send(Call(path, "GET" if body is None else "POST", body))
        assert given.status == 200, given
        return json.loads(given.body)

    def of(self, org: str, query: str = "") -> list[dict[str, Any]]:
        """The organisation's accesses since this was made, oldest first."""
        return self.get(org, f"/api/accesses?limit=1000{query}")["accesses"][::-1][self.before[org] :]


@pytest.fixture
def ask(hub: Hub, town: Town) -> Asking:
    return Asking(hub, town)


QUESTIONS: list[dict[str, Any]] = [
    {"kind": "histogram", "bin": "1h"},
    {"kind": "top", "by": "family"},
    {"kind": "top", "by": "family", "filter": {"dims": {"family": {"in": ["fam1"]}}}},
    {"kind": "distinct", "by": "domain", "filter": {"time": {"last": "6h"}}},
    {"kind": "cube", "by": ["org", "severity"], "bin": None},
    {"kind": "top", "by": "org", "filter": {"dims": {"org": {"in": ["birch"]}}}},
    {"kind": "top", "by": "class", "filter": {"dims": {"domain": {"in": ["nowhere.example"]}}}},
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: f"{q['kind']} {q.get('by', '')} {q.get('filter', '')}")
def test_an_aggregate_is_recorded_for_the_owners_whose_events_it_took_in(ask: Asking, question: dict[str, Any]) -> None:
    """Compared with a page of all rows under the same filter, counted by the clauses each row cites."""
    rows = ask.get(
        "birch", "/api/query", {"kind": "rows", "limit": 200, "columns": ["org"], "filter": question.get("filter", {})}
    )
    ask = Asking(ask.hub, ask.town)
    answer = ask.get("birch", "/api/query", question)
    by = [rows["clauses"][n] for row in rows["rows"] for n in row["clauses"]]
    expected = {"alder": by.count(OPERATE), "dune": by.count("an agreement of a contributor withheld from you")}
    for owner, clause in (("alder", OPERATE), ("dune", FRESH)):
        found = ask.of(owner)
        assert [(a["count"], a["clauses"]) for a in found] == ([(expected[owner], [clause])] if expected[owner] else [])
        for access in found:
            assert (access["reader"], access["purpose"], access["by"]) == ("birch", rows["purpose"], "person")
            assert (access["surface"], access["unit"], access["query"]) == ("explore", "events", answer["query"])
    assert ask.of("birch") == []
    assert ask.of("cedar") == []


def test_a_page_is_recorded_with_its_rows_its_fields_and_their_levels(ask: Asking) -> None:
    columns = ["time", "org", "src_ip", "dst_ip", "family"]
    answer = ask.get("birch", "/api/query", {"kind": "rows", "limit": 12, "columns": columns}, token=True)
    cited = Counter(answer["clauses"][n] for row in answer["rows"] for n in row["clauses"])
    [alder], dune = ask.of("alder"), ask.of("dune")
    assert (alder["count"], alder["clauses"], alder["unit"]) == (cited[OPERATE], [OPERATE], "rows")
    assert alder["fields"] == {"time": "hour", "owner": "exact", "src_ip": "network", "malware": "exact"}
    assert (alder["by"], alder["surface"]) == ("token", "rows")
    assert sum(a["count"] for a in dune) == cited["an agreement of a contributor withheld from you"]
    assert all(a["fields"] == {"time": "hour", "malware": "exact"} for a in dune)


def test_each_opening_of_a_release_is_recorded(ask: Asking) -> None:
    name = ask.get("birch", "/api/releases")["releases"][0]["id"]
    asker = Asker(ask.hub.app(), ask.town, "birch")
    with asker.client:
        assert asker.send(Call(f"/api/releases/{name}")).status == 200
    assert [(a["surface"], a["count"]) for a in ask.of("alder")] == [("release", 20)] * 2
    assert [(a["surface"], a["count"], a["query"]) for a in ask.of("dune")] == [("release", 7, name)] * 2


def test_another_organisation_reads_nothing_of_it(ask: Asking, hub: Hub, town: Town) -> None:
    ask.get("birch", "/api/query", QUESTIONS[0])
    [access] = ask.of("alder")
    for org in ("birch", "cedar", "dune"):
        found = json.dumps(
            [ask.of(org), ask.get(org, "/api/accesses/summary"), ask.get(org, "/api/accesses/export?format=json")]
        )
        assert "alder" not in found
        asker = Asker(hub.app(), town, org)
        with asker.client:
            assert asker.send(Call(f"/api/accesses/{access['id']}/proof")).status == 404
    entries = json.dumps(ask.get("birch", "/api/audit/entries?limit=1000"))
    assert '"accessed"' not in entries


def test_a_token_needs_the_scope(hub: Hub, town: Town) -> None:
    session = hub.core.accounts.session(town.sessions["alder"])
    _, secret = hub.core.accounts.make_token(session, "read only", "detect", ("read",), 1)
    asker = Asker(hub.app(), town, None)
    asker.headers["Authorization"] = f"Bearer {secret}"
    with asker.client:
        assert asker.send(Call("/api/accesses")).status == 403


def test_filters_pages_and_sums_agree(town: Town, tmp_path: Path) -> None:
    hub = peopled(town, tmp_path / "data")
    ask = Asking(hub, town)
    for question in QUESTIONS[:3]:
        ask.get("birch", "/api/query", question)
    ask.get("cedar", "/api/query", {"kind": "rows", "limit": 5})
    everything = ask.of("alder")
    assert [a["reader"] for a in everything].count("cedar") >= 1
    assert ask.of("alder", "&reader=cedar") == [a for a in everything if a["reader"] == "cedar"]
    assert ask.of("alder", f"&clause={WARN.replace('#', '%23')}") == ask.of("alder", "&reader=cedar")
    assert ask.of("alder", "&clause=warn") == ask.of("alder", "&reader=cedar")
    assert ask.of("alder", "&surface=explore&agreement=alder-service") == everything[:3]
    assert ask.of("alder", "&agreement=alder") == []
    assert ask.of("alder", "&until=2026-11-22T00:00:00Z") == []
    paged, after = [], ""
    while after is not None:
        page = ask.get("alder", f"/api/accesses?limit=2&after={after}")
        paged += page["accesses"]
        after = page["after"]
    assert paged == everything[::-1]
    sums = ask.get("alder", "/api/accesses/summary")
    assert {s["key"]: s["uses"] for s in sums["readers"]} == Counter(a["reader"] for a in everything)
    assert {s["key"]: s["count"] for s in sums["clauses"]}[OPERATE] == sum(a["count"] for a in everything[:3])
    assert sums["words"][OPERATE].startswith("[operate] Share malware and intrusion events")
    assert [d["key"] for d in sums["days"]] == ["2026-11-22"]
    hub.close()


def test_the_table_says_the_same_as_the_list(ask: Asking, hub: Hub, town: Town) -> None:
    ask.get("birch", "/api/query", {"kind": "rows", "limit": 5})
    asker = Asker(hub.app(), town, "alder")
    with asker.client:
        given = asker.send(Call("/api/accesses/export"))
    row = next(csv.DictReader(io.StringIO(given.body.decode())))
    [access] = ask.of("alder")
    assert (row["id"], row["count"], row["clauses"]) == (
        access["id"],
        str(access["count"]),
        " ".join(access["clauses"]),
    )
    assert given.headers["content-disposition"] == 'attachment; filename="accesses-alder.csv"'
    assert ask.get("alder", "/api/accesses/export?format=json")[0] == access


def proven(proof: dict[str, Any]) -> list[str]:
    """Verdicts of the offline check."""
    checkpoint = proof["checkpoint"]
    return [verdict for verdict, _ in verify.findings_of([checkpoint], [proof["proof"]], None, checkpoint["key"])]


def test_an_access_is_proven_offline_and_no_changed_one_is(ask: Asking, hub: Hub, town: Town) -> None:
    ask.get("birch", "/api/query", QUESTIONS[0])
    ask.get("birch", "/api/query", QUESTIONS[1])
    access = ask.of("alder")[-1]
    proof = hub.accesses.proof(hub.core.accounts.session(town.sessions["alder"]), access["id"])
    assert proven(proof) == ["ok", "ok", "ok"]
    said = json.loads(proof["proof"]["access"]["text"].partition("\n")[2])
    assert (said["owner"], said["reader"], said["count"], said["clauses"]) == ("alder", "birch", 20, [OPERATE])
    assert "dune" not in json.dumps(proof), "a proof names nobody else"
    for old, new in (('"count":20', '"count":1'), ('"reader":"birch"', '"reader":"cedar"')):
        forged = json.loads(json.dumps(proof))
        forged["proof"]["access"]["text"] = proof["proof"]["access"]["text"].replace(old, new)
        assert "FAILED" in proven(forged)
    forged = json.loads(json.dumps(proof))
    forged["proof"]["data"] = proof["proof"]["data"].replace('"sheet":"', '"sheet":"0')
    assert "FAILED" in proven(forged)


def test_the_log_tells_nothing_of_what_was_shown(ask: Asking, hub: Hub) -> None:
    """Every answer has one entry of the same shape that names nobody, whether it took in much or nothing."""
    sizes = []
    for question in (QUESTIONS[0], QUESTIONS[6]):
        before = len(hub.audit)
        ask.get("birch", "/api/query", question)
        sizes.append(len(hub.audit) - before)
        logged = [json.loads(hub.audit.entry(n)) for n in range(before, len(hub.audit))]
        [entry] = [e for e in logged if e["kind"] == "accessed"]
        assert {**entry, "at": 0, "detail": {"sheet": "x" * len(entry["detail"]["sheet"])}} == {
            "kind": "accessed", "actor": "hub", "org": "", "purpose": "", "concerns": [], "at": 0,
            "detail": {"sheet": "x" * 64},
        }  # fmt: skip
    ask.get("birch", "/api/query", QUESTIONS[0])
    assert sizes[1] <= sizes[0]


def test_what_cannot_be_recorded_is_not_answered(
    ask: Asking, hub: Hub, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    from commonwatch.errors import Unavailable

    def broken(*_: object) -> None:
        raise Unavailable("the metadata database does not answer")

    monkeypatch.setattr(hub.book, "keep", broken)
    asker = Asker(hub.app(), town, "birch")
    with asker.client:
        given = asker.send(Call("/api/query", "POST", QUESTIONS[0]))
    assert given.status == 503
    assert b"rows" not in given.body


def test_an_owner_that_watches_hears_of_an_access_at_once(ask: Asking, hub: Hub, town: Town) -> None:
    async def heard() -> list[tuple[str, dict[str, Any]]]:
        source = hub.accesses.watch(hub.core.accounts.session(town.sessions["alder"]))
        found = [await anext(source)]
        await asyncio.to_thread(ask.get, "birch", "/api/query", QUESTIONS[0])
        found.append(await asyncio.wait_for(anext(source), 5))
        await source.aclose()  # type: ignore[attr-defined]
        return found

    hello, (name, access) = asyncio.run(heard())
    assert hello[0] == "hello"
    assert (name, access["reader"], access["count"]) == ("access", "birch", 20)
    assert access["id"] == ask.of("alder")[-1]["id"]


def taxii(hub: Hub, town: Town, org: str) -> list[dict[str, Any]]:
    """The indicators an organisation's token collects by TAXII."""
    asker = Asker(hub.app(), town, org, token=True)
    with asker.client:
        given = asker.send(Call("/taxii2/hub/collections/indicators/objects/?limit=1000", headers=TAXII))
    assert given.status == 200, given
    return [o for o in json.loads(given.body)["objects"] if o["type"] == "indicator"]


def test_indicators_are_recorded_by_each_way_they_leave(ask: Asking, hub: Hub, town: Town) -> None:
    """alder shows birch four domains exactly, dune none; five addresses are birch's own."""
    listed = ask.get("birch", "/api/indicators")
    assert sorted(i["kind"] for i in listed) == ["domain"] * 4 + ["ip"] * 5
    assert len(taxii(hub, town, "birch")) == 9
    hub.telling.turn()
    found = [(a["surface"], a["by"], a["count"], a["unit"], a["clauses"]) for a in ask.of("alder")]
    assert found == [
        ("indicators", "person", 4, "indicators", [OPERATE]), ("taxii", "token", 4, "indicators", [OPERATE]),
        ("gateway", "gateway", 4, "indicators", [OPERATE]),
    ]  # fmt: skip
    assert ask.of("alder")[0]["fields"]["domain"] == "exact"
    assert ask.of("dune") == []
    hub.telling.turn()
    assert len(ask.of("alder")) == 3, "nothing new was told"


def test_an_alert_is_recorded_for_the_members_behind_it_and_for_no_other(ask: Asking, hub: Hub) -> None:
    """cedar may tell alder apart by a pseudonym; dune shows it nothing."""
    reader = hub.audience()["cedar"]
    hub.handing.alert(reader, made_alert("fam1"))
    [access] = ask.of("alder")
    assert (access["surface"], access["count"], access["unit"], access["clauses"]) == ("alert", 1, "alerts", [WARN])
    assert access["fields"] == {"time": "day", "owner": "pseudonym", "malware": "family"}
    hub.handing.alert(reader, made_alert("never seen"))
    assert ask.of("alder") == [access]
    assert ask.of("dune") == []


def made_alert(family: str) -> Alert:
    """An outbreak over the last day."""
    return Alert(
        id=family, kind="outbreak", key=("family", family), zone="all", first=NOW - 24 * HOUR, last=NOW, organisations=2,
        score=3.0, threshold=2.0, detector="newcomers", epoch=1, watermark=1,
    )  # fmt: skip
