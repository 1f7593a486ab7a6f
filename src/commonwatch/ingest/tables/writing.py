"""An event back into its source's own paths, by the same table that read it.

Rules held here: what the table reads can be written; a column goes to the first path of its first row; what stayed at
the gateway cannot come back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from commonwatch.events.event import Event
from commonwatch.ingest.tables.reading import show
from commonwatch.ingest.tables.table import Tables
from commonwatch.ingest.values.times import ASSUMED

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def put_back(tables: Tables, event: Event, kind: str) -> dict[str, Any]:
    """Path -> value of every mapped column that has one. The time is the format's to write."""
    table = tables.kinds[kind]
    found: dict[str, Any] = {}
    for col in table.cols:
        value = _value(event, col.column)
        if value in (None, ()) or value == table.constants.get(col.column, _NOTHING):
            continue
        if col.sources[0] not in found:
            shown = iso(event, value) if col.column == "end_time" else (col.show or partial(show, col.column))(value)
            if shown is not None:
                found[col.sources[0]] = shown
                if col.when is not None:
                    found[col.when[0]] = col.when[1]
    return found


def iso(event: Event, at: int | None = None) -> str:
    """A time of an event (its own if `at` is None) as ISO text, with its zone where the source gave one."""
    when = _EPOCH + timedelta(microseconds=event.time if at is None else at)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f") + ("" if event.time_quality == ASSUMED else "+00:00")


def _value(event: Event, column: str) -> Any:
    """What a row would write: of a severity the source's own word, of a verdict both numbers."""
    if column == "severity":
        return event.severity_raw
    if column == "file_hash":
        return event.file_sha256 or event.file_sha1 or event.file_md5
    if column == "verdict":
        return None if event.action_id is None else (event.action_id, event.disposition_id)
    return getattr(event, column)


_NOTHING = object()
