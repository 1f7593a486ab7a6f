"""Plain words for what a type asks: what is wrong, what to write instead, the nearest thing that may be meant.

Rules held here: no jargon of the decoder reaches a person; a choice is listed in full when it is short enough to read;
a misspelt word gets the word it resembles.
"""

from __future__ import annotations

import datetime as dt
import difflib
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import UnsetType

from commonwatch.agreements.document import Digest, Line, Slug, Thumbprint

_ENGLISH: dict[type, str] = {
    str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list", dict: "an object",
    type(None): "nothing",
}  # fmt: skip
_PATTERNS: dict[str, str] = {
    pattern.pattern: words
    for alias, words in (
        (Slug, "write a short name of 2 to 63 of a-z, 0-9 and -, beginning with a letter or digit"),
        (Thumbprint, "write the 43 characters that `commonwatch agreement keygen` prints"),
        (Digest, "write the 64 hexadecimal digits of a SHA-256"),
        (Line, "write one line of at most 200 characters without double quotes, brackets and blanks at its ends"),
    )
    for pattern in get_args(alias)[1:]
}
_EXAMPLES: dict[str, str] = {
    "dsa": '`dsa: "1"` as the first line',
    "id": "a short name, such as `id: northgate-warning`",
    "version": "`version: 1`",
    "title": "a line for people, such as `title: Early warning for our community`",
    "parties": "the organisations that sign; exactly one is `role: owner`",
    "name": "the full name, for people",
    "key": "the thumbprint of the party's signing key",
    "role": "`role: owner`, `operator` or `member`",
    "starts": "the first day, such as `starts: 2026-12-01`",
    "ends": "the last day, such as `ends: 2027-11-30`",
    "clauses": "what is shared: a list of share, count and limit clauses",
    "to": "whom it is for, such as `to: {communities: [sme-shield]}`",
    "purposes": "what for, such as `purposes: [detect]`",
    "rows": "which events, such as `rows: {events: [malware], tlp: green}`",
    "events": "the kinds of event, such as `events: [malware, intrusion]`",
    "tlp": "the highest TLP that is shared, such as `tlp: green`",
    "fields": "each field with its level, such as `fields: {time: hour, src_ip: exact}`",
    "by": "the dimensions of the counts, such as `by: {time: day, malware: family}`",
    "epsilon": "the privacy budget of eight weeks, such as `epsilon: 2.2`",
    "reach": "an email address, a telephone number or both on one line",
}
LISTED = 12


def example(name: str, kind: Any) -> str:
    """What to add where a member is missing."""
    return f"add {_EXAMPLES[name]}" if name in _EXAMPLES else f"add `{name}`: {todo(None, kind)}"


def closest(name: str, known: Iterable[str], otherwise: str) -> str:
    """The known word a misspelt one resembles, or `otherwise`."""
    near = difflib.get_close_matches(name.lower(), list(known), 1, 0.6)
    return f"did you mean `{near[0]}`?" if near else otherwise


def todo(value: Any, kind: Any) -> str:
    """What to write where `kind` is asked."""
    patterns, plain = _stripped(kind)
    for pattern in patterns:
        if words := _PATTERNS.get(pattern.pattern or ""):
            return words
        if pattern.ge is not None and pattern.le is not None:
            return f"write a number from {pattern.ge} to {pattern.le}"
    if choices := _choices(plain):
        return _choose(value, choices)
    if plain is dt.date:
        return "write a day as 2026-12-31"
    if _tagged(plain):
        return "begin the clause with `kind: share`, `kind: count` or `kind: limit`"
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
        names = ", ".join(field.encode_name for field in msgspec.structs.fields(plain)[:LISTED])
        return f"write an object with {names}"
    if get_origin(plain) is tuple:
        return "write a list without repeated values, such as `[one, two]`"
    return f"write {_ENGLISH.get(plain, 'another value')}"


def _choose(value: Any, choices: tuple[str, ...]) -> str:
    if len(choices) <= LISTED:
        return f"choose {' or '.join([', '.join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)}"
    short = ", ".join(choice for choice in choices if "+" not in choice)
    return closest(str(value), choices, f"choose one of {len(choices)}, such as {short}")


def reword(what: str, value: Any, kind: Any) -> str:
    """The decoder's sentence in plain words."""
    patterns, plain = _stripped(kind)
    got = _ENGLISH.get(type(value), "something else")
    if value is None:
        return "this is empty"
    if _choices(plain):
        return f"{str(value)[:60]!r} is not one of the words that may stand here"
    if plain is dt.date:
        return "this is not a day of the calendar"
    if any(p.pattern for p in patterns) and isinstance(value, str):
        return "this cannot stand here as it is written"
    if any(p.ge is not None for p in patterns) and isinstance(value, int | float):
        return f"{value} is out of range"
    if "listed twice" in what:
        return "a value is listed twice"
    if _tagged(plain):
        return "the kind of clause is not stated, or not known"
    return f"{got} cannot stand here"


def _stripped(kind: Any) -> tuple[list[msgspec.Meta], Any]:
    """The annotations of a type, and the type without them, without None and unset."""
    found: list[msgspec.Meta] = []
    while True:
        if get_origin(kind) is Annotated:
            kind, *more = get_args(kind)
            found += [m for m in more if isinstance(m, msgspec.Meta)]
            continue
        if get_origin(kind) in {Union, types.UnionType}:
            members = [k for k in get_args(kind) if k not in {type(None), UnsetType}]
            if len(members) == 1:
                kind = members[0]
                continue
        return found, kind


def _choices(kind: Any) -> tuple[str, ...]:
    return tuple(str(v) for v in get_args(kind)) if get_origin(kind) is Literal else ()


def _tagged(kind: Any) -> bool:
    members = get_args(kind) if get_origin(kind) in {Union, types.UnionType} else ()
    return bool(members) and all(isinstance(m, type) and issubclass(m, msgspec.Struct) for m in members)
