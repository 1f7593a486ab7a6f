"""Compressed archives of logs: gzip by its magic bytes, in bounded memory.

Rules held here: a damaged or cut archive gives everything up to the damage and says what is wrong; several members
behind each other are one stream; zero padding at the end is no damage.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

MAGIC: Final = b"\x1f\x8b"
CHUNK: Final = 1 << 17
Damage = Literal["archive_truncated", "archive_corrupt"]


class Gunzip:
    """Portions of gzip bytes to portions of plain bytes."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False
        self.damage: Damage | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Plain bytes, at most `CHUNK` at a time. After damage nothing more comes."""
        while data and self.damage is None:
            if not self._begun:
                data = data.lstrip(b"\x00")
                if not data:
                    return
            try:
                plain = self._member.decompress(data, CHUNK)
            except zlib.error:
                self.damage = "archive_corrupt"
                return
            self._begun = True
            if plain:
                yield plain
            data = self._member.unconsumed_tail or self._member.unused_data
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=31)
                self._begun = False

    def finish(self) -> None:
        """The archive has ended; a member that has not is damage."""
        if self._begun and self.damage is None:
            self.damage = "archive_truncated"


def is_archive(head: bytes) -> bool:
    """Whether these first bytes are a gzip archive."""
    return head.startswith(MAGIC)


class Chunks:
    """The plain bytes of a file, archive or not; `damage` is set once they have been read."""

    def __init__(self, path: Path, size: int = CHUNK) -> None:
        self._path = path
        self._size = size
        self.damage: Damage | None = None

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            first = file.read(self._size)
            gunzip = Gunzip() if is_archive(first) else None
            data = first
            while data:
                if gunzip is None:
                    yield data
                else:
                    yield from gunzip.feed(data)
                data = file.read(self._size)
            if gunzip is not None:
                gunzip.finish()
                self.damage = gunzip.damage
