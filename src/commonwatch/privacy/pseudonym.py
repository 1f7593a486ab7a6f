"""Pseudonyms: keys per (owner, recipient, namespace, epoch), address tokens and identity tokens.

Rules held here (`privacy.md` 12):
- a key is HKDF-SHA256 of the owner's key over length-prefixed parts, so that no two recipients, epochs, releases,
  namespaces or owners ever match, and no two lists of parts spell the same input;
- address tokens follow ipcrypt (draft-denis-ipcrypt): `pfx` keeps equal prefixes, `det` keeps equality only;
- identity tokens are keyed BLAKE2s cut to 80 bits, written `<namespace>_<16 lower-case base32 characters>`;
- a token is never mistaken for a value: addresses are printed `pfx:...` or `det:...`.

Arrays need numpy, which is imported only when a function on arrays is called: a gateway uses the `_one` functions.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from commonwatch.events import rungs
from commonwatch.events.address import V4_BASE, Address, from_packed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Halves = npt.NDArray[np.int64]

Namespace = Literal["ip", "ip-internal", "user", "host", "mail", "path", "owner", "sensor", "event"]
_VERSION = b"commonwatch-pseudonym-1"
#: How long a reader's, or a community's, pseudonyms stay the same, in microseconds.
READER_EPOCH = 28 * rungs.DAY


def epoch_of(at: int) -> int:
    """The number of the epoch that holds an instant (microseconds UTC since 1970)."""
    return (at - rungs.ANCHOR) // READER_EPOCH


def derive(
    key: bytes, recipient: str, namespace: Namespace, epoch: int | str, *, owner: str = "", length: int = 32
) -> bytes:
    """The key for one recipient, namespace and epoch under an owner's key (`privacy.md` 12.3).

    `recipient` and `epoch` are what the linkage fills in: a release id and 0; a reader organisation and its epoch; a
    community and its epoch. `pfx` takes 32 bytes, `det` takes 16 (`length=16`); the length is part of the input.
    """
    parts = (_VERSION, owner.encode(), recipient.encode(), namespace.encode(), str(epoch).encode(), b"%d" % length)
    info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return HKDF(SHA256(), length, salt=None, info=info).derive(key)


def pfx_keys(key: bytes) -> tuple[bytes, bytes]:
    """The two AES-128 keys of a 32-byte `pfx` key; equal halves would make every pseudonym its own address."""
    if len(key) != 32 or key[:16] == key[16:]:
        raise ValueError("a pfx key is 32 bytes with two different halves")
    return key[:16], key[16:]


def ecb(key: bytes, blocks: bytes, *, undo: bool = False) -> bytes:
    """AES-128 of each 16-byte block (the building block of ipcrypt, never used on text)."""
    if len(key) != 16:
        raise ValueError("an AES key here is 16 bytes")
    cipher = Cipher(algorithms.AES128(key), modes.ECB())  # noqa: S305 - single blocks, as ipcrypt specifies
    context = cipher.decryptor() if undo else cipher.encryptor()
    return context.update(blocks)


def pfx(hi: Halves, lo: Halves, key: bytes, *, undo: bool = False) -> tuple[Halves, Halves]:
    """Prefix-preserving pseudonyms of addresses given as signed halves (int64 arrays); `undo` gives them back.

    IPv4 (mapped) stays IPv4. Equal addresses and equal prefixes stay so.
    """
    from commonwatch.privacy import prefix

    return prefix.walk(hi, lo, pfx_keys(key), undo=undo)


def det(hi: Halves, lo: Halves, key: bytes, *, undo: bool = False) -> tuple[Halves, Halves]:
    """Deterministic pseudonyms (16 bytes as signed halves) of addresses; `undo` gives them back. 16-byte key."""
    from commonwatch.privacy import prefix

    return prefix.blocks(hi, lo, key, undo=undo)


def pfx_one(address: Address, key: bytes) -> Address:
    """`pfx` of one address, without numpy."""
    first, second = pfx_keys(key)
    bits, base = (32, 96) if address.is_v4 else (128, 0)
    mark = 0xFFFF if address.is_v4 else 0
    value = address.lo & 0xFFFFFFFF if address.is_v4 else int.from_bytes(address.packed, "big")
    queries = b"".join(
        ((1 << (base + n)) | (mark << n) | (value >> (bits - n))).to_bytes(16, "big") for n in range(bits)
    )
    one, two = ecb(first, queries)[15::16], ecb(second, queries)[15::16]
    for n in range(bits):
        value ^= ((one[n] ^ two[n]) & 1) << (bits - 1 - n)
    return Address(0, V4_BASE | value) if address.is_v4 else from_packed(value.to_bytes(16, "big"))


def pfx_one_back(token: Address, key: bytes) -> Address:
    """The address behind one `pfx` token."""
    first, second = pfx_keys(key)
    bits, base = (32, 96) if token.is_v4 else (128, 0)
    mark = 0xFFFF if token.is_v4 else 0
    shown = token.lo & 0xFFFFFFFF if token.is_v4 else int.from_bytes(token.packed, "big")
    value = 0
    for n in range(bits):
        query = ((1 << (base + n)) | (mark << n) | value).to_bytes(16, "big")
        flip = (ecb(first, query)[15] ^ ecb(second, query)[15]) & 1
        value = (value << 1) | (((shown >> (bits - 1 - n)) & 1) ^ flip)
    return Address(0, V4_BASE | value) if token.is_v4 else from_packed(value.to_bytes(16, "big"))


def det_one(address: Address, key: bytes, *, undo: bool = False) -> Address:
    """`det` of one address, without numpy: 16 bytes as an `Address` (`.packed` for the bytes)."""
    return from_packed(ecb(key, address.packed, undo=undo))


def pfx_text(token: Address) -> str:
    """How a `pfx` token is printed."""
    return f"pfx:{token}"


def det_text(token: Address) -> str:
    """How a `det` token is printed."""
    return f"det:{token.packed.hex()}"


def normalise(value: str) -> str:
    """What is hashed: NFC, case folded, without surrounding blanks and the trailing dot."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold()).strip().rstrip(".")


@lru_cache(maxsize=64)
def _keyed(key: bytes, namespace: str) -> hashlib.blake2s:
    return hashlib.blake2s(key=key, digest_size=10, person=namespace.encode()[:8])


def identity_one(value: str, key: bytes, namespace: Namespace) -> str:
    """The token of one name, such as `user_k3j5x2m7q4w6z2ab`. 32-byte key."""
    state = _keyed(key, namespace).copy()
    state.update(normalise(value).encode("utf-8", "surrogatepass"))
    return f"{namespace}_{base64.b32encode(state.digest()).decode().lower()}"


def identity(values: Iterable[str | None], key: bytes, namespace: Namespace) -> list[str | None]:
    """Tokens of many names, distinct ones hashed once; None stays None."""
    seen: dict[str | None, str | None] = {None: None}
    result = []
    for value in values:
        if value not in seen and value is not None:
            seen[value] = identity_one(value, key, namespace)
        result.append(seen[value])
    return result


def mailbox_one(value: str, key: bytes, *, domain: bool) -> str:
    """The token of a mailbox; with `domain` it is `<token>@<its domain>`. The token covers the whole mailbox."""
    token = identity_one(value, key, "mail")
    host = value.rpartition("@")[2].strip().rstrip(".").lower() if "@" in value else ""
    return f"{token}@{host}" if domain and host else token


def mailbox(values: Iterable[str | None], key: bytes, *, domain: bool) -> list[str | None]:
    """Tokens of many mailboxes; None stays None."""
    return [None if value is None else mailbox_one(value, key, domain=domain) for value in values]
