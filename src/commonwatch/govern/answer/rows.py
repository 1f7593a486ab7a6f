"""Pages of single events: order, position and the rows of one page.

Rules held here: rows are ordered by shown columns only, then by the reader's own shuffle of the day, never by arrival
or by an id; the newest days are asked first where that cannot change the page, only its cost.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import pyarrow as pa
from sqlglot import exp

from commonwatch.errors import InvalidInput
from commonwatch.events.columns import COLUMNS
from commonwatch.events.rungs import DAY
from commonwatch.govern.answer.asking import Asking
from commonwatch.govern.answer.cells import Shown, cited_clauses, column_cells, hidden, info, shown_columns
from commonwatch.govern.answer.dims import column
from commonwatch.govern.answer.filters import Predicates
from commonwatch.govern.answer.pages import Pages
from commonwatch.govern.decide.shown import BITS_OF
from commonwatch.govern.decide.table import KEY_NAMES
from commonwatch.govern.query import ColumnInfo, Order, Row, Rows
from commonwatch.govern.relation import Window, number

MOST_ROWS = 200
#: Below so many stored rows, looking at everything at once is cheaper.
_MANY = 500_000
_NARROW = (DAY, 8 * DAY, 64 * DAY)
_ORDERS = {"severity": "severity_id", "class": "event_class"}
_UNORDERED = {"list", "addr", "bytes"}


class Page(NamedTuple):
    """Rows of one page with their clauses' texts, and the token of the next page."""

    columns: list[ColumnInfo]
    rows: list[Row]
    clauses: list[str]
    after: str | None


class _Paging(NamedTuple):
    """One question for a page. `key` is the column it is ordered by, `position` where the page before ended."""

    asking: Asking
    query: Rows
    found: Predicates
    columns: list[Shown]
    key: str
    position: list[Any] | None


def page(asking: Asking, query: Rows, found: Predicates, pages: Pages, question: str) -> Page:
    """One page of rows; `question` ties paging tokens to the question they belong to."""
    if not 1 <= query.limit <= MOST_ROWS:
        raise InvalidInput("a page has 1 to 200 rows", where="limit", todo="ask for fewer, and page with `after`")
    position = pages.position(query.after, question) if query.after else None
    paging = _Paging(asking, query, found, shown_columns(query.columns), _key(query.order), position)
    if position:
        found.shown.append(_beyond(paging))
    taken = _fetch(paging)
    data = {name: cells.to_pylist() for name, cells in zip(taken.column_names, taken.columns, strict=True)}
    made = _rows(paging, data, min(taken.num_rows, query.limit), pages)
    if taken.num_rows <= query.limit:
        return made
    last = query.limit - 1
    return made._replace(after=pages.token([data[paging.key][last], data["shuffle"][last] ^ asking.shuffle], question))


def _key(order: Order) -> str:
    """The relation column of the order: never one whose values can be tokens, never a list."""
    name = _ORDERS.get(order.column, order.column)
    known = name in {*BITS_OF, "time", "end_time", "event_class"} and name in COLUMNS
    if not known or COLUMNS[name].kind in _UNORDERED or COLUMNS[name].field in KEY_NAMES:
        raise InvalidInput("rows cannot be ordered by this", where="order.column", todo="order by time or a number")
    return name


def _beyond(paging: _Paging) -> exp.Expr:
    """Rows strictly beyond the position in the order (key, shuffle), nulls last."""
    value, tie = paging.position or [None, 0]
    this = column(paging.key)
    empty = exp.Is(this=this, expression=exp.null())
    tied = exp.GT(this=paging.asking.ties(), expression=number(tie))
    if value is None:
        return exp.and_(empty, tied)
    literal = number(value) if isinstance(value, int) else exp.Literal.string(value)
    past = (exp.LT if paging.query.order.descending else exp.GT)(this=this.copy(), expression=literal)
    same = exp.EQ(this=this.copy(), expression=literal.copy())
    return exp.or_(past, empty, exp.and_(same, tied))


def _fetch(paging: _Paging) -> pa.Table:
    """The rows of the page and one more."""
    asking, order, limit = paging.asking, paging.query.order, paging.query.limit
    needs = dict.fromkeys(["dno", "event_uid", "shuffle", paging.key, *(n for c in paging.columns for n in c.needs)])
    taken: pa.Table = None
    for window in _windows(paging):
        view = asking.view(paging.found, needs, window)
        tree = exp.select(*(column(name).as_(name, quoted=True) for name in needs)).from_(view)
        tree = tree.where(*paging.found.shown)
        if window:
            whole = number(window.start + asking.table.coarsest)
            tree = tree.where(exp.GTE(this=column("time"), expression=whole))
        ordered = exp.Ordered(this=column(paging.key), desc=order.descending, nulls_first=False)
        taken = asking.run(tree.order_by(ordered, asking.ties()).limit(limit + 1))
        if taken.num_rows > limit:
            break
    return taken


def _windows(paging: _Paging) -> list[Window | None]:
    """Ever longer stretches back from the newest time in question; last of all everything (None)."""
    if paging.query.order != Order() or paging.asking.store.rows < _MANY:
        return [None]
    coarsest, whole = paging.asking.table.coarsest, paging.found.window
    end = min(whole.end, paging.asking.table.now + DAY)
    if paging.position and paging.position[0] is not None:
        end = min(end, paging.position[0] + coarsest)
    starts = [end - span - coarsest for span in _NARROW]
    return [*(Window(start, whole.end) for start in starts if start > whole.start), None]


def _rows(paging: _Paging, data: dict[str, list[Any]], count: int, pages: Pages) -> Page:
    """Cells, references and clauses of the first `count` rows."""
    asking, clauses = paging.asking, dict[str, int]()
    asking.paged = dict(Counter(data["dno"][:count]))
    decisions = [asking.table.decisions[dno] for dno in data["dno"][:count]]
    cells = [column_cells(asking, shown, data) for shown in paging.columns]
    rows = []
    for at, decision in enumerate(decisions):
        shown = [
            hidden(decision, c, asking) if made[at] is None else made[at]
            for c, made in zip(paging.columns, cells, strict=True)
        ]
        cited = sorted({clauses.setdefault(text, len(clauses)) for text in cited_clauses(decision, asking)})
        rows.append(Row(shown, pages.reference(data["event_uid"][at]), cited))
    columns = [info({d.levels for d in decisions}, c) for c in paging.columns]
    return Page(columns, rows, list(clauses), None)
