"""Timestamps to microseconds since 1970 UTC, with a quality: 0 zone given, 1 zone assumed.

Rules held here: `+0300`, `+03:00`, `Z` and no zone are accepted; a time without a zone takes the source's zone; digits
beyond microseconds are cut; a leap second counts as the next second; anything else is None, never an exception.
The minute and zone of neighbouring records are the same, so their part is computed once and remembered.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from commonwatch.errors import InvalidInput

GIVEN, ASSUMED, FROM_HEADER, RECEIVED = 0, 1, 2, 3
YEAR_2000 = 946_684_800_000_000
DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?", re.ASCII)
_REMEMBERED = 10_000


def zone_of(name: str) -> tzinfo:
    """An IANA zone name or a fixed offset such as `+02:00`; raises InvalidInput."""
    if name.upper() in {"UTC", "Z"}:
        return UTC
    if _OFFSET.fullmatch(name):
        return _fixed(name)
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise InvalidInput(
            "unknown time zone", where="zone", todo="use a name such as Europe/Berlin or +02:00"
        ) from error


def _fixed(text: str) -> tzinfo:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return UTC
    minutes = int(match[2]) * 60 + int(match[3] or 0)
    if minutes >= 24 * 60:
        raise ValueError(text)
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))


class Times:
    """Reads the timestamps of one source."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._minutes: dict[str, int] = {}

    def read(self, text: str) -> tuple[int, int] | None:
        """Text to (microseconds, quality); None where it is no time."""
        digits = text[17:19] + text[20:26]
        if len(digits) == 8 and digits.isdecimal() and digits.isascii() and text[19] == ".":
            zone = text[26:]
            minute = self._minutes.get(text[:17] + zone)
            if minute is not None:
                return minute + int(digits), (GIVEN if zone else ASSUMED)
        return self._read(text)

    def _read(self, text: str) -> tuple[int, int] | None:
        match = _TIME.fullmatch(text.strip())
        if match is None:
            return None
        date, minute, second, fraction, zone = match.groups()
        try:
            start = datetime.fromisoformat(f"{date}T{minute}")
            tz = self._zone if zone is None else UTC if zone in {"Z", "z"} else _fixed(zone)
            base = (start.replace(tzinfo=tz) - _EPOCH) // timedelta(microseconds=1)
        except (ValueError, OverflowError):
            return None
        seconds = int(second or 0)
        if seconds > 60:
            return None
        self._remember(text, base)
        micros = int((fraction or "0")[:6].ljust(6, "0"))
        return base + seconds * 1_000_000 + micros, (ASSUMED if zone is None else GIVEN)

    def _remember(self, text: str, base: int) -> None:
        """Keep the minute of a text in the usual 26 + zone layout; other layouts take the long way every time."""
        if len(text) >= 26 and text[16] == ":" and text[19] == "." and not text[26:27].isdigit():
            if len(self._minutes) >= _REMEMBERED:
                self._minutes.clear()
            self._minutes[text[:17] + text[26:]] = base


def plausible(micros: int, now: int) -> bool:
    """Between the year 2000 and 24 hours ahead of `now`."""
    return YEAR_2000 <= micros <= now + DAY
