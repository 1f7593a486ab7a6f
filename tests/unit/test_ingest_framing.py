"""Bytes to records: lines, arrays, pretty-printed objects, and everything that goes wrong with files."""

from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise

import pytest

from commonwatch.ingest import Parsed, Quarantined, Reader
from commonwatch.ingest.framing import Framer, layout_of
from strategies.eve import eve, outcomes, source


def reasons(data: bytes, **settings: object) -> list[str]:
    """`ok` or the reason, by position."""
    found = sorted(outcomes(data, **settings), key=lambda o: o.position)
    return ["ok" if isinstance(o, Parsed) else o.reason for o in found]


def test_an_array_and_pretty_printed_objects_are_read_like_lines():
    records = [json.loads(eve(kind)) for kind in ("flow", "dns", "tls")]
    for text in (
        json.dumps(records),
        json.dumps(records, indent=2),
        "\n".join(json.dumps(r, indent=4) for r in records),
        "".join(json.dumps(r, indent=1) for r in records),
        "\n".join(json.dumps(r) for r in records),
    ):
        assert reasons(text.encode()) == ["ok"] * 3
        assert [o.kind for o in outcomes(text.encode(), 7)] == ["flow", "dns", "tls"]


def test_blank_and_comment_lines_and_a_byte_order_mark_are_no_records():
    reader = Reader(source())
    data = b"\xef\xbb\xbf# a comment\n\n  \n// another\n" + eve() + b"\r\n\n"
    found = reader.feed(data) + reader.finish()
    assert [type(o) for o in found] == [Parsed]
    assert (reader.counters.blank_lines, reader.counters.comment_lines) == (3, 2)


def test_a_byte_order_mark_right_before_the_first_record_is_passed_over():
    assert reasons(b"\xef\xbb\xbf" + eve() + b"\n" + eve()) == ["ok", "ok"]


def test_nul_padding_before_and_behind_a_record_is_passed_over():
    assert reasons(b"\x00" * 4096 + eve() + b"\n" + eve() + b"\x00\x00\n\x00\x00\n") == ["ok", "ok"]


def test_a_half_line_at_rotation_is_truncated_and_takes_nothing_along():
    assert reasons(eve() + b"\n" + eve()[:60] + b"\n" + eve() + b"\n") == ["ok", "truncated", "ok"]


def test_a_record_glued_to_a_half_one_is_saved():
    lines = [eve(flow_id=n) for n in range(4)]
    data = lines[0] + b"\n" + lines[1][:50] + lines[2] + b"\n" + lines[3] + lines[3] + b"\n"
    assert reasons(data) == ["ok", "truncated", "ok", "ok", "ok"]
    saved = outcomes(data)[2]
    assert (saved.session, data[saved.position :].startswith(lines[2])) == (2, True)


def test_a_line_of_nothing_but_beginnings_is_handled_in_bounds():
    found = reasons(b'{"timestamp"' * 80_000 + b"\n" + eve() + b"\n", format="suricata_eve")
    assert found.count("ok") == 1
    assert len(found) <= 20


def test_a_last_line_without_newline_counts_if_it_is_whole():
    assert reasons(eve() + b"\n" + eve()) == ["ok", "ok"]
    assert reasons(eve() + b"\n" + eve()[:40]) == ["ok", "truncated"]


def test_a_bad_line_does_not_take_its_chunk_along():
    lines = [eve()] * 50
    lines[20] = b'{"timestamp": NaN}'
    lines[30] = eve().replace(b"TCP", b"\\ud800")
    lines[40] = eve().replace(b"TCP", b"\xff\xfe")
    found = reasons(b"\n".join(lines))
    assert found.count("ok") == 47
    assert (found[20], found[30], found[40]) == ("malformed", "malformed", "not_utf8")


def test_a_half_object_in_an_array_does_not_take_its_successors_along():
    text = json.dumps([json.loads(eve()) for _ in range(4)], indent=2)
    cut = text.index("  {", text.index("}"))
    broken = text[:cut] + '  {\n    "timestamp": "2026-\n' + text[cut:]
    assert reasons(broken.encode()) == ["ok", "truncated", "ok", "ok", "ok"]


@pytest.mark.parametrize("pretty", [False, True])
def test_a_hundred_megabyte_record_is_too_large_and_is_never_held(pretty):
    head, tail = (b"{\n", b"\n}\n") if pretty else (b"{", b"}\n")
    reader = Reader(source(format="suricata_eve"))
    block = b'"k": "' + b"x" * ((1 << 20) - 10) + b'",'
    tracemalloc.start()
    found = reader.feed(head)
    for _ in range(100):
        found += reader.feed(block)
    found += reader.feed(b'"z": 1' + tail + eve() + b"\n") + reader.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sorted("ok" if isinstance(o, Parsed) else o.reason for o in found) == ["ok", "too_large"]
    assert all(len(o.head) <= 200 for o in found if isinstance(o, Quarantined))
    assert peak < 12 << 20


def test_positions_are_byte_offsets_and_resume_where_they_left_off():
    data = b"".join(eve(kind) + b"\n" for kind in ("flow", "dns", "tls", "ssh"))
    whole = Reader(source())
    expected = whole.feed(data) + whole.finish()
    for cut in range(1, len(data), 37):
        first = Reader(source())
        got = first.feed(data[:cut])
        second = Reader(source(), first.resume)
        got += second.feed(data[first.position :]) + second.finish()
        assert [o.event.event_uid for o in got] == [o.event.event_uid for o in expected]


def test_an_array_resumes_inside_itself():
    data = json.dumps([json.loads(eve(kind)) for kind in ("flow", "dns", "tls")], indent=2).encode()
    first = Reader(source())
    got = first.feed(data[: data.index(b'"tls"')])
    assert len(got) == 2
    second = Reader(source(), first.resume)
    got += second.feed(data[first.position :])
    assert [o.kind for o in got] == ["flow", "dns", "tls"]


def test_the_layout_follows_from_the_first_significant_bytes():
    assert layout_of(b"  \n[") == "objects"
    assert layout_of(b'{"a":1}\n{"a":2}') == "lines"
    assert layout_of(b'{\n  "a": 1}') == "objects"
    assert layout_of(b"CEF:0|") == "lines"
    assert layout_of(b"") is None
    assert layout_of(b"{") is None


def test_a_framer_gives_every_byte_to_at_most_one_record():
    data = b"\n".join([eve(), b"", b"garbage", eve()[:30], eve()])
    framer = Framer()
    frames = [framer.feed(data), framer.finish()]
    spans = sorted((o, o + len(r)) for f in frames for o, r in zip(f.offsets, f.records, strict=True))
    assert all(data[a:b] for a, b in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
