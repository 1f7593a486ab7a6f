"""A new file with the surviving rows, written by a process that never sees any other: what is deleted leaves no byte.

Rules held here (`engine.md` 9): deleting leaves every byte in the file, so survivors are streamed as Arrow to a fresh
process that writes the new one; counts and checksums of both must agree; then the new file takes the old one's place in
one rename, on disk before anybody goes on. The other process holds no other row, so it cannot keep one.
"""

# ruff: noqa: S608 - table names come from `layout`, never from outside
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa

from commonwatch.errors import Unavailable
from commonwatch.store import layout

#: Every table of the store's file, in the order they are streamed; events in the order in which they are clustered.
TABLES = ("schema_version", "batch", "held", "handling", "settled", "tail")
_ORDER = {"settled": " ORDER BY rowid", "tail": " ORDER BY arrival, rowid"}
_SUM = "SELECT count(*), coalesce(bit_xor(hash(t)), 0)::VARCHAR FROM store.main.{} t"


def sums(con: duckdb.DuckDBPyConnection) -> dict[str, list[object]]:
    """Rows and checksum of every table."""
    return {name: list(con.execute(_SUM.format(name)).fetchone() or ()) for name in TABLES}


def copy(cursor: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Write what the attached store holds now into a new file, through a child. Raises Unavailable."""
    target.unlink(missing_ok=True)
    args = [sys.executable, "-c", "from commonwatch.store import rewrite; rewrite.main()", str(target)]
    with subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:  # noqa: S603 - our own module
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            _send(cursor, child.stdin)
            child.stdin.close()
            found = json.loads(child.stdout.read() or b"null")
        except (BrokenPipeError, json.JSONDecodeError):
            found = None
    if child.returncode or found != sums(cursor):
        target.unlink(missing_ok=True)
        raise Unavailable("the event store could not be rewritten", todo="see that the disk has room")


def exchange(new: Path, old: Path) -> None:
    """Put the new file in the old one's place; its log goes with it."""
    with new.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(new, old)
    old.with_name(f"{old.name}.wal").unlink(missing_ok=True)
    folder = os.open(old.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _send(cursor: duckdb.DuckDBPyConnection, out: IO[bytes]) -> None:
    for name in TABLES:
        reader = cursor.sql(f"SELECT * FROM store.main.{name}{_ORDER.get(name, '')}").to_arrow_reader(65_536)
        with pa.ipc.new_stream(pa.PythonFile(out, mode="w"), reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)


def write(path: Path, source: IO[bytes]) -> dict[str, list[object]]:
    """The child's side: make the file from the streams, in their order; its sums."""
    with duckdb.connect(":memory:") as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' AS store")
        for statement in layout.DDL:
            con.execute(statement)
        for name in TABLES:
            _fill(con, name, pa.ipc.open_stream(pa.PythonFile(source, mode="r")))
        con.execute("CHECKPOINT store")
        found = sums(con)
        con.execute("DETACH store")
    return found


def _fill(con: duckdb.DuckDBPyConnection, name: str, batches: Iterable[pa.RecordBatch]) -> None:
    for batch in batches:
        con.register("incoming", pa.Table.from_batches([batch]))
        con.execute(f"INSERT INTO store.main.{name} SELECT * FROM incoming")
        con.unregister("incoming")


def main() -> None:
    """Tables from standard input into the file that is named; their sums to standard output."""
    json.dump(write(Path(sys.argv[1]), sys.stdin.buffer), sys.stdout)
