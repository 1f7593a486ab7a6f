"""Syslog: headers of every kind, and streams framed by newlines or by counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatch.ingest.framing.octets import SyslogStream
from commonwatch.ingest.source import Context
from commonwatch.ingest.values.syslog import header
from strategies.corpus import corpus_source, outcomes_of

#: 2026-11-18T10:00:00Z
TEN = 1_794_996_000_000_000


@pytest.mark.parametrize(
    ("text", "when", "host"),
    [
        ("<34>1 2026-11-18T10:00:00.25Z fw-1 app 12 ID47 - ", TEN + 250_000, "fw-1"),
        ('<34>1 2026-11-18T11:00:00+01:00 fw-1 - - - [a b="c"] ', TEN, "fw-1"),
        ("<86>Nov 18 10:00:00 fw-1 tag: ", TEN, "fw-1"),
        ("<86>Nov  8 10:00:00 fw-1 ", TEN - 10 * 86_400_000_000, "fw-1"),
        ("2026-11-18T10:00:00Z fw-1 ", TEN, "fw-1"),
        ("Nov 18 10:00:05 relay-2 Nov 18 10:00:00 fw-1 ", TEN, "fw-1"),
        ("Nov 18 2025 10:00:00 fw-1 ", TEN - 365 * 86_400_000_000, "fw-1"),
        ("<13>", None, None),
        ("", None, None),
    ],
)
def test_the_header_nearest_to_the_message_counts(text: str, when: int | None, host: str | None) -> None:
    found = header(text, Context(corpus_source()))
    assert (found.when and found.when[0], found.host) == (when, host)
    assert found.when is None or found.when[1] == 2


def test_the_year_that_is_missing_is_the_one_nearest_to_now() -> None:
    newyear = 1_798_761_700_000_000  # 2027-01-01T00:01:40Z
    context = Context(corpus_source(clock=lambda: newyear))
    found = header("Dec 31 23:59:00 fw-1 ", context).when
    assert found is not None
    assert newyear - found[0] == 160_000_000


def test_the_zone_that_is_missing_is_the_sources() -> None:
    found = header("Nov 18 10:00:00 fw-1 ", Context(corpus_source(zone="+02:00"))).when
    assert found == (TEN - 2 * 3_600_000_000, 2)


def test_mixed_lines_are_read_line_by_line() -> None:
    lines = [
        b"CEF:0|G|W|1|7|Login|3|rt=1795000000000 src=203.0.113.9",
        b"nothing at all",
        b"CEF:0|G|W|1|7|Login|3|rt=1795000000001",
    ]
    kinds = [type(o).__name__ for o in outcomes_of(b"\n".join(lines))]
    assert kinds == ["Parsed", "Quarantined", "Parsed"]


MESSAGES = st.lists(
    st.binary(min_size=1, max_size=30).map(lambda b: b"<1>" + b.replace(b"\n", b" ").replace(b"\r", b" ")), max_size=8
)


def fed(data: bytes, portion: int, most: int = 100) -> tuple[list[bytes], int]:
    stream = SyslogStream(most)
    found = [m for i in range(0, len(data), portion) for m in stream.feed(data[i : i + portion])]
    return found + stream.finish(), stream.lost


@given(MESSAGES, st.integers(1, 9))
def test_both_framings_give_the_messages_back_in_any_portions(messages: list[bytes], portion: int) -> None:
    lines = b"".join(m + b"\n" for m in messages)
    counted = b"".join(b"%d %s" % (len(m), m) for m in messages)
    assert fed(lines, portion) == (messages, 0)
    assert fed(counted, portion) == (messages, 0)


def test_an_over_long_message_is_passed_over_and_counted() -> None:
    assert fed(b"<1>" + b"x" * 200 + b"\n<1>good\n", 7) == ([b"<1>good"], 1)
    assert fed(b"203 " + b"x" * 203 + b"7 <1>good", 7) == ([b"<1>good"], 1)


def test_a_count_that_is_none_breaks_the_connection_and_nothing_else() -> None:
    stream = SyslogStream()
    assert stream.feed(b"7 <1>good12x <1>bad") == [b"<1>good"]
    assert stream.broken
    assert stream.feed(b"7 <1>more") == []
