"""What an answer took in: for each owner and set of clauses, how many events, which fields at which level.

Rules held here: an aggregate takes in every row its filter finds, a page the rows on it; a reader's own events are no
access; nothing but names of clauses, fields and levels, and counts: never a value. The events behind a filter are
counted once for all questions about the same moment of the same store.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

import msgspec

from commonwatch.agreements.lattice import join, parse_point, point_name
from commonwatch.events.columns import COLUMNS
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.govern.answer.asking import Asking, dim_of
from commonwatch.govern.answer.cells import shown_columns
from commonwatch.govern.answer.filters import Predicates
from commonwatch.govern.behind import Behind
from commonwatch.govern.decide.table import Book
from commonwatch.govern.observe import OBSERVED, Note, ObservableKind
from commonwatch.govern.query import Cube, Distinct, Filter, Histogram, Query, Rows, Top
from commonwatch.govern.taken import Origins, Part, Surface

_MOST_COUNTS, _MOST_BOOKS = 256, 64
_parts = msgspec.msgpack.Decoder(list[Part])


class Accounts:
    """Turns what answers take in into parts. Thread-safe; caches are bounded and hold no values."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[object, ...], dict[int, int]] = OrderedDict()
        self._counting: dict[tuple[object, ...], threading.Lock] = {}
        self._behind: OrderedDict[int, tuple[Book, Behind]] = OrderedDict()

    def lacks(self, moment: tuple[object, ...] | None) -> bool:
        """Whether nothing was counted for this `moment` yet, so that an answer does well to count as it is made."""
        with self._lock:
            return moment is None or moment not in self._counts

    def learn(self, moment: tuple[object, ...] | None, counts: dict[int, int]) -> None:
        """Remember what an answer counted while it was made."""
        if moment is not None:
            with self._lock:
                self._keep(moment, counts)

    def counted(self, asking: Asking, found: Predicates, moment: tuple[object, ...] | None) -> dict[int, int]:
        """Decision number -> events the predicates find; remembered for a `moment` at which the store stood still."""
        if moment is None:
            return asking.taken(found)
        with self._lock:
            mine = self._counting.setdefault(moment, threading.Lock())
        with mine:
            with self._lock:
                known = self._counts.get(moment)
            if known is None:
                known = asking.taken(found)
                with self._lock:
                    self._keep(moment, known)
        return known

    def _keep(self, moment: tuple[object, ...], counts: dict[int, int]) -> None:
        self._counts[moment] = counts
        while len(self._counts) > _MOST_COUNTS:
            self._counting.pop(self._counts.popitem(last=False)[0], None)

    def parts(self, asking: Asking, counts: Mapping[int, int], fields: frozenset[FieldName]) -> tuple[Part, ...]:
        """The parts behind so many events of each decision, one per owner and set of clauses, in that order."""
        with self._lock:
            behind = self._known(asking.table.numbers)
            behind.learn(asking.table.decisions)
            return behind.parts(counts, fields)

    def noting(self, asking: Asking, origins: Origins) -> Note:
        """A note that puts the parts of each observable into `origins`: one object of each owner and set of clauses."""
        made: dict[tuple[frozenset[FieldName], frozenset[int]], bytes] = {}

        def note(kind: ObservableKind, value: str, numbers: frozenset[int]) -> None:
            key = (OBSERVED[kind], numbers)
            if key not in made:
                parts = self.parts(asking, dict.fromkeys(numbers, 1), OBSERVED[kind])
                made[key] = msgspec.msgpack.encode([msgspec.structs.replace(part, count=1) for part in parts])
            origins[kind, value] = made[key]

        return note

    def _known(self, book: Book) -> Behind:
        """What was worked out for a reader's numbers."""
        kept = self._behind.get(id(book))
        if kept is None or kept[0] is not book:
            kept = self._behind[id(book)] = book, Behind()
        self._behind.move_to_end(id(book))
        while len(self._behind) > _MOST_BOOKS:
            self._behind.popitem(last=False)
        return kept[1]


def opened(origins: Iterable[bytes]) -> tuple[Part, ...]:
    """The parts of several objects that are handed out together."""
    return merged(part for body in origins for part in _parts.decode(body))


def merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Parts of several answers or objects as one: same owner and clauses, counts added."""
    found: dict[tuple[str, tuple[str, ...]], Part] = {}
    for part in parts:
        key = (part.owner, part.clauses)
        before = found.get(key)
        found[key] = (
            part if before is None else Part(*key, highest(before.fields, part.fields), before.count + part.count)
        )
    return tuple(found[key] for key in sorted(found))


def surface_of(query: Query) -> Surface:
    """Which surface a typed question is."""
    return "rows" if isinstance(query, Rows) else "explore"


def fields_of(query: Query) -> frozenset[FieldName]:
    """The clause fields whose shown values make the answer: asked for, filtered or ordered by."""
    fields: set[FieldName | None] = set(filtered(query.filter))
    if isinstance(query, Rows):
        order = COLUMNS.get(query.order.column)
        fields |= {order.field if order else None, *(shown.field for shown in shown_columns(query.columns))}
    if isinstance(query, Top | Distinct):
        fields.add(dim_of(query.by, "by").field)
    if isinstance(query, Histogram) or (isinstance(query, Cube) and query.bin):
        fields.add("time")
    if isinstance(query, Cube):
        fields |= {dim_of(key, "by").field for key in query.by}
    return frozenset(f for f in fields if f)


def filtered(found: Filter) -> set[FieldName]:
    """The clause fields a filter reads."""
    fields: set[FieldName | None] = {dim_of(key, "filter").field for key in found.dims}
    if found.time:
        fields.add("time")
    if found.area:
        fields |= {"src_ip", "dst_ip"}
    return {f for f in fields if f}


def highest(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """The join of named levels."""
    if one == other:
        return dict(one)
    found: dict[str, str] = {}
    for field, about in FIELDS.items():
        points = [parse_point(about.family, named[field]) for named in (one, other) if field in named]
        if points:
            found[field] = point_name(about.family, points[0] if len(points) == 1 else join(*points))
    return found
