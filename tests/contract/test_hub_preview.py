"""Previews on a real hub: what is previewed is what the reader gets once it is signed; nobody else may; no trace."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partialmethod
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from commonwatch.agreements.reader import Reader
from commonwatch.cli import main
from commonwatch.cli.client import Client
from commonwatch.errors import CommonwatchError, InvalidInput, NotFound, NotPermitted
from commonwatch.govern.preview.shapes import Preview
from commonwatch.govern.query import Rows
from commonwatch.hub.compose import Hub
from commonwatch.web.ports import AskPreview, Principal
from doubles.asking import Asker, Call
from doubles.town import DAYS, DUTIES, HOUR, NOW, Town, agreement

BIRCH = Reader("birch", ("mssp",), ("valley",), "detect")


def events() -> list[dict[str, Any]]:
    """Alder's: attacks from outside on machines of its own, and flows that nobody is shown."""
    seen = [
        {
            "uid": n, "time": NOW - (3 + n) * HOUR, "event_class": 1 + n % 2, "src_ip": f"203.0.113.{n}", "count": 1,
            "dst_ip": "10.1.1.1", "src_user": f"user{n % 3}", "malware_family": "Emotet", "malware_names": ["Emotet"],
            "rule_name": f"rule {n}", "domain": "bad.example", "dst_port": 443, "message": f"user{n % 3} was hit",
        }
        for n in range(12)
    ]  # fmt: skip
    return seen + [{"uid": 100 + n, "event_class": 10, "time": NOW - HOUR, "dst_ip": "10.1.1.1"} for n in range(5)]


def draft(version: int = 2) -> dict[str, Any]:
    """The next version of alder's agreement: birch gets addresses exactly and users as pseudonyms, and cedar nothing."""
    before = agreement()
    birch = before["clauses"][0]
    fields = {**birch["fields"], "src_ip": "exact", "user": "pseudonym", "signature": "withheld"}
    limit = {"kind": "limit", "id": "no-web", "fields": {"url": "withheld", "domain": "withheld"}}
    return {**before, "version": version, "clauses": [{**birch, "fields": fields}, limit]}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


@pytest.fixture
def hub(town: Town, tmp_path: Path) -> Iterator[Hub]:
    made = town.copy(tmp_path / "data")
    made.core.intake.accept(town.batch("alder", events()))
    made.core.intake.accept(town.batch("dune", [{"uid": "d", "event_class": 1, "src_ip": "198.51.100.9"}]))
    yield made
    made.close()
    shutil.rmtree(tmp_path / "data")


def person(hub: Hub, town: Town, org: str) -> Principal:
    return hub.core.accounts.session(town.sessions[org])


def preview(hub: Hub, town: Town, document: dict[str, Any] | str, org: str = "alder", **asked: Any) -> Preview:
    return hub.ports().previews.preview(
        person(hub, town, org), AskPreview(document=document, days=30, **asked), threading.Event()
    )


def sign(hub: Hub, document: dict[str, Any]) -> None:
    """Make it the version in force, signed by all."""
    previous = hub.core.documents.standing(document["id"]).hash
    hub.core.documents.sign_for(json.dumps({**document, "previous": previous}).encode())


def stripped(made: dict[str, Any]) -> dict[str, Any]:
    """A STIX object without the moment it was made at."""
    return {k: v for k, v in made.items() if k not in {"created", "modified"}}


