"""What is remembered between records changes none of them: the quick way of reading equals reading each one alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.ingest import Parsed, Reader
from commonwatch.ingest.formats import suricata_eve
from commonwatch.ingest.formats.cef import TABLES as CEF
from commonwatch.ingest.formats.cef import extension
from commonwatch.ingest.formats.leef import TABLES as LEEF
from commonwatch.ingest.formats.zeek_json import TABLES as ZEEK
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import making
from commonwatch.ingest.tables.reading import READINGS
from strategies.eve import odd_records, source

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
LINES = {
    "cef": (CEF, "cef/every-kind.log", "cef/quirks.log"),
    "leef": (LEEF, "leef/every-kind.log", "leef/quirks.log"),
    "zeek_json": (ZEEK, "zeek_json/every-kind.json", "zeek_json/quirks.json"),
}
values = st.one_of(
    st.sampled_from(["", "-", "443", "203.0.113.7", "Deny", "a" * 65, "CVE-2024-3094", "x@example.org", "T1071"]),
    st.text(max_size=20), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text(max_size=5)),
)  # fmt: skip


def read_alone(name: str, tables: Any, lines: list[bytes]) -> list[str]:
    """Outcomes of lines, each read as if none had come before it; offsets as in the whole."""
    found, at = [], 0
    for line in lines:
        tables.shapes.clear()
        making._remembering.cache_clear()
        reader = Reader(source(format=name))
        reader._framer = reader._make_framer(at, "lines")
        found += [repr(o) for o in reader.feed(line + b"\n")]
        at += len(line) + 1
    return found


@pytest.mark.parametrize("name", LINES)
@given(data=st.data())
@settings(max_examples=10)
def test_a_record_is_read_as_if_none_had_come_before(name: str, data: st.DataObject) -> None:
    tables, *files = LINES[name]
    known = [line for file in files for line in (CORPUS / file).read_bytes().split(b"\n") if line]
    lines = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=12))
    reader = Reader(source(format=name))
    assert [repr(o) for o in reader.feed(b"\n".join([*lines, b""]))] == read_alone(name, tables, lines)


@given(st.sampled_from(sorted(READINGS)), st.lists(values, max_size=4))
@settings(max_examples=200)
def test_a_remembered_value_is_what_reading_it_gives(name: str, many: list[Any]) -> None:
    read = READINGS[name]
    remembering = making._remembering(read)
    assert [remembering(v) for v in [*many, *many]] == [read(v) for v in [*many, *many]]


@given(record=odd_records())
@settings(max_examples=100)
def test_the_quick_way_of_eve_equals_the_careful_one(record: bytes) -> None:
    context = Context(source())
    frames = Reader(source(format="suricata_eve"))._framer.feed(record + b"\n")
    for position, line in zip(frames.offsets, frames.records, strict=True):
        quick = suricata_eve.parse(type(frames)([position], [line], []), context)
        if len(quick) == 1 and isinstance(quick[0], Parsed):
            assert quick[0] == suricata_eve._parse_alone(position, line, context)


def test_shapes_of_hostile_records_do_not_pile_up() -> None:
    CEF.shapes.clear()
    reader = Reader(source(format="cef"))
    for n in range(1_500):
        reader.feed(b"<14>Nov  2 03:04:05 h CEF:0|v|p|1|2|n|3|k%d=v src=203.0.113.7\n" % n)
    wide = b" ".join(b"w%d=1" % n for n in range(300))
    reader.feed(b"<14>Nov  2 03:04:05 h CEF:0|v|p|1|2|n|3|" + wide + b"\n")
    assert reader.counters.mapped == 1_501
    assert len(CEF.shapes) <= 1_000
    assert all(len(key) <= 128 for key in CEF.shapes)


def test_false_keys_alone_end_no_value() -> None:
    assert extension("words=are no=keys", known=True) == {}
    assert extension("src=1 of=2 act=Deny", known=True) == {"src": "1 of=2", "act": "Deny"}
    assert extension("src=1 of=2 act=Deny", known=False) == {"src": "1", "of": "2", "act": "Deny"}
