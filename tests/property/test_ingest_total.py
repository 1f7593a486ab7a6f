"""No input, however malformed, stops ingest: whatever the bytes, every record is one outcome and nothing raises."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from commonwatch.ingest import Counters, Parsed, Reader, read
from strategies.eve import eve, odd_records, outcomes, source

_pieces = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [eve(), eve("dns"), b"{", b"}", b"[", b"]", b"\n", b'"', b"\\", b"\x00", b"\xef\xbb\xbf", b"# c\n", b"{\n",
         b"[\n  {\n", b'{"a":[{"b":"}\\""}]}', b",", b"\r\n"]
    ),
    odd_records(),
)  # fmt: skip
_files = st.lists(_pieces, max_size=12).flatmap(lambda p: st.sampled_from([b"".join(p), b"\n".join(p)]))


def _plain(data: bytes, portion: int) -> list[object]:
    return sorted((o.position, repr(o)) for o in outcomes(data, portion, format="suricata_eve"))


@given(data=_files, portion=st.integers(1, 64))
@settings(max_examples=80)
@example(data=b"\xef", portion=1)
@example(data=b"{\n\n", portion=1)
@example(data=b"\x0b{", portion=1)
def test_portions_do_not_matter(data, portion):
    assert _plain(data, portion) == _plain(data, max(1, len(data)))


@given(data=_files)
@settings(max_examples=80)
def test_no_input_stops_ingest(data):
    counters = Counters()
    found = list(read([data], source(), counters))
    assert counters.records == len(found)
    assert counters.mapped == sum(isinstance(o, Parsed) for o in found)
    assert all(0 <= o.position <= len(data) for o in found)


@given(record=odd_records())
@settings(max_examples=100)
def test_no_value_in_any_field_stops_ingest(record):
    (found,) = outcomes(record, format="suricata_eve")
    if isinstance(found, Parsed):
        assert found.event.event_uid
        assert found.event.src_port is None or 0 <= found.event.src_port <= 65_535
        assert found.event.bytes_out is None or 0 <= found.event.bytes_out < 2**63


@given(data=_files, cuts=st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=60)
def test_resuming_anywhere_gives_the_same_events(data, cuts):
    data = eve() + b"\n" + data
    whole = [o.event.event_uid for o in outcomes(data, len(data), format="suricata_eve") if isinstance(o, Parsed)]
    found: list[bytes] = []
    reader, at = Reader(source(format="suricata_eve")), 0
    for cut in sorted(cuts):
        found += [o.event.event_uid for o in reader.feed(data[at:cut]) if isinstance(o, Parsed)]
        at = reader.position if cut > at else at
        reader = Reader(source(format="suricata_eve"), reader.resume)
    found += [o.event.event_uid for o in reader.feed(data[at:]) + reader.finish() if isinstance(o, Parsed)]
    assert found == whole
