"""Key-value messages of firewalls and agents: cutting at delimiters that may be escaped, and undoing escapes.

Rules held here: linear in the length of the text; whatever is odd stays as it is, nothing is guessed.
"""

from __future__ import annotations

import re
from typing import Final

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
#: Characters of a line within which its format must begin; before it stand syslog headers.
WITHIN: Final = 512
_PATH_ESCAPES: Final = (("\\=", "="),)
_ESCAPES: Final = (("\\=", "="), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\\|", "|"))


def split_header(text: str, bar: str, most: int) -> list[str]:
    """Up to `most` fields between unescaped bars, and the rest as it is."""
    parts = text.split(bar, most)
    if "\\" not in "".join(parts[:-1]):
        return parts
    found: list[str] = []
    start = at = 0
    while len(found) < most and (at := text.find(bar, at)) >= 0:
        if _slashes_before(text, at) % 2 == 0:
            found.append(unescape_bar(text[start:at]))
            start = at + 1
        at += 1
    return [*found, text[start:]]


def _slashes_before(text: str, at: int) -> int:
    return at - len(text[:at].rstrip("\\"))


def unescape_bar(text: str) -> str:
    """`\\|` and `\\\\` undone."""
    return _ESCAPED.sub(lambda m: m[1] if m[1] in "|\\" else m[0], text) if "\\" in text else text


def unescape(text: str, *, path: bool = False) -> str:
    """Escapes of an extension value undone; of a path only `\\\\` and `\\=`, for `C:\\new.exe` has no line break."""
    if "\\" not in text:
        return text
    escapes = _PATH_ESCAPES if path else _ESCAPES
    if "\\\\" not in text:
        return _without(escapes, text)
    return "\\".join([_without(escapes, part) for part in text.split("\\\\")])


def _without(escapes: tuple[tuple[str, str], ...], text: str) -> str:
    """A text without backslashes side by side, these escapes undone."""
    if "\\" in text:
        for escape, character in escapes:
            text = text.replace(escape, character)
    return text


def unquoted(text: str) -> str:
    """Without the quotes around a whole value."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def share(head: bytes, begin: re.Pattern[str]) -> float:
    """Share of the first lines that begin like this near their beginning."""
    lines = [line for line in head.split(b"\n")[:20] if line.strip()]
    hits = sum(begin.search(line[:WITHIN].decode("latin-1")) is not None for line in lines)
    return hits / len(lines) if lines else 0.0
