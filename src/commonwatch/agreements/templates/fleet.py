"""A whole fleet at once: a CSV of organisations becomes a draft for each, and one page of exceptions by effect.

Rules held here: a bad row is reported with its number and reason and the rest goes on; an unknown column refuses the
whole file, because an exception in a misspelt column would be lost and show more than was meant; two rows for one
owner and one id are a fault of the second.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from commonwatch.agreements.diagnose.advice import closest
from commonwatch.agreements.diagnose.faults import Fault
from commonwatch.agreements.document import Fields, Limit
from commonwatch.agreements.templates.effects import Effects, Group, effects, group
from commonwatch.agreements.templates.instantiate import NONE, Draft, Exceptions, attempt
from commonwatch.agreements.templates.template import PARTIES, Template
from commonwatch.agreements.templates.values import STANDARD
from commonwatch.errors import InvalidInput
from commonwatch.events.fields import FIELDS

MOST_ROWS = 2_000
#: Columns beside the parameters: the level, clauses to leave out, fields to withhold from everybody.
OWN = ("level", "without", "withhold")
#: The limit that the column `withhold` makes.
WITHHOLD = "withheld-here"
Row = dict[str, str]
Complete = Callable[[dict[str, Any]], dict[str, Any]]


class RowFault(msgspec.Struct, frozen=True):
    """Why a row gave no draft. Rows are numbered as a spreadsheet shows them: the header is row 1."""

    row: int
    owner: str
    path: str
    message: str
    todo: str


class Made(msgspec.Struct, frozen=True):
    """The draft of a row and what its exceptions do."""

    row: int
    owner: str
    draft: Draft
    effects: Effects


class Batch(msgspec.Struct, frozen=True):
    """Drafts, the rows that gave none, and the exceptions, grouped by what they do."""

    template: str
    version: int
    made: tuple[Made, ...]
    faults: tuple[RowFault, ...]
    exceptions: tuple[Group, ...]


def batch(
    template: Template, text: str, level: int | None = None, common: Mapping[str, Any] | None = None,
    complete: Complete = lambda party: party,
) -> Batch:  # fmt: skip
    """A draft for each row. `level` and `common` hold where a row says nothing. Raises InvalidInput for the file.

    `complete` may add the name and key of a party that a row names.
    """
    made: list[Made] = []
    faults: list[RowFault] = []
    seen: dict[str, int] = {}
    for number, row in read_rows(template, text):
        values = {**(common or {}), **_values(template, row, complete)}
        one = _one(template, number, row, level, values)
        if isinstance(one, Made) and (first := seen.setdefault(one.draft.agreement.id, number)) != number:
            todo = "give it an id of its own, or take one of them out"
            one = [RowFault(number, one.owner, "$.id", f"row {first} makes the agreement of the same id", todo)]
        if isinstance(one, Made):
            made.append(one)
        else:
            faults += one
    grouped = group([(one.owner, one.effects) for one in made])
    return Batch(template.id, template.version, tuple(made), tuple(faults), grouped)


def read_rows(template: Template, text: str) -> Iterator[tuple[int, Row]]:
    """Rows with their numbers; empty rows are passed over. Raises InvalidInput for a header that is not understood."""
    lines = text.removeprefix("\ufeff")
    head = lines.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(lines, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",")
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(template, header)
        for number, cells in enumerate(reader, 2):
            if number > MOST_ROWS + 1:
                raise InvalidInput(f"more than {MOST_ROWS} rows", where=f"row {number}", todo="split the file")
            if any(cell.strip() for cell in cells):
                values = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
                yield number, values | ({"": str(len(cells))} if len(cells) != len(header) else {})
    except csv.Error as error:
        raise InvalidInput(f"this is not CSV: {error}", todo="save it as CSV, UTF-8") from None


def columns(template: Template) -> list[str]:
    """Every column a file for this template may have."""
    parties = [p.name for p in template.parameters if p.kind in PARTIES]
    more = [f"{name}_{part}" for name in parties for part in ("name", "key", "contact", "reach")]
    return [*(p.name for p in template.parameters), *STANDARD, *OWN, *more]


def _check_header(template: Template, header: list[str]) -> None:
    known = columns(template)
    for number, name in enumerate(header):
        if name not in known:
            todo = closest(name, known, f"columns are {', '.join(known)}")
            raise InvalidInput(f"the column {name[:40]!r} is not known", where="row 1", todo=todo)
        if name in header[:number]:
            raise InvalidInput(f"the column {name!r} is there twice", where="row 1", todo="take one out")


def _one(template: Template, number: int, row: Row, level: int | None, values: dict[str, Any]) -> Made | list[RowFault]:
    """The draft of one row, or why there is none."""
    owner = row.get(next(p.name for p in template.parameters if p.kind == "owner"), "")
    chosen, found = _level(row, level)
    if "" in row:
        found.append(Fault("$", f"the row has {row.pop('')} cells", "give it as many cells as the header has"))
    exceptions, wrong = _exceptions(row)
    draft, faults = (None, [*found, *wrong]) if found or wrong else attempt(template, chosen, values, exceptions)
    if draft is None:
        return [RowFault(number, owner, fault.path, fault.message, fault.todo) for fault in faults]
    if exceptions == NONE:
        return Made(number, owner, draft, ())
    plain, _ = attempt(template, chosen, values)
    return Made(number, owner, draft, effects(draft.agreement, plain.agreement) if plain else ())


def _level(row: Row, level: int | None) -> tuple[int, list[Fault]]:
    text = row.get("level") or ("" if level is None else str(level))
    if not text.isascii() or not text.isdigit() or len(text) > 1:
        return 0, [Fault("$.level", "no level is chosen", "give the column `level`, or one level for all rows")]
    return int(text), []


def _exceptions(row: Row) -> tuple[Exceptions, list[Fault]]:
    """What the columns `without` and `withhold` say; names are separated by blanks."""
    without, withhold = tuple(row.get("without", "").split()), row.get("withhold", "").split()
    unknown = [name for name in withhold if name not in FIELDS]
    if unknown:
        todo = closest(unknown[0], FIELDS, "see the reference of levels for the fields")
        return NONE, [Fault("$.withhold", f"{unknown[0][:40]!r} is no field", todo)]
    limits = (Limit(id=WITHHOLD, fields=Fields(**dict.fromkeys(withhold, "withheld"))),) if withhold else ()
    try:
        return msgspec.convert(msgspec.to_builtins(Exceptions(without=without, limits=limits)), Exceptions), []
    except msgspec.ValidationError:
        return NONE, [Fault("$.without", "this is no list of clause names", "separate names by blanks")]


def _values(template: Template, row: Row, complete: Complete) -> dict[str, Any]:
    """Parameters from the columns that say something: parties from several columns, lists separated by blanks."""
    found: dict[str, Any] = {name: row[name] for name in STANDARD if row.get(name)}
    for parameter in template.parameters:
        name, value = parameter.name, row.get(parameter.name, "")
        if not value:
            continue
        if parameter.kind in PARTIES:
            found[name] = complete(_party(row, name))
        else:
            found[name] = value if parameter.kind == "community" else value.split()
    return found


def _party(row: Row, name: str) -> dict[str, Any]:
    cells = {part: row.get(f"{name}_{part}", "") for part in ("name", "key", "contact", "reach")}
    party: dict[str, Any] = {"id": row[name], **{k: v for k, v in cells.items() if v and k in {"name", "key"}}}
    if cells["contact"] or cells["reach"]:
        party["contacts"] = [{"name": cells["contact"], "reach": cells["reach"]}]
    return party


def page(found: Batch) -> str:
    """One page for people: how many drafts, which rows gave none, and the exceptions by what they do. Markdown."""
    plain = sum(1 for one in found.made if not one.effects)
    lines = [
        f"# Drafts from template {found.template}, version {found.version}",
        "",
        f"{len(found.made)} drafts, {plain} of them as the template says. {len(found.faults)} problems.",
        "",
    ]
    if found.exceptions:
        lines += ["## Exceptions, by what they do", ""]
    for one in found.exceptions:
        lines += [f"- {len(one.owners)}: {', '.join(one.owners)}", *(f"  - {text}" for text in one.effects)]
    if found.faults:
        lines += ["", "## Rows without a draft", ""]
    lines += [f"- row {f.row} ({_inline(f.owner) or '?'}): {f.path}: {f.message} ({f.todo})" for f in found.faults]
    return "\n".join(lines).rstrip() + "\n"


def _inline(text: str) -> str:
    """A cell as it may stand in a line of Markdown: nothing but what a name has."""
    return "".join(c for c in text[:63] if c.isalnum() or c in "-_ .")
