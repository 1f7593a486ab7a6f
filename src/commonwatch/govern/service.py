"""Govern: what every other room may ask of events, and nothing else.

Rules held here: every call takes the policy as it stands now and closes when it cannot be had; the reader's roles and
communities are the policy's word; every decision is logged with clauses and counts, never with a value; the same
question at the same moment has the same answer and the same id.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from commonwatch.agreements.reader import Reader
from commonwatch.errors import InvalidInput, Unavailable
from commonwatch.events.rungs import DAY, MINUTE
from commonwatch.govern.asking import BINS, Asking, dim_of, instant_text
from commonwatch.govern.compiling import Compiler, standing
from commonwatch.govern.policy import DecisionLog, KeySource, PolicySource, PolicyView
from commonwatch.govern.query import Answer, ColumnInfo, Cube, Distinct, Histogram, Query, Row, Rows, Top
from commonwatch.govern.rows import Pages, page
from commonwatch.govern.tokens import Vault
from commonwatch.store import Store

MOST_TOP = 100


class Context(NamedTuple):
    """One request: the policy it is bound to, who asks, its id, and its open session."""

    view: PolicyView
    reader: Reader
    query: str
    watermark: int
    asking: Asking


class Govern:
    """The enforcement point. Safe from several threads."""

    def __init__(
        self, store: Store, policy: PolicySource, keys: KeySource, log: DecisionLog, *, secret: bytes | None = None
    ) -> None:
        """`secret` (32 bytes, kept by the hub) makes row references last beyond a restart."""
        self._store, self._policy, self._keys, self._log = store, policy, keys, log
        self._secret = secret or secrets.token_bytes(32)
        self._compiler = Compiler(store, keys)

    def ask(self, reader: Reader, query: Query) -> Answer:
        """Answer a typed query for a reader."""
        digest = msgspec.json.encode(query, order="deterministic")
        with self._context(reader, digest) as context:
            answer = _ANSWERS[type(query)](self, context, query)
            detail = {"query": context.query, "question": type(query).__name__.lower(), "rows": len(answer.rows)}
            self._decided(context, "query", detail)
            return answer

    def cancel(self, query: str) -> bool:
        """Stop a running query by its id; whether it was running."""
        return self._store.cancel(query)

    @contextmanager
    def _context(self, reader: Reader, question: bytes) -> Iterator[Context]:
        view = self.view()
        reader = standing(view, reader)
        watermark = self.watermark(view)
        query = self._id(reader, view, watermark, question)
        with self._compiler.table(view, reader) as compiled, self._store.session(query) as session:
            vault = Vault(compiled.table, self._keys, query)
            asking = Asking(self._store, session, compiled, vault, self._shuffle(reader, view.now))
            yield Context(view, reader, query, watermark, asking)

    def view(self) -> PolicyView:
        """The policy as it stands; whatever goes wrong closes."""
        try:
            return self._policy.view()
        except Unavailable:
            raise
        except Exception:
            raise Unavailable("the agreements cannot be read now", todo="try again in a moment") from None

    def watermark(self, view: PolicyView) -> int:
        """As of when answers are, in microseconds, whole minutes: when the newest batch came in."""
        _, received = self._store.watermark()
        return (received or view.now) // MINUTE * MINUTE

    def _id(self, reader: Reader, view: PolicyView, watermark: int, question: bytes) -> str:
        state = repr((reader, view.epoch, watermark, view.now // MINUTE)).encode() + b"\0" + question
        return hmac.digest(self._secret, state, hashlib.sha256).hex()[:32]

    def _shuffle(self, reader: Reader, now: int) -> int:
        state = f"shuffle {reader.org} {now // DAY}".encode()
        return int.from_bytes(hmac.digest(self._secret, state, hashlib.sha256)[:8], "big") >> 1

    def _decided(self, context: Context, kind: str, detail: dict[str, object]) -> None:
        table = context.asking.table
        cited = sorted({f"{r.agreement}@{r.version}" for d in table.decisions for r in d.clauses})
        self._log.decided(
            context.reader,
            kind,
            {**detail, "epoch": context.view.epoch, "table": table.digest[:32], "agreements": cited},
        )


def _rows(govern: Govern, context: Context, query: Rows) -> Answer:
    asking = context.asking
    question = msgspec.json.encode(msgspec.structs.replace(query, after=None, limit=1), order="deterministic").decode()
    found = asking.predicates(query.filter, context.watermark)
    made = page(asking, query, found, Pages(govern._secret, context.reader.org), question)  # noqa: SLF001
    return _answer(context, made.columns, made.rows, clauses=made.clauses, after=made.after)


def _top(_: Govern, context: Context, query: Top) -> Answer:
    dim = dim_of(query.by, "by")
    _limit(query.limit, MOST_TOP)
    _events_only(query.measure)
    groups, other, total = context.asking.top(
        dim, context.asking.predicates(query.filter, context.watermark), query.limit
    )
    columns = [ColumnInfo(dim.key, dim.label, "text", dim.field), _events()]
    return _answer(context, columns, [Row([text, n]) for (text,), n in groups], other=other, total=total)


def _distinct(_: Govern, context: Context, query: Distinct) -> Answer:
    dim = dim_of(query.by, "by")
    n = context.asking.distinct(dim, context.asking.predicates(query.filter, context.watermark))
    return _answer(context, [ColumnInfo("values", f"different values of {dim.label}", "number", dim.field)], [Row([n])])


def _histogram(_: Govern, context: Context, query: Histogram) -> Answer:
    found = context.asking.predicates(query.filter, context.watermark)
    bins, other, used = context.asking.histogram(found, query.bin, query.filter)
    notes = [] if used == query.bin else [f"bins of {used}: the agreements behind this show no finer time"]
    rows = [Row([instant_text(start), n]) for start, n in bins]
    total = other + sum(n for _, n in bins)
    columns = [ColumnInfo("time", "time", "time", "time"), _events()]
    return _answer(context, columns, rows, other=other, total=total, bin=used, notes=notes)


def _cube(_: Govern, context: Context, query: Cube) -> Answer:
    by = [dim_of(key, f"by[{i}]") for i, key in enumerate(query.by)]
    if len(set(query.by)) != len(by) or not 1 <= len(by) + bool(query.bin) <= 6 or any(d.many for d in by):
        todo = "use up to five different dimensions with one value per event"
        raise InvalidInput("this cube cannot be made", where="by", todo=todo)
    used = context.asking.bin(query.bin, query.filter) if query.bin else None
    found = context.asking.predicates(query.filter, context.watermark)
    cells = context.asking.cube(by, found, BINS[used] if used else None)
    if used:
        cells = [([None if c[0] is None else instant_text(c[0]), *c[1:]], n) for c, n in cells]
    cells.sort(key=lambda cell: [(t is None, t or "") for t in cell[0]])
    columns = [ColumnInfo("time", "time", "time", "time")] * bool(used)
    columns += [ColumnInfo(d.key, d.label, "text", d.field) for d in by]
    rows = [Row([*key, n]) for key, n in cells]
    return _answer(context, [*columns, _events()], rows, bin=used, total=sum(n for _, n in cells))


_ANSWERS = {Rows: _rows, Top: _top, Distinct: _distinct, Histogram: _histogram, Cube: _cube}


def _answer(context: Context, columns: list[ColumnInfo], rows: list[Row], **more: object) -> Answer:
    return Answer(
        query=context.query, epoch=context.view.epoch, watermark=instant_text(context.watermark),
        org=context.reader.org, purpose=context.reader.purpose, columns=columns, rows=rows, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def _events() -> ColumnInfo:
    return ColumnInfo("events", "events", "number")


def _limit(limit: int, most: int) -> None:
    if not 1 <= limit <= most:
        raise InvalidInput("too many values asked for", where="limit", todo=f"ask for 1 to {most}")


def _events_only(measure: str) -> None:
    if measure != "events":
        raise InvalidInput("no such measure", where="measure", todo="use events")
