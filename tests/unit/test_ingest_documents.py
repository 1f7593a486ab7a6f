"""STIX bundles and MISP events are whole documents: long ones are read, too long ones passed over, real ones explained."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commonwatch.ingest import Counters, Parsed, Quarantined, Skipped, read_file
from commonwatch.ingest.declared import read_declared
from commonwatch.ingest.formats import declared_rows
from commonwatch.ingest.outcome import MAX_DOCUMENT, MAX_RECORD
from strategies.corpus import corpus_source, outcomes_of
from strategies.eve import CORPUS

DATA = Path(__file__).parents[3] / "shared" / "data"
REAL = [p for folder in ("stix", "misp") for p in sorted((DATA / folder).rglob("*.json"))]


def bundle(size: int) -> bytes:
    """A bundle of about so many bytes with one sighting at its end."""
    filler = {"type": "note", "id": "note--1", "created": "2026-11-16T00:00:00Z", "content": "x" * 1_000}
    seen = {"type": "sighting", "id": "sighting--1", "created": "2026-11-16T00:00:00Z", "sighting_of_ref": "malware--1"}
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": [filler] * (size // 1_100) + [seen]}).encode()


@pytest.mark.parametrize("pretty", [False, True])
def test_a_document_longer_than_a_record_is_read_whole(pretty: bool) -> None:
    data = bundle(2 * MAX_RECORD)
    data = json.dumps(json.loads(data), indent=1).encode() if pretty else data
    found = outcomes_of(data, 1 << 16)
    assert [type(o) for o in found if not isinstance(o, Skipped)] == [Parsed]


def test_a_document_above_the_limit_is_passed_over_and_the_next_one_lands() -> None:
    found = outcomes_of(bundle(MAX_DOCUMENT + (1 << 20)) + b"\n" + bundle(2_000) + b"\n", 1 << 18)
    assert [o.reason for o in found if isinstance(o, Quarantined)] == ["too_large"]
    assert sum(isinstance(o, Parsed) for o in found) == 1


def test_a_record_of_another_format_keeps_its_limit() -> None:
    line = b'{"timestamp":"2026-11-16T00:00:00+0000","event_type":"alert","pad":"' + b"x" * MAX_RECORD + b'"}\n'
    short = b'{"timestamp":"2026-11-16T00:00:00+0000","event_type":"stats"}\n'
    assert [o.reason for o in outcomes_of(short + line) if isinstance(o, Quarantined)] == ["too_large"]


@pytest.mark.skipif(not REAL, reason="the sample data is not here")
def test_every_real_document_is_recognised_and_explained() -> None:
    for path in REAL:
        counters = Counters()
        assert list(read_file(path, corpus_source(), counters)), path
        assert not counters.quarantined, (path, counters.quarantined)
        assert set(counters.skipped) <= {"indicator", "context", "withdrawn"}, path


def observed_by_all(n: int) -> bytes:
    """As many sightings as their one observable has properties, and values of one."""
    made = {"created": "2026-11-16T00:00:00Z", "sighting_of_ref": "indicator--1"}
    value: dict[str, Any] = {"type": "network-traffic", "id": "network-traffic--1", "protocols": ["tcp"] * n}
    data = {"type": "observed-data", "id": "observed-data--1", "object_refs": ["network-traffic--1"]}
    seen = [{"type": "sighting", "observed_data_refs": ["observed-data--1"]} | made for _ in range(n)]
    return json.dumps({"objects": [value | {f"p{i}": 1 for i in range(n)}, data, *seen]}).encode()


def shared_by_all(n: int) -> bytes:
    """As many sighted attributes as their event has techniques, under a long title."""
    seen = {"type": "domain", "value": "a.example", "Sighting": [{"type": "0", "date_sighting": "1795000000"}]}
    tags = [{"name": "misp-galaxy:mitre-attack-pattern=T1110"}] * n
    return json.dumps({"Event": {"info": "x" * 100 * n, "Tag": tags, "Attribute": [seen] * n}}).encode()


@pytest.mark.parametrize(("name", "make"), [("stix_bundle", observed_by_all), ("misp", shared_by_all)])
def test_what_many_refer_to_costs_no_more_than_linear_time(name: str, make: Callable[[int], bytes]) -> None:
    took = []
    for n in (1_000, 4_000):
        data, began = make(n), time.process_time()
        assert sum(isinstance(o, Parsed) for o in outcomes_of(data, format=name)) == n
        took.append(time.process_time() - began)
    assert took[1] < max(10 * took[0], 1.0), took


def test_an_open_quote_takes_along_only_so_many_lines() -> None:
    declared = read_declared((CORPUS / "declared_rows" / "router.toml").read_bytes())
    header, row = b"When;From;To\n", b"18.11.2026 10:00:00;203.0.113.7;192.0.2.1\n"
    kept = header + b'18.11.2026 10:00:00;203.0.113.7;"' + b"a\n" * 150 + b'"\n'
    (long,) = outcomes_of(kept, format="declared_rows", declared=declared)
    assert isinstance(long, Parsed)
    broken = header + b'"' + b"a\n" * declared_rows.MOST_LINES + row
    found = outcomes_of(broken, format="declared_rows", declared=declared)
    assert isinstance(found[0], Quarantined)
    assert found[0].reason == "too_large"
    assert isinstance(found[-1], Parsed)
