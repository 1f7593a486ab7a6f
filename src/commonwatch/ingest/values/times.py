"""Timestamps to microseconds since 1970 UTC, with a quality: 0 zone given, 1 zone assumed.

Rules held here: `+0300`, `+03:00`, `Z` and no zone are accepted; a time without a zone takes the source's zone; digits
beyond microseconds are cut; a leap second counts as the next second; anything else is None, never an exception.
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
_EPOCH_TEXT = re.compile(r"(\d{1,12})(?:\.(\d+))?", re.ASCII)
_SHORTEST = len("2026-11-16T00:00")
_from_iso = datetime.fromisoformat


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


def epoch(value: object) -> int | None:
    """Microseconds from seconds since 1970 with a fraction, a number or decimal text; None where it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return round(value * 1_000_000) if abs(value) < 1 << 40 else None
    match = _EPOCH_TEXT.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) * 1_000_000 + int((match[2] or "0")[:6].ljust(6, "0")) if match else None


class Times:
    """Reads the timestamps of one source."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone

    def read(self, text: str) -> tuple[int, int] | None:
        """Text to (microseconds, quality); None where it is no time."""
        try:
            when = _from_iso(text)
        except ValueError:
            return self._read_odd(text)
        if len(text) < _SHORTEST:
            return None
        return self._count(when)

    def _count(self, when: datetime) -> tuple[int, int] | None:
        quality = GIVEN
        if when.tzinfo is None:
            when = when.replace(tzinfo=self._zone)
            quality = ASSUMED
        try:
            span = when - _EPOCH
        except (OverflowError, ValueError):
            return None
        return span.days * DAY + span.seconds * 1_000_000 + span.microseconds, quality

    def _read_odd(self, text: str) -> tuple[int, int] | None:
        """Blanks around it or before the zone, a leap second, one digit too few for the fast way."""
        match = _TIME.fullmatch(text.strip())
        if match is None:
            return None
        date, minute, second, fraction, zone = match.groups()
        leap = second == "60"
        micros = (fraction or "0")[:6].ljust(6, "0")
        try:
            when = _from_iso(f"{date}T{minute}:{'59' if leap else second or '00'}.{micros}{(zone or '').upper()}")
        except ValueError:
            return None
        found = self._count(when)
        return (found[0] + 1_000_000, found[1]) if found and leap else found
