"""Single events as a reader sees them: cells, the reason of every withheld one, clauses, references and pages.

Rules held here (`engine.md` 4, `agreements.md` 15): a row reference is AES of the event's id under the reader
organisation's key, so look-ups and paging need no table and no reference says anything; a withheld cell looks the same
whether a value stands behind it or not; a clause is cited by name only where the owner is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from sqlglot import exp

from commonwatch.agreements.lattice import point_name, top_of
from commonwatch.agreements.reader import ClauseRef
from commonwatch.errors import InvalidInput
from commonwatch.events.address import Scope
from commonwatch.events.columns import COLUMNS
from commonwatch.events.fields import FIELDS, FieldName, family_of
from commonwatch.events.rungs import DAY
from commonwatch.govern import dims
from commonwatch.govern.asking import Asking, instant_text
from commonwatch.govern.decisions import FOREVER, Decision
from commonwatch.govern.dims import DIMS, Dim, column
from commonwatch.govern.filters import Predicates
from commonwatch.govern.query import Cell, ColumnInfo, Hidden, Order, Row, Rows
from commonwatch.govern.relation import Window, number
from commonwatch.govern.shown import BITS_OF, FIELD_NO
from commonwatch.govern.table import KEY_NAMES, Table
from commonwatch.store.layout import PORT_CODES

DEFAULT_COLUMNS = (
    "time", "org", "class", "severity", "rule", "category", "family", "src_ip", "src_port", "src_country", "dst_ip",
    "dst_port", "dst_country", "action", "proto", "app", "domain", "url", "hash", "host", "user", "technique", "cve",
    "sector", "region", "size", "sensor", "count", "file_name", "file_path", "process_cmd", "user_agent", "mail_from",
    "mail_to", "mail_subject", "tls_fingerprint", "message",
)  # fmt: skip
MOST_ROWS = 200
_NARROW = (DAY, 8 * DAY, 64 * DAY)


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


class Pages:
    """References and paging tokens of one reader organisation."""

    def __init__(self, secret: bytes, org: str) -> None:
        key = hmac.digest(secret, b"commonwatch row references\0" + org.encode(), hashlib.sha256)
        self._cipher = Cipher(algorithms.AES128(key[:16]), modes.ECB())  # noqa: S305 - one block, an id, never text
        self._seal = key[16:]

    def reference(self, uid: bytes) -> str:
        """The reader's own reference to an event."""
        encryptor = self._cipher.encryptor()
        return base64.urlsafe_b64encode(encryptor.update(uid)).decode().rstrip("=")

    def token(self, position: list[Any], question: str) -> str:
        """Where a page ended, sealed: it says nothing that the page did not show, and fits only this question."""
        body = json.dumps(position).encode()
        tag = hmac.digest(self._seal, question.encode() + b"\0" + body, hashlib.sha256)[:16]
        return base64.urlsafe_b64encode(tag + self._mask(tag, body)).decode().rstrip("=")

    def position(self, token: str, question: str) -> list[Any]:
        """Back from a paging token. Raises InvalidInput if it is not one of this reader's for this question."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        tag, body = raw[:16], self._mask(raw[:16], raw[16:])
        if not hmac.compare_digest(tag, hmac.digest(self._seal, question.encode() + b"\0" + body, hashlib.sha256)[:16]):
            raise InvalidInput("this page no longer exists", where="after", todo="start again from the first page")
        found: list[Any] = json.loads(body)
        return found

    def _mask(self, tag: bytes, body: bytes) -> bytes:
        stream = hashlib.shake_256(self._seal + tag).digest(len(body))
        return bytes(a ^ b for a, b in zip(body, stream, strict=True))


class Page(NamedTuple):
    """Rows of one page with their clauses' texts, and the token of the next page."""

    columns: list[ColumnInfo]
    rows: list[Row]
    clauses: list[str]
    after: str | None


def page(asking: Asking, query: Rows, found: Predicates, pages: Pages, question: str) -> Page:
    """One page of rows."""
    if not 1 <= query.limit <= MOST_ROWS:
        raise InvalidInput("a page has 1 to 200 rows", where="limit", todo="ask for fewer, and page with `after`")
    columns = shown_columns(query.columns)
    keys = _order(query.order)
    if query.after:
        found.shown.append(_beyond(keys, query.order, pages.position(query.after, question), asking))
    needs = ["dno", "event_uid", "shuffle", *keys, *(n for c in columns for n in c.needs)]
    taken = _fetch(asking, query, found, needs, keys, columns)
    return _page(asking.table, asking, columns, taken, query.limit, pages, question, keys)


