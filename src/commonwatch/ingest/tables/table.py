"""What a format is, as data: per kind of record a class, constants, and columns with the source paths that feed them.

Rules held here: the parser, the way back and the reference page are made from the same rows, so they cannot disagree;
of several paths of one row the first with a usable value wins; a path is the source's own spelling, dots between
members, `[]` for list items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from commonwatch.events.event import Event
from commonwatch.events.labels import EventClass, Severity
from commonwatch.ingest.report.mapping import KindRow, Map
from commonwatch.ingest.report.mapping import Mapping as Reference

#: A reading of one value: what goes into the column, or None where it is not usable.
Read = Callable[[Any], Any]
#: The last step of a record, from its values by path.
Finish = Callable[[Event, Mapping[str, Any]], None]


class Col(NamedTuple):
    """One column and the paths that feed it. `read` and `show` replace the column's own reading and its inverse.

    Three names stand for several columns: `verdict` (action and disposition; `read` gives both numbers, `show` takes
    both), `severity` (the OCSF number that `read` gives, beside the source's own word) and `file_hash` (the column that
    its length says).

    `every`: the texts of all its paths are read together, for a column that is a list.

    `also` are further columns that `read` or the table's last step changes because of these paths. `when` is a path and
    the value it must have for the row to be used.
    """

    column: str
    sources: tuple[str, ...]
    read: Read | None = None
    show: Callable[[Any], Any] | None = None
    note: str = ""
    also: tuple[str, ...] = ()
    when: tuple[str, str] | None = None
    every: bool = False


class Table(NamedTuple):
    """One kind of record. `finish` is the last step, for what no single column can say."""

    kind: str
    event_class: EventClass
    class_uid: int
    cols: tuple[Col, ...]
    activity: int | None = None
    constants: Mapping[str, Any] = {}
    finish: Finish | None = None
    note: str = ""


class Tables:
    """All kinds of a format. `skips`: kind -> why it is no event on purpose; `times`: the paths of the event's time."""

    def __init__(self, tables: tuple[Table, ...], *, times: tuple[str, ...], skips: Mapping[str, str] = {}) -> None:
        self.kinds = {t.kind: t for t in tables}
        self.skips, self.times = skips, times
        #: what `shapes` remembers: kind -> its rows, (kind, paths of a record) -> how such records are read
        self.rows: dict[str, tuple[Any, ...]] = {}
        self.shapes: dict[tuple[str, ...], Any] = {}

    def reference(self) -> Reference:
        """The mapping as the reference page and `gateway try` want it: rows that kinds share stand once."""
        shared: dict[Map, list[str]] = {}
        for table in self.kinds.values():
            for row in dict.fromkeys(self._rows(table)):
                shared.setdefault(row, []).append(table.kind)
        everywhere = len(self.kinds)
        maps = tuple(
            row._replace(kinds=() if len(kinds) == everywhere else tuple(kinds)) for row, kinds in shared.items()
        )
        kinds = tuple(KindRow(t.kind, t.event_class.word, _told_by(t)) for t in self.kinds.values())
        return Reference(maps, kinds, tuple(KindRow(kind, "", why) for kind, why in self.skips.items()))

    def _rows(self, table: Table) -> Iterator[Map]:
        """The reference rows of one kind."""
        yield from (Map(path, ("time",), also=("time_quality",)) for path in self.times)
        for col in table.cols:
            if col.when is not None:
                yield Map(col.when[0], columns_of(col.column), "decides where the value goes")
            note = f"where `{col.when[0]}` is `{col.when[1]}`" if col.when else col.note
            for path in col.sources:
                yield Map(path, columns_of(col.column), note, also=(*also_of(col.column), *col.also))


def _told_by(table: Table) -> str:
    """The note of a kind, with what the kind alone says of severity and alert."""
    severity = table.constants.get("severity_id")
    found = (table.note, "" if severity is None else f"severity {Severity(severity).word}")
    return "; ".join(part for part in (*found, "an alert" if table.constants.get("is_alert") else "") if part)


#: What stands for several columns.
PAIRS = {
    "verdict": ("action_id", "disposition_id"), "severity": ("severity_id", "severity_raw"),
    "file_hash": ("file_sha256", "file_sha1", "file_md5"),
}  # fmt: skip


def columns_of(column: str) -> tuple[str, ...]:
    """The columns that a row fills."""
    return PAIRS.get(column, (column,))


def also_of(column: str) -> tuple[str, ...]:
    """The columns that follow from a column by themselves."""
    if column in {"src_ip", "dst_ip"}:
        side = column[:3]
        return (f"{side}_scope", f"{side}_country", f"{side}_asn", "direction_id")
    if column == "malware_names":
        return ("malware_family",)
    return ()
