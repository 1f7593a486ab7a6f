"""One found record to one outcome, by its table.

Rules held here: time and kind are required, everything else is optional: a value that is not usable is dropped by its
path, and the event stays; nothing outside the table reaches the event. `make` never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from commonwatch.events.event import Event, copy_event
from commonwatch.ingest.outcome import Outcome, Parsed, Skipped, quarantine
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables.reading import READINGS, first
from commonwatch.ingest.tables.table import PAIRS, Col, Drop, Read, Table, Tables
from commonwatch.ingest.values.families import family_of
from commonwatch.ingest.values.places import NOWHERE, direction
from commonwatch.ingest.values.times import YEAR_2000

_ADDRESSES = frozenset({"src_ip", "dst_ip"})
#: Where a value that says something else is nothing wrong: a host that is an address, a word that stands for nobody.
_MAY_BE_OTHER = frozenset({"domain", "verdict", "cve_uids", "malware_names", "src_user", "dst_user"})
#: Characters of a source's own word for severity that are kept.
_RAW = 16
_ABSENT: tuple[object, ...] = (None, "", [], {})
#: So many shapes of records, of so many paths, are remembered: a source has a few dozen, a hostile one any number.
_SHAPES, _PATHS = 1_000, 128
#: Texts of up to so many characters are remembered with what was read in them, so many per reading.
_SHORT, _VALUES = 64, 2_000
#: Puts a value into its column or columns; whether it was usable.
_Fill = Callable[[Event, Any, Context], bool]


class Found(NamedTuple):
    """A record as a format found it: its kind, its values by path, its time (microseconds, quality) if it has one."""

    kind: str
    values: Mapping[str, Any]
    when: tuple[int, int] | None


class Unreadable(NamedTuple):
    """A record that a format could not read, and the quarantine reason."""

    reason: str


class Placed(NamedTuple):
    """Where a record lies: byte offset, its number among several made from one record, its bytes."""

    position: int
    record: bytes
    part: int = 0


def make(tables: Tables, found: Found | Unreadable, at: Placed, context: Context, number: int) -> Outcome:
    """The outcome of a record. `number` is the format's."""
    if isinstance(found, Unreadable):
        return quarantine(found.reason, at.position, at.record)
    table = tables.kinds.get(found.kind)
    if table is None:
        reason = tables.skips.get(found.kind)
        return quarantine("unknown_kind", at.position, at.record) if reason is None else Skipped(reason, at.position)
    if found.when is None:
        return quarantine("no_time", at.position, at.record)
    if not YEAR_2000 <= found.when[0] <= context.latest:
        return quarantine("bad_time", at.position, at.record)
    dropped: list[str] = []
    event = _event(_shape_of(tables, table, found.values), found.values, found.when, context, dropped.append)
    event.source_format = number
    event.event_uid = context.uid(at.position, at.part)
    return Parsed(event, at.position, found.kind, tuple(dict.fromkeys(dropped)))


class _Step(NamedTuple):
    """One row of a table with those of its paths that a record has. `strict`: an unusable value is dropped by name."""

    paths: tuple[str, ...]
    fill: _Fill
    strict: bool
    when: tuple[str, str] | None


class _Shape(NamedTuple):
    """What records of one kind with the same paths share: the event as the kind alone says it, and the rows to read."""

    model: Event
    steps: tuple[_Step, ...]
    finish: Callable[[Event, Mapping[str, Any], Drop], None] | None


def _shape_of(tables: Tables, table: Table, values: Mapping[str, Any]) -> _Shape:
    """The shape of a record: a source repeats few of them, so they are remembered."""
    key = (table.kind, *values)
    shape: _Shape | None = tables.shapes.get(key)
    if shape is None:
        shape = _shape(table, values)
        if len(key) <= _PATHS and sum(map(len, key)) <= _PATHS * _SHORT:
            if len(tables.shapes) >= _SHAPES:
                tables.shapes.clear()
            tables.shapes[key] = shape
    return shape


