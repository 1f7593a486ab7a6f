"""Syslog over a stream: messages that end with a newline, or that say their length first (RFC 6587). Without I/O.

Rules held here: the first byte of a connection decides (a digit counts octets, anything else ends with a newline);
memory is bounded: an over-long message is passed over and counted, never kept.
"""

from __future__ import annotations

from typing import Final

from commonwatch.ingest.outcome import MAX_RECORD

_DIGITS: Final = b"123456789"
_MOST_DIGITS: Final = 8


class SyslogStream:
    """The messages of one connection. `lost` counts over-long ones; `broken` says that its framing went wrong."""

    def __init__(self, most: int = MAX_RECORD) -> None:
        self.lost = 0
        self.broken = False
        self._most = most
        self._counts: bool | None = None
        self._rest = b""
        self._skip = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Messages completed by these bytes."""
        if self._counts is None and data:
            self._counts = data[:1] in _DIGITS and data[:1] != b""
        if self.broken or not data:
            return []
        return self._counted(data) if self._counts else self._lines(data)

    def finish(self) -> list[bytes]:
        """The connection has ended: a last message without its newline is one; half a counted one is lost."""
        rest, self._rest = self._rest, b""
        if self._counts and (rest or self._skip):
            self.lost += 1
            return []
        return [rest] if rest.strip() and not self._skip else []

    def _lines(self, data: bytes) -> list[bytes]:
        *whole, rest = (self._rest + data).split(b"\n")
        if self._skip and whole:
            whole, self._skip = whole[1:], 0
        self._rest = b"" if self._skip else rest
        if len(self._rest) > self._most:
            self.lost += 1
            self._rest, self._skip = b"", 1
        self.lost += sum(len(m) > self._most for m in whole)
        return [m.rstrip(b"\r") for m in whole if m.strip() and len(m) <= self._most]

    def _counted(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        self._rest += data
        while self._rest and not self.broken:
            if self._skip:
                passed = min(self._skip, len(self._rest))
                self._skip, self._rest = self._skip - passed, self._rest[passed:]
                continue
            number, blank, rest = self._rest.partition(b" ")
            if not blank and len(number) <= _MOST_DIGITS and number.isdigit():
                break
            if not number.isdigit() or len(number) > _MOST_DIGITS:
                self.broken = True
            elif int(number) > self._most:
                self.lost += 1
                self._skip, self._rest = int(number), rest
            elif len(rest) < int(number):
                break
            else:
                found.append(rest[: int(number)].rstrip(b"\r\n"))
                self._rest = rest[int(number) :].lstrip(b"\n")
        return found
