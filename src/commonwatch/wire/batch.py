"""One batch of events: sealed by a gateway, opened by the hub. A security boundary.

Rules held here: the signature is checked before anything is decompressed or decoded beyond the header; sizes are capped
before and after decompression; every cell is checked for type, range and length by the typed decoder, and a batch with
one bad cell is refused as a whole, with the place (an honest gateway never makes one). Absent column = null everywhere.

Layout: msgpack array [MAGIC, header, size, body, signature]; header and body are bytes (msgpack, body zlib level 1, in
which event ids, that look random to every compressor, are stored as they are: RFC 1951, 3.2.4);
the signature is Ed25519 over SHA-256(DOMAIN | len(header) | header | size | body).
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Annotated, Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from commonwatch.agreements.lattice import points
from commonwatch.errors import InvalidInput, SignatureError
from commonwatch.events.fields import FIELDS
from commonwatch.wire.columns import (
    ADDRESSES,
    DAY,
    EARLIEST,
    LATEST,
    LIST_COLUMNS,
    MAX_ROWS,
    REQUIRED,
    TEXT_COLUMNS,
    WireColumns,
)

MAGIC = "cw-batch-1"
DOMAIN = b"commonwatch batch 1\x00"
#: Bytes: the whole batch as sent, and its columns after decompression.
MAX_SEALED = 32 * 1024 * 1024
MAX_OPEN = 32 * 1024 * 1024
MAX_HEADER = 1024 * 1024
_ASK = "the gateway should set this batch aside and report it"
_CONTROL = re.compile("[\x00-\x1f\x7f\x80-\x9f]")
_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{1,62}\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class BatchHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a batch says about itself. `profiles`: held profiles, clause field -> named point (absent = withheld).

    `batch_uid` is below 2**63; `snapshot` is the number of the policy snapshot the edge applied; `made_at` is the
    gateway's corrected time in microseconds; `shared` tells that another gateway of the owner may send the same events.
    """

    batch_uid: _Count
    gateway: _Name
    org: _Name
    seq: _Count
    snapshot: _Count
    rows: Annotated[int, msgspec.Meta(ge=1, le=MAX_ROWS)]
    profiles: Annotated[list[dict[str, str]], msgspec.Meta(min_length=1, max_length=4096)]
    rules_version: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    made_at: Annotated[int, msgspec.Meta(ge=EARLIEST, le=LATEST)]
    shared: bool = False


