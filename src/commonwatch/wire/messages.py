"""What gateway and hub say besides batches: the downlink stream (one JSON object a line) and small uplink bodies.

Rules held here: downlink lines are tagged by `kind`; a line of an unknown kind is skipped by older gateways (decode
gives None), a malformed line is an error; times are microseconds since 1970 UTC; nothing here grants anything: a
snapshot is believed only after `agreements.snapshot.verify_snapshot`, a checkpoint only after its own proof.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from commonwatch.errors import InvalidInput

#: Longest downlink line (a snapshot of many documents is the largest message).
MAX_LINE = 16 * 1024 * 1024
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Hello(msgspec.Struct, frozen=True, tag_field="kind", tag="hello"):
    """First line of every stream: the hub's time and policy epoch.

    `last_batch`: the number of the last batch of this gateway that the hub's store has (0: none; -1: not said). A hub
    that was restored from a backup says a lower one than it acknowledged.
    """

    hub_time: int
    epoch: int
    last_batch: int = -1


class SnapshotMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="snapshot"):
    """A policy snapshot; `body` are the bytes for `verify_snapshot` (base64 on the wire)."""

    number: int
    body: bytes


class IndicatorItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One indicator as this organisation may see it. `type` is the STIX object type of the observable.

    `may_block`: the duties permit acting on it inside one's own network; otherwise it is for reading only.
    """

    id: str
    type: str
    value: str
    pattern: str
    valid_from: int
    valid_until: int | None = None
    confidence: int | None = None
    sources: int | None = None
    tlp: str = ""
    markings: list[str] = []
    sighted_at_hub: int = 0
    may_block: bool = True
    delete_after_days: int | None = None


class Indicators(msgspec.Struct, frozen=True, tag_field="kind", tag="indicators"):
    """New or changed indicators; the newest word on an id replaces older ones."""

    items: list[IndicatorItem]


class Withdraw(msgspec.Struct, frozen=True, tag_field="kind", tag="withdraw"):
    """Indicators that are no longer shared with this organisation. `at` (microseconds) is told back once obeyed."""

    ids: list[str]
    at: int = 0


class AlertMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="alert"):
    """A finding of the platform, as this organisation may see it."""

    id: str
    title: str
    at: int
    severity: int = 0
    detail: dict[str, Any] = {}


class Checkpoint(msgspec.Struct, frozen=True, tag_field="kind", tag="checkpoint"):
    """Signed head of the audit log. `proof` leads from `proof_from` (what this gateway held last) to `size`.

    The first six fields are the checkpoint object of `audit.verify`; `root`, `signature`, `key`, `proof` are hex.
    """

    size: _Count
    root: str
    time: int
    signature: str
    key: str
    origin: str
    proof_from: _Count = 0
    proof: list[str] = []


class Ping(msgspec.Struct, frozen=True, tag_field="kind", tag="ping"):
    """Nothing new, still here. A stream silent for 15 s counts as lost."""

    hub_time: int


Downlink = Hello | SnapshotMessage | Indicators | Withdraw | AlertMessage | Checkpoint | Ping


class BatchReceipt(msgspec.Struct, frozen=True):
    """The hub has stored this batch durably. `stored` rows are new, `duplicate` tells that it was known already."""

    batch_uid: _Count
    rows: _Count
    stored: _Count
    duplicate: bool = False


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway has done since its enrolment: records and events, never values."""

    read: int = 0
    mapped: int = 0
    skipped: dict[str, int] = {}
    quarantined: dict[str, int] = {}
    not_agreed: int = 0
    spooled: int = 0
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """How a gateway is, each 10 seconds."""

    at: int
    version: str
    snapshot: int
    spool_batches: int
    spool_events: int
    checkpoint: int
    counts: Counts
    withdrawn: int = 0
    state: Literal["running", "waiting-for-snapshot", "distrusts-hub", "spool-full", "disk-full"] = "running"


_lines: msgspec.json.Decoder[Downlink] = msgspec.json.Decoder(Downlink)
_kinds = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()
_KNOWN = frozenset({"hello", "snapshot", "indicators", "withdraw", "alert", "checkpoint", "ping"})


def encode_line(message: Downlink) -> bytes:
    """One downlink message as a line, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_line(line: bytes) -> Downlink | None:
    """A downlink line; None for a kind this version does not know. Raises InvalidInput."""
    if len(line) > MAX_LINE:
        raise InvalidInput("a line of the hub's stream is too long", where="stream", todo="reconnect")
    try:
        return _lines.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if _unknown_kind(line):
            return None
        raise InvalidInput("a line of the hub's stream is malformed", where="stream", todo="reconnect") from None


def _unknown_kind(line: bytes) -> bool:
    try:
        kind = _kinds.decode(line).get("kind")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(kind, str) and kind not in _KNOWN
