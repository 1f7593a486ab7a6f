"""The few file operations the log stands on: one owner, whole writes, atomic replacement. POSIX only."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from commonwatch.errors import Conflict


def open_owned(path: Path) -> int:
    """A descriptor to read and write a file no other process has open this way (`Conflict`)."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Conflict("another process writes this audit log", where=path.name, todo="stop the other hub") from error
    _sync_folder(path.parent)
    return descriptor


def write_whole(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset` and flush it to disk."""
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done
    os.fsync(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a crash leaves the old or the new content, never a mixture."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
