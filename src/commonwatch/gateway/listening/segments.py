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
        self._dirty: set[str] = set()
        self._lock = threading.Lock()
        self._bytes = sum(p.stat().st_size for p in folder.iterdir())

    @property
    def full(self) -> bool:
        """Whether nothing more can be taken in for now."""
        return self._bytes >= self._most

    def put(self, name: str, messages: Iterable[bytes]) -> None:
        """Append messages to the newest segment of a format; not yet synced."""
        data = b"".join(m.replace(b"\n", _SEPARATOR) + b"\n" for m in messages)
        if not data:
            return
        with self._lock:
            file = self._open.get(name)
            if file is None or file.tell() >= self._each:
                file = self._renew(name)
            file.write(data)
            self._bytes += len(data)
            self._dirty.add(name)

    def sync(self) -> None:
        """Everything put so far is on disk when this returns."""
        with self._lock:
            for name in self._dirty:
                self._open[name].flush()
                os.fsync(self._open[name].fileno())
            self._dirty.clear()

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
        if (old := self._open.pop(name, None)) is not None:
            old.flush()
            os.fsync(old.fileno())
            old.close()
        mark = secrets.token_hex(32)
        path = self.folder / f"{name}.{mark[:16]}.log"
        file = path.open("xb")
        path.chmod(0o600)
        file.write(f"# {mark} messages received by a listener, as they came\n".encode())
        self._bytes += file.tell()
        self._open[name] = file
        return file
