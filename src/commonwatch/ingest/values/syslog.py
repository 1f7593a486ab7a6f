"""Syslog headers: RFC 5424, RFC 3164, ISO times, none at all, several of them from relays in front of each other.

Rules held here: the header nearest to the message is the device's own; RFC 3164 has neither year nor zone, so the year
is the one that puts the time nearest to now and the zone is the source's; what cannot be read is no header, never an
error. RFC 6587 framing is in `framing.octets`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

from commonwatch.ingest.source import Context
from commonwatch.ingest.values.times import DAY, FROM_HEADER

_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {m: n for n, m in enumerate(_NAMES, start=1)}
_BSD: Final = re.compile(
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}(\d{1,2})(?: (\d{4}))? (\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?",
    re.ASCII,
)
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
#: Nearer than this no other year can be.
_HALF_YEAR: Final = 182 * DAY
#: Headers (of at most 512 characters, where formats must begin) that are remembered within one portion.
_REMEMBERED: Final = 1_000
_HOST: Final = re.compile(r"\s+([A-Za-z0-9._:\-]{1,255})(?=\s|$)")


class Header(NamedTuple):
    """What stands in front of a message: when (microseconds, quality) and which host, where it says so."""

    when: tuple[int, int] | None
    host: str | None


NO_HEADER: Final = Header(None, None)


def header(text: str, context: Context) -> Header:
    """The header nearest to the message, from all that stands in front of it; many lines of a portion share one."""
    found: Header | None = context.headers.get(text)
    if found is None:
        if len(context.headers) >= _REMEMBERED:
            context.headers.clear()
        found = context.headers[text] = _read(text, context)
    return found


def _read(text: str, context: Context) -> Header:
    times = [*_BSD.finditer(text), *_ISO.finditer(text)]
    if not times:
        return NO_HEADER
    last = max(times, key=lambda m: m.start())
    host = _HOST.match(text, last.end())
    when = _bsd(last, context) if last.re is _BSD else context.times.read(last[0])
    named = host[1] if host and host[1] not in {"-", "CEF:", "LEEF:"} else None
    return Header(None if when is None else (when[0], FROM_HEADER), named)


def _bsd(found: re.Match[str], context: Context) -> tuple[int, int] | None:
    """The year that puts the time nearest to now, unless it is there."""
    month, day, year, clock, fraction = found.groups()
    now = context.latest - DAY
    this = datetime.fromtimestamp(now / 1_000_000, UTC).year
    rest = f"-{_MONTHS[month]:02d}-{int(day):02d}T{clock}" + (f".{fraction[:6]}" if fraction else "")
    near = None if year else context.times.read(f"{this}{rest}")
    if near is not None and abs(near[0] - now) <= _HALF_YEAR:
        return near
    years = [int(year)] if year else [this - 1, this, this + 1]
    read = [t for y in years if (t := context.times.read(f"{y}{rest}")) is not None]
    return min(read, key=lambda t: abs(t[0] - now), default=None)
