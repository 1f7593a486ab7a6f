"""The mapping table of a format: source field -> canonical column, as data that people and programs read.

Rules held here: the reference page and `gateway try` are made from this table; a test removes every field of every
corpus record and holds the parser to it. A path is the source's own spelling, dots between members, `[]` for list
items, a last `*` for anything below.
"""

from __future__ import annotations

from typing import NamedTuple

from commonwatch.events.columns import COLUMNS
from commonwatch.ingest.outcome import MAX_DEPTH


class Map(NamedTuple):
    """One source path feeding canonical columns. `kinds` empty means every kind.

    `also` are columns that follow from it: scope and country of an address, the ends turned round, a class.
    """

    source: str
    columns: tuple[str, ...]
    note: str = ""
    kinds: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class KindRow(NamedTuple):
    """What becomes of one record kind: an event class, or a skip with its reason."""

    kind: str
    event_class: str
    note: str = ""


class Mapping(NamedTuple):
    """Everything a format does with its fields and kinds."""

    maps: tuple[Map, ...]
    kinds: tuple[KindRow, ...]
    skips: tuple[KindRow, ...]

    def find(self, path: str, kind: str = "") -> tuple[str, ...]:
        """The columns a source path feeds for a record kind; empty means that it stays at the gateway."""
        return tuple(dict.fromkeys(c for row in self._rows(path, kind) for c in row.columns))

    def reach(self, path: str, kind: str = "") -> frozenset[str]:
        """Every column that a source path may change, directly or by what follows from it."""
        return frozenset(c for row in self._rows(path, kind) for c in (*row.columns, *row.also))

    def _rows(self, path: str, kind: str) -> list[Map]:
        return [m for m in self.maps if (not m.kinds or not kind or kind in m.kinds) and _covers(m.source, path)]


def _covers(pattern: str, path: str) -> bool:
    return path == pattern or (pattern.endswith(".*") and path.startswith(pattern[:-1]))


def field_of(column: str) -> str:
    """The clause field of a column, or its role where no clause discloses it."""
    entry = COLUMNS[column]
    return entry.field or f"({entry.role})"


def page(name: str, title: str, mapping: Mapping, most: int) -> str:
    """The reference page of a format, in Markdown. `most`: bytes of its longest record."""
    lines = [f"# {title}", "", f"Format `{name}`. This page is generated from the parser's own table.", ""]
    lines += [
        f"A record has at most {most >> 20} MiB (else `too_large`) and nests at most {MAX_DEPTH} deep (`too_deep`)."
    ]
    lines += ["", "## Record kinds", "", "| kind | event class | note |", "| --- | --- | --- |"]
    lines += [f"| `{k.kind}` | {k.event_class} | {k.note} |" for k in mapping.kinds]
    lines += ["", "## Skipped on purpose", ""]
    lines += ["| kind | reason |", "| --- | --- |"] if mapping.skips else ["Nothing."]
    lines += [f"| `{k.kind}` | {k.note} |" for k in mapping.skips]
    lines += ["", "Any other kind is quarantined as `unknown_kind`.", "", "## Fields", ""]
    lines += ["| source | column | clause field | note |", "| --- | --- | --- | --- |"]
    lines += [_line(row) for row in mapping.maps]
    lines += ["", "Every other source field stays at the gateway.", ""]
    return "\n".join(lines)


def _line(row: Map) -> str:
    columns = ", ".join(f"`{c}`" for c in row.columns)
    fields = ", ".join(dict.fromkeys(field_of(c) for c in row.columns))
    kinds = f"only {', '.join(row.kinds)}" if row.kinds else ""
    note = "; ".join(part for part in (kinds, row.note) if part)
    return f"| `{row.source}` | {columns} | {fields} | {note} |"
