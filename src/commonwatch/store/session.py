"""One request's own piece of the engine: its cursor, its SECURE VIEW, its time limit.

Rules held here: views are TEMP and SECURE, written with their prefix here (SQLGlot drops the word) and read back from
the catalog before use; a relation or query with an untyped function or a table without its catalog is refused;
results leave as Arrow; a session ends with its cursor, and the view goes with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache

import duckdb
import msgspec
import pyarrow as pa
from sqlglot import exp

from commonwatch.errors import Unavailable
from commonwatch.store.engine import closed, constant_errors

VIEW = "events"
_PREFIXES = ("CREATE TEMP SECURE VIEW ", "CREATE SECURE VIEW ", "CREATE OR REPLACE TEMP SECURE VIEW ")
_DIALECT = "duckdb"


class Limits(msgspec.Struct, frozen=True):
    """What a question may cost: seconds of wall clock, and rows that may leave."""

    seconds: float = 60.0
    rows: int = 2_000_000


class Session:
    """A cursor with at most one relation on it. Made by `Store.session`."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._stopped = False

    def define(self, relation: exp.Expr) -> exp.Table:
        """Make `relation` this session's view and return the node that names it."""
        text = render(relation)
        with constant_errors():
            self._cursor.execute(f"CREATE OR REPLACE TEMP SECURE VIEW {VIEW} AS {text}")
            assert_secure(self._cursor)
        return exp.table_(VIEW, db="main", catalog="temp")

    def run(self, query: exp.Expr, limits: Limits = Limits()) -> pa.Table:
        """The result of `query` as one Arrow table. Every failure is the same constant problem."""
        text = render(query)
        with self._limited(limits.seconds), constant_errors():
            result: pa.Table = self._cursor.sql(text).to_arrow_table()
        if result.num_rows > limits.rows:
            raise closed()
        return result

    def stream(self, query: exp.Expr, alive: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        """The result in batches of at most 65,536 rows; ends when `alive` no longer says so."""
        with constant_errors():
            reader = self._cursor.sql(render(query)).to_arrow_reader(65_536)
            for batch in reader:
                if not alive():
                    return
                yield batch

    def cancel(self) -> None:
        """Stop whatever this session runs now; safe from any thread."""
        self._stopped = True
        with suppress(duckdb.ConnectionException):
            self._cursor.interrupt()

    def close(self) -> None:
        """Give the cursor and its view back."""
        self._cursor.close()

    @contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        if self._stopped:
            raise closed()
        timer = threading.Timer(seconds, self._cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def render(tree: exp.Expr) -> str:
    """The engine's text of a tree of typed nodes whose tables all carry their catalog."""
    for node in tree.walk():
        if isinstance(node, exp.Anonymous | exp.Command):
            raise TypeError("a tree of typed nodes holds an untyped one")
        if isinstance(node, exp.Table) and not node.catalog and not isinstance(node.this, exp.Func):
            raise TypeError("a table without its catalog")
    return tree.sql(dialect=_DIALECT, copy=False)


def typed(value: exp.Expr, kind: str) -> exp.Expr:
    """A value with its physical type (`layout.PHYSICAL`) spelt out."""
    return exp.Cast(this=value, to=_data_type(kind).copy())


@lru_cache(maxsize=64)
def _data_type(kind: str) -> exp.DataType:
    return exp.DataType.build(kind, dialect=_DIALECT)


def assert_secure(con: duckdb.DuckDBPyConnection) -> None:
    """Every view the connection can see must be a SECURE VIEW; otherwise nothing is served."""
    found = con.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
    if any(not (sql or "").startswith(_PREFIXES) for (sql,) in found):
        raise Unavailable("a view of the store is not a secure view", todo="restart the hub; report this as a fault")
