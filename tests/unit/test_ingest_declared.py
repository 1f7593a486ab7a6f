"""Declared mappings: CSV, JSON lines and Parquet become what the owner says they mean, and nothing else leaves."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commonwatch.cli import main
from commonwatch.errors import InvalidInput
from commonwatch.ingest import Counters, Parsed, Quarantined, read_file
from commonwatch.ingest.declared import read_declared
from strategies.corpus import CORPUS, corpus_source, outcomes_of, plain

FOLDER = CORPUS / "declared_rows"
ROUTER = read_declared((FOLDER / "router.toml").read_bytes())
#: 2026-11-18T10:00:00Z
TEN = 1_794_996_000_000_000


def rows(data: bytes, portion: int = 1 << 20, declared=ROUTER):
    return outcomes_of(data, portion, declared=declared, format="declared_rows")


@pytest.mark.parametrize("portion", [5, 64, 1 << 20])
def test_rows_become_what_the_mapping_says_whatever_the_portions(portion: int) -> None:
    found = rows((FOLDER / "router.csv").read_bytes(), portion)
    first, second, short, late = found
    assert isinstance(first, Parsed)
    event = first.event
    assert (event.time, event.time_quality, str(event.src_ip), event.dst_port) == (TEN, 1, "203.0.113.9", 22)
    assert (event.action_id, event.severity_id, event.severity_raw, event.bytes_out) == (2, 4, "grave", 1200)
    assert event.message == 'a note; with "quotes"and a line break'
    assert isinstance(second, Parsed)
    assert set(second.dropped) == {"From", "Port", "Weight"}
    assert [o.reason for o in (short, late) if isinstance(o, Quarantined)] == ["malformed", "no_time"]
    assert "secret" not in repr(found)


def test_rows_without_a_mapping_are_of_no_known_format() -> None:
    found = outcomes_of((FOLDER / "router.csv").read_bytes())
    assert {plain(o)["quarantined"] for o in found} == {"unknown_format"}


def test_parquet_rows_are_read_like_json_lines(tmp_path: Path) -> None:
    when = dt.datetime(2026, 11, 18, 10, 0, tzinfo=dt.UTC)
    table = {"at": [when] * 5_000, "host": [{"name": f"pc-{n}"} for n in range(5_000)], "hash": ["a1" * 32] * 5_000}
    pq.write_table(pa.table(table), tmp_path / "whatever")
    declared = read_declared(
        'mapping = "1"\nname = "inventory"\nclass = "system"\nlayout = "json"\ntime = {column = "at"}\n'
        '[columns]\ndst_host = "host.name"\nfile_hash = "hash"'
    )
    counters = Counters()
    source = corpus_source(declared=declared, format="declared_rows")
    found = [o.event for o in read_file(tmp_path / "whatever", source, counters) if isinstance(o, Parsed)]
    assert counters.mapped == 5_000
    assert [e.dst_host for e in found[:2]] == ["pc-0", "pc-1"]
    assert found[0].file_sha256 == bytes.fromhex("a1" * 32)
    assert {e.time for e in found} == {TEN}
    half = tmp_path / "half"
    half.write_bytes((tmp_path / "whatever").read_bytes()[:-40])
    counters = Counters()
    assert list(read_file(half, source, counters)) == []
    assert counters.damage == {"archive_truncated": 1}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ('class = "nothing"', "$.class"), ("[columns]\ncolour = 'x'", "$.columns.colour"), ("[columns]\ntime = 'x'", "$.columns.time"),
        ("unknown = 1", "$"), ("delimiter = 'ab'", "$.delimiter"), ("time = {column = 'x', zone = 'Nowhere/At'}", "zone"), ("= =", "$"),
    ],
)  # fmt: skip
def test_a_mapping_with_a_fault_says_where(change: str, where: str) -> None:
    base = {"mapping": 'mapping = "1"', "name": 'name = "x"', "time": "time = {column = 'x'}", "class": 'class = "log"'}
    base.pop(change.partition(" ")[0], None)
    columns = "" if "[columns]" in change else "[columns]\nmessage = 'm'"
    text = "\n".join([*base.values(), *([] if "[columns]" in change else [change]), columns or change])
    with pytest.raises(InvalidInput) as caught:
        read_declared(text)
    assert caught.value.where == where


def test_a_file_can_be_tried_with_its_mapping(capsys: pytest.CaptureFixture[str]) -> None:
    args = ["gateway", "try", str(FOLDER / "router.csv"), "--mapping", str(FOLDER / "router.toml"), "--json"]
    assert main(args) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counters"]["mapped"] == 2
    assert found["counters"]["quarantined"] == {"malformed": 1, "no_time": 1}
