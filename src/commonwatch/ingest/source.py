"""One configured input, and what its parser needs at hand: ids, zone, own networks, clock.

Rules held here: event_uid is the first 16 bytes of a keyed BLAKE2b over (source id, generation, byte offset), so that
re-reading gives the same id, two equal lines stay two events, and an id says nothing about the content. The key is the
gateway's own and never leaves it. The clock is a parameter: tests and replays bring theirs.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec

from commonwatch.events.address import IpNetwork
from commonwatch.ingest.declared import Declared
from commonwatch.ingest.geo import GeoTable
from commonwatch.ingest.values.places import Places
from commonwatch.ingest.values.times import DAY, Times, zone_of

_offset = struct.Struct(">Q").pack


def _now() -> int:
    return time.time_ns() // 1000


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one input.

    Attributes:
        id: name of the source at its gateway, stable over rotations.
        generation: what distinguishes one file under that name from its successor (inode, first bytes, journal number).
        key: 16 to 64 secret bytes of the gateway for event ids.
        zone: IANA name or offset that times without a zone are read in.
        own: the site's own networks; empty means that private ranges count as inside.
        geo: optional country and AS table.
        format: a format's name when it is known; None recognises by content.
        declared: the owner's own mapping, for rows that name nothing themselves.
        clock: microseconds since 1970 UTC.
    """

    id: str
    key: bytes
    generation: str = ""
    zone: str = "UTC"
    own: tuple[IpNetwork, ...] = ()
    geo: GeoTable | None = None
    format: str | None = None
    declared: Declared | None = None
    clock: Callable[[], int] = _now


class Context:
    """What a parser needs while it reads one source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.times = Times(zone_of(source.zone))
        self.places = Places(source.own, source.geo)
        #: what the format must remember of earlier records (a header); kept with the mark, so that reading can go on
        self.memory = b""
        self.tick()
        name, generation = source.id.encode(), source.generation.encode()
        self._uids = blake2b(digest_size=16, key=source.key, person=b"commonwatch-uid")
        self._uids.update(len(name).to_bytes(4, "big") + name + len(generation).to_bytes(4, "big") + generation)

    def tick(self) -> None:
        """Read the clock again; once per chunk is enough for the 24-hour bound."""
        #: latest believable event time: 24 hours ahead of now
        self.latest = self.source.clock() + DAY
        #: what syslog headers said, which depends on the clock: their text -> `values.syslog.Header`
        self.headers: dict[str, Any] = {}

    def uid(self, position: int, part: int = 0) -> bytes:
        """The id of the record at a byte offset, or of one of several events made from it: 16 bytes."""
        h = self._uids.copy()
        h.update(_offset(position))
        if part:
            h.update(_offset(part))
        return h.digest()
