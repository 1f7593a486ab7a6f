"""What types cannot say about a template: every problem at once, each with its path.

Rules held here: levels are 0, 1, 2 and so on; exactly one owner is asked for; a mark names a parameter of the right
kind that is there when the clause is; every level makes a valid agreement, and shows everything the one before shows
(proven by the impact algebra).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from commonwatch.agreements.diagnose.faults import Fault
from commonwatch.agreements.document import Agreement, Limit
from commonwatch.agreements.templates.effects import narrowed
from commonwatch.agreements.templates.instantiate import attempt
from commonwatch.agreements.templates.template import MARK, PARTIES, Kind, Tagged, Template
from commonwatch.agreements.templates.values import STANDARD
from commonwatch.errors import InvalidInput

_ORGS: tuple[Kind, ...] = (*PARTIES, "organisations")
_COMMUNITIES: tuple[Kind, ...] = ("community", "communities")


def check_template(template: Template) -> None:
    """Raise InvalidInput with every problem the template has; return if it has none."""
    found = template_problems(template)
    if found:
        listed = "; ".join(f"{fault.path}: {fault.message}" for fault in found)
        todo = found[0].todo if len(found) == 1 else "correct each of them"
        raise InvalidInput(f"the template has {len(found)} problem(s): {listed}", where=found[0].path, todo=todo)


def template_problems(template: Template) -> list[Fault]:
    """Every problem; that of a level's agreement only when the template itself has none."""
    found = [*_parameters(template), *_levels(template)]
    for number, tagged in enumerate(template.clauses):
        found += _marks(template, f"$.clauses[{number}].clause", tagged)
    return found or list(_each_level(template))


def _parameters(template: Template) -> Iterator[Fault]:
    names = [p.name for p in template.parameters]
    kinds = [p.kind for p in template.parameters]
    for number, name in enumerate(names):
        if name in names[:number] or name in STANDARD:
            yield Fault(f"$.parameters[{number}].name", f"{name!r} is taken", "choose another name")
    if kinds.count("owner") != 1 or kinds.count("operator") > 1:
        yield Fault("$.parameters", "one owner is asked for, and at most one operator", "add or take out a parameter")
    if kinds.count("community") > (0 if template.community else 1):
        yield Fault("$.parameters", "there is one community at most", "name it once: as `community` or as a parameter")
    for number, parameter in enumerate(template.parameters):
        if parameter.kind == "owner" and (parameter.level or parameter.optional):
            yield Fault(f"$.parameters[{number}]", "the owner is always asked for", "take out level and optional")


def _levels(template: Template) -> Iterator[Fault]:
    numbers = [one.level for one in template.levels]
    if not numbers or numbers != list(range(len(numbers))):
        yield Fault("$.levels", "levels are 0, 1, 2 and so on, in that order", "number them from 0")
    for number, tagged in enumerate(template.clauses):
        if tagged.level >= len(numbers):
            yield Fault(f"$.clauses[{number}].level", "there is no such level", "choose one of the levels above")
        if tagged.last is not None and tagged.last < tagged.level:
            yield Fault(f"$.clauses[{number}].last", "it ends before it begins", "give a level that is not lower")


def _marks(template: Template, path: str, tagged: Tagged) -> Iterator[Fault]:
    """Marks that name no parameter, one of another kind, or one that comes later than the clause."""
    clause = tagged.clause
    to, place = (clause.outside, "outside") if isinstance(clause, Limit) else (clause.to, "to")
    used: list[tuple[str, tuple[str, ...], tuple[Kind, ...]]] = [
        (f"{place}.organisations", to.organisations, _ORGS),
        (f"{place}.communities", to.communities, _COMMUNITIES),
        ("rows.sites", clause.rows.sites, ("sites",)),
    ]
    for where, names, kinds in used:
        for name in names:
            parameter = template.by_name.get(name.removeprefix(MARK)) if name.startswith(MARK) else None
            if name.startswith(MARK) and (parameter is None or parameter.kind not in kinds):
                yield Fault(f"{path}.{where}", f"{name!r} names no parameter that fits here", "add the parameter")
            if parameter and not isinstance(clause, Limit) and parameter.level > tagged.level:
                todo = f"ask for {parameter.name} from level {tagged.level} on"
                yield Fault(f"{path}.{where}", f"{name!r} is asked for only at a later level", todo)


def _each_level(template: Template) -> Iterator[Fault]:
    """What is wrong with the agreement that a level makes of values that have nothing wrong; levels that shrink."""
    before: Agreement | None = None
    for one in template.levels:
        draft, faults = attempt(template, one.level, sample(template))
        for fault in faults:
            path = fault.path.replace("$.document", "$", 1)
            yield Fault(f"$.levels[{one.level}]", f"its agreement: {path}: {fault.message}", fault.todo)
        if draft and before and (lost := narrowed(draft.agreement, before)):
            what = f"it shows less than the level before: {lost[0]}"
            yield Fault(
                f"$.levels[{one.level}]",
                what,
                "let shares that end be contained in others, and limits that begin name only what is new",
            )
        before = draft.agreement if draft else None


def sample(template: Template) -> dict[str, Any]:
    """Values for every parameter, each its own name: for checking, and for showing what a level says."""
    values: dict[str, Any] = {"starts": "2027-01-01", "ends": "2027-12-31"}
    for p in template.parameters:
        if p.kind in PARTIES:
            values[p.name] = {"id": p.mark, "name": f"The {p.name}"}
        elif p.kind == "community":
            values[p.name] = p.mark
        elif not p.optional:
            values[p.name] = [p.mark]
    return values
