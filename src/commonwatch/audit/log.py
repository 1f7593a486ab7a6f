"""The audit log: entries appended to one file, flushed to disk in groups, replayed into a Merkle tree at start.

Rules held here:
- an entry number is given back only when the entry is on disk (fsync); threads that append at once share one flush;
- one line is one entry; a last line without its newline was never acknowledged and is cut off at start;
- at start the log must still agree with the last checkpoint we signed, or nothing opens (`SignatureError`);
- entries say who decided what under which clauses; they carry no member's values;
- everyone named in `org` and `concerns` may read the whole entry: name together only who may know of each other.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.audit import checkpoint as heads
from commonwatch.audit.checkpoint import Checkpoint
from commonwatch.audit.file import open_owned, replace_file, write_whole
from commonwatch.audit.merkle import Tree
from commonwatch.errors import InvalidInput, NotFound, SignatureError, Unavailable

_EXACT = 2**53 - 1


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What happened: kind such as `query`, `login`, `agreement-revoked`; who; for which organisation and purpose."""

    kind: str
    actor: str
    org: str
    purpose: str = ""
    concerns: tuple[str, ...] = ()
    detail: dict[str, Any] = {}
    at: int = 0


class _Parties(msgspec.Struct):
    org: str
    concerns: tuple[str, ...] = ()


