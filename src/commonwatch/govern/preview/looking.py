"""One owner's events in one store as readers see them under one policy, live or imagined, for the time of a preview.

Rules held here: relation, decision table, tokens and cells are those of every answer; only the owner's handlings are
compiled, so no other's event can come in; tables are forgotten at the end; pseudonyms and row references are made with
keys of this preview, so none of them is one a reader has or could use.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Self

from sqlglot import exp

from commonwatch.agreements.lattice import point_name
from commonwatch.agreements.reader import Reader
from commonwatch.events.columns import COLUMNS
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.rungs import HOUR
from commonwatch.govern.answer.asking import Asking, Using
from commonwatch.govern.answer.dims import column
from commonwatch.govern.answer.filters import Predicates
from commonwatch.govern.answer.pages import Pages
from commonwatch.govern.answer.rows import Page, page
from commonwatch.govern.answer.tokens import Vault
from commonwatch.govern.binding import Binding
from commonwatch.govern.decide.compiling import Compiler
from commonwatch.govern.decide.decisions import FOREVER, Decision
from commonwatch.govern.decide.shown import BITS_OF, FIELD_NO
from commonwatch.govern.observe import Observable, observables
from commonwatch.govern.policy import KeySource, PolicyView
from commonwatch.govern.query import Order, Rows
from commonwatch.govern.relation import Window, instant, number, raw_column
from commonwatch.store import Handling, Session, Store


class Lot(NamedTuple):
    """Rows of one handling under one decision."""

    handling: Handling
    decision: Decision
    rows: int


Span = tuple[int, int]


def _columns_of() -> dict[FieldName, tuple[str, ...]]:
    """Clause field -> the relation's columns that hold its values."""
    found: dict[FieldName, tuple[str, ...]] = {"time": ("time",)}
    halves = {f"{side}_{part}_hi": f"{side}_ip" for side in ("src", "dst") for part in ("ip", "net")}
    for name in BITS_OF:
        column = COLUMNS.get(halves.get(name, name))
        if column is not None and column.field:
            found[column.field] = (*found.get(column.field, ()), name)
    return found


COLUMNS_OF = _columns_of()


class PreviewKeys:
    """Keys of one preview: of the same form as the live ones, never equal to them."""

    def __init__(self, keys: KeySource, secret: bytes) -> None:
        self._keys, self._secret = keys, secret

    def pseudonym_key(self, owner: str) -> bytes | None:
        """The owner's key for this preview; None where it has none."""
        root = self._keys.pseudonym_key(owner)
        return None if root is None else hmac.digest(self._secret, b"preview key\0" + root, hashlib.sha256)


class Ground(NamedTuple):
    """Where one looks: whose events, in which store, since when (microseconds), with which keys of the preview."""

    owner: str
    store: Store
    since: int
    keys: KeySource
    secret: bytes


