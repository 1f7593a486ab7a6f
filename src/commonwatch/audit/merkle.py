"""The Merkle tree of the audit log (RFC 6962): roots of any past size, inclusion and consistency proofs.

Rule held here: the tree only grows. Hashes of complete subtrees are kept per level (64 bytes an entry in all), so an
append costs two hashes on average and a root or a proof O(log n) to O(log² n).
"""

from __future__ import annotations

from commonwatch.audit.verify import EMPTY_ROOT, leaf_hash, node_hash

_HASH = 32


class Tree:
    """An append-only Merkle tree over leaf hashes."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]

    def __len__(self) -> int:
        return len(self._levels[0]) // _HASH

    def append(self, entry: bytes) -> int:
        """Add an entry; returns its number."""
        number = len(self)
        value, index = leaf_hash(entry), number
        self._levels[0] += value
        level = 0
        while index & 1:
            value = node_hash(self._node(level, index - 1), value)
            index, level = index >> 1, level + 1
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += value
        return number

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` entries (all by default)."""
        size = len(self) if size is None else self._checked(size)
        return self._over(0, size) if size else EMPTY_ROOT

    def leaf(self, entry: int) -> bytes:
        """The hash of one entry."""
        return self._node(0, self._checked(entry + 1) - 1)

    def inclusion(self, entry: int, size: int) -> list[bytes]:
        """The audit path of an entry in the tree of `size` entries (RFC 6962 2.1.1)."""
        if not 0 <= entry < self._checked(size):
            raise IndexError("no such entry")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if entry < middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, first: int, second: int) -> list[bytes]:
        """The proof that the tree of `second` entries begins with that of `first` (RFC 6962 2.1.2)."""
        if not 0 <= first <= self._checked(second):
            raise IndexError("no such size")
        if first in (0, second):
            return []
        path: list[bytes] = []
        start, end, known = 0, second, True
        while first - start != end - start:
            middle = start + _split(end - start)
            if first <= middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(start, middle))
                start, known = middle, False
        if not known:
            path.append(self._over(start, end))
        return path[::-1]

    def _node(self, level: int, index: int) -> bytes:
        return bytes(self._levels[level][index * _HASH : (index + 1) * _HASH])

    def _over(self, start: int, end: int) -> bytes:
        """The root over entries [start, end), where start is a multiple of a power of two covering the range."""
        size = end - start
        if size & (size - 1) == 0:
            level = size.bit_length() - 1
            return self._node(level, start >> level)
        middle = start + _split(size)
        return node_hash(self._over(start, middle), self._over(middle, end))

    def _checked(self, size: int) -> int:
        if not 0 <= size <= len(self):
            raise IndexError("beyond the log")
        return size


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
