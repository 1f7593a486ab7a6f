"""What is given for the parameters of a template, checked: every fault at once, each with its path.

Rules held here: a parameter that is not needed yet at a level is not used, even if it is given, so one list of values
serves all levels; an unknown name is a fault, since a misspelt value must not be lost silently.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from commonwatch.agreements.diagnose.advice import closest
from commonwatch.agreements.diagnose.faults import Fault, faults
from commonwatch.agreements.document import Contact, Line, Model, Slug, Thumbprint
from commonwatch.agreements.templates.template import PARTIES, Kind, Parameter, Template

ROOT = "$.parameters"


class Organisation(Model, frozen=True):
    """A party as it is given: without a name its id stands for it, without a key a blank."""

    id: Slug
    name: Line | None = None
    key: Thumbprint | None = None
    contacts: tuple[Contact, ...] = ()


class Dated(Model, frozen=True):
    """What every template asks: the days, and perhaps id, title and law of the agreement."""

    starts: dt.date
    ends: dt.date
    id: Slug | None = None
    title: Line | None = None
    purpose: Line | None = None
    basis: Line | None = None
    jurisdiction: Line | None = None
    roles: Line | None = None


#: Parameters that every template has, in the order they are asked for.
STANDARD: tuple[str, ...] = tuple(field.name for field in msgspec.structs.fields(Dated))
_LIST = tuple[Slug, ...]
_KINDS: dict[Kind, Any] = {
    "owner": Organisation, "operator": Organisation, "member": Organisation, "community": Slug,
    "organisations": _LIST, "communities": _LIST, "sites": _LIST,
}  # fmt: skip


class Values(msgspec.Struct, frozen=True):
    """Parameters that are in force at the level: parties, names for each mark, the community, and the standard ones."""

    parties: dict[str, Organisation]
    marks: dict[str, tuple[str, ...]]
    community: str | None
    dated: Dated


def read_values(template: Template, level: int, given: Mapping[str, Any]) -> tuple[Values | None, list[Fault]]:
    """The values, or what is wrong with them."""
    plain = {name: _plain(template.by_name.get(name), value) for name, value in given.items() if value not in ("", [])}
    found = _unknown(template, plain)
    for parameter in template.parameters:
        found += _parameter(parameter, level, plain)
    dated = {name: plain[name] for name in STANDARD if name in plain}
    found += list(faults(dated, Dated, ROOT))
    if found:
        return None, found
    used = {p.name: p for p in template.parameters if level >= p.level and p.name in plain}
    made = {name: msgspec.convert(plain[name], _KINDS[p.kind]) for name, p in used.items()}
    marks = {p.mark: _names(made.get(p.name)) for p in template.parameters}
    community = next((made[n] for n, p in used.items() if p.kind == "community"), template.community)
    parties = {name: made[name] for name, p in used.items() if p.kind in PARTIES}
    return Values(parties, marks, community, msgspec.convert(dated, Dated)), []


def _plain(parameter: Parameter | None, value: Any) -> Any:
    """A party may be given by its id alone."""
    return {"id": value} if parameter and parameter.kind in PARTIES and isinstance(value, str) else value


def _unknown(template: Template, plain: Mapping[str, Any]) -> list[Fault]:
    known = {*template.by_name, *STANDARD}
    return [
        Fault(f"{ROOT}.{name[:40]}", "this template does not ask for it", closest(name, known, "take it out"))
        for name in plain
        if name not in known
    ]


def _parameter(parameter: Parameter, level: int, plain: Mapping[str, Any]) -> list[Fault]:
    path = f"{ROOT}.{parameter.name}"
    if level < parameter.level:
        return []
    if parameter.name in plain:
        return list(faults(plain[parameter.name], _KINDS[parameter.kind], path))
    return [] if parameter.optional else [Fault(path, "this is needed at this level", parameter.ask)]


def _names(value: Any) -> tuple[str, ...]:
    """What a mark stands for: the ids that were given."""
    if isinstance(value, Organisation):
        return (value.id,)
    return (value,) if isinstance(value, str) else tuple(value or ())
