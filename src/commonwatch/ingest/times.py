"""Timestamps to microseconds since 1970 UTC, with a quality: 0 zone given, 1 zone assumed.

Rules held here: `+0300`, `+03:00`, `Z` and no zone are accepted; a time without a zone takes the source's zone; digits
beyond microseconds are cut; a leap second counts as the next second; anything else is None, never an exception.
The hour and zone of neighbouring records are the same, so their part is computed once and remembered.
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
_MINUTE_DIGIT = 100_000_000


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
        self._hours: dict[str, int] = {}

    def read(self, text: str) -> tuple[int, int] | None:
        """Text to (microseconds, quality); None where it is no time."""
        zone = text[26:]
        hour = self._hours.get(text[:13] + zone)
        digits = text[14:16] + text[17:19] + text[20:26]
        if hour is None or text[13:20:3] != "::." or len(digits) != 10 or not (digits.isascii() and digits.isdecimal()):
            return self._read(text)
        number = int(digits)  # mmssffffff
        if number >= 60 * _MINUTE_DIGIT or number % _MINUTE_DIGIT > 60_999_999:
            return None
        return hour + number - number // _MINUTE_DIGIT * 40_000_000, (GIVEN if zone else ASSUMED)

    def _read(self, text: str) -> tuple[int, int] | None:
        match = _TIME.fullmatch(text.strip())
        if match is None:
            return None
        date, minute, second, fraction, zone = match.groups()
        try:
            start = datetime.fromisoformat(f"{date}T{minute[:2]}")
            tz = self._zone if zone is None else UTC if zone in {"Z", "z"} else _fixed(zone)
            hour = (start.replace(tzinfo=tz) - _EPOCH) // timedelta(microseconds=1)
        except (ValueError, OverflowError):
            return None
        minutes, seconds = int(minute[3:]), int(second or 0)
        if minutes > 59 or seconds > 60:
            return None
        self._remember(text, hour)
        micros = int((fraction or "0")[:6].ljust(6, "0"))
        return hour + (minutes * 60 + seconds) * 1_000_000 + micros, (ASSUMED if zone is None else GIVEN)

    def _remember(self, text: str, hour: int) -> None:
        """Keep the hour of a text in the usual 26 + zone layout; other layouts take the long way every time."""
        if len(text) >= 26 and text[13:20:3] == "::." and text[20:26].isdecimal() and not text[26:27].isdigit():
            if len(self._hours) >= _REMEMBERED:
                self._hours.clear()
            self._hours[text[:13] + text[26:]] = hour
