"""Moving closed days from `tail` to `settled`, sorted by (day, owner, time), in one transaction.

Days that late events touch are re-sorted as a whole, so that one organisation's day stays one stretch of the file.
"""

# ruff: noqa: S608 - table and column names come from `layout` and from our own serial numbers, never from outside
from __future__ import annotations

import duckdb

from commonwatch.store.layout import PHYSICAL

_NAMES = ", ".join(f'"{name}"' for name in PHYSICAL)
_DAY = "date_trunc('day', \"time\")"


def settle(cursor: duckdb.DuckDBPyConnection, before: int | None) -> int:
    """Move rows of days that ended before `before` (microseconds since 1970; None: all); returns rows moved."""
    cursor.execute("BEGIN")
    try:
        moved = _move(cursor, before)
        cursor.execute("COMMIT")
    except duckdb.Error:
        cursor.execute("ROLLBACK")
        raise
    return moved


def _move(cursor: duckdb.DuckDBPyConnection, before: int | None) -> int:
    bound = "" if before is None else f" WHERE {_DAY} < date_trunc('day', make_timestamp({int(before)}))"
    found = cursor.execute(f"SELECT count(*) FROM store.main.tail{bound}").fetchone()
    moved = int(found[0]) if found else 0
    if not moved:
        return 0
    days = f"SELECT DISTINCT {_DAY} FROM store.main.tail{bound}"
    late = f"SELECT {_NAMES} FROM store.main.settled WHERE {_DAY} IN ({days})"
    new = f"SELECT {_NAMES} FROM store.main.tail{bound}"
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE moving AS SELECT r.* FROM ({late} UNION ALL {new}) r"
        " JOIN store.main.handling h ON h.no = r.handling"
        ' ORDER BY date_trunc(\'day\', r."time"), h.owner, r."time", r.event_uid'
    )
    cursor.execute(f"DELETE FROM store.main.settled WHERE {_DAY} IN ({days})")
    cursor.execute(f"DELETE FROM store.main.tail{bound}")
    cursor.execute(f"INSERT INTO store.main.settled SELECT {_NAMES} FROM moving")
    cursor.execute("DROP TABLE moving")
    return moved
