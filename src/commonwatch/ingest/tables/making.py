"""One found record to one outcome, by its table.

Rules held here: time and kind are required, everything else is optional: a value that is not usable is dropped by its
path, and the event stays; nothing outside the table reaches the event. `make` never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from commonwatch.events.event import Event
from commonwatch.ingest.outcome import Outcome, Parsed, Skipped, quarantine
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables.reading import READINGS, first
from commonwatch.ingest.tables.table import PAIRS, Col, Drop, Table, Tables
from commonwatch.ingest.values.families import family_of
from commonwatch.ingest.values.places import NOWHERE, Place, direction
from commonwatch.ingest.values.times import YEAR_2000

_ADDRESSES = frozenset({"src_ip", "dst_ip"})
#: Where a value that says something else is nothing wrong: a host that is an address, a word that stands for nobody.
_MAY_BE_OTHER = frozenset({"domain", "verdict", "cve_uids", "malware_names", "src_user", "dst_user"})
#: Characters of a source's own word for severity that are kept.
_RAW = 16
_ABSENT: tuple[object, ...] = (None, "", [], {})


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
    event = _event(table, found.values, found.when, context, dropped.append)
    event.source_format = number
    event.event_uid = context.uid(at.position, at.part)
    return Parsed(event, at.position, found.kind, tuple(dict.fromkeys(dropped)))


def _event(table: Table, values: Mapping[str, Any], when: tuple[int, int], context: Context, drop: Drop) -> Event:
    event = Event(
        event_class=table.event_class, class_uid=table.class_uid, activity_id=table.activity, time=when[0],
        time_quality=when[1], **table.constants,
    )  # fmt: skip
    for col in table.cols:
        _fill(event, col, values, context, drop)
    event.direction_id = event.direction_id or direction(event.src_scope, event.dst_scope)
    if table.finish is not None:
        table.finish(event, values, drop)
    return event


def _fill(event: Event, col: Col, values: Mapping[str, Any], context: Context, drop: Drop) -> None:
    """Fill a column from the first of its paths that has a usable value; unusable ones are dropped."""
    if col.when is not None and values.get(col.when[0]) != col.when[1]:
        return
    for path in col.sources:
        value = values.get(path)
        if value in _ABSENT:
            continue
        if _take(event, col, value, context):
            return
        if col.column not in _MAY_BE_OTHER:
            drop(path)


def _take(event: Event, col: Col, value: Any, context: Context) -> bool:
    """Put a value into its column; whether it was usable."""
    name = col.column
    if name in _ADDRESSES:
        return _fill_address(event, name[:3], col.read(value) if col.read else first(value), context)
    if name == "end_time" and col.read is None:
        read = context.times.read(value) if isinstance(value, str) else None
        made: Any = read[0] if read else None
    else:
        made = (col.read or READINGS[name])(value)
    if made is None or made == ():
        return False
    if name in PAIRS:
        _take_several(event, name, made, value)
        return True
    setattr(event, name, made)
    if name == "malware_names":
        event.malware_family = family_of(made[0])
    return True


def _take_several(event: Event, name: str, made: Any, value: Any) -> None:
    """Fill the columns behind a name that stands for several."""
    if name == "verdict":
        event.action_id, event.disposition_id = made
    elif name == "severity":
        event.severity_id, event.severity_raw = made, str(value)[:_RAW]
    else:
        setattr(event, PAIRS[name][{32: 0, 20: 1, 16: 2}[len(made)]], made)


def _fill_address(event: Event, side: str, text: str | None, context: Context) -> bool:
    """Fill one end; whether the text is an address."""
    place: Place | None = context.places[text.strip()] if text else None
    if place is None or place is NOWHERE:
        return False
    setattr(event, f"{side}_ip", place.address)
    setattr(event, f"{side}_scope", place.scope)
    if place.country is not None:
        setattr(event, f"{side}_country", place.country)
    if place.asn is not None:
        setattr(event, f"{side}_asn", place.asn)
    return True
