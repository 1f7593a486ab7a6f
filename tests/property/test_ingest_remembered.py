"""What is remembered between records changes none of them: the quick way of reading equals reading each one alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.ingest import Parsed, Reader, read
from commonwatch.ingest.formats import cef, suricata_eve
from commonwatch.ingest.formats.cef import TABLES as CEF
from commonwatch.ingest.formats.cef import extension
from commonwatch.ingest.formats.leef import TABLES as LEEF
from commonwatch.ingest.formats.zeek_json import TABLES as ZEEK
from commonwatch.ingest.framing.depth import nesting
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import json_paths, shapes
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
        tables.rows.clear()
        shapes.readings_of.cache_clear()
        json_paths._ROOT.clear()
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
    readings = shapes.Readings(read)
    found = [None if v in shapes.ABSENT or (made := read(v)) == () else made for v in many]
    assert [readings.of(v) for v in [*many, *many]] == [*found, *found]


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


texts = st.text(alphabet='{}[]"\\an\n', max_size=8)
trees = st.recursive(texts, lambda t: st.lists(t, max_size=3) | st.dictionaries(texts, t, max_size=3), max_leaves=12)


@given(tree=trees)
@settings(max_examples=100)
def test_nesting_is_what_counting_brackets_outside_strings_one_by_one_gives(tree: Any) -> None:
    record, depth, deepest = json.dumps(tree).encode(), 0, 0
    for token in re.findall(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', record):
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(token, 0)
        deepest = max(deepest, depth)
    assert nesting(record) == deepest


def test_members_named_like_paths_of_lists_do_no_harm() -> None:
    for odd in ({"a[].b": "x", "a": [{"b": 1}]}, {"a": [{"b": 1}], "a[].b": {"c": []}}, {"": [{"": [{}]}]}):
        record = {"timestamp": "2026-11-18T10:00:00Z", "rule": {"level": 3}, "agent": {}, "manager": {}} | odd
        (outcome,) = read([json.dumps(record).encode()], source(format="wazuh_alerts"))
        assert isinstance(outcome, Parsed)


def test_names_of_hostile_records_do_not_pile_up() -> None:
    for n in range(3_000):
        json_paths.paths({f"k{n}": {f"m{n}": 1}, "x" * 1_000: 2})
    assert len(json_paths._SPELT) <= json_paths._MOST
    assert "x" * 1_000 not in json_paths._ROOT


def test_odd_blanks_in_numbers_and_lists_that_are_none_do_no_harm() -> None:
    line = b"CEF:0|v|p|1|2|n|\x1c5|rt=1795000001000 spt=\x1c443 src=203.0.113.7\n"
    alert = b'{"start_at":"2026-11-18T10:00:00Z","scenario":"x","source":{},"events":[{"meta":443},{"meta":[1]}]}\n'
    for record, name in ((line, "cef"), (alert, "crowdsec")):
        (outcome,) = read([record], source(format=name))
        assert isinstance(outcome, Parsed)


blanks = ["src=", " act=", "\\=", "=", " ", "a", '"', "\t", "\x1c", "\xa0", "\u2003"]


@given(st.lists(st.sampled_from(blanks), max_size=12))
def test_the_quick_pattern_for_keys_finds_what_the_careful_one_does(parts: list[str]) -> None:
    text = " " + "".join(parts)
    if text.isprintable():
        assert cef._KEY_AFTER_SPACE.split(text) == cef._KEY.split(text)


def test_every_white_space_but_the_blank_is_not_printable() -> None:
    assert [c for c in map(chr, range(0x110000)) if re.fullmatch(r"\s", c) and c.isprintable()] == [" "]
