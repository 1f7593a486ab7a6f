"""Packed logs: gzip and Parquet by their magic bytes, in bounded memory.

Rules held here: a damaged or cut archive gives everything up to the damage and says what is wrong; several members
behind each other are one stream; zero padding at the end is no damage.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

MAGIC: Final = b"\x1f\x8b"
PARQUET: Final = b"PAR1"
CHUNK: Final = 1 << 17
#: Rows of a Parquet file that are unpacked at a time.
ROWS: Final = 2_000
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
    """Whether these first bytes are of a file that has to be unpacked: gzip or Parquet."""
    return head.startswith((MAGIC, PARQUET))


class Unpacked:
    """The plain bytes of an open archive from its beginning; `damage` is set once they have been read.

    A Parquet file is unpacked into JSON lines, one a row.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.damage: Damage | None = None

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        magic = self._file.read(len(PARQUET))
        self._file.seek(0)
        yield from self._rows() if magic == PARQUET else self._members()

    def _members(self) -> Iterator[bytes]:
        gunzip = Gunzip()
        while data := self._file.read(CHUNK):
            yield from gunzip.feed(data)
        gunzip.finish()
        self.damage = gunzip.damage

    def _rows(self) -> Iterator[bytes]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            for batch in pq.ParquetFile(self._file).iter_batches(ROWS):
                yield b"".join(msgspec.json.encode(row) + b"\n" for row in batch.to_pylist())
        except (pa.ArrowException, OSError, ValueError, TypeError):
            self.damage = "archive_corrupt" if _ends_whole(self._file) else "archive_truncated"


def _ends_whole(file: BinaryIO) -> bool:
    """Whether a Parquet file has its end."""
    file.seek(-len(PARQUET), os.SEEK_END)
    return file.read() == PARQUET


class Chunks:
    """The plain bytes of a file, archive or not; `damage` is set once they have been read."""

    def __init__(self, path: Path, size: int = CHUNK) -> None:
        self._path = path
        self._size = size
        self.damage: Damage | None = None

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            if is_archive(file.read(len(PARQUET))):
                unpacked = Unpacked(file)
                yield from unpacked
                self.damage = unpacked.damage
                return
            file.seek(0)
            while data := file.read(self._size):
                yield data
