"""Cells of single events: columns asked for, values and tokens as shown, and the reason of every withheld one.

Rules held here (`agreements.md` 15): a withheld cell looks the same whether a value stands behind it or not; a clause
is cited by name only where the owner is shown exactly, because agreements' names can name their owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from commonwatch.agreements.lattice import point_name, top_of
from commonwatch.agreements.reader import ClauseRef
from commonwatch.errors import InvalidInput
from commonwatch.events.address import Scope
from commonwatch.events.columns import COLUMNS
from commonwatch.events.fields import FIELDS, FieldName, family_of
from commonwatch.govern.answer import dims
from commonwatch.govern.answer.asking import Asking, instant_text
from commonwatch.govern.answer.dims import DIMS, Dim
from commonwatch.govern.decide.decisions import Decision
from commonwatch.govern.decide.shown import BITS_OF, COUNTRY, FIELD_NO, SCOPE, Levels
from commonwatch.govern.decide.table import KEY_NAMES
from commonwatch.govern.query import Cell, ColumnInfo, Hidden
from commonwatch.store.layout import PORT_CODES

DEFAULT_COLUMNS = (
    "time", "org", "class", "severity", "rule", "category", "family", "src_ip", "src_port", "src_country", "dst_ip",
    "dst_port", "dst_country", "action", "proto", "app", "domain", "url", "hash", "host", "user", "technique", "cve",
    "sector", "region", "size", "sensor", "count", "file_name", "file_path", "process_cmd", "user_agent", "mail_from",
    "mail_to", "mail_subject", "tls_fingerprint", "message",
)  # fmt: skip


class Shown(NamedTuple):
    """A column of the answer: what the relation must have for it, and how its cells are made."""

    name: str
    label: str
    kind: str
    field: FieldName | None
    needs: tuple[str, ...]
    dim: Dim | None


def shown_columns(names: Sequence[str]) -> list[Shown]:
    """The columns asked for, by dimension key or canonical column name."""
    return [_shown(name, f"columns[{i}]") for i, name in enumerate(names or DEFAULT_COLUMNS)]


def _shown(name: str, where: str) -> Shown:
    dim = DIMS.get(name)
    if dim:
        return Shown(name, dim.label, "list" if dim.many else "text", dim.field, dim.needs, dim)
    found = COLUMNS.get(name)
    if found is None or found.field is None or name not in {*BITS_OF, "time", "end_time"}:
        raise InvalidInput("no such column", where=where, todo="use a dimension or a column of the event")
    keyed = (KEY_NAMES[found.field],) if found.field in KEY_NAMES and family_of(found.field).name != "address" else ()
    return Shown(name, name.replace("_", " "), _KINDS.get(found.kind, "number"), found.field, (name, *keyed), None)


_KINDS = {"ts": "time", "txt": "text", "dict": "text", "list": "list", "bool": "flag", "bytes": "text"}


def column_cells(asking: Asking, shown: Shown, data: dict[str, list[Any]]) -> list[Cell]:
    """The cells of one column, None where there is nothing to show."""
    if shown.dim:
        return _dim_cells(asking, shown.dim, data)
    values = data[shown.name]
    if shown.name in {"time", "end_time"}:
        return [None if v is None else instant_text(v) for v in values]
    if len(shown.needs) > 1:
        return _token_cells(asking, values, data[shown.needs[1]])
    if shown.kind == "text" and values and any(isinstance(v, bytes) for v in values):
        return [None if v is None else v.hex() for v in values]
    return [_plain(shown.name, v) for v in values]


def _plain(name: str, value: Any) -> Cell:
    if value is None:
        return None
    if name.endswith("_port") and value < 0:
        return PORT_CODES[value]
    if name.endswith("_scope"):
        return Scope(value).word
    found: Cell = value
    return found


def _token_cells(asking: Asking, values: list[Any], keys: list[int | None]) -> list[Cell]:
    out: list[Cell] = []
    for value, key in zip(values, keys, strict=True):
        many = value if isinstance(value, list) else [value]
        texts = dims.name_texts(asking.vault, [key] * len(many), many)
        out.append([t for t in texts if t is not None] if isinstance(value, list) else texts[0])
    return out


def _dim_cells(asking: Asking, dim: Dim, data: dict[str, list[Any]]) -> list[Cell]:
    """The text of a dimension per row; a list where an event can have several."""
    if dim.shape == "list":
        return [v or None for v in data[dim.columns[0]]]
    if dim.shape == "name" and dim.many:
        sides = [dims.name_texts(asking.vault, data[dim.keyed or ""], data[c]) for c in dim.columns]
        return [list(dict.fromkeys(t for t in texts if t is not None)) or None for texts in zip(*sides, strict=True)]
    cells = [_group_cells(dim, c, data) for c in _group_columns(dim)]
    return list(dims.texts(dim, asking.table, asking.vault, cells))


def _group_columns(dim: Dim) -> list[str]:
    if dim.shape == "address":
        side = dim.key[:3]
        return [f"k_{side}_ip", *dim.columns, f"{side}_country", f"{side}_scope"]
    return [dim.keyed, dim.columns[0]] if dim.keyed else ["*"] if len(dim.columns) > 1 else [dim.columns[0]]


def _group_cells(dim: Dim, name: str, data: dict[str, list[Any]]) -> list[Any]:
    """What the group expression of `dims.group` gives, per row, in Python."""
    if name == "*":
        return [
            next((v for v in values if v is not None), None)
            for values in zip(*(data[c] for c in dim.columns), strict=True)
        ]
    if dim.shape == "address" and name.endswith(("_country", "_scope")):
        wanted = COUNTRY if name.endswith("_country") else SCOPE
        rungs = data[f"{dim.key[:3]}_rung"]
        return [v if r == wanted else None for v, r in zip(data[name], rungs, strict=True)]
    return data[name]


def hidden(decision: Decision, shown: Shown, asking: Asking) -> Cell:
    """The mark of a withheld cell, or None where the value is simply absent."""
    field = shown.field
    if field is None or _column_shown(decision, shown):
        return None
    reason = decision.reasons.get(field)
    if reason is None:
        return Hidden("field-not-granted", _ask(decision))
    clause = cite(reason.clause, decision, asking) if reason.clause else None
    return Hidden(reason.reason, reason.ask, clause)


def _column_shown(decision: Decision, shown: Shown) -> bool:
    """Whether the decision shows the column at any rung."""
    if shown.dim:
        return dims.shown_at(shown.dim, decision.levels)
    if shown.name in {"time", "end_time"}:
        return decision.levels[FIELD_NO[shown.field]] != (0, 0) if shown.field else True
    return any(bit.picks(decision.levels) for bit in BITS_OF[shown.name])


def _ask(decision: Decision) -> str | None:
    return decision.owner if decision.levels[FIELD_NO["owner"]] == top_of("owner") else None


def cited_clauses(decision: Decision, asking: Asking) -> list[str]:
    """The clauses that allowed a row, as this reader may read them."""
    return list(dict.fromkeys(cite(ref, decision, asking) for ref in decision.clauses))


def cite(ref: ClauseRef, decision: Decision, asking: Asking) -> str:
    """A clause by name where the owner is shown; agreement names can name their owner."""
    if decision.levels[FIELD_NO["owner"]] == top_of("owner"):
        return str(ref)
    code = asking.table.codes[asking.dno(decision)]["org"]
    if code is None:
        return "an agreement of a contributor withheld from you"
    return f"an agreement of {asking.vault.text(asking.table.texts['org'][code])}"


def info(levels: Iterable[Levels], shown: Shown) -> ColumnInfo:
    """The column, and how it is shown where every row of the page shows it alike."""
    disclosure = None
    if shown.field:
        found = {each[FIELD_NO[shown.field]] for each in levels}
        if len(found) == 1:
            disclosure = point_name(FIELDS[shown.field].family, found.pop())
    return ColumnInfo(shown.name, shown.label, shown.kind, shown.field, disclosure)
