"""Makes a record fit its typed shape: what has the right type stays, what has not is dropped by name.

Rules held here: this is the slow way for records the typed decoder refused; the fast way and this one give the same
for records that fit. Only paths are reported, never values.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import inspect

S = TypeVar("S", bound=msgspec.Struct)
_shapes: dict[type[msgspec.Struct], dict[str, tuple[Any, type[msgspec.Struct] | None]]] = {}


def fit(found: dict[str, Any], shape: type[S], dropped: list[str], path: str = "") -> S:
    """The shape filled with every value that fits; paths of the others are added to `dropped`."""
    kept: dict[str, Any] = {}
    for name, (kind, inner) in _fields(shape).items():
        value = found.get(name)
        if value is None:
            continue
        if inner is not None and isinstance(value, dict):
            kept[name] = fit(value, inner, dropped, f"{path}{name}.")
            continue
        try:
            kept[name] = msgspec.convert(value, kind, strict=False)
        except (msgspec.ValidationError, RecursionError, ValueError):
            dropped.append(path + name)
    attributes = {f.encode_name: f.name for f in msgspec.structs.fields(shape)}
    return shape(**{attributes[name]: value for name, value in kept.items()})


def _fields(shape: type[msgspec.Struct]) -> dict[str, tuple[Any, type[msgspec.Struct] | None]]:
    """Encoded name -> (type, the struct behind it if it is one)."""
    known = _shapes.get(shape)
    if known is None:
        known = {f.encode_name: (f.type, _struct_in(f.type)) for f in msgspec.structs.fields(shape)}
        _shapes[shape] = known
    return known


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    info = inspect.type_info(kind)
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    structs = [m.cls for m in members if isinstance(m, inspect.StructType)]
    return structs[0] if structs else None
