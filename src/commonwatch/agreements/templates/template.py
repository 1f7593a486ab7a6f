"""What a template is: parameters, levels, and clauses that carry a level.

Rules held here: a clause is there from its level on, or up to its last one; that each level shows at least what the one
before shows is proven when a template is checked. In clauses `the-NAME` stands for the value of the parameter NAME;
everything else is the closed vocabulary of documents, so that a template has their errors, schema and English.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from commonwatch.agreements.decode import parse
from commonwatch.agreements.document import Clause, Duties, Law, Line, Model, Slug, Version
from commonwatch.errors import InvalidInput

Kind = Literal["owner", "operator", "member", "community", "organisations", "communities", "sites"]
PARTIES: tuple[Kind, ...] = ("owner", "operator", "member")
LevelNumber = Annotated[int, Meta(ge=0, le=9)]
#: Stands before a parameter's name where a clause names its value.
MARK = "the-"


class Parameter(Model, frozen=True):
    """One thing to fill in, with the question people are asked. Needed from `level` on, unless it is optional."""

    name: Slug
    kind: Kind
    ask: Line
    level: LevelNumber = 0
    optional: bool = False

    @property
    def mark(self) -> str:
        """What stands for its value in clauses."""
        return f"{MARK}{self.name}"


class Level(Model, frozen=True):
    """A level as people choose it: what one gives and what one gets, in plain words."""

    level: LevelNumber
    name: Slug
    title: Line
    summary: Line
    give: tuple[Line, ...]
    get: tuple[Line, ...]


class Tagged(Model, frozen=True):
    """A clause with the first level that has it, and the last one where it ends."""

    level: LevelNumber
    clause: Clause
    last: LevelNumber | None = None

    def within(self, level: int) -> bool:
        """Whether this level has the clause."""
        return self.level <= level and (self.last is None or level <= self.last)


_STRICTEST = Duties()


class Template(Model, frozen=True):
    """A graded agreement. A community's own names its community; those that are shipped ask for it."""

    template: Literal["1"]
    id: Slug
    version: Version
    title: Line
    summary: Line
    parameters: tuple[Parameter, ...]
    levels: tuple[Level, ...]
    clauses: tuple[Tagged, ...]
    community: Slug | None = None
    duties: Duties = _STRICTEST
    law: Law | None = None

    @property
    def by_name(self) -> dict[str, Parameter]:
        """Parameters by their names."""
        return {parameter.name: parameter for parameter in self.parameters}


def decode_template(source: bytes | str | dict[str, Any]) -> Template:
    """A template from YAML, JSON or plain data, by type only. Raises InvalidInput with the path of the first fault."""
    if isinstance(source, bytes):
        try:
            source = source.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput("the template is not UTF-8 text", where=f"byte {error.start}") from None
    try:
        return msgspec.convert(parse(source) if isinstance(source, str) else source, type=Template)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        raise InvalidInput(what, where=where.rstrip("`") or "$", todo="see the guide: choose a level") from None
