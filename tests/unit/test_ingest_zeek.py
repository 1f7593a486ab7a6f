"""Zeek: headers that change, escapes, resuming in the middle of a log, and the real logs of its own test suite."""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path

import pytest

from commonwatch.ingest import Parsed, Quarantined
from commonwatch.ingest.reading import Reader
from strategies.corpus import CORPUS, corpus_source, outcomes_of

HEADER = (
    b"#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tservice\n#types\ttime\taddr\taddr\tstring\n"
)
LINE = b"1795000000.000001\t192.168.1.20\t198.51.100.7\tdns\n"


def test_reading_goes_on_in_the_middle_of_a_log_under_its_header() -> None:
    reader = Reader(corpus_source())
    first = reader.feed(HEADER + LINE)
    again = Reader(corpus_source(), reader.resume)
    (second,) = again.feed(LINE)
    assert isinstance(first[0], Parsed)
    assert isinstance(second, Parsed)
    assert second.event.app_proto == "dns"
    assert second.event.event_uid != first[0].event.event_uid


def test_a_line_before_any_header_is_of_no_known_format() -> None:
    assert [o.reason for o in outcomes_of(LINE) if isinstance(o, Quarantined)] == ["unknown_format"]


def test_escapes_inside_values_are_undone_after_cutting() -> None:
    (found,) = outcomes_of(HEADER + LINE.replace(b"dns", b"a\\x09b\\xff"))
    assert isinstance(found, Parsed)
    assert found.event.app_proto == "ab\ufffd"


def test_a_header_without_bound_is_not_remembered() -> None:
    reader = Reader(corpus_source(format="zeek_tsv"))
    reader.feed(b"#separator \\x09\n#fields\t" + b"x" * 200_000 + b"\n" + LINE)
    assert len(reader.resume.memory) < 70_000


@pytest.fixture(scope="module")
def real(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("zeek")
    with tarfile.open(samples / "zeek_btest.tgz") as archive:
        archive.extractall(folder, filter="data")
    return sorted(folder.rglob("*.log"))


def test_real_logs_are_read_with_every_quarantine_explained(real: list[Path]) -> None:
    why: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for path in real:
        headed = b"#fields" in (data := path.read_bytes())
        dated = data.replace(b"XXXXXXXXXX.XXXXXX", b"1795000000.123456")
        for outcome in outcomes_of(dated):
            if isinstance(outcome, Quarantined):
                why[outcome.reason] += 1
                assert headed is (outcome.reason != "unknown_format"), path.name
            elif isinstance(outcome, Parsed):
                kinds[outcome.kind] += 1
                assert outcome.event.time == 1_795_000_000_123_456 or b"XXXX" not in data
    assert set(why) <= {"unknown_format", "no_time", "bad_time"}
    assert kinds.total() > 1_500
    assert {"conn", "http", "dns", "ssl", "ssh login", "notice", "intel", "x509", "kerberos login"} <= set(kinds)


def test_masked_times_are_no_times(real: list[Path]) -> None:
    masked = [p for p in real if b"#fields" in p.read_bytes() and b"XXXXXXXXXX" in p.read_bytes()][:20]
    reasons = {o.reason for p in masked for o in outcomes_of(p.read_bytes()) if isinstance(o, Quarantined)}
    assert reasons == {"no_time"}


def test_the_corpus_is_not_empty() -> None:
    assert list((CORPUS / "zeek_tsv").glob("*.log"))
