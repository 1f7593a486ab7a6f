"""The parse step of a format that is made of tables: frames in, one outcome a record out (several for a collection).

Rules held here: a record that is too deep is refused before it is read; a line that only describes others (a header)
has no outcome; events made from one record share its offset and differ by their part, so that ids stay stable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from commonwatch.ingest.framing import Frames
from commonwatch.ingest.framing.depth import too_deep
from commonwatch.ingest.outcome import Outcome, quarantine
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables.making import Found, Placed, Unreadable, make
from commonwatch.ingest.tables.table import Tables

#: One record read: what it says, why it cannot be read, several things it says, or None where it is no record.
Finding = Found | Unreadable | Sequence[Found | Unreadable] | None
Find = Callable[[bytes, Context], Finding]


def parser(find: Find, tables: Tables, number: int, *, json: bool) -> Callable[[Frames, Context], list[Outcome]]:
    """The format's `parse`. `json`: whether nesting has to be bounded."""

    def parse(frames: Frames, context: Context) -> list[Outcome]:
        """One outcome per record, in order; broken frames come first."""
        outcomes: list[Outcome] = list(frames.broken)
        deep = too_deep(frames.records) if json else frozenset[int]()
        for at, (position, record) in enumerate(zip(frames.offsets, frames.records, strict=True)):
            if at in deep:
                outcomes.append(quarantine("too_deep", position, record))
                continue
            finding = find(record, context)
            if isinstance(finding, (Found, Unreadable)):
                outcomes.append(make(tables, finding, Placed(position, record), context, number))
            elif finding is not None:
                parts = enumerate(finding)
                outcomes += [make(tables, f, Placed(position, record, n), context, number) for n, f in parts]
        return outcomes

    return parse
