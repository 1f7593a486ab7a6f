"""JSON objects that do not lie one a line: an array of them, pretty-printed ones, or several behind each other.

Rules held here: the scan looks at brackets and quotes only, never at values, so that it is bounded and total. A record
is an object (or array) that opens at the base: inside the outer array, or outside everything. A half object does not
take its successors along: a `{` indented exactly like the first record always begins a new record, and a raw newline
ends a string (JSON allows none inside).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from commonwatch.ingest.outcome import HEAD, MAX_RECORD, quarantine

if TYPE_CHECKING:
    from commonwatch.ingest.framing.cutting import Frames

_OUTSIDE_STRING: Final = re.compile(rb'["{}\[\]]')
_INSIDE_STRING: Final = re.compile(rb'["\\\n]')
#: Whole strings and whatever lies between them, up to a bracket or to a string that does not end here.
_UP_TO_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\\n]++|\\.)*+")*+', re.DOTALL)
_INDENT: Final = re.compile(rb"\n([ \t]*)\Z")
_BETWEEN: Final = b" \t\r\n,\x00\x1e\xef\xbb\xbf"
_MAX_INDENT: Final = 64
_QUOTE, _BRACE, _BRACKET, _BRACKET_END = b'"{[]'
_OPENING: Final = frozenset(b"{[")


class ObjectScan:
    """A scanner over portions. `position` is the offset behind the last complete record."""

    def __init__(self, position: int, *, most: int = MAX_RECORD) -> None:
        self.position = position
        self._most = most
        self._at = position  # offset of the first byte not yet scanned
        self._record = bytearray()  # kept bytes of the record that is open, at most `most` + one portion
        self._start = -1  # offset of the open record, -1 at base
        self._depth = 0
        self._base = 0
        self._string = False
        self._escaped = False
        self._garbage = -1  # offset of the run of garbage at base that is open, -1 none
        self._indent: bytes | None = None
        self._tail = b""  # last scanned bytes, to see a token's indentation across portions

    def feed(self, data: bytes, frames: Frames) -> None:
        """Add the records completed by these bytes."""
        at, end = 0, len(data)
        while at < end:
            if self._start >= 0 and not self._string:
                at = self._in_record(data, at)
            if at < end:
                at = self._in_string(data, at) if self._string else self._step(data, at, frames)
        self._tail = (self._tail + data)[-_MAX_INDENT - 2 :]
        self._at += len(data)
        if self._start < 0:
            self.position = self._at if self._garbage < 0 else self._garbage

    def finish(self, frames: Frames) -> None:
        """What is still open is half a record."""
        if self._start >= 0:
            self._end(frames, "truncated")
        self._end_garbage(frames)
        self.position = self._at

    def _in_record(self, data: bytes, at: int) -> int:
        """Go on over everything that opens and closes nothing."""
        match = _UP_TO_BRACKET.match(data, at)
        stop = at if match is None else match.end()
        if stop > at:
            self._keep(data, at, stop)
        return stop

    def _in_string(self, data: bytes, at: int) -> int:
        """Go on to the end of the string."""
        begin = at
        if self._escaped:
            self._escaped = False
            at += 1
        match = _INSIDE_STRING.search(data, at)
        stop = len(data) if match is None else match.end()
        self._keep(data, begin, stop)
        if match is not None:
            self._escaped = match[0] == b"\\"
            self._string = self._escaped
        return stop

    def _step(self, data: bytes, at: int, frames: Frames) -> int:
        """Go on to the next bracket or quote."""
        match = _OUTSIDE_STRING.search(data, at)
        stop = len(data) if match is None else match.start()
        self._between(data, at, stop)
        if match is None:
            return stop
        token = data[stop]
        if token in _OPENING:
            self._open(data, stop, token, frames)
        elif token == _QUOTE:
            self._string = True
            self._foreign_or_keep(data, stop, stop + 1)
        else:
            self._close(data, stop, frames)
        return stop + 1

    def _between(self, data: bytes, at: int, stop: int) -> None:
        """Bytes between tokens belong to the open record; at base anything but separators is garbage."""
        if self._start < 0 and self._garbage < 0:
            at = stop - len(data[at:stop].lstrip(_BETWEEN))
        if at < stop:
            self._foreign_or_keep(data, at, stop)

    def _foreign_or_keep(self, data: bytes, at: int, stop: int) -> None:
        """These bytes go to the open record, or to the run of garbage, which they open if need be."""
        if self._start < 0 and self._garbage < 0:
            self._garbage = self._at + at
        self._keep(data, at, stop)

    def _end_garbage(self, frames: Frames) -> None:
        """A run of garbage between records counts as one malformed record."""
        if self._garbage >= 0:
            frames.broken.append(quarantine("malformed", self._garbage, bytes(self._record)))
            self._record.clear()
            self._garbage = -1

    def _open(self, data: bytes, at: int, token: int, frames: Frames) -> None:
        if self._start >= 0 and token == _BRACE and self._begins_anew(data, at):
            self._end(frames, "truncated")
            self._depth = self._base
        if self._start < 0:
            self._end_garbage(frames)
            if token == _BRACKET and self._base == 0:
                self._base = self._depth = 1
                return
            self._begin(data, at)
        self._depth += 1
        self._keep(data, at, at + 1)

    def _begin(self, data: bytes, at: int) -> None:
        self._start = self._at + at
        self.position = self._start
        if self._indent is None:
            self._indent = self._indentation(data, at)

    def _close(self, data: bytes, at: int, frames: Frames) -> None:
        if self._start < 0:
            if data[at] == _BRACKET_END:  # of the outer array, perhaps one that was opened before a restart
                self._base = self._depth = 0
            else:
                self._foreign_or_keep(data, at, at + 1)
            return
        self._keep(data, at, at + 1)
        self._depth -= 1
        if self._depth <= self._base:
            self._depth = self._base
            self._end(frames, None)
            self.position = self._at + at + 1

    def _end(self, frames: Frames, reason: str | None) -> None:
        """Give out the open record."""
        record, start = bytes(self._record), self._start
        self._record.clear()
        self._start = -1
        if len(record) > self._most:
            reason = "too_large"
        if reason is None:
            frames.offsets.append(start)
            frames.records.append(record)
        else:
            frames.broken.append(quarantine(reason, start, record))

    def _keep(self, data: bytes, begin: int, end: int) -> None:
        """Keep bytes of what is open: of a record no more than tell that it is too large, of garbage its head."""
        room = (self._most + 1 if self._start >= 0 else HEAD) - len(self._record)
        if room > 0 and (self._start >= 0 or self._garbage >= 0):
            self._record += data[begin : min(end, begin + room)]

    def _begins_anew(self, data: bytes, at: int) -> bool:
        """Whether this brace is indented exactly like the first record of the source."""
        return self._indent is not None and self._indentation(data, at) == self._indent

    def _indentation(self, data: bytes, at: int) -> bytes | None:
        """The blanks between the last newline and this byte; None where something else precedes it on its line."""
        before = data[max(0, at - _MAX_INDENT - 1) : at]
        if len(before) < _MAX_INDENT + 1:
            before = (self._tail + before)[-_MAX_INDENT - 1 :]
        match = _INDENT.search(before)
        return match[1] if match else None
