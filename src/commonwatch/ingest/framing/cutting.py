"""Bytes to records with their byte offsets: JSON lines, JSON arrays, pretty-printed objects, plain lines.

Rules held here: memory stays bounded whatever comes (a record above the format's limit, 1 MiB where it names none, is
passed over, not kept); every byte belongs
to at most one record; feeding the same bytes in other portions gives the same records at the same offsets; `position`
is where reading may resume, and everything before it has been given out. Leading BOM, blank lines and NUL padding (a
rotated file's hole) are passed over; comment lines where the format allows them.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from commonwatch.ingest.framing.objects import ObjectScan
from commonwatch.ingest.outcome import HEAD, MAX_RECORD, Quarantined, quarantine

Layout = Literal["lines", "objects"]
_BOM: Final = b"\xef\xbb\xbf"
_PADDING: Final = b" \t\r\n\x00\x1e"
_UNDECIDED: Final = 4_096
#: What begins a record and nothing else: neither padding nor a comment nor a byte order mark.
_BEGINS: Final = frozenset(range(0x21, 0x7F)) - frozenset(b"#/")


class Frames(msgspec.Struct):
    """Records of one portion: parallel lists of byte offsets and bytes; `broken` never reached a parser."""

    offsets: list[int]
    records: list[bytes]
    broken: list[Quarantined]
    blank: int = 0
    comments: int = 0


class Framer:
    """Cuts one source into records. `layout` None decides by the first significant bytes (JSON); else it is fixed."""

    def __init__(
        self, *, position: int = 0, layout: Layout | None = None, comments: bool = True, most: int = MAX_RECORD
    ) -> None:
        self._cut: LineCut | ObjectScan | None = None
        self._most = most
        self._comments = comments
        self._start = position
        self._pending = b""
        if layout is not None:
            self._choose(layout)

    @property
    def layout(self) -> Layout | None:
        """How records are laid out, once it is known."""
        return None if self._cut is None else "lines" if isinstance(self._cut, LineCut) else "objects"

    @property
    def position(self) -> int:
        """Offset behind the last record given out."""
        return self._start if self._cut is None else self._cut.position

    def feed(self, data: bytes) -> Frames:
        """Records completed by these bytes."""
        frames = Frames([], [], [])
        cut = self._cut
        if cut is None:
            data = self._pending + data
            self._pending = b""
            decided = layout_of(data)
            if decided is None and len(data) < _UNDECIDED:
                self._pending = data
                return frames
            cut = self._choose(decided or "lines")
        cut.feed(data, frames)
        return frames

    def finish(self) -> Frames:
        """The end of the source: what is left is a record without a newline, or a half one."""
        frames = Frames([], [], [])
        cut = self._cut
        if cut is None:
            cut = self._choose("lines")
            cut.feed(self._pending, frames)
        cut.finish(frames)
        return frames

    def _choose(self, layout: Layout) -> LineCut | ObjectScan:
        if layout == "lines":
            self._cut = LineCut(self._start, comments=self._comments, most=self._most)
        else:
            self._cut = ObjectScan(self._start, most=self._most)
        return self._cut


def layout_of(head: bytes) -> Layout | None:
    """`objects` for an array or a pretty-printed object, `lines` for everything else, None while undecidable."""
    text = head.removeprefix(_BOM).lstrip(_PADDING)
    if not text or text == b"{" or _BOM.startswith(head):
        return None
    if text[:1] == b"[":
        return "objects"
    if text[:1] != b"{":
        return "lines"
    line, newline, _ = text.partition(b"\n")
    if line.strip() != b"{":
        return "lines"
    return "objects" if newline else None


class LineCut:
    """One record a line."""

    def __init__(self, position: int, *, comments: bool, most: int = MAX_RECORD) -> None:
        self.position = position
        self._rest = bytearray()  # the open line, at most `most` and one portion
        self._most = most
        self._passing = False
        self._comments = comments

    def feed(self, data: bytes, frames: Frames) -> None:
        """Add the records of complete lines."""
        if self._passing:
            data = self._pass_over(data)
            if self._passing:
                return
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        self._rest += rest
        at = self.position
        offsets, records, most = frames.offsets, frames.records, self._most
        for line in lines:
            size = len(line)
            if 0 < size <= most and line[0] in _BEGINS:
                offsets.append(at)
                records.append(line)
            else:
                self._add_odd(at, line, frames)
            at += size + 1
        self.position = at
        if len(self._rest) > self._most:
            frames.broken.append(quarantine("too_large", at, bytes(self._rest[:HEAD])))
            self.position += len(self._rest)
            self._rest.clear()
            self._passing = True

    def _pass_over(self, data: bytes) -> bytes:
        """Skip the remainder of an over-long line; gives what follows its newline."""
        end = data.find(b"\n")
        if end < 0:
            self.position += len(data)
            return b""
        self._passing = False
        self.position += end + 1
        return data[end + 1 :]

    def _add_odd(self, at: int, line: bytes, frames: Frames) -> None:
        """A line that is or may be blank, a comment, indented, padded or over-long."""
        if len(line) > self._most:
            frames.broken.append(quarantine("too_large", at, line))
            return
        body = line.lstrip(_PADDING)
        if at == 0 and line.startswith(_BOM):
            body = line[len(_BOM) :].lstrip(_PADDING)
        if not body:
            frames.blank += 1
        elif self._comments and body.startswith((b"#", b"//")):
            frames.comments += 1
        else:
            frames.offsets.append(at + len(line) - len(body))
            frames.records.append(body)

    def finish(self, frames: Frames) -> None:
        """Add the last line although no newline ends it; the parser says whether it is whole."""
        if self._rest:
            self._add_odd(self.position, bytes(self._rest), frames)
        self.position += len(self._rest)
        self._rest.clear()


def sample(head: bytes, limit: int = 20) -> list[bytes]:
    """The first records of a source for recognition; a half one at the end is left out unless it is alone."""
    framer = Framer()
    records = framer.feed(head).records[:limit]
    return records or framer.finish().records[:limit]


assert HEAD < _UNDECIDED
