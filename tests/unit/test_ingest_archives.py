"""Gzip archives: by content, cut, damaged, several members; what was readable lands."""

from __future__ import annotations

import gzip

import pytest

from commonwatch.ingest import Counters, Parsed, read_file
from commonwatch.ingest.archives import CHUNK, Gunzip
from strategies.eve import eve, source

LINES = b"".join(eve(flow_id=n) + b"\n" for n in range(500))


def read(path, data: bytes) -> tuple[list, Counters]:
    """Outcomes and counters of a file with these bytes, under a name that says nothing."""
    file = path / "whatever.txt"
    file.write_bytes(data)
    counters = Counters()
    return list(read_file(file, source(), counters)), counters


def test_an_archive_is_known_by_its_content(tmp_path):
    found, counters = read(tmp_path, gzip.compress(LINES))
    assert counters.mapped == len(found) == 500
    assert not counters.damage


def test_a_truncated_archive_gives_what_it_has_and_is_counted(tmp_path):
    whole = gzip.compress(LINES)
    found, counters = read(tmp_path, whole[: len(whole) * 2 // 3])
    assert counters.damage == {"archive_truncated": 1}
    assert 0 < counters.mapped < 500
    assert [o.session for o in found if isinstance(o, Parsed)] == list(range(counters.mapped))


def test_a_corrupt_archive_gives_what_came_before_and_is_counted(tmp_path):
    whole = bytearray(gzip.compress(LINES[:20_000]) + gzip.compress(LINES[20_000:]))
    half = len(gzip.compress(LINES[:20_000]))
    whole[half + 12 : half + 60] = b"\xff" * 48
    _, counters = read(tmp_path, bytes(whole))
    assert counters.damage == {"archive_corrupt": 1}
    assert counters.mapped >= LINES[:20_000].count(b"\n")


def test_members_behind_each_other_are_one_stream_and_padding_is_no_damage(tmp_path):
    cut = 777
    _, counters = read(tmp_path, gzip.compress(LINES[:cut]) + gzip.compress(LINES[cut:]) + b"\x00" * 512)
    assert (counters.mapped, dict(counters.damage)) == (500, {})


def test_ids_do_not_depend_on_how_an_archive_is_cut(tmp_path):
    plain, _ = read(tmp_path, LINES)
    packed, _ = read(tmp_path, gzip.compress(LINES))
    assert [o.event.event_uid for o in plain] == [o.event.event_uid for o in packed]


def test_a_bomb_is_unpacked_in_small_portions():
    bomb = gzip.compress(b"\x00" * (64 << 20), 1)
    sizes = [len(part) for part in Gunzip().feed(bomb)]
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= CHUNK


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b", b"\x1f\x8b" + b"\x00" * 50])
def test_a_file_that_is_barely_an_archive_stops_nothing(tmp_path, data):
    found, _ = read(tmp_path, data)
    assert found == []
