"""`commonwatch gateway preview` and the gateway that then runs: what was previewed is what is sent, and nothing before."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from commonwatch.cli import main
from commonwatch.events.columns import columns_of
from commonwatch.events.fields import FIELDS
from commonwatch.gateway.enrol import enrol
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.runtime import Runtime
from commonwatch.gateway.state import StateFolder
from doubles.hub import ORG, READER, TinyHub, agreement, charter

FIELDS_SHARED = {
    "time": "minute", "owner": "exact", "src_ip": "pseudonym+network", "dst_ip": "exact", "dst_port": "range",
    "domain": "registered", "url": "site", "signature": "exact", "severity": "exact", "protocol": "exact",
}  # fmt: skip
CLASSES = ["intrusion", "dns", "web"]


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    with TinyHub() as made:
        yield made


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Forty records of four kinds, the last hours' and some two weeks old."""
    path, now = tmp_path / "eve.json", datetime.now(UTC)
    with path.open("w") as out:
        for n in range(40):
            at = now - timedelta(hours=n % 9) - timedelta(days=14 if n % 10 == 9 else 0)
            out.write(json.dumps(record(n, at)) + "\n")
    return path


def record(n: int, at: datetime) -> dict[str, Any]:
    """An alert, a DNS query, a web request or a flow."""
    head = {
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%f+0000"), "flow_id": n, "src_ip": f"203.0.113.{n}",
        "src_port": 50_000 + n, "dest_ip": "10.1.2.3", "dest_port": 443 if n % 2 else 53, "proto": "TCP", "host": "ids",
    }  # fmt: skip
    kind = ("alert", "dns", "http", "flow")[n % 4]
    more: dict[str, Any] = {
        "alert": {"alert": {"gid": 1, "signature_id": 7, "rev": 1, "signature": "ET SCAN", "severity": 2}},
        "dns": {"dns": {"type": "query", "id": n, "rrname": "www.example.org", "rrtype": "A"}},
        "http": {"http": {"hostname": "www.example.org", "url": "/a?token=x", "http_user_agent": "curl"}},
        "flow": {"flow": {"pkts_toserver": 1, "pkts_toclient": 1, "bytes_toserver": 60, "bytes_toclient": 60}},
    }
    return {**head, "event_type": kind, **more[kind]}


def draft(folder: Path, **changed: Any) -> Path:
    """The agreement as somebody writes it: no names, no keys."""
    share = {
        "kind": "share", "id": "rows", "to": {"organisations": [READER]}, "purposes": ["operate", "detect"],
        "rows": {"events": CLASSES, "tlp": "amber"}, "fields": FIELDS_SHARED,
    }  # fmt: skip
    document = {
        "dsa": "1", "id": "watch", "title": "Watch for the baker", "starts": "2020-01-01", "ends": "2099-12-31",
        "parties": [{"id": ORG, "role": "owner"}, {"id": READER, "role": "operator"}], "clauses": [share],
    } | changed  # fmt: skip
    path = folder / "draft.json"
    path.write_text(json.dumps(document))
    return path


