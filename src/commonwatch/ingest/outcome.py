"""What becomes of one record: an event, a skip with its reason, or a quarantine entry with its reason.

Rules held here: the set of quarantine reasons is closed (`bad_field:` takes the name of a required field); a quarantine
entry carries at most `HEAD` bytes of the record and never leaves the gateway.
"""

from __future__ import annotations

from typing import Final

import msgspec

from commonwatch.events.event import Event

HEAD: Final = 200
MAX_RECORD: Final = 1 << 20
#: Formats whose record is a whole document (a bundle, a MISP event) may be this long.
MAX_DOCUMENT: Final = 16 << 20
MAX_DEPTH: Final = 32

#: Every quarantine reason; `bad_field` is followed by `:<name>`.
REASONS: Final = (
    "malformed", "not_utf8", "too_large", "truncated", "unknown_format", "unknown_kind", "no_time", "bad_time",
    "bad_field", "too_deep", "future_version",
)  # fmt: skip


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """A record that became an event. `dropped` names source fields that were present and unusable.

    `session` is the tool's own 64-bit connection number; it stays at the gateway.
    """

    event: Event
    position: int
    kind: str
    dropped: tuple[str, ...] = ()
    session: int | None = None


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """A well-formed record that is no event on purpose, and why."""

    reason: str
    position: int


class Quarantined(msgspec.Struct, frozen=True, gc=False):
    """A record that could not become an event: why, at which byte offset, and its first bytes."""

    reason: str
    position: int
    head: bytes


Outcome = Parsed | Skipped | Quarantined


def quarantine(reason: str, position: int, data: bytes) -> Quarantined:
    """A quarantine entry that keeps the first `HEAD` bytes only."""
    return Quarantined(reason, position, bytes(data[:HEAD]))
