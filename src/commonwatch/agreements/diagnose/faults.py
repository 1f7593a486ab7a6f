"""Every place where plain data does not fit a type: not only the first one.

Rules held here: what fits as a whole has no fault; what does not is looked into part by part, and a part that fits is
passed over; only where no part is at fault is the whole blamed. Each fault says what to do.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import UnsetType

from commonwatch.agreements.diagnose import advice

#: Nobody reads more than so many problems at once; the rest is told when these are gone.
MOST_FAULTS = 100


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where something is wrong (`$.clauses[2].rows.tlp`), what it is, what to do, and the line in the text if known."""

    path: str
    message: str
    todo: str
    line: int | None = None


def faults(value: Any, kind: Any, path: str = "$") -> Iterator[Fault]:
    """Each fault of `value` as `kind` (a Struct, a tuple, a Literal, an annotated leaf, a union of these)."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        inside = list(islice(_inside(value, kind, path), MOST_FAULTS))
        yield from inside or [_blame(value, kind, path, str(error))]


def _blame(value: Any, kind: Any, path: str, what: str) -> Fault:
    what = what.partition(" - at `")[0]
    return Fault(path, advice.reword(what, value, kind), advice.todo(value, kind))


def _inside(value: Any, kind: Any, path: str) -> Iterator[Fault]:
    """The faults of the parts."""
    kind = narrowed(value, kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        yield from _members(value, kind, path)
    elif get_origin(kind) is tuple and isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(item, get_args(kind)[0], f"{path}[{number}]")


def _members(value: dict[str, Any], kind: type[msgspec.Struct], path: str) -> Iterator[Fault]:
    """Unknown, missing and malformed members of an object."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    tag = kind.__struct_config__.tag_field
    for name in value:
        if name not in fields and name != tag:
            yield Fault(f"{path}.{name[:40]}", "this is not a part of it", advice.closest(name, fields, "take it out"))
    for name, field in fields.items():
        if name in value:
            yield from faults(value[name], field.type, f"{path}.{name}")
        elif field.required:
            yield Fault(f"{path}.{name}", "this is missing", advice.example(name, field.type))


def narrowed(value: Any, kind: Any) -> Any:
    """The type itself without annotations; of a union the member that the value means to be."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) not in {Union, types.UnionType}:
        return kind
    members = [narrowed(value, k) for k in get_args(kind) if k not in {type(None), UnsetType}]
    tagged = [m for m in members if _tag(m) is not None]
    if len(members) == 1:
        return members[0]
    wanted = value.get("kind") if isinstance(value, dict) else None
    return next((m for m in tagged if _tag(m) == wanted), kind)


def _tag(kind: Any) -> Any:
    return kind.__struct_config__.tag if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None
