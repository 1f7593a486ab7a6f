"""JSON records as values by path: members with dots between them, items of lists under `[]`.

Rules held here: a list of plain values stays one value under its own path; of a list of objects every member's values
are gathered under `list[].member`; depth is bounded, what lies deeper is left out (it is mapped by no format).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from commonwatch.ingest.framing import sample
from commonwatch.ingest.outcome import MAX_DEPTH
from commonwatch.ingest.tables.making import Unreadable

_PADDING = b" \t\r\n\x00"


def decode(record: bytes) -> dict[str, Any] | Unreadable:
    """The object in a record, or why there is none."""
    record = record.rstrip(_PADDING)
    try:
        found = msgspec.json.decode(record)
    except (ValueError, RecursionError):
        return Unreadable(_fault(record))
    return found if isinstance(found, dict) else Unreadable("malformed")


def share(head: bytes, tells: Callable[[dict[str, Any]], bool]) -> float:
    """Share of the first records that are objects `tells` says yes to; 0 where none can be read."""
    found = [r for r in map(decode, sample(head)) if not isinstance(r, Unreadable)]
    return sum(map(tells, found)) / len(found) if found else 0.0


def _fault(record: bytes) -> str:
    try:
        record.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    return "malformed" if record.endswith(b"}") or not record.startswith(b"{") else "truncated"


def paths(found: dict[str, Any]) -> dict[str, Any]:
    """Values by path."""
    made: dict[str, Any] = {}
    _walk(found, "", made, 0)
    return made


def _walk(found: dict[str, Any], prefix: str, made: dict[str, Any], depth: int) -> None:
    for name, value in found.items():
        path = prefix + name
        if isinstance(value, dict):
            if depth < MAX_DEPTH:
                _walk(value, path + ".", made, depth + 1)
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            if depth < MAX_DEPTH:
                _gather(value, path, made, depth + 1)
        else:
            made[path] = value


def _gather(found: list[dict[str, Any]], path: str, made: dict[str, Any], depth: int) -> None:
    for item in found:
        inner: dict[str, Any] = {}
        _walk(item, f"{path}[].", inner, depth)
        for name, value in inner.items():
            known = made.setdefault(name, [])
            known.extend(value if isinstance(value, list) else [value])


def nest(values: dict[str, Any]) -> dict[str, Any]:
    """The inverse: `list[].member` becomes one object a value, `list[0].member` the first object of a list."""
    made: dict[str, Any] = {}
    for path, value in values.items():
        _put(made, path.split("."), value)
    return made


def _put(made: dict[str, Any], steps: list[str], value: Any) -> None:
    head, *rest = steps
    if not rest:
        made[head] = value
    elif head.endswith(("[]", "[0]")):
        many = value if isinstance(value, list) and head.endswith("[]") else [value]
        known = made.setdefault(head.partition("[")[0], [])
        while len(known) < len(many):
            known.append({})
        for item, one in zip(known, many, strict=False):
            _put(item, rest, one)
    else:
        _put(made.setdefault(head, {}), rest, value)
