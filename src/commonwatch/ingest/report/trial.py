"""A trial of one file: what would become of each record and each field, before anything is connected to anything.

Rules held here: counts and paths only, never a value, unless the caller asks for one example; a field that is in no
mapping row stays at the gateway; without an agreement everything stays. The ceiling is asked for as a function, so
that the report says exactly what the edge would do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from commonwatch.events.columns import COLUMNS
from commonwatch.events.event import Event
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.labels import Label
from commonwatch.ingest.archives import Chunks
from commonwatch.ingest.counters import Counters
from commonwatch.ingest.outcome import Outcome, Parsed
from commonwatch.ingest.reading import Reader
from commonwatch.ingest.report.mapping import field_of
from commonwatch.ingest.source import Source

#: label -> field -> the point at which it may leave; None means that no such row leaves at all
Ceiling = Callable[[Label], Mapping[FieldName, str] | None]
_MAX_PATHS = 2_000


class FieldRow(msgspec.Struct):
    """One source path: how often it was there, the columns it feeds, their clause fields, an example if asked for."""

    source: str
    count: int
    columns: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    example: str | None = None


class LeaveRow(msgspec.Struct):
    """One clause field: in how many events it had a value, and at which points it would leave (`withheld` stays)."""

    field: str
    events: int
    points: dict[str, int]


class Trial(msgspec.Struct):
    """The report of one file."""

    format: str | None
    counters: dict[str, int | dict[str, int]]
    classes: dict[str, int]
    labels: dict[str, int]
    mapped: list[FieldRow]
    unmapped: list[FieldRow]
    agreements: int
    rows_leaving: int
    rows_staying: int
    leaving: list[LeaveRow]
    own_networks_given: bool


class _Tally:
    """Running counts of a trial."""

    def __init__(self, values: bool) -> None:
        self.paths: Counter[tuple[str, str]] = Counter()
        self.examples: dict[str, str] = {}
        self.classes: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.fields: dict[FieldName, Counter[str]] = {name: Counter() for name in FIELDS}
        self.leaving = 0
        self.staying = 0
        self.values = values

    def note_source(self, leaves: Iterable[tuple[str, str]], kind: str) -> None:
        """Count the leaf paths of a record."""
        for path, value in set(leaves):
            if len(self.paths) < _MAX_PATHS or (path, kind) in self.paths:
                self.paths[path, kind] += 1
                if self.values and path not in self.examples:
                    self.examples[path] = value[:80]

    def note_event(self, event: Event, label: Label, points: Mapping[FieldName, str] | None) -> None:
        """Count the fields of an event by what may leave of them."""
        self.classes[label.event_class.word] += 1
        site = f" site {label.site}" if label.site else ""
        self.labels[f"{label.event_class.word} TLP:{label.tlp.word.upper()} {label.severity.word}{site}"] += 1
        self.leaving += points is not None
        self.staying += points is None
        for name in _fields_in(event):
            self.fields[name][(points or {}).get(name, "withheld")] += 1


def try_file(
    path: Path, source: Source, label: Callable[[Event], Label], ceiling: Ceiling, agreements: int, *,
    values: bool = False,
) -> Trial:  # fmt: skip
    """Read a file as a gateway would and report. Raises OSError where the file cannot be read."""
    reader, tally, counters = Reader(source), _Tally(values), Counters()
    chunks = Chunks(path)
    for outcomes in _portions(reader, chunks):
        parsed = [o for o in outcomes if isinstance(o, Parsed)]
        for outcome in parsed:
            named = label(outcome.event)
            tally.note_event(outcome.event, named, ceiling(named))
        kinds = {o.position: o.kind for o in parsed}
        for position, record in reader.records():
            for kind, leaves in reader.leaves(record, kinds.get(position)):
                tally.note_source(leaves, kind)
    counters.merge(reader.counters)
    if chunks.damage is not None:
        counters.damage[chunks.damage] += 1
    return _report(reader, counters, tally, agreements)


def _portions(reader: Reader, chunks: Chunks) -> Iterator[list[Outcome]]:
    for chunk in chunks:
        yield reader.feed(chunk)
    yield reader.finish()


def _fields_in(event: Event) -> set[FieldName]:
    """Clause fields that have a value in this event."""
    found = {"time", "severity", "action", "signature"}
    for name, column in COLUMNS.items():
        if column.field and getattr(event, name, None) not in (None, (), 0):
            found.add(column.field)
    return {name for name in FIELDS if name in found}


def _report(reader: Reader, counters: Counters, tally: _Tally, agreements: int) -> Trial:
    mapped: dict[str, FieldRow] = {}
    unmapped: dict[str, FieldRow] = {}
    mapping = reader.mapping
    for (path, kind), count in tally.paths.items():
        columns = mapping.find(path, kind) if mapping else ()
        row = (mapped if columns else unmapped).setdefault(path, FieldRow(path, 0))
        row.columns = tuple(dict.fromkeys((*row.columns, *columns)))
        row.fields = tuple(dict.fromkeys(map(field_of, row.columns)))
        row.count += count
        row.example = tally.examples.get(path)
    leaving = [LeaveRow(n, c.total(), dict(c.most_common())) for n, c in tally.fields.items() if c]
    return Trial(
        format=reader.format.name if reader.format else None,
        counters=counters.as_dict(),
        classes=dict(tally.classes.most_common()),
        labels=dict(tally.labels.most_common()),
        mapped=_sorted(mapped),
        unmapped=_sorted(unmapped),
        agreements=agreements,
        rows_leaving=tally.leaving,
        rows_staying=tally.staying,
        leaving=leaving,
        own_networks_given=bool(reader.source.own),
    )


def _sorted(rows: dict[str, FieldRow]) -> list[FieldRow]:
    return sorted(rows.values(), key=lambda r: (-r.count, r.source))
