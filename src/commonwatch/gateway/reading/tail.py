"""Which files to read, and which file is which: directories, rotation, copies, archives, truncation.

Rules held here: every byte of a log is read once, whatever it is called now. A renamed file keeps its inode; a copied
or compressed one is known by its beginning and its name, and is read on from where its original ended, never beside
it; a file cut short in place is a new generation. What was rotated away before an input was first looked at is passed
by; what came and was rotated away since, while nobody read, is read whole. Files that are read to their end and
unchanged are not opened again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from commonwatch.gateway.journal import Mark
from commonwatch.gateway.reading.opened import TELLING, Head, Opened, head_of
from commonwatch.ingest.source import Source

_INODE = (1 << 63) - 1
#: Seconds a file outside the inputs (rotated away) is still watched for late lines.
GRACE = 2.0
#: Files read at the same time; the others wait their turn.
MOST_OPEN = 64
#: What rotation puts behind a log's name.
_ROTATED = re.compile(r"[.-]\d[\d._-]*(\.(gz|bz2|xz|zst|zip))?\Z")


class Found(NamedTuple):
    """A file in reach. `named`: it is an input itself, not only a sibling of one."""

    path: Path
    inode: int
    size: int
    changed: int
    named: bool


class Tail:
    """All inputs of a gateway. `scan()` opens what is new and tells what was closed; `opened` is what can be read."""

    def __init__(
        self, inputs: Sequence[Path], marks: Sequence[Mark], source: Callable[[Mark], Source], next_mark: int
    ) -> None:
        self.opened: list[Opened] = []
        #: whether files wait because enough are open
        self.behind = False
        self._inputs = [path.absolute() for path in inputs]
        self._source = source
        self._marks = {mark.id: mark for mark in marks}
        #: whether an input was looked at for the first time, and marks of files that are passed by: to be kept
        self.began = False
        self.passed: list[Mark] = []
        looked_at = {mark.source for mark in marks}
        self._new = {path for path in self._inputs if str(path) not in looked_at}
        self._next = next_mark
        self._settled: dict[int, tuple[int, int]] = {}

    def scan(self, now: float) -> None:
        """Look at the inputs again; `now` is monotonic seconds."""
        found = {f.inode: f for f in sorted(self._found(), key=lambda f: (f.named, str(f.path)))}
        for opened in self.opened:
            self._marks[opened.mark.id] = opened.marked()
            here = found.get(opened.inode)
            if here is not None:
                opened.path, opened.ended_at = here.path, None
            elif opened.ended_at is None:
                opened.ended_at = now + GRACE
        for f in found.values() if self._new else ():
            self._pass_by(f)
        self.began = self.began or bool(self._new)
        self._new.clear()
        self.behind = False
        busy = {o.inode for o in self.opened}
        for f in sorted(found.values(), key=lambda f: (f.changed, str(f.path))):
            if f.inode in busy or self._settled.get(f.inode) == (f.size, f.changed):
                continue
            if len(self.opened) >= MOST_OPEN:
                self.behind = True
                break
            self._open(f, found)

    def settle(self, opened: Opened, mark: Mark) -> None:
        """Close a file that is done; it is opened again when it changes."""
        stat = os.stat(opened.path) if opened.path.exists() else None
        if stat is not None and stat.st_ino & _INODE == opened.inode and stat.st_size == mark.size:
            self._settled[opened.inode] = (stat.st_size, stat.st_mtime_ns)
        self.release(opened, mark)

    def release(self, opened: Opened, mark: Mark) -> None:
        """Close a file whatever its state, and remember how far it was read."""
        self._marks[mark.id] = mark
        opened.close()
        self.opened.remove(opened)

    def close(self) -> None:
        """Close everything."""
        for opened in self.opened:
            opened.close()
        self.opened = []

    def _found(self) -> Iterator[Found]:
        for path in self._inputs:
            folder = path if path.is_dir() else path.parent
            for entry in _entries(folder):
                named = path.is_dir() or entry.name == path.name
                if named or entry.name.startswith(path.name):
                    stat = entry.stat()
                    yield Found(Path(entry.path), stat.st_ino & _INODE, stat.st_size, stat.st_mtime_ns, named)

    def _open(self, found: Found, others: dict[int, Found]) -> None:
        """Open a file if it has something that was not read yet."""
        try:
            file = found.path.open("rb", buffering=0)
        except OSError:
            return
        head = head_of(file)
        mark = self._known(found, head)
        if mark is None and (original := self._original(found, head)) is not None:
            if self._may_grow(original, others):
                file.close()
                return
            mark = self._add(msgspec.structs.replace(original, inode=found.inode, path=str(found.path), done=False))
        elif mark is None and (log := self._log_of(found)) is not None:
            mark = self._fresh(found, head, log)
        if mark is None or (mark.done and mark.size == found.size):
            file.close()
            self._settled[found.inode] = (found.size, found.changed)
            return
        self.opened.append(Opened(found.path, file, mark, self._source))

    def _known(self, found: Found, head: Head) -> Mark | None:
        """The mark of this very file: same inode, same beginning, not shorter than what was read."""
        mark = self._latest(found.inode)
        if mark is None or not head.matches(mark) or (not head.archive and found.size < mark.position):
            return None
        return mark

    def _latest(self, inode: int) -> Mark | None:
        return max((m for m in self._marks.values() if m.inode == inode), key=lambda m: m.id, default=None)

    def _original(self, found: Found, head: Head) -> Mark | None:
        """The mark of the file this one is a copy or an archive of: same folder, related name, same beginning."""
        for mark in sorted(self._marks.values(), key=lambda m: -m.id):
            path = Path(mark.path)
            related = path.parent == found.path.parent and found.path.name.startswith(_stem(path.name))
            if related and mark.inode != found.inode and mark.head_size >= TELLING and head.matches(mark):
                return mark
        return None

    def _may_grow(self, original: Mark, others: dict[int, Found]) -> bool:
        """Whether the original is still there as it was: then its copy waits, and is read only from where it ends."""
        if any(o.mark.id == original.id for o in self.opened):
            return True
        here = others.get(original.inode)
        return here is not None and self._latest(original.inode) == original and here.size >= original.position

    def _log_of(self, found: Found) -> Path | None:
        """The log that a file nobody knows is, or was before it was rotated away; None where it is neither."""
        if found.named:
            return found.path
        logs = (p for p in self._inputs if p.parent == found.path.parent and found.path.name.startswith(p.name))
        return next((p for p in logs if _ROTATED.match(found.path.name, len(p.name))), None)

    def _pass_by(self, found: Found) -> None:
        """Of an input that is looked at for the first time, what was rotated away before is not read."""
        if found.named or self._log_of(found) not in self._new or self._latest(found.inode) is not None:
            return
        try:
            with found.path.open("rb", buffering=0) as file:
                mark = self._fresh(found, head_of(file), found.path)
        except OSError:
            return
        self._marks[mark.id] = msgspec.structs.replace(mark, position=found.size, size=found.size, done=True)
        self.passed.append(self._marks[mark.id])

    def _fresh(self, found: Found, head: Head, log: Path) -> Mark:
        size = len(head.plain)
        generation = f"{found.inode:x}-{head.digest(size).hex()}-{self._next}"
        return self._add(Mark(0, str(log), str(found.path), found.inode, size, head.digest(size), generation))

    def _add(self, mark: Mark) -> Mark:
        mark = msgspec.structs.replace(mark, id=self._next)
        self._next += 1
        self._marks[mark.id] = mark
        return mark


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Regular files of a folder that are not hidden."""
    try:
        with os.scandir(folder) as entries:
            yield from (e for e in entries if not e.name.startswith(".") and e.is_file())
    except OSError:
        return


def _stem(name: str) -> str:
    """The name a rotated file had before: without `.1` or a date behind it."""
    stem, _, tail = name.rpartition(".")
    return stem if stem and tail.replace("-", "").isdigit() else name