def _order(order: Order) -> list[str]:
    """The relation columns a shown column is ordered by: never one whose values can be tokens, never a list."""
    name = {"severity": "severity_id", "class": "event_class"}.get(order.column, order.column)
    if name in {"src_port", "dst_port"}:
        return [name]
    kind = COLUMNS[name].kind if name in COLUMNS else "list"
    known = name in {*BITS_OF, "time", "end_time", "event_class"}
    if not known or kind in {"list", "addr", "bytes"} or COLUMNS[name].field in KEY_NAMES:
        raise InvalidInput("rows cannot be ordered by this", where="order.column", todo="order by time or a number")
    return [name]


def _beyond(keys: Sequence[str], order: Order, position: list[Any], asking: Asking) -> exp.Expr:
    """Rows after a position in the order: (keys, shuffle) strictly beyond it, nulls last."""
    *values, tie = position
    same: list[exp.Expr] = []
    beyond: list[exp.Expr] = []
    for name, value in zip(keys, values, strict=True):
        this = column(name)
        empty = exp.Is(this=this.copy(), expression=exp.null())
        if value is not None:
            literal = number(value) if isinstance(value, int) else exp.Literal.string(value)
            past = (exp.LT if order.descending else exp.GT)(this=this.copy(), expression=literal)
            beyond.append(exp.and_(*same, exp.or_(past, empty)))
            same.append(exp.EQ(this=this.copy(), expression=literal.copy()))
        else:
            same.append(empty)
    return exp.or_(*beyond, exp.and_(*same, exp.GT(this=asking.ties(), expression=number(tie))))


def _fetch(
    asking: Asking, query: Rows, found: Predicates, needs: list[str], keys: list[str], columns: list[Shown]
) -> Any:
    """The rows of the page and one more, newest days first where the order allows to stop early."""
    for window in _windows(asking, query, found):
        view = asking.view(found, needs, window)
        tree = exp.select(*_cells(columns, needs, keys)).from_(view)
        extra = (
            []
            if window is None
            else [exp.GTE(this=column("time"), expression=number(window.start + asking.table.coarsest))]
        )
        tree = tree.where(*found.shown, *extra) if found.shown or extra else tree
        ordered = [exp.Ordered(this=column(k), desc=query.order.descending, nulls_first=False) for k in keys]
        taken = asking.run(tree.order_by(*ordered, asking.ties()).limit(query.limit + 1))
        if window is None or taken.num_rows > query.limit:
            return taken
    raise AssertionError  # the last window is always None


def _windows(asking: Asking, query: Rows, found: Predicates) -> list[Window | None]:
    """Ever longer stretches back from the newest time in question; None is everything."""
    if query.order != Order():
        return [None]
    end = min(found.window.end, asking.table.now + DAY)
    spans = [max(found.window.start, end - s - asking.table.coarsest) for s in _NARROW]
    return [*(Window(s, found.window.end) for s in spans if s > found.window.start and end < FOREVER), None]


def _cells(columns: Sequence[Shown], needs: Sequence[str], keys: Sequence[str]) -> list[exp.Expr]:
    """Each relation column once, and the position of the row."""
    made = {name: column(name) for name in dict.fromkeys(needs)}
    return [c.as_(name, quoted=True) for name, c in made.items()]


def _page(
    table: Table, asking: Asking, columns: list[Shown], taken: Any, limit: int, pages: Pages, question: str,
    keys: Sequence[str],
) -> Page:  # fmt: skip
    more = taken.num_rows > limit
    taken = taken.slice(0, limit)
    data = {name: taken[name].to_pylist() for name in taken.column_names}
    clauses: dict[str, int] = {}
    cells = [_column_cells(asking, c, data) for c in columns]
    rows = []
    for at, dno in enumerate(data["dno"]):
        decision = table.decisions[dno]
        shown = [
            made[at] if made[at] is not None else _hidden(decision, c, asking)
            for c, made in zip(columns, cells, strict=True)
        ]
        cited = [clauses.setdefault(t, len(clauses)) for t in cited_clauses(decision, asking)]
        rows.append(Row(shown, pages.reference(data["event_uid"][at]), sorted(cited)))
    after = None
    if more and rows:
        position = [data[k][-1] for k in keys] + [data["shuffle"][-1] ^ asking.shuffle]
        after = pages.token(position, question)
    levels = {table.decisions[dno].levels for dno in data["dno"]}
    return Page([_info(levels, c) for c in columns], rows, list(clauses), after)


def _column_cells(asking: Asking, shown: Shown, data: dict[str, list[Any]]) -> list[Cell]:
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


def _hidden(decision: Decision, shown: Shown, asking: Asking) -> Cell:
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


def _info(levels: Iterable[Levels], shown: Shown) -> ColumnInfo:
    """The column, and how it is shown where every row of the page shows it alike."""
    disclosure = None
    if shown.field:
        found = {each[FIELD_NO[shown.field]] for each in levels}
        if len(found) == 1:
            disclosure = point_name(FIELDS[shown.field].family, found.pop())
    return ColumnInfo(shown.name, shown.label, shown.kind, shown.field, disclosure)
