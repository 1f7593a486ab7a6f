"""STIX bundles and MISP events are whole documents: long ones are read, too long ones passed over, real ones explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commonwatch.ingest import Counters, Parsed, Quarantined, Skipped, read_file
from commonwatch.ingest.outcome import MAX_DOCUMENT, MAX_RECORD
from strategies.corpus import corpus_source, outcomes_of

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
