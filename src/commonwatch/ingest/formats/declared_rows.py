"""CSV, JSON lines and Parquet rows under a mapping that the owner declared. Never recognised without one.

Rules held here: a quoted cell may hold line breaks, so a row is what its quotes say; a row with another number of cells
than its header is malformed; what the mapping does not name stays. `parse` never raises.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final

import msgspec

from commonwatch.events.labels import CLASS_WORDS, OCSF_CLASS, SEVERITY_WORDS, Severity
from commonwatch.ingest.declared import Declared
from commonwatch.ingest.framing import Frames
from commonwatch.ingest.outcome import MAX_RECORD, Outcome, quarantine
from commonwatch.ingest.report.mapping import KindRow, Map, Mapping
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Col, Found, Placed, Table, Tables, Unreadable, make
from commonwatch.ingest.tables.json_paths import decode, paths
from commonwatch.ingest.values.times import GIVEN, Times, epoch, zone_of

NAME: Final = "declared_rows"
TITLE: Final = "CSV, JSON lines and Parquet with a declared mapping"
NUMBER: Final = 12
FRAMING: Final = "lines"
COMMENTS: Final = False
_QUOTE: Final = '"'
#: Lines that one row may span: an open quote takes no more along.
MOST_LINES: Final = 200
MAPPING: Final = Mapping(
    (Map("*", ("time",), "as the mapping says: any source column feeds the canonical column it is declared for"),),
    (KindRow("rows", "as the mapping says"),), (),
)  # fmt: skip


class Memory(msgspec.Struct):
    """What is remembered between portions: the header row, and a row whose quotes are still open, with its offset."""

    header: tuple[str, ...] = ()
    pending: str = ""
    lines: int = 0
    at: int = 0


def recognise(_head: bytes) -> float:
    """Never by itself."""
    return 0.0


def parse(frames: Frames, context: Context) -> list[Outcome]:
    """One outcome a row; the header has none."""
    outcomes: list[Outcome] = list(frames.broken)
    declared = context.source.declared
    if declared is None:
        unknown = zip(frames.offsets, frames.records, strict=True)
        return outcomes + [quarantine("unknown_format", position, record) for position, record in unknown]
    memory, tables = _memory(declared, context), tables_of(declared)
    for position, record in zip(frames.offsets, frames.records, strict=True):
        found = _find(record, position, declared, memory)
        if found is not None:
            outcomes.append(make(tables, found, Placed(memory.at, record), context, NUMBER))
    context.memory = msgspec.json.encode(memory)
    return outcomes


def find(record: bytes, context: Context) -> Found | Unreadable | None:
    """The values of a row that ends with this line."""
    declared = context.source.declared
    if declared is None:
        return Unreadable("unknown_format")
    memory = _memory(declared, context)
    found = _find(record, 0, declared, memory)
    context.memory = msgspec.json.encode(memory)
    return found


def _memory(declared: Declared, context: Context) -> Memory:
    return msgspec.json.decode(context.memory, type=Memory) if context.memory else Memory(declared.header)


def _find(record: bytes, position: int, declared: Declared, memory: Memory) -> Found | Unreadable | None:
    """A row, or why it is none; None for the header and for a row that goes on in the next line."""
    found = _cells(record, position, declared, memory)
    return Found(declared.name, found, when_of(found, declared)) if isinstance(found, dict) else found


def _cells(record: bytes, position: int, declared: Declared, memory: Memory) -> dict[str, Any] | Unreadable | None:
    """The values of a row; None for the header and for a row that goes on in the next line."""
    if declared.layout == "json":
        memory.at = position
        decoded = decode(record)
        return decoded if isinstance(decoded, Unreadable) else paths(decoded)
    try:
        text = record.decode()
    except UnicodeDecodeError:
        memory.at, memory.pending, memory.lines = position, "", 0
        return Unreadable("not_utf8")
    if memory.pending:
        text = f"{memory.pending}\n{text}"
    else:
        memory.at = position
    if text.count(_QUOTE) % 2:
        memory.lines += 1
        if len(text) <= MAX_RECORD and memory.lines < MOST_LINES:
            memory.pending = text
            return None
        memory.pending, memory.lines = "", 0
        return Unreadable("too_large")
    memory.lines = 0
    memory.pending = ""
    return _row(text.rstrip("\r"), declared, memory)


def _row(text: str, declared: Declared, memory: Memory) -> dict[str, Any] | Unreadable | None:
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=declared.delimiter), [])
    except csv.Error:
        return Unreadable("malformed")
    if not memory.header:
        memory.header = tuple(cell.strip() for cell in cells)
        return None
    if len(cells) != len(memory.header):
        return Unreadable("malformed")
    return dict(zip(memory.header, cells, strict=True))


def when_of(values: dict[str, Any], declared: Declared) -> tuple[int, int] | None:
    """The time of a row (microseconds, quality)."""
    value, form = values.get(declared.time.column), declared.time.form
    if form in {"epoch", "epoch-ms"}:
        seconds = epoch(value)
        return None if seconds is None else (seconds // (1000 if form == "epoch-ms" else 1), GIVEN)
    if not isinstance(value, str):
        return None
    times = Times(zone_of(declared.time.zone))
    if form == "iso":
        return times.read(value)
    try:
        return times.read(datetime.strptime(value.strip(), form).isoformat())  # noqa: DTZ007 - the zone is declared
    except ValueError:
        return None


def tables_of(declared: Declared) -> Tables:
    """The tables that a mapping declares."""
    return _tables(msgspec.json.encode(declared))


@lru_cache(maxsize=64)
def _tables(key: bytes) -> Tables:
    declared = msgspec.json.decode(key, type=Declared)
    event_class = CLASS_WORDS[declared.event_class]
    words = {word.casefold(): SEVERITY_WORDS[s] for word, s in declared.severity.items() if s != "unknown"}
    cols = tuple(
        Col(column, (source,), partial(_severity, words) if column == "severity" else None)
        for column, source in sorted(declared.columns.items())
    )
    constants = {"product_name": declared.product or declared.name}
    table = Table(declared.name, event_class, OCSF_CLASS[event_class], cols, declared.activity, constants)
    return Tables((table,), times=(declared.time.column,))


def _severity(words: dict[str, Severity], value: Any) -> Severity | None:
    return words.get(str(value).strip().casefold())
