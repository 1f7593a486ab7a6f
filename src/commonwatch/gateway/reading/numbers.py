"""Event ids where several gateways of one owner read the same logs (`shared = true` in `settings.toml`).

Rules held here: the id is a keyed BLAKE2b over the log's name without what rotation adds, the byte offset, the number
of the part, and the record itself. So two gateways, each with its own history of rotations, give a record of a log they
both read the same id, and the hub keeps the first; two equal lines of one log stay two events, and a record of a later
log at the same place is another. The key is derived from the owner's root key, which both have and the hub never sees.
A record whose bytes are not at hand keeps the id of its own gateway: rather twice than never.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import PurePath

from commonwatch.ingest.outcome import Outcome, Parsed
from commonwatch.privacy.pseudonym import derive

#: What rotation puts behind a log's name.
ROTATED = re.compile(r"[.-]\d[\d._-]*(\.(gz|bz2|xz|zst|zip))?\Z")


def shared_key(root: bytes, owner: str) -> bytes:
    """The key of event ids that all gateways of an owner have who hold its root key."""
    return derive(root, "edge", "event", 0, owner=owner)


def renumber(outcomes: Iterable[Outcome], records: Mapping[int, bytes], source: str, key: bytes) -> None:
    """Give every event the id of its record. `records`: offset -> bytes; `source`: the log's path."""
    parts: Counter[int] = Counter()
    for outcome in outcomes:
        if isinstance(outcome, Parsed) and (record := records.get(outcome.position)) is not None:
            uid = number(key, source, outcome.position, parts[outcome.position], record)
            outcome.event.event_uid = uid
            parts[outcome.position] += 1


def number(key: bytes, source: str, position: int, part: int, record: bytes) -> bytes:
    """The id of one event made from a record: 16 bytes."""
    name = ROTATED.sub("", PurePath(source).name).encode()
    made = blake2b(digest_size=16, key=key, person=b"commonwatch-both")
    made.update(len(name).to_bytes(4, "big") + name + position.to_bytes(8, "big") + part.to_bytes(4, "big"))
    made.update(record)
    return made.digest()
