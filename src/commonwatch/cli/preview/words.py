"""A preview in words for a terminal: who would see what, raw above shown, what stays, and why.

Rules held here: aligned plain text, at most as wide as the terminal; colour only where it is asked for, and never the
only carrier of a meaning.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from commonwatch.govern.preview.shapes import (
    Because,
    CountPreview,
    FieldPreview,
    PairedRow,
    Preview,
    ReaderPreview,
    Staying,
)
from commonwatch.govern.query import Cell, ColumnInfo, Hidden

#: What people are told instead of the machine's word for a reason.
REASONS = {
    "not-agreed": "no agreement", "not-to-you": "not to this reader", "purpose": "not for this purpose",
    "class": "this kind of event is not shared", "tlp": "TLP above what is shared",
    "severity": "severity below what is shared", "site": "this site is not shared", "too-young": "not old enough yet",
    "too-old": "too old", "field-not-granted": "this field is not shared", "limited-by": "cut by a limit",
    "charter": "cut by your charter", "community-charter": "cut by the community's charter",
    "not-held": "agreed, but it never left your gateway", "duties-not-accepted": "duties not accepted yet",
    "not-yet-active": "not active yet", "suspended": "suspended", "revoked": "revoked", "expired": "expired",
}  # fmt: skip
WIDEST = 34


class Ink(NamedTuple):
    """Whether to colour."""

    on: bool

    def __call__(self, text: str, code: str) -> str:
        """The text in a colour or weight (SGR code)."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text.strip() else text

    def head(self, text: str) -> str:
        """A heading."""
        return self(text, "1")

    def hidden(self, text: str) -> str:
        """Something withheld."""
        return self(text, "2")


def say(made: Preview, ink: Ink) -> Iterator[str]:
    """The whole preview."""
    yield ink.head(f"Preview of {made.document} version {made.version}: {made.title}")
    yield f"{made.total:,} events of {made.owner} from {made.since[:16]}Z to {made.until[:16]}Z ({made.days} days)"
    if not made.readers:
        yield "Nobody is named in this draft: nobody would see anything."
    else:
        yield from _overview(made, ink)
    for reader in made.readers:
        yield from _reader(reader, ink)
    if made.left_out:
        yield f"\nNot looked at, too many readers at once (use --reader): {', '.join(made.left_out)}"
    yield from _staying(made.staying, made.total, ink)


def _overview(made: Preview, ink: Ink) -> Iterator[str]:
    yield ""
    rows = [("reader", "for", "sees now", "would see", "new indicators")]
    rows += [(r.name, ", ".join(r.purposes), f"{r.now:,}", f"{r.would:,}", f"{r.feed.newly:,}") for r in made.readers]
    yield from table(rows, ink, right=(2, 3, 4))


def _reader(reader: ReaderPreview, ink: Ink) -> Iterator[str]:
    yield ""
    kind = "" if reader.known or reader.kind != "organisation" else " (not known here: its roles are not counted)"
    yield ink.head(f"{reader.name}, to {' or '.join(reader.purposes)}{kind}")
    yield f"  would see {reader.would:,} of {reader.total:,} events; sees {reader.now:,} now"
    yield from _indent(table([("event class", "yours", "now", "would see"), *_classes(reader)], ink, right=(1, 2, 3)))
    yield from _fields(reader.fields, ink)
    if reader.rows:
        yield "  The newest events, as you hold them and as this reader would see them:"
        for row in reader.rows:
            yield from _indent(_pair(reader.columns, row, ink))
    yield from (line for count in reader.counts for line in _count(count))
    if reader.feed.newly or reader.feed.no_longer:
        yield f"  Its feeds: {reader.feed.newly:,} new indicators, {reader.feed.no_longer:,} would be withdrawn"


def _classes(reader: ReaderPreview) -> list[tuple[str, ...]]:
    return [(c.event_class, f"{c.rows:,}", f"{c.now:,}", f"{c.would:,}") for c in reader.classes]


