"""A checkpoint: the signed head of the audit log at one moment. Members keep it; it binds every entry before it.

The signature is Ed25519 by the hub's audit key over origin, size, root and time (`verify.checkpoint_bytes`). Checking
needs the standard library only and lives in `verify.py`.
"""

from __future__ import annotations

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from commonwatch.audit.verify import checkpoint_bytes, verify_checkpoint
from commonwatch.errors import InvalidInput, SignatureError


class Checkpoint(msgspec.Struct, frozen=True):
    """origin: the hub's name; root, key and signature in hex; time in microseconds since 1970 UTC."""

    origin: str
    size: int
    root: str
    time: int
    key: str
    signature: str


def sign(key: Ed25519PrivateKey, origin: str, size: int, root: bytes, time: int) -> Checkpoint:
    """Sign a head."""
    if "\n" in origin:
        raise InvalidInput("a log's name has one line", where="origin")
    signature = key.sign(checkpoint_bytes(origin, size, root.hex(), time))
    return Checkpoint(origin, size, root.hex(), time, public_bytes(key).hex(), signature.hex())


def decode(data: bytes, key: bytes) -> Checkpoint:
    """A checkpoint from JSON, its signature checked with the pinned 32-byte key."""
    try:
        checkpoint = msgspec.json.decode(data, type=Checkpoint)
    except msgspec.MsgspecError as error:
        raise InvalidInput("a checkpoint is not well formed", todo="ask the hub again") from error
    if not verify_checkpoint(msgspec.structs.asdict(checkpoint), key):
        raise SignatureError(
            "a checkpoint is not signed by the hub's audit key", todo="keep it and tell your community"
        )
    return checkpoint


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of the public half."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