class _Group:
    """Entries that share one flush; its first thread writes it."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.parties: list[tuple[str, ...]] = []
        self.first = 0
        self.failed = False
        self.done = threading.Event()


class AuditLog:
    """The log of one hub, in `folder`. Thread-safe; one process at a time."""

    def __init__(
        self, folder: Path, key: Ed25519PrivateKey, origin: str, *, clock: Callable[[], int] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._key, self._origin = key, origin
        self._clock = clock or (lambda: time.time_ns() // 1_000)
        self._head = folder / "checkpoint.json"
        self._tree, self._offsets = Tree(), array("Q", [0])
        self._of: dict[str, array[int]] = {}
        self._joining, self._writing, self._reading = threading.Lock(), threading.Lock(), threading.Lock()
        self._group, self._broken = _Group(), False
        self._file = open_owned(folder / "audit.log")
        try:
            self._replay()
            self._last = self._trusted_head()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._tree)

    def append(self, entry: Entry) -> int:
        """Write one entry; returns its number once it is on disk. `Unavailable` when it cannot be written."""
        return self.append_many((entry,))

    def append_many(self, entries: Sequence[Entry]) -> int:
        """Write entries in order, in one flush; returns the number of the first."""
        lines = [self._line(entry) for entry in entries]
        with self._joining:
            group, place = self._group, len(self._group.lines)
            group.lines += lines
            group.parties += [(entry.org, *entry.concerns) for entry in entries]
        if place == 0:
            self._write_group(group)
        group.done.wait()
        if group.failed:
            raise Unavailable("the audit log cannot be written", todo="free disk space, then restart the hub")
        return group.first + place

    def checkpoint(self) -> Checkpoint:
        """The signed head over everything on disk; the same one as long as nothing was added."""
        with self._reading:
            size = len(self._tree)
            if self._last is None or self._last.size != size:
                self._last = heads.sign(self._key, self._origin, size, self._tree.root(), self._clock())
                replace_file(self._head, msgspec.json.encode(self._last))
            return self._last

    def inclusion(self, entry: int, size: int) -> dict[str, Any]:
        """The proof that entry number `entry` is in the log of `size` entries, with the entry's hash."""
        with self._reading:
            if not 0 <= entry < size <= len(self._tree):
                raise NotFound("no such entry at that size", where="entry")
            path = self._tree.inclusion(entry, size)
            return {"entry": entry, "size": size, "leaf": self._tree.leaf(entry).hex(), "path": [p.hex() for p in path]}

    def consistency(self, first: int, second: int) -> dict[str, Any]:
        """The proof that the log of `second` entries continues the log of `first`."""
        with self._reading:
            if not 0 <= first <= second <= len(self._tree):
                raise NotFound("the log never had these two sizes", where="first")
            path = self._tree.consistency(first, second)
        return {"first": first, "second": second, "path": [p.hex() for p in path]}

    def entry(self, number: int) -> bytes:
        """The bytes of one entry, exactly as hashed."""
        with self._reading:
            if not 0 <= number < len(self._tree):
                raise NotFound("no such entry", where="entry")
            start, end = self._offsets[number], self._offsets[number + 1]
        return os.pread(self._file, end - start - 1, start)

    def entries(self, org: str, start: int = 0, limit: int = 100) -> list[tuple[int, bytes]]:
        """Entries that name this organisation, from number `start` on, oldest first."""
        with self._reading:
            numbers = [n for n in self._of.get(org, ()) if n >= start][:limit]
        return [(n, self.entry(n)) for n in numbers]

    def search(self, org: str, word: bytes, look: int = 100_000) -> list[tuple[int, bytes]]:
        """Of the newest `look` entries that name this organisation those that hold these bytes, oldest first."""
        with self._reading:
            numbers = list(self._of.get(org, ())[-look:])
        return [(n, line) for n in numbers if word in (line := self.entry(n))]

    def close(self) -> None:
        """Let go of the file. Entries were on disk already."""
        with self._writing:
            if not self._broken:
                self._broken = True
                os.close(self._file)

    def _line(self, entry: Entry) -> bytes:
        stamped = msgspec.structs.replace(entry, at=entry.at or self._clock())
        try:
            return rfc8785.dumps(_exact(msgspec.to_builtins(stamped))) + b"\n"
        except (rfc8785.CanonicalizationError, TypeError) as error:
            raise InvalidInput("an audit entry is not plain JSON", where=entry.kind) from error

    def _write_group(self, group: _Group) -> None:
        with self._writing:
            with self._joining:
                self._group = _Group()
            group.failed = True
            try:
                self._flush(group)
                group.failed = False
            finally:
                group.done.set()

    def _flush(self, group: _Group) -> None:
        if self._broken:
            raise Unavailable("the audit log is closed", todo="start the hub again")
        try:
            write_whole(self._file, b"".join(group.lines), self._offsets[-1])
        except OSError as error:
            self._undo_write()
            raise Unavailable(
                "the audit log cannot be written", todo="free disk space, then restart the hub"
            ) from error
        with self._reading:
            group.first = len(self._tree)
            for line, parties in zip(group.lines, group.parties, strict=True):
                self._take(line, parties)

    def _undo_write(self) -> None:
        """After a failed write the file ends where it did; when even that fails nothing more is accepted."""
        try:
            os.ftruncate(self._file, self._offsets[-1])
        except OSError:
            self._broken = True

    def _take(self, line: bytes, parties: tuple[str, ...]) -> None:
        number = self._tree.append(line[:-1])
        self._offsets.append(self._offsets[-1] + len(line))
        for org in sorted(set(parties)):
            self._of.setdefault(org, array("Q")).append(number)

    def _replay(self) -> None:
        with os.fdopen(os.dup(self._file), "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                try:
                    parties = msgspec.json.decode(line, type=_Parties)
                except msgspec.MsgspecError as error:
                    raise SignatureError("the audit log was changed", where=f"entry {len(self)}") from error
                self._take(line, (parties.org, *parties.concerns))
        os.ftruncate(self._file, self._offsets[-1])

    def _trusted_head(self) -> Checkpoint | None:
        if not self._head.exists():
            return None
        last = heads.decode(self._head.read_bytes(), heads.public_bytes(self._key))
        if last.size > len(self) or self._tree.root(last.size).hex() != last.root:
            raise SignatureError(
                "the audit log no longer matches the last checkpoint that was signed",
                where=f"the first {last.size} entries",
                todo="restore the log from a backup; members' checkpoints show what is missing",
            )
        return last


def _exact(value: Any) -> Any:
    """Numbers JSON readers would round (beyond 2^53) as text."""
    if isinstance(value, dict):
        return {str(key): _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    return str(value) if isinstance(value, int) and abs(value) > _EXACT else value