class _Frame(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    magic: str
    header: Annotated[bytes, msgspec.Meta(max_length=MAX_HEADER)]
    size: Annotated[int, msgspec.Meta(ge=0, le=MAX_OPEN)]
    body: bytes
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


_frames = msgspec.msgpack.Decoder(_Frame)
_headers = msgspec.msgpack.Decoder(BatchHeader)
_columns = msgspec.msgpack.Decoder(WireColumns)
_encoder = msgspec.msgpack.Encoder()


def batch_uid(gateway: str, event_uids: Sequence[bytes]) -> int:
    """The same events from the same gateway always make the same number (63 bits)."""
    digest = hashlib.sha256(f"commonwatch batch uid\x00{gateway}\x00".encode())
    for uid in event_uids:
        digest.update(uid)
    return int.from_bytes(digest.digest()[:8], "big") >> 1


def seal(header: BatchHeader, columns: Mapping[str, Sequence[Any]], key: Ed25519PrivateKey) -> bytes:
    """Encode, compress and sign. `columns`: wire column -> one cell per row; a column left out is null everywhere."""
    head = _encoder.encode(header)
    plain = _encoder.encode(columns)
    if len(plain) > MAX_OPEN:
        raise InvalidInput("a batch is too large", where="columns", todo="close batches earlier")
    body = _compress(plain, len(_encoder.encode(columns.get("event_uid"))))
    signature = key.sign(_digest(head, len(plain), body))
    return _encoder.encode(_Frame(MAGIC, head, len(plain), body, signature))


def _compress(plain: bytes, stored: int) -> bytes:
    """A zlib stream (RFC 1950) of this; about the first `stored` bytes of it are not worth compressing."""
    first, rest = zlib.compressobj(0, wbits=-15), zlib.compressobj(1, wbits=-15)
    head = first.compress(plain[:stored]) + first.flush(zlib.Z_SYNC_FLUSH)
    tail = rest.compress(plain[stored:]) + rest.flush()
    return b"\x78\x01" + head + tail + zlib.adler32(plain).to_bytes(4, "big")


def peek(data: bytes) -> str:
    """The gateway a batch claims to be from, unverified: only to find its key."""
    return peek_header(data).gateway


def peek_header(data: bytes) -> BatchHeader:
    """The header, unverified."""
    return _header(_frame(data).header)


def unseal(data: bytes, public_key: Ed25519PublicKey) -> tuple[BatchHeader, dict[str, list[Any]]]:
    """Verify and open a batch: header and its columns (only those that are not null everywhere).

    Raises SignatureError when it was not signed by `public_key`, InvalidInput for everything else, with the place.
    """
    frame = _frame(data)
    try:
        public_key.verify(frame.signature, _digest(frame.header, frame.size, frame.body))
    except InvalidSignature:
        raise SignatureError(
            "a batch's signature does not verify", where="batch.signature", todo="enrol the gateway again"
        ) from None
    header = _header(frame.header)
    columns = _open(frame)
    _check_rows(header, columns)
    return header, columns


def _digest(head: bytes, size: int, body: bytes) -> bytes:
    digest = hashlib.sha256(DOMAIN)
    digest.update(len(head).to_bytes(8, "big") + head + size.to_bytes(8, "big"))
    digest.update(body)
    return digest.digest()


def _refuse(what: str, where: str) -> InvalidInput:
    return InvalidInput(what, where=where, todo=_ASK)


def _frame(data: bytes) -> _Frame:
    if len(data) > MAX_SEALED:
        raise _refuse("a batch is too large", "batch")
    try:
        frame = _frames.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _refuse("this is not a batch", "batch") from None
    if frame.magic != MAGIC:
        raise _refuse("a batch of an unknown version", "batch.magic")
    return frame


def _header(data: bytes) -> BatchHeader:
    try:
        header = _headers.decode(data)
    except msgspec.DecodeError as error:
        raise _refuse("a batch header is malformed", _place("header", error)) from None
    except UnicodeDecodeError:
        raise _refuse("a batch header is not UTF-8", "header") from None
    for number, profile in enumerate(header.profiles):
        _check_profile(number, profile)
    return header


def _check_profile(number: int, profile: Mapping[str, str]) -> None:
    for name, point in profile.items():
        field = FIELDS.get(name)  # type: ignore[call-overload]
        if field is None or point == "withheld" or point not in points(field.family):
            raise _refuse("a held profile names an unknown field or point", f"header.profiles[{number}]")


def _open(frame: _Frame) -> dict[str, list[Any]]:
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(frame.body, frame.size + 1)
    except zlib.error:
        raise _refuse("a batch's columns do not decompress", "batch.body") from None
    if len(plain) != frame.size or not inflate.eof or inflate.unused_data:
        raise _refuse("a batch's columns are not of the size it says", "batch.size")
    try:
        decoded = _columns.decode(plain)
    except msgspec.DecodeError as error:
        raise _refuse("a cell is of the wrong type, length or range", _place("columns", error)) from None
    except UnicodeDecodeError:
        raise _refuse("a text is not UTF-8", "columns") from None
    names = WireColumns.__struct_fields__
    return {name: cells for name in names if (cells := getattr(decoded, name)) is not None}


def _check_rows(header: BatchHeader, columns: Mapping[str, list[Any]]) -> None:
    """What types cannot say: lengths, required columns, profiles, unique ids, times, whole addresses, clean text."""
    for name in REQUIRED:
        if name not in columns:
            raise _refuse("a required column is missing", f"columns.{name}")
    for name, cells in columns.items():
        if len(cells) != header.rows:
            raise _refuse("a column has another number of rows than the header says", f"columns.{name}")
    if max(columns["profile"]) >= len(header.profiles):
        raise _refuse("a row names a held profile that is not there", "columns.profile")
    if len(set(columns["event_uid"])) != header.rows:
        raise _refuse("two rows have the same event id", "columns.event_uid")
    _check_times(header, columns)
    _check_halves(columns)
    _check_text(columns)


def _check_times(header: BatchHeader, columns: Mapping[str, list[Any]]) -> None:
    latest = header.made_at + DAY
    for name in ("time", "end_time"):
        for row, value in enumerate(columns.get(name, ())):
            if value is not None and value > latest:
                raise _refuse("a time lies more than 24 hours ahead", f"columns.{name}[{row}]")


def _check_halves(columns: Mapping[str, list[Any]]) -> None:
    for name in ADDRESSES:
        high, low = columns.get(f"{name}_hi"), columns.get(f"{name}_lo")
        if high is None and low is None:
            continue
        if high is None or low is None or any((h is None) != (w is None) for h, w in zip(high, low, strict=True)):
            raise _refuse("half an address", f"columns.{name}")


def _check_text(columns: Mapping[str, list[Any]]) -> None:
    for name in TEXT_COLUMNS:
        if _CONTROL.search("".join(filter(None, columns.get(name, ())))):
            raise _refuse("a text holds control characters", f"columns.{name}")
    for name in LIST_COLUMNS:
        if _CONTROL.search("".join(chain.from_iterable(filter(None, columns.get(name, ()))))):
            raise _refuse("a text holds control characters", f"columns.{name}")


def _place(root: str, error: msgspec.DecodeError) -> str:
    """The path msgspec names, never the value."""
    path = re.search(r"`\$([\w.\[\]]*)`\Z", str(error))
    return root + (path[1] if path else "")
