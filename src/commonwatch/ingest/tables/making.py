"""One found record to one outcome, by its table.

Rules held here: time and kind are required, everything else is optional: a value that is not usable is dropped by its
path, and the event stays; nothing outside the table reaches the event. `make` never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from operator import getitem, itemgetter
from typing import Any, NamedTuple

from commonwatch.events.event import Event, copy_event
from commonwatch.ingest.outcome import Outcome, Parsed, Skipped, quarantine
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables.reading import items
from commonwatch.ingest.tables.shapes import ABSENT, Readings, Row, Shape, shape_of
from commonwatch.ingest.tables.table import Tables
from commonwatch.ingest.values.places import direction
from commonwatch.ingest.values.times import YEAR_2000

#: Of each value that was not usable: the number of the row, its path.
_Dropped = list[tuple[int, str]]


class Found(NamedTuple):
    """A record as a format found it: its kind, its values by path, its time (microseconds, quality) if it has one."""

    kind: str
    values: Mapping[str, Any]
    when: tuple[int, int] | None


class Unreadable(NamedTuple):
    """A record that a format could not read, and the quarantine reason."""

    reason: str


class Placed(NamedTuple):
    """Where a record lies: byte offset, its bytes, its number among several made from one record."""

    position: int
    record: bytes
    part: int = 0


def make(tables: Tables, found: Found | Unreadable, at: Placed, context: Context, number: int) -> Outcome:
    """The outcome of a record. `number` is the format's."""
    if isinstance(found, Unreadable):
        return quarantine(found.reason, at.position, at.record)
    kind, values, when = found
    table = tables.kinds.get(kind)
    if table is None:
        reason = tables.skips.get(kind)
        return quarantine("unknown_kind", at.position, at.record) if reason is None else Skipped(reason, at.position)
    if when is None:
        return quarantine("no_time", at.position, at.record)
    if not YEAR_2000 <= when[0] <= context.latest:
        return quarantine("bad_time", at.position, at.record)
    dropped: _Dropped = []
    event = _event(shape_of(tables, table, values), values, context, dropped)
    event.time, event.time_quality = when
    event.source_format = number
    event.event_uid = context.uid(at.position, at.part)
    return Parsed(event, at.position, kind, _in_order(dropped) if dropped else ())


def _in_order(dropped: _Dropped) -> tuple[str, ...]:
    """The paths in the order of the table, each once."""
    return tuple(dict.fromkeys(path for _, path in sorted(dropped, key=itemgetter(0))))


def _event(shape: Shape, values: Mapping[str, Any], context: Context, dropped: _Dropped) -> Event:
    """Each column from the first of its paths that has a usable value; unusable ones are dropped."""
    event = copy_event(shape.model)
    for row in shape.odd:
        if row.every:
            _fill_together(row, event, values, context, dropped)
        elif row.when is not None or not row.fill(event, values[row.paths[0]], context):
            _fill(row, event, values, context, dropped)
    _fill_plain(shape, event, values, context, dropped)
    event.direction_id = event.direction_id or direction(event.src_scope, event.dst_scope)
    if shape.finish is not None:
        shape.finish(event, values)
    return event


def _fill(row: Row, event: Event, values: Mapping[str, Any], context: Context, dropped: _Dropped) -> None:
    """One row, from path to path."""
    if row.when is not None and values[row.when[0]] != row.when[1]:
        return
    for path in row.paths:
        value = values[path]
        if not value and value in ABSENT:
            continue
        if row.fill(event, value, context):
            return
        if row.strict:
            dropped.append((row.number, path))


def _fill_together(row: Row, event: Event, values: Mapping[str, Any], context: Context, dropped: _Dropped) -> None:
    """One row, the texts of all its paths as one list."""
    together = tuple(text for path in row.paths for text in items(values[path]))
    if not row.fill(event, together, context) and row.strict and together:
        dropped.extend((row.number, path) for path in row.paths)


def _fill_plain(shape: Shape, event: Event, values: Mapping[str, Any], context: Context, dropped: _Dropped) -> None:
    """All rows that fill one column each by their readings, at once; rows whose first value is no use one by one."""
    firsts = shape.firsts(values)
    try:
        made = list(map(getitem, shape.readings, firsts))
    except TypeError:  # a value that cannot be a key
        made = list(map(Readings.of, shape.readings, firsts))
    if None not in made:
        any(map(setattr, repeat(event), shape.columns, made))
        return
    for row, column, one in zip(shape.plain, shape.columns, made, strict=True):
        if one is not None:
            setattr(event, column, one)
        elif column == row.cells[0][0] and (row.strict or len(row.paths) > 1):
            _fill(row, event, values, context, dropped)