def test_what_is_previewed_is_what_the_reader_gets_once_it_is_signed(hub: Hub, town: Town) -> None:
    made = preview(hub, town, draft())
    birch = next(r for r in made.readers if r.name == "birch" and "detect" in r.purposes)
    assert (made.total, birch.now, birch.would) == (17, 12, 12)
    published = {i["value"] for i in hub.publications.indicators(BIRCH)}
    sign(hub, draft())
    answer = hub.govern.ask(BIRCH, Rows(columns=tuple(c.name for c in birch.columns)))
    alders = [r for r in answer.rows if "alder" in r.cells]
    user = next(i for i, c in enumerate(birch.columns) if c.name == "user")
    assert [r.shown[:user] + r.shown[user + 1 :] for r in birch.rows] == [
        r.cells[:user] + r.cells[user + 1 :] for r in alders
    ]
    assert {str(r.shown[user])[:7] for r in birch.rows} == {"['user_"}
    assert not {str(r.shown[user]) for r in birch.rows} & {str(r.cells[user]) for r in alders}
    assert [list(r.clauses) for r in birch.rows] == [[answer.clauses[no] for no in r.clauses] for r in alders]
    newly = {i["value"]: i for i in hub.publications.indicators(BIRCH, 1000) if i["value"] not in published}
    assert birch.feed.newly == len(newly) == 12
    objects = {o["id"]: o for o in birch.feed.objects if o["type"] == "indicator"}
    assert set(objects) == {i["id"] for i in newly.values()}
    assert birch.feed.no_longer == 1  # the domain


def test_raw_stands_beside_shown_with_reasons_and_clauses(hub: Hub, town: Town) -> None:
    birch = preview(hub, town, draft(), reader="birch").readers[0]
    row = dict(
        zip([c.name for c in birch.columns], zip(birch.rows[0].raw, birch.rows[0].shown, strict=True), strict=True)
    )
    assert row["src_ip"] == ("203.0.113.0", "203.0.113.0")
    assert row["user"][0] == ["user0"]
    domain = row["domain"]
    assert domain[0] == "bad.example"
    assert (domain[1].reason, domain[1].clause) == ("limited-by", "alder-service@2#no-web")  # type: ignore[union-attr]
    assert (row["message"][0], row["message"][1].reason) == ("user0 was hit", "field-not-granted")  # type: ignore[union-attr]


def test_who_loses_is_previewed_too_and_what_stays_is_told(hub: Hub, town: Town) -> None:
    made = preview(hub, town, draft())
    cert = next(r for r in made.readers if r.name == "any cert")
    assert (cert.now > 0, cert.would) == (True, 0)
    assert made.staying.rows == 5
    assert {label.event_class for label in made.staying.labels} == {"flow"}
    assert {"message", "url", "domain", "dst_ip"} <= {one.field for one in made.staying.fields}


@pytest.mark.parametrize("org", ["birch", "cedar", "dune"])
def test_nobody_else_can_preview_a_members_draft(hub: Hub, town: Town, org: str) -> None:
    with pytest.raises(NotPermitted):
        preview(hub, town, draft(), org)


def test_a_token_that_may_not_read_events_cannot_preview(hub: Hub, town: Town) -> None:
    alder = person(hub, town, "alder")
    asked = AskPreview(document=draft())
    for scopes, allowed in ((("agreements",), False), (("agreements", "read"), True)):
        _, secret = hub.core.accounts.make_token(alder, "t", "detect", scopes, 1)
        token = hub.core.accounts.bearer(secret)
        with nullcontext() if allowed else pytest.raises(NotPermitted):
            hub.ports().previews.preview(token, asked, threading.Event())
    call = Call("/api/agreements/preview", "POST", {"document": draft()})
    assert Asker(hub.app(), town, "birch", token=True).send(call).status == 403
    assert Asker(hub.app(), town, "alder").send(call).status == 200


def test_a_document_with_faults_is_refused_with_its_path(hub: Hub, town: Town) -> None:
    with pytest.raises(InvalidInput) as faulty:
        preview(hub, town, "dsa: '1'\nid: alder-x")
    assert faulty.value.where
    with pytest.raises(NotFound):
        preview(hub, town, draft(), reader="nobody")


