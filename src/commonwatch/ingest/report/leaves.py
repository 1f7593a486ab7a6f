"""The values of a JSON record by path, for reports: list items share one path, text is cut to nothing here.

Rules held here: depth is bounded; a record that is no JSON has no values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

_MAX_DEPTH = 6


def said(value: Any) -> str:
    """A value as text; several values between commas."""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def json_leaves(record: bytes) -> Iterable[tuple[str, str]]:
    """(path, text) of every leaf."""
    try:
        found = msgspec.json.decode(record)
    except (ValueError, RecursionError):
        return ()
    return leaves_of(found)


def leaves_of(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Leaf paths of a decoded value with their text; list items share one path."""
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        for name, inner in value.items():
            yield from leaves_of(inner, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(value, list) and depth < _MAX_DEPTH:
        for inner in value[:1]:
            yield from leaves_of(inner, f"{path}[]", depth + 1)
    elif value is not None:
        yield path, str(value)
