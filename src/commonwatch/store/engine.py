"""Opening the engine: settings, the attached store file, lock-down, and the constant problem its errors become.

Rules held here (`engine.md` 1): the main connection is in memory, the store file is attached as `store`; decision
tables live in `memory.gov`, snapshots in `snap`, and neither touches the disk; settings are locked after the last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from commonwatch.errors import Unavailable
from commonwatch.store import layout

FILE = "events.duckdb"
_SPILL = "8GB"
#: The write-ahead log is folded into the file when it is this large: a batch is some megabytes of it, and folding costs
#: as much as writing a few of them. Reading it back after a crash takes about a second.
_LOG = "128MB"


def closed() -> Unavailable:
    """The one problem that every engine error becomes: the same words whatever happened."""
    return Unavailable("the question could not be answered", todo="ask a narrower question, or try again later")


@contextmanager
def constant_errors() -> Iterator[None]:
    """Inside, an engine error is replaced by the constant problem; its text goes nowhere."""
    try:
        yield
    except duckdb.Error:
        raise closed() from None


def connect(folder: Path, memory_limit: str | None, threads: int | None) -> duckdb.DuckDBPyConnection:
    """An engine with the store of `folder` attached and everything outside the folder out of reach."""
    folder = folder.resolve()
    spill = folder / "spill"
    spill.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(":memory:")
    limit = memory_limit or _half_the_memory()
    settings = {
        "memory_limit": limit,
        "threads": str(threads or os.cpu_count() or 1),
        "TimeZone": "UTC",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
        "temp_directory": str(spill),
        "max_temp_directory_size": _SPILL,
        "enable_progress_bar": "false",
        "checkpoint_threshold": _LOG,
    }
    for name, value in settings.items():
        con.execute(f"SET {name} = {quoted(value)}")
    con.execute(f"ATTACH {quoted(str(folder / FILE))} AS store")
    con.execute("ATTACH ':memory:' AS snap (COMPRESS)")
    con.execute("CREATE SCHEMA memory.gov")
    con.execute(f"SET allowed_directories = [{quoted(str(folder))}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con


def migrate(con: duckdb.DuckDBPyConnection) -> None:
    """Make or check the tables; refuses a store that a newer release wrote."""
    con.execute("BEGIN")
    for statement in layout.DDL:
        con.execute(statement)
    found = con.execute("SELECT max(version) FROM store.main.schema_version").fetchone()
    version = found[0] if found else None
    if version is None:
        con.execute("INSERT INTO store.main.schema_version VALUES (?)", [layout.SCHEMA_VERSION])
    con.execute("COMMIT")
    if version is not None and version > layout.SCHEMA_VERSION:
        raise Unavailable("the event store was written by a newer release", todo="upgrade this hub")


def _half_the_memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{max(256, total // 2 // 1024**2)}MiB"


def quoted(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("'", "''") + "'"