def _shape(table: Table, values: Mapping[str, Any]) -> _Shape:
    model = Event(
        event_class=table.event_class, class_uid=table.class_uid, activity_id=table.activity, time=0,
        **table.constants,
    )  # fmt: skip
    steps = [
        _Step(paths, _fill_of(col), col.column not in _MAY_BE_OTHER, col.when)
        for col in table.cols
        if (paths := tuple(p for p in col.sources if p in values)) and (col.when is None or col.when[0] in values)
    ]
    return _Shape(model, tuple(steps), table.finish)


def _event(shape: _Shape, values: Mapping[str, Any], when: tuple[int, int], context: Context, drop: Drop) -> Event:
    """Each column from the first of its paths that has a usable value; unusable ones are dropped."""
    event = copy_event(shape.model)
    event.time, event.time_quality = when
    for paths, fill, strict, only in shape.steps:
        if only is not None and values[only[0]] != only[1]:
            continue
        for path in paths:
            value = values[path]
            if not value and value in _ABSENT:
                continue
            if fill(event, value, context):
                break
            if strict:
                drop(path)
    event.direction_id = event.direction_id or direction(event.src_scope, event.dst_scope)
    if shape.finish is not None:
        shape.finish(event, values, drop)
    return event


def _fill_of(col: Col) -> _Fill:
    """How a value is put into the row's column or columns."""
    name = col.column
    if name in _ADDRESSES:
        return _address_filler(name[:3], col.read or first)
    if name == "end_time" and col.read is None:
        return _fill_end_time
    read = col.read or READINGS[name]
    if name in PAIRS:
        return _several_filler(name, read)
    return _names_filler(read) if name == "malware_names" else _filler(name, read)


def _filler(name: str, read: Read) -> _Fill:
    read = _remembering(read)

    def fill(event: Event, value: Any, _context: Context) -> bool:
        made = read(value)
        if made is None or made == ():
            return False
        setattr(event, name, made)
        return True

    return fill


def _names_filler(read: Read) -> _Fill:
    fill_names = _filler("malware_names", read)

    def fill(event: Event, value: Any, context: Context) -> bool:
        if not fill_names(event, value, context):
            return False
        event.malware_family = family_of(event.malware_names[0])
        return True

    return fill


def _several_filler(name: str, read: Read) -> _Fill:
    read = _remembering(read)

    def fill(event: Event, value: Any, _context: Context) -> bool:
        made = read(value)
        if made is None or made == ():
            return False
        _take_several(event, name, made, value)
        return True

    return fill


@lru_cache(_SHAPES)
def _remembering(read: Read) -> Read:
    """A reading that remembers short texts: sources repeat most values, and a reading depends on nothing else."""
    known = lru_cache(_VALUES)(read)
    return lambda value: known(value) if type(value) is str and len(value) <= _SHORT else read(value)


def _fill_end_time(event: Event, value: Any, context: Context) -> bool:
    when = context.times.read(value) if isinstance(value, str) else None
    if when is None:
        return False
    event.end_time = when[0]
    return True


def _take_several(event: Event, name: str, made: Any, value: Any) -> None:
    """Fill the columns behind a name that stands for several."""
    if name == "verdict":
        event.action_id, event.disposition_id = made
    elif name == "severity":
        event.severity_id, event.severity_raw = made, str(value)[:_RAW]
    else:
        setattr(event, PAIRS[name][{32: 0, 20: 1, 16: 2}[len(made)]], made)


def _address_filler(side: str, read: Read) -> _Fill:
    """Fills one end, with all that follows from where it lies."""
    ip, scope, country, asn = f"{side}_ip", f"{side}_scope", f"{side}_country", f"{side}_asn"

    def fill(event: Event, value: Any, context: Context) -> bool:
        text = read(value)
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
