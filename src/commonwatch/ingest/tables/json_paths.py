"""JSON records as values by path: members with dots between them, items of lists under `[]`.

Rules held here: a list of plain values stays one value under its own path; of a list of objects every member's values
are gathered under `list[].member`; depth is bounded, what lies deeper is left out (it is mapped by no format).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from commonwatch.ingest.framing import sample
from commonwatch.ingest.outcome import MAX_DEPTH
from commonwatch.ingest.tables.making import Unreadable

_PADDING = b" \t\r\n\x00"
_OBJECTS: Final = {dict}
#: So many paths, with names of up to so many characters, are remembered: a format has some hundreds.
_MOST, _NAME = 4_000, 64


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


class _Path(dict[str, "_Path"]):
    """A path with those of its members by name: each is spelt once, for all records that have it."""

    __slots__ = ("_each", "text")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self._each: _Path | None = None

    def __missing__(self, name: str) -> _Path:
        path = _Path(f"{self.text}.{name}" if self.text else name)
        if len(name) <= _NAME and len(_SPELT) < _MOST:
            _SPELT.append(path)
            self[name] = path
        return path

    @property
    def each(self) -> _Path:
        """The path of the items of a list."""
        if self._each is None:
            self._each = _Path(f"{self.text}[]")
        return self._each


_ROOT: Final = _Path("")
#: Paths that are remembered.
_SPELT: Final[list[_Path]] = []


def paths(found: dict[str, Any], below: str = "") -> dict[str, Any]:
    """Values by path, which begins with `below`; lists as tuples."""
    if len(_SPELT) >= _MOST:
        _ROOT.clear()
        _SPELT.clear()
    made: dict[str, Any] = {}
    _walk(found, _ROOT[below] if below else _ROOT, made, 0)
    return made


def _walk(found: dict[str, Any], at: _Path, made: dict[str, Any], depth: int) -> None:
    for name, value in found.items():
        kind = type(value)
        if kind is dict:
            if depth < MAX_DEPTH:
                _walk(value, at[name], made, depth + 1)
        elif kind is list:
            if set(map(type, value)) != _OBJECTS:
                made[at[name].text] = tuple(value)
            elif depth < MAX_DEPTH:
                _gather(value, at[name].each, made, depth + 1)
        else:
            made[at[name].text] = value


def _gather(found: list[dict[str, Any]], each: _Path, made: dict[str, Any], depth: int) -> None:
    """The values of all items under the paths of one."""
    inner: dict[str, Any] = {}
    if len(found) == 1:
        _walk(found[0], each, inner, depth)
        made |= {path: value if type(value) is tuple else (value,) for path, value in inner.items()}
        return
    many: dict[str, list[Any]] = {}
    for item in found:
        inner = {}
        _walk(item, each, inner, depth)
        for path, value in inner.items():
            many.setdefault(path, []).extend(value if type(value) is tuple else (value,))
    made |= {path: tuple(values) for path, values in many.items()}


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
