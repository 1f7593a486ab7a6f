"""Which rows go when an owner's time is up or an owner leaves: deleted here, wiped from the file by `rewrite`.

Rules held here: a row goes when it happened or arrived before its owner's moment; batch ids stay, so that what is sent
again is not stored again; of an owner that leaves everything goes, the numbers that stood for its labels as well, and
its batches lose its name.
"""

# ruff: noqa: S608 - table names come from `layout`, never from outside
from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from commonwatch.store import layout
from commonwatch.store.handling import Handling

_OLD = (
    'handling IN (SELECT unnest(?::INTEGER[])) AND ("time" < make_timestamp(?) OR arrival IN'
    " (SELECT arrival FROM store.main.batch WHERE received < ?))"
)


def deleted(
    cursor: duckdb.DuckDBPyConnection, handlings: Iterable[Handling], old: Mapping[str, int], owner: str | None
) -> dict[str, int]:
    """Delete in one transaction; how many rows went of whom."""
    numbers: dict[str, list[int]] = {}
    for handling in handlings:
        numbers.setdefault(handling.owner, []).append(handling.no)
    cursor.execute("BEGIN")
    try:
        gone = {name: _before(cursor, numbers.get(name, []), moment) for name, moment in old.items()}
        if owner is not None:
            gone[owner] = gone.get(owner, 0) + _everything(cursor, owner, numbers.get(owner, []))
        cursor.execute("COMMIT")
    except duckdb.Error:
        cursor.execute("ROLLBACK")
        raise
    return {name: rows for name, rows in gone.items() if rows}


def _before(cursor: duckdb.DuckDBPyConnection, numbers: list[int], moment: int) -> int:
    return sum(_delete(cursor, table, _OLD, [numbers, moment, moment]) for table in layout.EVENT_TABLES)


def _everything(cursor: duckdb.DuckDBPyConnection, owner: str, numbers: list[int]) -> int:
    which = "handling IN (SELECT unnest(?::INTEGER[]))"
    gone = sum(_delete(cursor, table, which, [numbers]) for table in layout.EVENT_TABLES)
    nameless = "UPDATE store.main.batch SET org = '', gateway = '', seq = 0, digest = NULL WHERE org = ?"
    cursor.execute(nameless, [owner])
    cursor.execute("DELETE FROM store.main.handling WHERE owner = ?", [owner])
    cursor.execute("DELETE FROM store.main.held WHERE no NOT IN (SELECT held FROM store.main.handling)")
    return gone


def _delete(cursor: duckdb.DuckDBPyConnection, table: str, where: str, values: list[object]) -> int:
    found = cursor.execute(f"DELETE FROM store.main.{table} WHERE {where}", values).fetchone()
    return int(found[0]) if found else 0
