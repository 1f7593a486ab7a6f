"""How records of one kind with the same paths are read: worked out once, remembered in bounded tables (decision 10).

Rules held here: what is remembered is a function of the table, the paths and the text alone, so it changes no record;
a row that shares a column with another, or that looks beyond its own value, is read in the order of its table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, Final, NamedTuple

from commonwatch.events.event import Event
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables.reading import READINGS, first
from commonwatch.ingest.tables.table import PAIRS, Col, Finish, Read, Table, Tables, also_of, columns_of
from commonwatch.ingest.values.families import family_of
from commonwatch.ingest.values.places import NOWHERE

ABSENT: Final[tuple[object, ...]] = (None, "", (), [], {})
_ADDRESSES: Final = frozenset({"src_ip", "dst_ip"})
#: Where a value that says something else is nothing wrong: a host that is an address, a word that stands for nobody.
_MAY_BE_OTHER: Final = frozenset({"domain", "verdict", "cve_uids", "malware_names", "src_user", "dst_user"})
#: Characters of a source's own word for severity that are kept.
_RAW: Final = 16
#: So many shapes of records, of so many paths, are remembered: a source has a few dozen, a hostile one any number.
_SHAPES, _PATHS = 1_000, 128
#: Texts of up to so many characters are remembered with what was read in them, so many per reading.
_SHORT, _VALUES = 64, 2_000
#: Puts a value into its column or columns; whether it was usable.
Fill = Callable[[Event, Any, Context], bool]


class Readings(dict[Any, Any]):
    """What one reading made of short texts: sources repeat most values. None: nothing usable."""

    def __init__(self, read: Read) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: Any) -> Any:
        if type(value) is int:  # quickly read; no key, since `True` and `1.0` are equal to `1` and read otherwise
            return None if (made := self._read(value)) == () else made
        made = None if not value and value in ABSENT else self._read(value)
        made = None if made == () else made
        if _is_short(value):
            if len(self) >= _VALUES:
                self.clear()
            self[value] = made
        return made

    def of(self, value: Any) -> Any:
        """What is read in any value, also in one that cannot be a key."""
        try:
            return self[value]
        except TypeError:
            return self.__missing__(value)


def _is_short(value: Any) -> bool:
    """A text or a few of them."""
    if type(value) is tuple:
        return len(value) <= 4 and all(type(v) is str and len(v) <= _SHORT for v in value)
    return type(value) is str and len(value) <= _SHORT


readings_of = lru_cache(_SHAPES)(Readings)


class Row(NamedTuple):
    """One row of a table with those of its paths that a record has.

    `cells`: the columns of a plain row, each with its reading; a row that is not plain has none. `strict`: an unusable
    value is dropped by name. `every`: all paths together are one value.
    """

    number: int
    paths: tuple[str, ...]
    cells: tuple[tuple[str, Readings], ...]
    fill: Fill
    strict: bool
    when: tuple[str, str] | None
    every: bool


class Shape(NamedTuple):
    """What records of one kind with the same paths share: the event as the kind alone says it, and the rows to read.

    Of the columns of plain rows in parallel: the row, `firsts` that takes the value of its first path, its reading.
    """

    model: Event
    odd: tuple[Row, ...]
    plain: tuple[Row, ...]
    firsts: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    readings: tuple[Readings, ...]
    columns: tuple[str, ...]
    finish: Finish | None


def shape_of(tables: Tables, table: Table, values: Mapping[str, Any]) -> Shape:
    """The shape of a record: a source repeats few of them, so they are remembered."""
    key = (table.kind, *values)
    shape: Shape | None = tables.shapes.get(key)
    if shape is None:
        shape = _shape(tables, table, values)
        if len(key) <= _PATHS and sum(map(len, key)) <= _PATHS * _SHORT:
            if len(tables.shapes) >= _SHAPES:
                tables.shapes.clear()
            tables.shapes[key] = shape
    return shape


def _shape(tables: Tables, table: Table, values: Mapping[str, Any]) -> Shape:
    model = Event(
        event_class=table.event_class, class_uid=table.class_uid, activity_id=table.activity, time=0,
        **table.constants,
    )  # fmt: skip
    rows = [
        row._replace(paths=paths, cells=() if row.every and len(paths) > 1 else row.cells)
        for row in _rows_of(tables, table)
        if (paths := tuple(p for p in row.paths if p in values)) and (row.when is None or row.when[0] in values)
    ]
    odd = tuple(row for row in rows if not row.cells)
    cells = [(row, column, readings) for row in rows for column, readings in row.cells]
    plain, columns, readings = zip(*cells, strict=True) if cells else ((), (), ())
    return Shape(model, odd, plain, _taking([row.paths[0] for row in plain]), readings, columns, table.finish)


def _taking(paths: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """`itemgetter` that gives a tuple however many paths there are."""
    if len(paths) > 1:
        return itemgetter(*paths)
    return lambda values: tuple(values[path] for path in paths)


def _rows_of(tables: Tables, table: Table) -> tuple[Row, ...]:
    """The rows of a table with all their paths."""
    if table.kind not in tables.rows:
        written = Counter(c for col in table.cols for c in (*columns_of(col.column), *also_of(col.column)))
        shared = frozenset(column for column, times in written.items() if times > 1)
        tables.rows[table.kind] = tuple(_row(n, col, shared) for n, col in enumerate(table.cols))
    return tables.rows[table.kind]


def _row(number: int, col: Col, shared: frozenset[str]) -> Row:
    name = col.column
    cells: tuple[tuple[str, Readings], ...] = ()
    if name in _ADDRESSES:
        fill = _address_filler(name[:3], readings_of(col.read or first))
    elif name == "end_time" and col.read is None:
        fill = _fill_end_time
    elif name == "file_hash":
        fill = _hash_filler(readings_of(col.read or READINGS[name]))
    else:
        cells = tuple((column, readings_of(read)) for column, read in _reads(name, col.read or READINGS[name]))
        fill = _filler(cells)
    if col.when is not None or shared.intersection(columns_of(name)):
        cells = ()
    return Row(number, col.sources, cells, fill, name not in _MAY_BE_OTHER, col.when, col.every)


@lru_cache(_SHAPES)
def _reads(name: str, read: Read) -> tuple[tuple[str, Read], ...]:
    """The columns behind a name, each with the reading of its own; all of them read something, or none."""
    if name == "severity":
        return ("severity_id", read), ("severity_raw", lambda v: None if read(v) is None else str(v)[:_RAW])
    if name == "malware_names":
        return (name, read), ("malware_family", lambda v: family_of(made[0]) if (made := read(v)) else None)
    if name == "verdict":
        return tuple((column, partial(_nth, read, n)) for n, column in enumerate(PAIRS[name]))
    return ((name, read),)


def _nth(read: Read, n: int, value: Any) -> Any:
    made = read(value)
    return None if made is None else made[n]


def _filler(cells: tuple[tuple[str, Readings], ...]) -> Fill:
    """Fills the columns of a row, all or none."""

    def fill(event: Event, value: Any, _context: Context) -> bool:
        for column, readings in cells:
            made = readings.of(value)
            if made is None:
                return False
            setattr(event, column, made)
        return True

    return fill


def _hash_filler(readings: Readings) -> Fill:
    """Fills the column that the length of a hash says."""

    def fill(event: Event, value: Any, _context: Context) -> bool:
        made = readings.of(value)
        if made is None:
            return False
        setattr(event, PAIRS["file_hash"][{32: 0, 20: 1, 16: 2}[len(made)]], made)
        return True

    return fill


def _fill_end_time(event: Event, value: Any, context: Context) -> bool:
    when = context.times.read(value) if isinstance(value, str) else None
    if when is None:
        return False
    event.end_time = when[0]
    return True


def _address_filler(side: str, readings: Readings) -> Fill:
    """Fills one end, with all that follows from where it lies."""
    ip, scope, country, asn = f"{side}_ip", f"{side}_scope", f"{side}_country", f"{side}_asn"

    def fill(event: Event, value: Any, context: Context) -> bool:
        text = readings.of(value)
        place = context.places[text.strip()] if text else None
        if place is None or place is NOWHERE:
            return False
        setattr(event, ip, place.address)
        setattr(event, scope, place.scope)
        if place.country is not None:
            setattr(event, country, place.country)
        if place.asn is not None:
            setattr(event, asn, place.asn)
        return True

    return fill
