"""Where an address lies for its owner: parsed once, then remembered with scope, country and autonomous system.

Rules held here: scope and direction come from the site's own networks; without them private ranges count as inside
(a guess that the report marks). Memory is bounded.
"""

from __future__ import annotations

from typing import NamedTuple

from commonwatch.events.address import Address, IpNetwork, Scope, parse, scope_of
from commonwatch.ingest.geo import GeoTable, Origin

_REMEMBERED = 200_000
_NOWHERE = Origin(None, None)
INBOUND, OUTBOUND, LATERAL = 1, 2, 3


class Place(NamedTuple):
    """An address with everything that follows from it. `scope` is 1 inside, 2 outside, 3 special."""

    address: Address
    scope: int
    country: str | None
    asn: int | None


class Places:
    """Looks up the addresses of one source."""

    def __init__(self, own: tuple[IpNetwork, ...] = (), geo: GeoTable | None = None) -> None:
        self._own = own
        self._geo = geo
        self._known: dict[str, Place | None] = {}

    def find(self, text: str) -> Place | None:
        """The place of an address text; None where it is no address."""
        try:
            return self._known[text]
        except KeyError:
            return self._learn(text)

    def _learn(self, text: str) -> Place | None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        try:
            address = parse(text)
        except ValueError:
            place = None
        else:
            origin = (self._geo.find(address) if self._geo else None) or _NOWHERE
            place = Place(address, int(scope_of(address, self._own)), origin.country, origin.asn)
        if len(text) <= 64:
            self._known[text] = place
        return place


def direction(src: Place | None, dst: Place | None) -> int | None:
    """1 in, 2 out, 3 lateral; None where an end is unknown, special, or both are outside."""
    if src is None or dst is None:
        return None
    if src.scope == Scope.INSIDE:
        return LATERAL if dst.scope == Scope.INSIDE else OUTBOUND if dst.scope == Scope.OUTSIDE else None
    return INBOUND if src.scope == Scope.OUTSIDE and dst.scope == Scope.INSIDE else None
