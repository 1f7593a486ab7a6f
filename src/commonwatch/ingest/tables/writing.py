"""An event back into its source's own paths, by the same table that read it.

Rules held here: what the table reads can be written; a column goes to the first path of its first row; what stayed at
the gateway cannot come back.
"""

from __future__ import annotations

from typing import Any

from commonwatch.events.event import Event
from commonwatch.ingest.tables.reading import show
from commonwatch.ingest.tables.table import Tables


def put_back(tables: Tables, event: Event, kind: str) -> dict[str, Any]:
    """Path -> value of every mapped column that has one. The time is the format's to write."""
    table = tables.kinds[kind]
    found: dict[str, Any] = {}
    for col in table.cols:
        value = getattr(event, col.column)
        if value in (None, ()) or value == table.constants.get(col.column, _NOTHING):
            continue
        if col.sources[0] not in found:
            shown = col.show(value) if col.show else show(col.column, value)
            if shown is not None:
                found[col.sources[0]] = shown
                if col.when is not None:
                    found[col.when[0]] = col.when[1]
    return found


_NOTHING = object()
