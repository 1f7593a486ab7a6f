"""From a template, a level and values to a draft agreement that can be read, refined and signed.

Rules held here: exceptions only ever narrow (take a share or count out, add a limit), so a draft never shows more than
its template at that level; a share whose readers are not there is left out, never widened; the draft says of itself
which template, version and level it came from and which clauses were changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from commonwatch.agreements.check import problems
from commonwatch.agreements.decode import plain, to_yaml
from commonwatch.agreements.diagnose.advice import closest
from commonwatch.agreements.diagnose.faults import Fault
from commonwatch.agreements.document import (
    BLANK_KEY,
    Agreement,
    Clause,
    Law,
    Limit,
    Model,
    Origin,
    Party,
    PartyRole,
    Slug,
    To,
)
from commonwatch.agreements.english import say
from commonwatch.agreements.templates.template import Level, Template
from commonwatch.agreements.templates.values import Organisation, Values, read_values
from commonwatch.errors import InvalidInput

Marks = Mapping[str, tuple[str, ...]]


class Exceptions(Model, frozen=True):
    """What one member wants otherwise: shares and counts left out, limits added. They only ever narrow."""

    without: tuple[Slug, ...] = ()
    limits: tuple[Limit, ...] = ()


NONE = Exceptions()
_ROLES: dict[str, PartyRole] = {"owner": "owner", "operator": "operator", "member": "member"}


class Draft(msgspec.Struct, frozen=True):
    """A draft: the agreement (keys may be blank), whose `origin` says where it is from."""

    agreement: Agreement

    @property
    def origin(self) -> Origin:
        """Template, version, level, changed clauses."""
        if self.agreement.origin is None:
            raise AssertionError("a draft says where it is from")
        return self.agreement.origin

    @property
    def plain(self) -> Any:
        """As plain data, for JSON."""
        return plain(self.agreement)

    @property
    def yaml(self) -> str:
        """As YAML that can be edited and read back."""
        return to_yaml(self.agreement)

    @property
    def text(self) -> str:
        """In English."""
        return say(self.agreement)


def instantiate(template: Template, level: int, parameters: Mapping[str, Any], exceptions: Exceptions = NONE) -> Draft:
    """A draft. Raises InvalidInput with every fault of level, parameters and exceptions, each with its path."""
    draft, found = attempt(template, level, parameters, exceptions)
    if draft is None:
        listed = "; ".join(f"{fault.path}: {fault.message}" for fault in found)
        todo = found[0].todo if len(found) == 1 else "correct each of them"
        raise InvalidInput(f"the draft cannot be made: {listed}", where=found[0].path, todo=todo)
    return draft


def instantiation_problems(
    template: Template, level: int, parameters: Mapping[str, Any], exceptions: Exceptions = NONE
) -> list[Fault]:
    """Every fault of level, parameters and exceptions; none means that `instantiate` makes a draft."""
    return attempt(template, level, parameters, exceptions)[1]


def attempt(
    template: Template, level: int, parameters: Mapping[str, Any], exceptions: Exceptions = NONE
) -> tuple[Draft | None, list[Fault]]:
    """A draft, or what is wrong."""
    chosen = next((one for one in template.levels if one.level == level), None)
    if chosen is None:
        known = " or ".join(f"{one.level} ({one.title})" for one in template.levels)
        return None, [Fault("$.level", "this template has no such level", f"choose {known}")]
    values, found = read_values(template, level, parameters)
    found += _wrong_exceptions(template, level, exceptions)
    if found or values is None:
        return None, found
    made = _agreement(template, chosen, values, exceptions)
    found = [Fault(f"$.document{p.path[1:]}", p.what, p.todo) for p in problems(made) if not p.path.endswith(".key")]
    return (None, found) if found else (Draft(made), [])


def _wrong_exceptions(template: Template, level: int, exceptions: Exceptions) -> list[Fault]:
    """Only shares and counts of this level may be left out; an added limit has a name of its own."""
    here = {tagged.clause.id: tagged.clause for tagged in template.clauses if tagged.within(level)}
    found: list[Fault] = []
    for number, name in enumerate(exceptions.without):
        if name not in here:
            todo = closest(name, here, "take it out: nothing needs to be left out")
            found.append(Fault(f"$.exceptions.without[{number}]", "this level has no such clause", todo))
        elif isinstance(here[name], Limit):
            todo = "choose a higher level, or refine the draft itself"
            found.append(
                Fault(f"$.exceptions.without[{number}]", "a limit cannot be left out: it would show more", todo)
            )
    names = {tagged.clause.id for tagged in template.clauses}
    for number, limit in enumerate(exceptions.limits):
        if limit.id in names:
            path = f"$.exceptions.limits[{number}].id"
            found.append(Fault(path, "the template has a clause of that name", "choose another name"))
    return found


def _agreement(template: Template, level: Level, values: Values, exceptions: Exceptions) -> Agreement:
    parties = _parties(template, values)
    owner, dated = parties[0], values.dated
    changed = {*exceptions.without, *(limit.id for limit in exceptions.limits)}
    origin = Origin(template=template.id, version=template.version, level=level.level, changed=tuple(sorted(changed)))
    return Agreement(
        dsa="1", id=dated.id or f"{owner.id}-{template.id}"[:63].rstrip("-"), version=1, parties=parties,
        title=dated.title or _title(level, owner), starts=dated.starts, ends=dated.ends, community=values.community,
        clauses=(*_clauses(template, level.level, values.marks, exceptions), *exceptions.limits),
        origin=origin, duties=template.duties, law=_law(template.law or Law(), values),
    )  # fmt: skip


def _title(level: Level, owner: Party) -> str:
    return f"{owner.name}: {level.title}"[:200].rstrip()


def _law(law: Law, values: Values) -> Law | None:
    given = {
        name: value for name in ("purpose", "basis", "jurisdiction", "roles") if (value := getattr(values.dated, name))
    }
    made = msgspec.structs.replace(law, **given)
    return None if made == Law() else made


def _parties(template: Template, values: Values) -> tuple[Party, ...]:
    """The owner first, then the others in the order the template names them."""
    roles = {p.name: p.kind for p in template.parameters}
    made = [_party(organisation, _ROLES[roles[name]]) for name, organisation in values.parties.items()]
    return tuple(sorted(made, key=lambda party: party.role != "owner"))


def _party(given: Organisation, role: PartyRole) -> Party:
    return Party(
        id=given.id, name=given.name or given.id, role=role, key=given.key or BLANK_KEY, contacts=given.contacts
    )


def _clauses(template: Template, level: int, marks: Marks, exceptions: Exceptions) -> list[Clause]:
    """The clauses of this level with their marks filled in."""
    found = []
    for tagged in template.clauses:
        if tagged.within(level) and tagged.clause.id not in exceptions.without:
            filled = fill(tagged.clause, marks)
            found += [filled] if filled is not None else []
    return found


def fill(clause: Clause, marks: Marks) -> Clause | None:
    """The clause with values for its marks; None for a share or count whose readers are not there."""
    sites = _filled(clause.rows.sites, marks)
    rows = clause.rows if sites == clause.rows.sites else msgspec.structs.replace(clause.rows, sites=sites)
    if isinstance(clause, Limit):
        return msgspec.structs.replace(clause, rows=rows, outside=_to(clause.outside, marks))
    to = _to(clause.to, marks)
    return None if to.empty and not clause.to.empty else msgspec.structs.replace(clause, rows=rows, to=to)


def _to(to: To, marks: Marks) -> To:
    organisations, communities = _filled(to.organisations, marks), _filled(to.communities, marks)
    return msgspec.structs.replace(to, organisations=organisations, communities=communities)


def _filled(names: tuple[str, ...], marks: Marks) -> tuple[str, ...]:
    """The names with values for marks, sorted, each once."""
    return tuple(sorted({value for name in names for value in marks.get(name, (name,))}))
