"""Timestamps: every spelling that tools write, and their quality."""

from __future__ import annotations

import pytest

from commonwatch.errors import InvalidInput
from commonwatch.ingest.values.times import ASSUMED, GIVEN, Times, zone_of

SECOND = 1_794_821_400_000_000  # 2026-11-16T09:30:00Z


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-11-16T09:30:00.123456+0000", 123_456),
        ("2026-11-16T12:30:00.123456+0300", 123_456),
        ("2026-11-16T12:30:00.123456+03:00", 123_456),
        ("2026-11-16T03:30:00.123456-06:00", 123_456),
        ("2026-11-16T09:30:00.123456Z", 123_456),
        ("2026-11-16 09:30:00.123456Z", 123_456),
        ("2026-11-16T09:30:00Z", 0),
        ("2026-11-16T09:30Z", 0),
        ("2026-11-16T09:30:00.5Z", 500_000),
        ("2026-11-16T09:30:00.123456789Z", 123_456),
        ("2026-11-16T09:30:00.123456999+0000", 123_456),
        ("2026-11-16T09:29:60.25Z", 250_000),
        (" 2026-11-16T09:30:00 Z ", 0),
    ],
)
def test_a_time_with_a_zone_is_read_exactly_and_nanoseconds_are_cut(text, micros):
    assert Times().read(text) == (SECOND + micros, GIVEN)


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("+02:00", 2), ("Europe/Berlin", 1), ("America/New_York", -5)])
def test_a_time_without_zone_takes_that_of_the_source_and_says_so(zone, hours):
    assert Times(zone_of(zone)).read("2026-11-16T09:30:00.000001") == (SECOND + 1 - hours * 3_600_000_000, ASSUMED)


def test_summer_time_follows_the_date_not_the_first_record():
    times = Times(zone_of("Europe/Berlin"))
    winter, summer = times.read("2026-01-15T12:00:00"), times.read("2026-07-15T12:00:00")
    assert winter is not None
    assert summer is not None
    assert (summer[0] - winter[0]) % 86_400_000_000 == 23 * 3_600_000_000


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-16T24:61:00Z", "1794821400",
     "2026-11-16", "2026-11-16T09:30:61Z", "0001-01-01T00:00:00+2359", "2026-11-16T09:30:00+9999",
     "２０２６-11-16T09:30:00Z"],
)  # fmt: skip
def test_what_is_no_time_is_none_and_raises_nothing(text):
    found = Times().read(text)
    assert found is None or found[0] < 0


def test_an_unknown_zone_is_refused_when_the_source_is_set_up():
    with pytest.raises(InvalidInput, match="time zone"):
        zone_of("Middle/Earth")
