"""ipcrypt over whole columns: one AES call per key and prefix length instead of one per address and bit.

Addresses are two signed 64-bit halves, IPv4 mapped (`events/address.py`). At each prefix length the distinct prefixes
are the run starts of the sorted column; their bit is found once and repeated over the run. Undoing walks the sorted
pseudonyms the same way: the top bits found so far are the plain prefix (`privacy.md` 12.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from commonwatch.privacy.pseudonym import ecb

if TYPE_CHECKING:
    import numpy.typing as npt

    Halves = npt.NDArray[np.int64]
    Words = npt.NDArray[np.uint64]
    Keys = tuple[bytes, bytes]

_V4_TOP = 0xFFFF


def blocks(hi: Halves, lo: Halves, key: bytes, *, undo: bool) -> tuple[Halves, Halves]:
    """AES of each address as one block: ipcrypt-deterministic."""
    packed = np.empty((len(hi), 2), dtype=">u8")
    packed[:, 0], packed[:, 1] = hi.view(np.uint64), lo.view(np.uint64)
    out = np.frombuffer(ecb(key, packed.tobytes(), undo=undo), dtype=">u8").reshape(-1, 2)
    return _signed(out[:, 0]), _signed(out[:, 1])


def walk(hi: Halves, lo: Halves, keys: Keys, *, undo: bool) -> tuple[Halves, Halves]:
    """ipcrypt-pfx of each address; IPv4 and IPv6 may be mixed."""
    out_hi, out_lo = hi.astype(np.int64), lo.astype(np.int64)
    v4 = (out_hi == 0) & ((out_lo >> 32) == _V4_TOP)
    if v4.any():
        out_lo[v4] = _walk_v4(out_lo[v4], keys, undo=undo)
    if not v4.all():
        out_hi[~v4], out_lo[~v4] = _walk_v6(out_hi[~v4], out_lo[~v4], keys, undo=undo)
    return out_hi, out_lo


def _walk_v4(lo: Halves, keys: Keys, *, undo: bool) -> Halves:
    distinct, inverse = np.unique(lo & 0xFFFFFFFF, return_inverse=True)
    top = distinct.astype(np.uint64) << np.uint64(32)
    mask, _ = _mask(top, np.zeros_like(top), 32, keys, undo=undo)
    shown = (top ^ mask) >> np.uint64(32)
    result: Halves = (shown.astype(np.int64) | (_V4_TOP << 32))[inverse]
    return result


def _walk_v6(hi: Halves, lo: Halves, keys: Keys, *, undo: bool) -> tuple[Halves, Halves]:
    high, low = hi.view(np.uint64), lo.view(np.uint64)
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    first = np.ones(len(high), dtype=bool)
    first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    one, two = high[first], low[first]
    mask_hi, mask_lo = _mask(one, two, 128, keys, undo=undo)
    inverse = np.empty(len(order), dtype=np.int64)
    inverse[order] = np.cumsum(first) - 1
    return _signed((one ^ mask_hi)[inverse]), _signed((two ^ mask_lo)[inverse])


def _mask(hi: Words, lo: Words, bits: int, keys: Keys, *, undo: bool) -> tuple[Words, Words]:
    """The bits to flip, left-aligned, for sorted distinct left-aligned values of `bits` bits."""
    mask_hi, mask_lo = np.zeros_like(hi), np.zeros_like(lo)
    change_hi, change_lo = hi[1:] ^ hi[:-1], lo[1:] ^ lo[:-1]
    for n in range(bits):
        starts = _starts(change_hi, change_lo, n)
        plain_hi, plain_lo = hi[starts], lo[starts]
        if undo:
            plain_hi, plain_lo = plain_hi ^ mask_hi[starts], plain_lo ^ mask_lo[starts]
        bit = _bits(*_query(plain_hi, plain_lo, n, bits), keys)
        flips = np.repeat(bit, np.diff(starts, append=len(hi)))
        if n < 64:
            mask_hi |= flips << np.uint64(63 - n)
        else:
            mask_lo |= flips << np.uint64(127 - n)
    return mask_hi, mask_lo


def _starts(change_hi: Words, change_lo: Words, n: int) -> npt.NDArray[np.int64]:
    """Where a new prefix of n bits begins, from the differences of sorted neighbours."""
    top_hi, top_lo = _top(change_hi, change_lo, n)
    return np.concatenate(([0], np.flatnonzero((top_hi | top_lo) != 0) + 1)).astype(np.int64)


def _top(hi: Words, lo: Words, n: int) -> tuple[Words, Words]:
    """The first n bits as a 128-bit number. Shifts by 64 are undefined, hence the cases."""
    zero = np.zeros_like(hi)
    if n == 0:
        return zero, zero
    if n <= 64:
        return zero, hi >> np.uint64(64 - n)
    return hi >> np.uint64(128 - n), (hi << np.uint64(n - 64)) | (lo >> np.uint64(128 - n))


def _query(hi: Words, lo: Words, n: int, bits: int) -> tuple[Words, Words]:
    """The block of each prefix: a one bit, then the prefix (for IPv4 behind the mapped prefix)."""
    top_hi, top_lo = _top(hi, lo, n)
    if bits == 32:
        return top_hi | np.uint64(1 << (32 + n)), top_lo | np.uint64(_V4_TOP << n)
    if n < 64:
        return top_hi, top_lo | np.uint64(1 << n)
    return top_hi | np.uint64(1 << (n - 64)), top_lo


def _bits(hi: Words, lo: Words, keys: Keys) -> Words:
    """The lowest bit of AES under both keys, combined, per block."""
    packed = np.empty((len(hi), 2), dtype=">u8")
    packed[:, 0], packed[:, 1] = hi, lo
    data = packed.tobytes()
    one, two = (np.frombuffer(ecb(key, data), dtype=np.uint8)[15::16] for key in keys)
    return ((one ^ two) & 1).astype(np.uint64)


def _signed(words: npt.NDArray[np.uint64]) -> Halves:
    return words.astype(np.uint64).view(np.int64)
