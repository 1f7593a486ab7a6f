"""Which format is this one message? Ports are mixed, so each message is looked at by itself.

Rules held here: by content only; JSON behind a syslog header loses the header, which says less than the record; what no
format claims is kept all the same and quarantined by the reader, never dropped here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from commonwatch.ingest.formats import formats
from commonwatch.ingest.framing import Framer
from commonwatch.ingest.recognise import ENOUGH

OTHER = "other"
#: Between JSON tokens a line break is a blank, and inside strings there is none.
_BLANK = bytes.maketrans(b"\n\r", b"  ")
_HEADER = re.compile(rb"[^{\r\n]{0,255}?(?=\{)")


class Router:
    """Remembers which format came last, which is nearly always the next one's too."""

    def __init__(self) -> None:
        self._last = ""

    def route(self, message: bytes) -> tuple[str, bytes]:
        """The format's name (or `other`) and the message as its reader wants it."""
        body = _json_in(message)
        known = formats()
        candidates = [f for f in known.values() if (f.framing == "json") == (body is not None)]
        candidates.sort(key=lambda f: f.name != self._last)
        data = message if body is None else body
        for one in candidates:
            if one.recognise(data + b"\n") >= ENOUGH:
                self._last = one.name
                return one.name, data
        return OTHER, data

    def sort(self, messages: Iterable[bytes]) -> dict[str, list[bytes]]:
        """Messages by format, in order."""
        found: dict[str, list[bytes]] = {}
        for message in messages:
            name, data = self.route(message)
            found.setdefault(name, []).append(data)
        return found


def _json_in(message: bytes) -> bytes | None:
    """The JSON object that a message is or ends with."""
    text = message.strip(b" \t\r\n\x00\xef\xbb\xbf")
    head = text[:512]
    if not text.endswith(b"}") or b"CEF:" in head or b"LEEF:" in head:
        return None
    match = _HEADER.match(text)
    return text[match.end() :].translate(_BLANK) if match else None


def records(body: bytes) -> Iterator[bytes]:
    """The records of a posted body: an array of objects, one object, or one a line."""
    framer = Framer()
    for frames in (framer.feed(body), framer.finish()):
        yield from frames.records
        yield from (broken.head for broken in frames.broken)
