"""An optional table from network to country and autonomous system: CSV lines `cidr,country,asn`.

Rules held here: without a table nothing is guessed; of nested networks the narrowest wins; a bad line is refused with
its number, because a wrong country is worse than none. Tables are flat sorted ranges, looked up by bisection.
"""

from __future__ import annotations

import csv
import ipaddress
import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from commonwatch.errors import InvalidInput
from commonwatch.events.address import Address

_COUNTRY = re.compile(r"[A-Z]{2}")
_V4_IN_V6 = 0xFFFF << 32


class Origin(NamedTuple):
    """Where a network is registered. Either may be unknown."""

    country: str | None
    asn: int | None


class _Range(NamedTuple):
    first: int
    last: int
    origin: Origin


class GeoTable:
    """Network to country and autonomous system."""

    def __init__(self, ranges: Iterable[_Range]) -> None:
        flat = _flatten(sorted(ranges, key=lambda r: (r.first, -r.last)))
        self._starts = [r.first for r in flat]
        self._ranges = flat

    def find(self, address: Address) -> Origin | None:
        """The origin of the narrowest network that holds the address."""
        number = int.from_bytes(address.packed, "big")
        at = bisect_right(self._starts, number) - 1
        if at < 0 or number > self._ranges[at].last:
            return None
        return self._ranges[at].origin


def read_table(lines: Iterable[str]) -> GeoTable:
    """A table from CSV lines; a header line, blank lines and `#` comments are skipped. Raises InvalidInput."""
    rows = csv.reader(lines)
    ranges = []
    for row in rows:
        if not row or row[0].startswith("#") or row[0].strip().lower() in {"", "cidr", "network"}:
            continue
        ranges.append(_read_row([cell.strip() for cell in row], rows.line_num))
    return GeoTable(ranges)


def _read_row(row: list[str], line: int) -> _Range:
    cidr, country, asn = ([*row, "", ""])[:3]
    try:
        net = ipaddress.ip_network(cidr, strict=False)
        number = int(asn.upper().removeprefix("AS")) if asn else None
    except ValueError as error:
        raise InvalidInput("not a network, country and AS number", where=f"geo table line {line}") from error
    if country and not _COUNTRY.fullmatch(country.upper()):
        raise InvalidInput("a country is two letters (ISO 3166-1)", where=f"geo table line {line}")
    base = _V4_IN_V6 if net.version == 4 else 0
    origin = Origin(country.upper() or None, number)
    return _Range(base + int(net.network_address), base + int(net.broadcast_address), origin)


def _flatten(ranges: list[_Range]) -> list[_Range]:
    """Nested ranges (sorted by start, widest first) to disjoint ones; the narrowest keeps its part."""
    flat: list[_Range] = []
    open_ranges: list[_Range] = []
    at = 0
    for new in ranges:
        while open_ranges and open_ranges[-1].last < new.first:
            at = _close(flat, open_ranges.pop(), at)
        if open_ranges and at < new.first:
            flat.append(_Range(max(at, open_ranges[-1].first), new.first - 1, open_ranges[-1].origin))
        at = new.first
        open_ranges.append(new)
    while open_ranges:
        at = _close(flat, open_ranges.pop(), at)
    return [r for r in flat if r.first <= r.last]


def _close(flat: list[_Range], done: _Range, at: int) -> int:
    if at <= done.last:
        flat.append(_Range(max(at, done.first), done.last, done.origin))
        return done.last + 1
    return at
