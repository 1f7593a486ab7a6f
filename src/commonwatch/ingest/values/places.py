"""Where an address lies for its owner: parsed once, then remembered with scope, country and autonomous system.

Rules held here: scope and direction come from the site's own networks; without them private ranges count as inside
(a guess that the report marks). Memory is bounded.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from commonwatch.events.address import Address, IpNetwork, Scope, parse, scope_of
from commonwatch.ingest.geo import GeoTable, Origin

_REMEMBERED = 200_000
_NO_ORIGIN = Origin(None, None)
INBOUND, OUTBOUND, LATERAL = 1, 2, 3


class Place(NamedTuple):
    """An address with everything that follows from it. `scope` is 1 inside, 2 outside, 3 special."""

    address: Address | None
    scope: int | None
    country: str | None
    asn: int | None


#: The place of an end that is not known.
NOWHERE: Final = Place(None, None, None, None)


class Places(dict[str, Place | None]):
    """The addresses of one source: `places[text]` is the place of an address text, None where it is no address."""

    def __init__(self, own: tuple[IpNetwork, ...] = (), geo: GeoTable | None = None) -> None:
        super().__init__()
        self._own = own
        self._geo = geo

    def __missing__(self, text: str) -> Place | None:
        if len(self) >= _REMEMBERED:
            self.clear()
        try:
            address = parse(text)
        except ValueError:
            place = None
        else:
            origin = (self._geo.find(address) if self._geo else None) or _NO_ORIGIN
            place = Place(address, int(scope_of(address, self._own)), origin.country, origin.asn)
        if len(text) <= 64:
            self[text] = place
        return place


#: (scope of the source, scope of the destination) -> direction; anything else has none.
_DIRECTIONS: Final = {
    (Scope.OUTSIDE, Scope.INSIDE): INBOUND,
    (Scope.INSIDE, Scope.OUTSIDE): OUTBOUND,
    (Scope.INSIDE, Scope.INSIDE): LATERAL,
}


def direction(src_scope: int | None, dst_scope: int | None) -> int | None:
    """1 in, 2 out, 3 lateral; None where an end is unknown, special, or both are outside."""
    return _DIRECTIONS.get((src_scope, dst_scope))  # type: ignore[arg-type] # an unknown scope is simply not there
