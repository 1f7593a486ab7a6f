"""The header of a Zeek TSV log: how lines are cut, what columns are called, what their values are.

Rules held here: the header is data of the source, so everything in it is bounded; it may be repeated or changed in the
middle of a file; unknown `#` lines are comments. What is remembered between portions are the header lines themselves.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

_KEYS: Final = (b"separator", b"set_separator", b"empty_field", b"unset_field", b"path", b"fields", b"types")
_ESCAPE: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")
#: Bytes of header lines that are remembered at most.
MOST_HEADER: Final = 64 << 10


class Header(NamedTuple):
    """How to read the lines of one log."""

    separator: bytes
    items: bytes
    empty: bytes
    unset: bytes
    path: str
    names: tuple[str, ...]
    types: tuple[str, ...]

    def values(self, line: bytes) -> dict[str, Any] | None:
        """Values by name, unset ones left out; None where the line has another number of columns."""
        cells = line.split(self.separator)
        if len(cells) != len(self.names):
            return None
        found = zip(self.names, self.types, cells, strict=True)
        return {name: self._value(kind, cell) for name, kind, cell in found if cell != self.unset}

    def _value(self, kind: str, cell: bytes) -> Any:
        if kind.startswith(("set[", "vector[")):
            parts = [] if cell == self.empty else cell.split(self.items)
            return [_plain(part) for part in parts if part != self.unset]
        if kind == "bool":
            return {b"T": True, b"F": False}.get(cell)
        return "" if cell == self.empty else _plain(cell)


def _plain(cell: bytes) -> str:
    """Text of a cell, `\\xHH` undone."""
    if b"\\x" in cell:
        cell = _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), cell)
    return cell.decode(errors="replace")


def note(line: bytes, memory: bytes) -> bytes:
    """The memory after a `#` line: a new `#separator` begins anew, other keys replace their earlier line."""
    key = _key(line)
    if key not in _KEYS:
        return memory
    kept = [] if key == b"separator" else [one for one in memory.split(b"\n") if one and _key(one) != key]
    made = b"\n".join([*kept, line.rstrip(b"\r")])
    return made if len(made) <= MOST_HEADER else memory


def _key(line: bytes) -> bytes:
    match = re.match(rb"#([a-z_]+)", line)
    return match[1] if match else b""


@lru_cache(maxsize=256)
def header_of(memory: bytes) -> Header | None:
    """The header in these lines; None while it does not name columns."""
    lines = {_key(line): line for line in memory.split(b"\n") if line}
    if b"separator" not in lines or b"fields" not in lines:
        return None
    given = lines[b"separator"].partition(b" ")[2].strip(b"\r")
    separator = _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), given) or b"\t"

    def rest(key: bytes, default: bytes) -> bytes:
        line = lines.get(key)
        return default if line is None else line[1 + len(key) + len(separator) :]

    names = tuple(_plain(n) for n in rest(b"fields", b"").split(separator))
    types = tuple(_plain(t) for t in rest(b"types", b"").split(separator))
    types = types if len(types) == len(names) else ("string",) * len(names)
    items, empty, unset = rest(b"set_separator", b","), rest(b"empty_field", b"(empty)"), rest(b"unset_field", b"-")
    return Header(separator, items or b",", empty, unset, _plain(rest(b"path", b"")), names, types)