def test_only_the_owners_own_events_are_ever_previewed(hub: Hub, town: Town) -> None:
    """Birch previews a draft of its own for alder and dune, who have events: none of theirs is counted or shown."""
    share = {**draft()["clauses"][0], "to": {"organisations": ["alder", "dune"]}}
    parties = [{"id": "birch", "role": "owner"}]
    head = {"dsa": "1", "id": "birch-open", "version": 1, "title": "Open", "parties": parties, **DAYS, "duties": DUTIES}
    made = preview(hub, town, {**head, "clauses": [share]}, "birch")
    assert [(r.total, r.now, r.would, r.rows, r.feed.newly) for r in made.readers] == [(0, 0, 0, (), 0)] * len(
        made.readers
    )
    assert len(made.readers) >= 2
    assert made.staying.rows == 0


def test_a_preview_leaves_no_trace_but_a_line_in_the_owners_log(hub: Hub, town: Town, tmp_path: Path) -> None:
    """What every other reader can fetch before and after is the same; the log got one entry, for alder alone."""
    calls = [
        Call("/api/query", "POST", {"kind": "rows", "limit": 200}), Call("/api/indicators"), Call("/api/agreements"),
        Call("/api/view"), Call("/api/query", "POST", {"kind": "top", "by": "org"}), Call("/api/releases"),
    ]  # fmt: skip
    others = [Asker(hub.app(), town, org) for org in ("birch", "cedar")]
    before = [[asker.send(call) for call in calls] for asker in others]
    entries, published = len(hub.audit), rows_of(tmp_path)
    preview(hub, town, draft())
    assert rows_of(tmp_path) == published
    log = [json.loads(hub.audit.entry(n)) for n in range(entries, len(hub.audit))]
    assert [(e["kind"], e["org"], e["actor"], e["detail"]["readers"]) for e in log] == [
        ("preview", "alder", "alder-admin", 2)
    ]
    assert [[asker.send(call) for call in calls] for asker in others] == before


def rows_of(folder: Path) -> list[tuple[Any, ...]]:
    """Everything in the table of publications."""
    import sqlite3

    with sqlite3.connect(folder / "data" / "publications.sqlite") as table:
        names = [name for (name,) in table.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [row for name in sorted(names) for row in table.execute(f"SELECT * FROM {name} ORDER BY 1, 2")]


def test_a_cancelled_preview_stops_with_the_constant_problem(hub: Hub, town: Town) -> None:
    cancel = threading.Event()
    cancel.set()
    asked = AskPreview(document=draft())
    previews, alder = hub.ports().previews, person(hub, town, "alder")
    with pytest.raises(CommonwatchError, match="could not be answered"):
        previews.preview(alder, asked, cancel)


def test_own_rows_are_counted_by_label_and_age(hub: Hub, town: Town) -> None:
    found = hub.ports().previews.own_rows(person(hub, town, "alder"), 30)
    assert {(r.event_class, r.rows) for r in found} == {("malware", 6), ("intrusion", 6), ("flow", 5)}
    assert next(r.by_age for r in found if r.event_class == "flow") == {1: 5}
    assert [r.rows for r in hub.ports().previews.own_rows(person(hub, town, "dune"), 30)] == [1]


def test_the_command_says_in_words_what_the_hub_answers(
    hub: Hub, town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "draft.json").write_text(json.dumps(draft()))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("COMMONWATCH_URL", "http://testserver.local")
    monkeypatch.setenv("COMMONWATCH_TOKEN", town.tokens["alder"])
    with TestClient(hub.app()) as app:
        carry = httpx.MockTransport(
            lambda asked: app.request(asked.method, str(asked.url), content=asked.read(), headers=asked.headers)
        )
        monkeypatch.setattr(Client, "__init__", partialmethod(Client.__init__, transport=carry))
        assert main(["agreement", "preview", str(tmp_path / "draft.json"), "--rows", "1", "--days", "30"]) == 0
    words = capsys.readouterr().out
    assert "17 events of alder" in words
    assert "birch, to operate or detect or respond" in words
    assert "[cut by a limit (alder-service@2#no-web)]" in words
    assert "12 new indicators" in words