def previewed(capsys: pytest.CaptureFixture[str], *args: Any) -> dict[str, Any]:
    assert main(["gateway", "preview", *map(str, args), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def sent(hub: TinyHub) -> tuple[int, dict[str, Counter[str]]]:
    """Rows that the hub got, and for each field how many values at which point."""
    rows, found = 0, {name: Counter[str]() for name in FIELDS}
    for header, columns in hub.opened.values():
        rows += header.rows
        for row, number in enumerate(columns["profile"]):
            for name, point in header.profiles[number].items():
                wires = [w for c in columns_of(name) for w in wire_names(c.name, c.kind) if w in columns]
                found[name][point] += any(columns[w][row] not in (None, []) for w in wires)
    return rows, found


def wire_names(name: str, kind: str) -> list[str]:
    stem = name.removesuffix("_ip")
    return [f"{name}_hi", f"{stem}_net_hi"] if kind == "addr" else [name]


def test_what_is_previewed_is_what_the_edge_then_sends(
    hub: TinyHub, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = StateFolder(tmp_path / "gw")
    enrol(hub.url, hub.code(), folder, name="front desk")
    made = previewed(capsys, draft(tmp_path), "--files", log, "--state", folder.path, "--days", 90)
    assert hub.stored == {}
    hub.publish(agreement(hub.owner, hub.reader, classes=CLASSES, fields=FIELDS_SHARED))
    runtime = Runtime(folder, [log], lambda _: None, once=True)
    asyncio.run(runtime.run(20))
    runtime.journal.close()
    rows, fields = sent(hub)
    assert (made["events"], made["sent"], rows) == (40, 30, 30)
    leaving = {one["field"]: one["leaving"] for one in made["fields"] if one["leaving"]}
    assert leaving == {
        name: dict(points) for name, points in fields.items() if points.total() and not name.startswith("owner")
    }
    assert made["preview"]["readers"][0]["would"] == 30


def test_a_preview_needs_no_hub_and_leaves_nothing_behind(
    hub: TinyHub, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = StateFolder(tmp_path / "gw")
    enrol(hub.url, hub.code(), folder, name="front desk")
    hub.close()
    before = state(folder)
    made = previewed(capsys, draft(tmp_path), "--files", log, "--state", folder.path)
    assert made["sent"] == 28  # two of those that may leave are two weeks old
    assert state(folder) == before
    assert not list(Path(tempfile.gettempdir()).glob("commonwatch-preview-*"))


def state(folder: StateFolder) -> tuple[Any, ...]:
    journal = Journal(folder.path / "gateway.db")
    try:
        return journal.marks(), journal.counts(), journal.depth(), journal.next_seq()
    finally:
        journal.close()


def test_before_enrolment_the_words_say_who_would_see_what_and_why_not(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    limit = {"kind": "limit", "id": "no-urls", "fields": {"url": "withheld"}}
    path = draft(tmp_path)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "clauses": [*document["clauses"], limit]}))
    assert main(["gateway", "preview", str(path), "--files", str(log), "--state", str(tmp_path / "none")]) == 0
    words = capsys.readouterr().out
    assert "\x1b" not in words
    assert "28 of 36 events would be sent, 8 would stay" in words
    assert f"{READER}, to operate or detect" in words
    assert "[cut by a limit (watch@1#no-urls)]" in words
    assert "pfx:" in words or "det:" in words  # a token that falls into a private range is shown as the other kind
    assert "flow" in words.partition("What no reader above would see")[2]
    assert max(map(len, words.splitlines())) < 200


def test_documents_in_force_beside_the_draft_count(
    hub: TinyHub, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A charter the gateway holds caps the draft; a draft in the place of what it holds is compared with it."""
    folder = StateFolder(tmp_path / "gw")
    enrol(hub.url, hub.code(), folder, name="front desk")
    hub.publish(agreement(hub.owner, hub.reader, classes=["dns"]), charter(hub.owner, {"dst_ip": "withheld"}))
    runtime = Runtime(folder, [log], lambda _: None, once=True)
    asyncio.run(runtime.run(20))
    runtime.journal.close()
    made = previewed(capsys, draft(tmp_path, version=2), "--state", folder.path)  # and the files it has read
    (reader,) = made["preview"]["readers"]
    assert (reader["now"], reader["would"]) == (8, 28)
    dst = next(one for one in made["fields"] if one["field"] == "dst_ip")
    assert (dst["leaving"], dst["staying"]) == ({}, 36)
    shown = next(one for one in reader["fields"] if one["field"] == "dst_ip")
    assert {b["reason"] for b in shown["because"]} == {"charter"}


def test_another_owners_draft_and_a_faulty_one_are_refused_with_a_clear_line(
    hub: TinyHub, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = StateFolder(tmp_path / "gw")
    enrol(hub.url, hub.code(), folder, name="front desk")
    parties = [{"id": READER, "role": "owner"}]
    args = ["--files", str(log), "--state", str(folder.path)]
    assert main(["gateway", "preview", str(draft(tmp_path, parties=parties)), *args]) == 2
    assert "another owner" in capsys.readouterr().err
    assert main(["gateway", "preview", str(draft(tmp_path, clauses=[{"kind": "share"}])), *args]) == 2
    assert "draft.json $.clauses[0]" in capsys.readouterr().err