class Looking:
    """The ground under one policy. Use it as a context; not for several threads."""

    def __init__(self, ground: Ground, view: PolicyView, session: Session) -> None:
        self._ground, self._view, self._session = ground, view, session
        self._compiler = Compiler(ground.store, PreviewKeys(ground.keys, ground.secret), only=ground.owner)
        self.pages = Pages(ground.secret, "preview")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._compiler.close()

    def lots(self, reader: Reader, raw: Sequence[exp.Expr] = ()) -> list[Lot]:
        """How many rows the reader sees of each handling under each decision."""
        handlings = {h.no: h for h in self._compiler.handlings()}
        with self._asking(reader) as asking:
            view = asking.view(self._found(raw), ["handling", "dno"])
            tree = exp.select(column("handling").as_("h"), column("dno").as_("d"), _count()).from_(view)
            rows = asking.run(tree.group_by(exp.Literal.number(1), exp.Literal.number(2))).to_pylist()
            found = [Lot(handlings[row["h"]], asking.table.decisions[row["d"]], row["n"]) for row in rows]
        return sorted(found, key=lambda lot: (lot.handling.no, lot.rows))

    def ages(self) -> dict[Handling, dict[int, int]]:
        """Rows of the owner by handling and age in whole hours."""
        handlings = {h.no: h for h in self._compiler.handlings()}
        with self._asking(self.owner) as asking:
            view = asking.view(self._found(), ["handling", "time"])
            age = exp.paren(exp.Sub(this=number(self._view.now), expression=column("time")))
            hours = exp.Coalesce(this=exp.IntDiv(this=age, expression=number(HOUR)), expressions=[number(0)])
            tree = exp.select(column("handling").as_("h"), hours.as_("a"), _count()).from_(view)
            rows = asking.run(tree.group_by(exp.Literal.number(1), exp.Literal.number(2))).to_pylist()
        found: dict[Handling, dict[int, int]] = {}
        for row in rows:
            found.setdefault(handlings[row["h"]], {})[row["a"]] = row["n"]
        return found

    def values(self) -> dict[FieldName, dict[str, int]]:
        """How many rows hold a value of each field, by the point it is held at."""
        names = {name: COLUMNS_OF[name] for name in FIELDS if name in COLUMNS_OF}
        with self._asking(self.owner) as asking:
            view = asking.view(self._found(), ["dno", *dict.fromkeys(c for some in names.values() for c in some)])
            tree = exp.select(column("dno").as_("d"), *(_holding(some).as_(n) for n, some in names.items())).from_(view)
            rows = asking.run(tree.group_by(exp.Literal.number(1))).to_pylist()
            found: dict[FieldName, dict[str, int]] = {name: {} for name in names}
            for row, name in ((row, name) for row in rows for name in names if row[name]):
                level = asking.table.decisions[row["d"]].levels[FIELD_NO[name]]
                point = point_name(FIELDS[name].family, level)
                found[name][point] = found[name].get(point, 0) + row[name]
        return found

    @property
    def owner(self) -> Reader:
        """The owner as a reader of its own events."""
        return Reader(self._ground.owner, (), (), "operate")

    def newest(self, reader: Reader, limit: int, raw: Sequence[exp.Expr] = ()) -> Page:
        """The newest rows as the reader sees them."""
        with self._asking(reader) as asking:
            return page(asking, Rows(limit=limit), self._found(raw), self.pages, "preview")

    def events(self, references: Sequence[str]) -> Page:
        """The very events behind references of this preview, as their owner holds them, in no order."""
        ids = [exp.Unhex(this=exp.Literal.string(self.pages.event(ref).hex())) for ref in references]
        which = exp.In(this=raw_column("event_uid"), expressions=ids)
        with self._asking(self.owner) as asking:
            query = Rows(limit=max(1, len(ids)), order=Order(descending=False))
            return page(asking, query, self._found([which] if ids else [exp.false()]), self.pages, "preview")

    def observables(self, reader: Reader) -> list[Observable]:
        """What the reader could act on because of the owner's events since then."""
        with self._asking(reader) as asking:
            window = Window(self._ground.since, FOREVER)
            return observables(asking, Binding(self._view, reader), None, window=window)

    def visible(self, reader: Reader) -> dict[int, list[Span]]:
        """Handling number -> stretches of event time in which the reader sees its rows."""
        found: dict[int, list[Span]] = {}
        with self._compiler.table(self._view, reader) as compiled:
            for band in compiled.table.bands:
                numbers = band.rows["handling"].to_pylist()
                starts, ends = (
                    band.rows[n].to_pylist() if band.ranged else [b] * len(numbers)
                    for n, b in (("start", band.start), ("end", band.end))
                )
                for no, span in zip(numbers, zip(starts, ends, strict=True), strict=True):
                    found.setdefault(no, []).append(span)
        return found

    def unseen(self, reader: Reader, handling: Handling) -> list[Decision]:
        """The decisions about a handling that show no row, by age."""
        found = self._compiler.aged(self._view, reader, handling)
        return [piece.decision for piece in found if not piece.decision.visible]

    @contextmanager
    def _asking(self, reader: Reader) -> Iterator[Asking]:
        with self._compiler.table(self._view, reader) as compiled:
            answer = hmac.digest(self._ground.secret, repr(reader).encode(), hashlib.sha256).hex()
            vault = Vault(compiled.table, PreviewKeys(self._ground.keys, self._ground.secret), answer)
            yield Asking(self._ground.store, self._session, Using(compiled, vault, 0))

    def _found(self, raw: Sequence[exp.Expr] = ()) -> Predicates:
        return Predicates([], list(raw), [], Window(self._ground.since, FOREVER))


def unseen_by(readers: Sequence[Mapping[int, Sequence[Span]]]) -> exp.Expr:
    """The raw predicate of rows in none of the stretches of `visible`."""
    groups: dict[tuple[Span, ...], list[int]] = {}
    for no in sorted({no for reader in readers for no in reader}):
        spans = tuple(sorted({span for reader in readers for span in reader.get(no, ())}))
        groups.setdefault(spans, []).append(no)
    seen = [
        exp.and_(
            exp.In(this=raw_column("handling"), expressions=[number(no) for no in numbers]),
            exp.or_(*(_within(span) for span in spans)),
        )
        for spans, numbers in groups.items()
    ]
    return exp.Not(this=exp.paren(exp.or_(*seen))) if seen else exp.true()


def _within(span: Span) -> exp.Expr:
    start, end = span
    bounds: list[exp.Expr] = [exp.true()]
    if start > -FOREVER:
        bounds.append(exp.GTE(this=raw_column("time"), expression=instant(start)))
    if end < FOREVER:
        bounds.append(exp.LT(this=raw_column("time"), expression=instant(end)))
    return exp.and_(*bounds)


def _holding(names: Sequence[str]) -> exp.Expr:
    """How many rows have a value in any of the columns."""
    there = [exp.Not(this=exp.Is(this=column(name), expression=exp.null())) for name in names]
    return exp.cast(exp.Count(this=exp.Case().when(exp.or_(*there), number(1))), "BIGINT")


def _count() -> exp.Expr:
    return exp.cast(exp.Count(this=exp.Star()), "BIGINT").as_("n")
