"""`gateway try`: says what would happen to a file, by counts; without an agreement everything stays."""

from __future__ import annotations

import argparse
import json

import pytest

from commonwatch.cli import gateway_try
from commonwatch.errors import InvalidInput, NotFound
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.report.trial import try_file
from commonwatch.ingest.rules import default_rules
from strategies.corpus import cases, corpus_source, table_formats
from strategies.eve import CORPUS, eve

LINES = b"\n".join(
    [
        eve(),
        eve("http", http={"hostname": "canary.example", "url": "/x", "status": 200}),
        eve("stats"),
        eve("teapot"),
        b"{",
    ]
)


def run(capsys, *args: str) -> tuple[int, str]:
    """Exit status and standard output of `try`."""
    parser = argparse.ArgumentParser()
    gateway_try.add(parser.add_subparsers())
    known = parser.parse_args(["try", *args])
    return known.run(known), capsys.readouterr().out


@pytest.fixture
def log(tmp_path):
    """A log with an odd name."""
    file = tmp_path / "notes.csv"
    file.write_bytes(LINES)
    return str(file)


def test_the_report_counts_every_record_and_field(capsys, log):
    status, text = run(capsys, log, "--json", "--own", "192.168.1.0/24")
    report = json.loads(text)
    counters = report["counters"]
    assert (status, report["format"]) == (0, "suricata_eve")
    assert counters["records"] == 5 == counters["mapped"] + 1 + 2
    assert counters["skipped"] == {"stats": 1}
    assert counters["quarantined"] == {"unknown_kind": 1, "truncated": 1}
    mapped = {row["source"]: row for row in report["mapped"]}
    assert mapped["http.hostname"]["columns"] == ["domain", "url"]
    assert mapped["http.hostname"]["fields"] == ["domain", "url"]
    assert mapped["src_ip"]["count"] == 2
    assert {row["source"] for row in report["unmapped"]} == {"flow_id", "http.status"}


def test_without_an_agreement_everything_stays(capsys, log):
    report = json.loads(run(capsys, log, "--json")[1])
    assert (report["rows_leaving"], report["rows_staying"]) == (0, 2)
    assert all(set(row["points"]) == {"withheld"} for row in report["leaving"])
    assert "nothing agreed, nothing shared" in run(capsys, log)[1]


def test_no_value_is_shown_unless_asked_for(capsys, log):
    for extra in ((), ("--json",)):
        assert "canary" not in run(capsys, log, *extra)[1]
        assert "canary.example" in run(capsys, log, "--show-values", *extra)[1]


def test_an_unknown_format_is_said_and_fails(capsys, tmp_path):
    file = tmp_path / "eve.json"
    file.write_bytes(b"this is no log\n" * 3)
    status, text = run(capsys, str(file), "--json")
    report = json.loads(text)
    assert status == 1
    assert report["format"] is None
    assert report["counters"]["quarantined"] == {"unknown_format": 3}


AGREEMENT = """
dsa: "1"
id: shop-service
version: 1
title: Managed security for the shop
parties:
  - {id: shop, name: Shop, role: owner, key: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}
  - {id: soc, name: SOC, role: operator, key: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb}
starts: 2026-01-01
ends: 2027-01-01
clauses:
  - kind: share
    id: web
    to: {organisations: [soc]}
    purposes: [detect]
    rows: {events: [web], tlp: amber}
    fields: {time: hour, domain: exact, src_ip: network}
"""


def test_an_agreement_says_what_would_leave(capsys, log, tmp_path):
    (tmp_path / "a.yaml").write_text(AGREEMENT)
    report = json.loads(run(capsys, log, "--json", "--agreements", str(tmp_path / "a.yaml"))[1])
    assert (report["agreements"], report["rows_leaving"], report["rows_staying"]) == (1, 1, 1)
    points = {row["field"]: row["points"] for row in report["leaving"]}
    assert points["domain"] == {"exact": 1}
    assert points["src_ip"] == {"withheld": 1, "network": 1}
    assert points["url"] == {"withheld": 1}
    assert points["time"] == {"withheld": 1, "hour": 1}


def test_what_is_missing_or_wrong_is_said_clearly(capsys, log, tmp_path):
    with pytest.raises(NotFound, match="no such file"):
        run(capsys, str(tmp_path / "none.json"))
    with pytest.raises(InvalidInput, match="not a network"):
        run(capsys, log, "--own", "here")
    bad = tmp_path / "bad.yaml"
    bad.write_text('dsa: "1"\nid: x')
    with pytest.raises(InvalidInput, match=r"bad\.yaml"):
        run(capsys, log, "--agreements", str(bad))


@pytest.mark.parametrize("known", table_formats(), ids=lambda f: f.name)
def test_nothing_that_feeds_a_column_is_said_to_stay(known):
    for path in cases(known.name):
        report = try_file(path, corpus_source(), Labeller(default_rules()).label, lambda _label: None, 0)
        assert report.mapped
        kinds = report.counters["kinds"]
        for row in report.unmapped:  # some kind of this file has no use for it
            assert not all(known.mapping.find(row.source, kind) for kind in kinds), row.source


def test_every_kind_says_where_its_fields_went(capsys):
    report = json.loads(run(capsys, str(CORPUS / "cef" / "every-kind.log"), "--json")[1])
    columns = {row["source"]: row["columns"] for row in report["mapped"]}
    assert set(columns["Name"]) == {"rule_name", "cve_uids", "malware_names"}
    assert set(columns["cs1"]) == {"cve_uids", "rule_category"}


def test_fields_of_declared_rows_are_told_by_their_mapping(capsys):
    folder = CORPUS / "declared_rows"
    arguments = (str(folder / "router.csv"), "--mapping", str(folder / "router.toml"), "--json", "--show-values")
    report = json.loads(run(capsys, *arguments)[1])
    columns = {row["source"]: row["columns"] for row in report["mapped"]}
    assert columns["From"] == ["src_ip"]
    assert columns["When"] == ["time"]
    assert len(columns) == 9
    assert [row["source"] for row in report["unmapped"]] == ["Owner's own"]