def _fields(fields: Sequence[FieldPreview], ink: Ink) -> Iterator[str]:
    shown = [f for f in fields if set(f.would) - {"withheld"}]
    if not shown:
        return
    rows = [("field", "would be shown as", "now", "by clause")]
    rows += [
        (f.label, _points(f.would) + _more(f), _points(f.now) or "-", ", ".join(c.partition("#")[2] for c in f.clauses))
        for f in shown
    ]
    yield from _indent(table(rows, ink))


def _points(points: dict[str, int]) -> str:
    return ", ".join(f"{point} {n:,}" for point, n in points.items())


def _more(field: FieldPreview) -> str:
    """A note where what is agreed is more than what was ever sent."""
    return f" (later: {field.granted})" if field.granted and field.granted not in field.would else ""


def _pair(columns: Sequence[ColumnInfo], row: PairedRow, ink: Ink) -> Iterator[str]:
    """One event: a line per column that has something to show or to hide."""
    lines = [("", "yours", "shown")]
    for column, raw, shown in zip(columns, row.raw, row.shown, strict=True):
        if raw is not None or shown is not None:
            lines.append(
                (column.label, cut(text(raw)), f"[{why(shown)}]" if isinstance(shown, Hidden) else text(shown))
            )
    yield from table(lines, ink, faint=True)
    if row.clauses:
        yield f"  by {', '.join(row.clauses)}"
    yield ""


def _count(count: CountPreview) -> Iterator[str]:
    yield f"  Counting: {count.text}"
    by = ", ".join(f"{field} by {step}" for field, step in count.by.items())
    noise = f"noise with epsilon {count.noise.epsilon:g} in eight weeks" if count.noise else "no noise"
    yield f"    {count.rows:,} of your events would be counted: {by}; groups of {count.contributors} or more; {noise}"
    if count.cut:
        yield f"    cut by {', '.join(count.cut)}"


def _staying(staying: Staying, total: int, ink: Ink) -> Iterator[str]:
    yield ""
    yield ink.head("What no reader above would see")
    yield f"  {staying.rows:,} of {total:,} events"
    if staying.labels:
        rows = [("event class", "TLP", "severity", "site", "events", "why")]
        rows += [
            (x.event_class, x.tlp, x.severity, x.site or "-", f"{x.rows:,}", "; ".join(map(because, x.because)))
            for x in staying.labels
        ]
        yield from _indent(table(rows, ink, right=(4,)))
    if staying.fields:
        yield "  Fields shown to nobody:"
        whys: dict[str, list[str]] = {}
        for field in staying.fields:
            whys.setdefault("; ".join(dict.fromkeys(map(because, field.because))), []).append(field.label)
        for words, labels in whys.items():
            yield from textwrap.wrap(
                f"{words}: {', '.join(labels)}", 100, initial_indent="    ", subsequent_indent="      "
            )


def because(reason: Because) -> str:
    """A reason in words, with its clause."""
    words = REASONS.get(reason.reason, reason.reason)
    return f"{words} ({reason.clause})" if reason.clause else words


def why(hidden: Hidden) -> str:
    """The same for a withheld cell."""
    return because(Because(reason=hidden.reason, clause=hidden.clause))


def text(cell: Cell) -> str:
    """A cell as text."""
    if cell is None:
        return ""
    if isinstance(cell, Hidden):
        return f"[{why(cell)}]"
    return ", ".join(map(str, cell)) if isinstance(cell, list) else str(cell)


def cut(value: str) -> str:
    """At most so wide."""
    return value if len(value) <= WIDEST else value[: WIDEST - 1] + "…"


def table(rows: Sequence[Sequence[str]], ink: Ink, *, right: Sequence[int] = (), faint: bool = False) -> Iterator[str]:
    """Aligned columns under a heading; the last one is cut at the edge of the terminal."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    most = max(40, shutil.get_terminal_size((120, 40)).columns - 4)
    for no, row in enumerate(rows):
        cells = [c.rjust(w) if at in right else c.ljust(w) for at, (c, w) in enumerate(zip(row, widths, strict=True))]
        line = "  ".join(cells).rstrip()
        line = line if len(line) <= most else line[: most - 1] + "…"
        yield ink.hidden(line) if no == 0 or (faint and "[" in line) else line


def _indent(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}".rstrip() for line in lines)
