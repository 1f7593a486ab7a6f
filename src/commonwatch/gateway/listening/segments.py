"""Received messages on disk, before anything looks into them: one append-only file a format, cut into segments.

Rules held here: what was acknowledged to a sender is synced; the gateway reads segments like any log, so that offsets,
crashes and ids are those of files; a segment is deleted only when it was read to its end and the reading is committed;
above its bound nothing is taken in any more, and whoever sends is told. A message is one line: line breaks inside it
become record separators, which readers drop.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from commonwatch.gateway.journal import Mark

SEGMENT = 8 << 20
_SEPARATOR = b"\x1e"


class Segments:
    """A folder of segments. Safe from several threads."""

    def __init__(self, folder: Path, most: int, each: int = SEGMENT) -> None:
        """`most` bytes are kept at most (somewhat more while a segment is open); `each` bytes a segment."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder = folder
        self._most, self._each = most, each
        self._open: dict[str, BinaryIO] = {}
        self._waiting: dict[str, bytearray] = {}
        self._lock = threading.Lock()
        self._bytes = sum(p.stat().st_size for p in folder.iterdir())

    @property
    def full(self) -> bool:
        """Whether nothing more can be taken in for now."""
        return self._bytes >= self._most

    def put(self, name: str, messages: Iterable[bytes]) -> None:
        """Append messages to a format's; they are written by the next `sync`."""
        data = b"".join(m.replace(b"\n", _SEPARATOR) + b"\n" for m in messages)
        if data:
            with self._lock:
                self._waiting.setdefault(name, bytearray()).extend(data)
                self._bytes += len(data)

    def sync(self) -> None:
        """Everything put so far is on disk when this returns. Raises OSError: then none of it counts as taken."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            for name, data in waiting.items():
                try:
                    self._write(name, data)
                except OSError:
                    self._bytes -= sum(map(len, waiting.values()))
                    self._leave(name)
                    raise

    def _write(self, name: str, data: bytearray) -> None:
        file = self._open.get(name)
        if file is None or file.tell() >= self._each:
            file = self._renew(name)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())

    def _leave(self, name: str) -> None:
        """After a fault nobody knows what of a segment is on disk: the next messages go to a new one."""
        if (file := self._open.pop(name, None)) is not None:
            with suppress(OSError):
                file.close()

    def drop_read(self, marks: Sequence[Mark]) -> list[int]:
        """Delete older segments whose every byte was read and committed; the ids of their marks."""
        read = {Path(m.path): m for m in marks if m.position >= m.size}
        with self._lock:
            current = {Path(file.name) for file in self._open.values()}
            gone: list[int] = []
            for path in sorted(self.folder.iterdir()):
                mark = read.get(path)
                size = path.stat().st_size
                if mark is not None and path not in current and mark.position >= size:
                    path.unlink()
                    self._bytes -= size
                    gone.append(mark.id)
        return gone

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        with self._lock:
            for file in self._open.values():
                file.close()
            self._open.clear()

    def _renew(self, name: str) -> BinaryIO:
        """A new segment. Its first line tells it apart from every other one, whatever messages follow."""
        self._leave(name)
        mark = secrets.token_hex(32)
        path = self.folder / f"{name}.{mark[:16]}.log"
        file = self._open[name] = path.open("xb")
        path.chmod(0o600)
        file.write(f"# {mark} messages received by a listener, as they came\n".encode())
        self._bytes += file.tell()
        return file
