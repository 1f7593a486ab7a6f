"""Non-deterministic ipcrypt over whole columns: `nd` (KIASU-BC) and `ndx` (AES-XTS), a fresh tweak for each value.

Rules held here (draft-denis-ipcrypt): nothing stays linkable, the key holder can undo all; a token is the tweak and
then 16 bytes of cipher, so 24 bytes for `nd` and 32 for `ndx`; tweaks come from the system's generator unless they are
given (vectors); prefer `ndx`, whose tweaks practically never repeat. KIASU-BC mixes the tweak into every round key,
which no AES black box offers: it is written out with four 256-entry tables over numpy columns.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import numpy.typing as npt

from commonwatch.privacy.pseudonym import ecb, pfx_keys

Halves = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint32]

_WORD = np.dtype("<u4")
_ROUNDS, _CHUNK = 10, 1 << 15
_MIX = ((2, 3, 1, 1), (1, 2, 3, 1), (1, 1, 2, 3), (3, 1, 1, 2))
_UNMIX = ((14, 11, 13, 9), (9, 14, 11, 13), (13, 9, 14, 11), (11, 13, 9, 14))


def nd(hi: Halves, lo: Halves, key: bytes, tweaks: bytes | None = None) -> Bytes:
    """KIASU-BC tokens of addresses given as signed halves, shape (n, 24). 16-byte key, 8 bytes of tweak for each."""
    tweak = _tweaks(len(hi), 8, tweaks)
    return np.hstack([tweak, _chunked(_forward, _packed(hi, lo), tweak, key)])


def nd_back(tokens: Bytes, key: bytes) -> tuple[Halves, Halves]:
    """The addresses behind `nd` tokens, shape (n, 24)."""
    tokens = _shaped(tokens, 24)
    return _halves(_chunked(_backward, tokens[:, 8:], tokens[:, :8], key))


def ndx(hi: Halves, lo: Halves, key: bytes, tweaks: bytes | None = None) -> Bytes:
    """AES-XTS tokens of addresses given as signed halves, shape (n, 32). 32-byte key, 16 bytes of tweak for each."""
    tweak = _tweaks(len(hi), 16, tweaks)
    return np.hstack([tweak, _xts(_packed(hi, lo), tweak, key, undo=False)])


def ndx_back(tokens: Bytes, key: bytes) -> tuple[Halves, Halves]:
    """The addresses behind `ndx` tokens, shape (n, 32)."""
    tokens = _shaped(tokens, 32)
    return _halves(_xts(tokens[:, 16:], tokens[:, :16], key, undo=True))


def _tweaks(n: int, size: int, given: bytes | None) -> Bytes:
    data = secrets.token_bytes(n * size) if given is None else given
    if len(data) != n * size:
        raise ValueError(f"each address needs {size} bytes of tweak")
    return np.frombuffer(data, np.uint8).reshape(n, size)


def _shaped(tokens: Bytes, width: int) -> Bytes:
    if tokens.ndim != 2 or tokens.shape[1] != width:
        raise ValueError(f"a token has {width} bytes")
    return tokens.astype(np.uint8, copy=False)


def _packed(hi: Halves, lo: Halves) -> Bytes:
    words = np.empty((len(hi), 2), dtype=">u8")
    words[:, 0], words[:, 1] = hi.view(np.uint64), lo.view(np.uint64)
    return words.view(np.uint8)


def _halves(packed: Bytes) -> tuple[Halves, Halves]:
    words = np.ascontiguousarray(packed).view(">u8").astype(np.uint64).view(np.int64)
    return words[:, 0].copy(), words[:, 1].copy()


def _xts(blocks: Bytes, tweak: Bytes, key: bytes, *, undo: bool) -> Bytes:
    """C = AES_K1(P xor T) xor T with T = AES_K2(tweak): XTS of one block."""
    first, second = pfx_keys(key)
    mask = np.frombuffer(ecb(second, tweak.tobytes()), np.uint8).reshape(-1, 16)
    inner = np.frombuffer(ecb(first, (blocks ^ mask).tobytes(), undo=undo), np.uint8).reshape(-1, 16)
    return inner ^ mask


def _chunked(cipher: Any, blocks: Bytes, tweak: Bytes, key: bytes) -> Bytes:
    """Blocks through KIASU-BC in chunks that stay in the cache."""
    keys = _round_keys(key)
    padded = np.zeros((len(blocks), 4, 4), np.uint8)
    padded[:, :, :2] = tweak.reshape(-1, 4, 2)
    mask = padded.view(_WORD).reshape(-1, 4)
    state = np.ascontiguousarray(blocks).view(_WORD).reshape(-1, 4)
    parts = [cipher(state[at : at + _CHUNK], mask[at : at + _CHUNK], keys) for at in range(0, len(state), _CHUNK)]
    whole = np.concatenate(parts) if parts else np.empty((0, 4), _WORD)
    return whole.view(np.uint8).reshape(-1, 16)


def _forward(state: Words, mask: Words, keys: Words) -> Words:
    state = state ^ keys[0] ^ mask
    for n in range(1, _ROUNDS):
        state = _looked_up(_FORWARD, state, 1) ^ keys[n] ^ mask
    last: Words = _looked_up(_LAST, state, 1) ^ keys[_ROUNDS] ^ mask
    return last


def _backward(state: Words, mask: Words, keys: Words) -> Words:
    """The equivalent inverse cipher (FIPS 197, 5.3.5): keys and tweaks go through the inverse mix."""
    state = state ^ keys[_ROUNDS] ^ mask
    mixed_mask, mixed_keys = _looked_up(_UNMIXED, mask, 0), _looked_up(_UNMIXED, keys, 0)
    for n in range(_ROUNDS - 1, 0, -1):
        state = _looked_up(_BACKWARD, state, -1) ^ mixed_keys[n] ^ mixed_mask
    last: Words = _looked_up(_LAST_BACK, state, -1) ^ keys[0] ^ mask
    return last


def _looked_up(tables: Words, state: Words, shift: int) -> Words:
    """One round without its key: byte b of column j comes from column j + shift b, through table b."""
    parts = np.ascontiguousarray(state).view(np.uint8).reshape(-1, 4, 4)
    out = np.empty_like(state)
    for j in range(4):
        column = tables[0][parts[:, j, 0]]
        for b in range(1, 4):
            column ^= tables[b][parts[:, (j + shift * b) % 4, b]]
        out[:, j] = column
    return out


def _round_keys(key: bytes) -> Words:
    """AES-128 key expansion (FIPS 197, 5.2), shape (11, 4)."""
    if len(key) != 16:
        raise ValueError("an nd key is 16 bytes")
    words, constant = [key[i : i + 4] for i in range(0, 16, 4)], 1
    for n in range(4, 4 * (_ROUNDS + 1)):
        last = words[-1]
        if n % 4 == 0:
            last = bytes(_SBOX[b] for b in last[1:] + last[:1])
            last = bytes([last[0] ^ constant]) + last[1:]
            constant = _times(constant, 2)
        words.append(bytes(a ^ b for a, b in zip(words[-4], last, strict=True)))
    return np.frombuffer(b"".join(words), _WORD).reshape(-1, 4)


def _times(a: int, b: int) -> int:
    """Product in GF(2^8) of AES."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def _make_sbox() -> bytes:
    """The inverse in GF(2^8), then the affine map (FIPS 197, 5.1.1)."""
    powers = [1]
    while (power := _times(powers[-1], 3)) != 1:
        powers.append(power)
    inverse = {0: 0} | {p: powers[-n % 255] for n, p in enumerate(powers)}
    rotated = [[((inverse[x] << k) | (inverse[x] >> (8 - k))) & 0xFF for k in range(5)] for x in range(256)]
    return bytes(0x63 ^ r[0] ^ r[1] ^ r[2] ^ r[3] ^ r[4] for r in rotated)


def _tables(box: bytes, matrix: tuple[tuple[int, ...], ...]) -> Words:
    """Table b: the substituted byte times column b of the matrix, as one little-endian word; shape (4, 256)."""
    rows = [bytes(_times(box[x], matrix[r][b]) for r in range(4)) for b in range(4) for x in range(256)]
    return np.frombuffer(b"".join(rows), _WORD).reshape(4, 256)


_SBOX = _make_sbox()
_INVERSE = bytes(_SBOX.index(x) for x in range(256))
_PLAIN = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))
_FORWARD, _LAST = _tables(_SBOX, _MIX), _tables(_SBOX, _PLAIN)
_BACKWARD, _LAST_BACK = _tables(_INVERSE, _UNMIX), _tables(_INVERSE, _PLAIN)
_UNMIXED = _tables(bytes(range(256)), _UNMIX)
