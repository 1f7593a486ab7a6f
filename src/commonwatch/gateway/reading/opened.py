"""One open input file: its bytes (plain or packed) through a Reader, from the mark on disk.

Rules held here: a file is what its inode and first bytes are, not what its name is; a file that became shorter or
begins differently is a new generation; a half last record is not taken before its file has ended, and is then counted
but not passed (`take_tail`), so that a record completed later is still read whole, once.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from commonwatch.gateway.journal import Mark
from commonwatch.gateway.keeping.originals import Original
from commonwatch.ingest.archives import MAGIC, Gunzip, Unpacked, is_archive
from commonwatch.ingest.outcome import Outcome, Quarantined
from commonwatch.ingest.reading import Reader, Resume
from commonwatch.ingest.source import Source

PORTION = 512 * 1024
HEAD = 1024
#: A shorter beginning says too little to recognise a file under another name.
TELLING = 256
#: Files of these kinds are on no disk of ours.
_NOT_SYNCED = frozenset({errno.EINVAL, errno.EROFS, errno.ENOSYS, errno.EOPNOTSUPP})


class Head(msgspec.Struct, frozen=True):
    """The first plain bytes of a file."""

    plain: bytes
    archive: bool

    def digest(self, size: int) -> bytes:
        """Fingerprint of the first `size` bytes."""
        return hashlib.sha256(self.plain[:size]).digest()[:16]

    def matches(self, mark: Mark) -> bool:
        """Whether the marked file began like this one."""
        return len(self.plain) >= mark.head_size and self.digest(mark.head_size) == mark.head


def head_of(file: BinaryIO) -> Head:
    """The beginning of an open file; its read position is not moved."""
    raw = os.pread(file.fileno(), 64 * 1024, 0)
    if not is_archive(raw):
        return Head(raw[:HEAD], archive=False)
    if not raw.startswith(MAGIC):
        return Head(raw[:HEAD], archive=True)
    plain = b""
    for piece in Gunzip().feed(raw):
        plain += piece
        if len(plain) >= HEAD:
            break
    return Head(plain[:HEAD], archive=True)


class Opened:
    """A file being read. `step()` gives outcomes until the end as it stands now, then None."""

    def __init__(self, path: Path, file: BinaryIO, mark: Mark, source: Callable[[Mark], Source]) -> None:
        self.path = path
        self.mark = mark
        self.inode = mark.inode
        self.damage: str | None = None
        self.ended_at: float | None = None
        #: its size when its end was reached
        self.size_read: int | None = None
        self.quiet_since: float | None = None
        self._file = file
        self._source = source
        self._head = head_of(file)
        self._reader = Reader(source(mark), self._resume())
        self._gave = self._reader
        self._file.seek(0 if self._head.archive else self._reader.position)
        self._pieces = self._plain() if self._head.archive else self._lines()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def archive(self) -> bool:
        """Whether it has to be unpacked."""
        return self._head.archive

    @property
    def size(self) -> int:
        """Its size on disk now."""
        return os.fstat(self._file.fileno()).st_size

    def step(self) -> list[Outcome] | None:
        """Outcomes of the next portion; None at the end of what is there."""
        piece = next(self._pieces, None)
        if piece is None:
            self.size_read = self._file.tell()
            if not self.archive:
                self._pieces = self._lines()
            return None
        self._gave = self._reader
        return self._reader.feed(piece)

    def originals(self) -> dict[int, Original]:
        """The records behind the outcomes given last, by position."""
        resume = self._gave.resume
        name, memory = resume.format or "", resume.memory
        return {position: Original(record, name, memory) for position, record in self._gave.records()}

    def uid(self, position: int) -> bytes:
        """The event id of the record at a position."""
        return self._gave.uid(position)

    def sync(self) -> None:
        """What was read is on disk when this returns: a power cut must not take back what a mark says was read."""
        try:
            os.fdatasync(self._file.fileno())
        except OSError as error:
            if error.errno not in _NOT_SYNCED:
                raise

    def renewed(self) -> bool:
        """Whether the file was cut or rewritten under us (copytruncate): a new generation."""
        if self.size < self._file.tell():
            return True
        now = head_of(self._file)
        same = now.plain[: len(self._head.plain)] == self._head.plain
        if same and len(now.plain) > len(self._head.plain):
            self._head = now
        return not same

    def take_tail(self, *, final: bool) -> list[Outcome]:
        """Outcomes of a last record that no newline ends.

        A half one is given only when `final`, and reading would still resume before it.
        """
        before, self._gave = self._reader.resume, self._reader
        outcomes = self._reader.finish()
        if not any(isinstance(o, Quarantined) for o in outcomes):
            return outcomes
        self._reader = Reader(self._source(self.mark), before)
        self._file.seek(before.position)
        self._pieces = self._lines() if not self.archive else iter(())
        return outcomes if final else []

    def marked(self, *, done: bool = False) -> Mark:
        """The mark to keep on disk for everything given out so far."""
        resume = self._reader.resume
        head_size = len(self._head.plain)
        mark = msgspec.structs.replace(
            self.mark,
            path=str(self.path),
            head_size=head_size,
            head=self._head.digest(head_size),
            position=resume.position,
            size=self.size if self.size_read is None else self.size_read,
            format=resume.format or "",
            state=msgspec.json.encode(resume),
            done=done,
        )
        self.mark = mark
        return mark

    def _lines(self) -> Iterator[bytes]:
        while data := self._file.read(PORTION):
            yield data

    def _resume(self) -> Resume:
        """Where to go on; after a stop inside an over-long line the rest of that line is no record of its own."""
        resume = resume_of(self.mark)
        if self.archive or resume.layout != "lines" or resume.position == 0:
            return resume
        self._file.seek(resume.position - 1)
        position = resume.position - 1
        while data := self._file.read(PORTION):
            if (end := data.find(b"\n")) >= 0:
                return msgspec.structs.replace(resume, position=position + end + 1)
            position += len(data)
        return msgspec.structs.replace(resume, position=max(position, resume.position))

    def _plain(self) -> Iterator[bytes]:
        """Plain bytes of an archive from the mark on; sets `damage` at the end."""
        unpacked, skip = Unpacked(self._file), self.mark.position
        for piece in unpacked:
            if skip < len(piece):
                yield piece[skip:]
            skip = max(0, skip - len(piece))
        self._file.seek(0, os.SEEK_END)
        self.damage = unpacked.damage


def resume_of(mark: Mark) -> Resume:
    """Where reading goes on."""
    return msgspec.json.decode(mark.state, type=Resume) if mark.state else Resume(mark.position)
