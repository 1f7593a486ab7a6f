"""One file per input format, found by looking into this folder; names with a leading underscore are parts of a format.

Rules held here: a format module has NAME, NUMBER (stored in `source_format`, never reused), FRAMING, MAPPING,
`recognise(head) -> score between 0 and 1` and `parse(frames, context) -> outcomes`; `parse` never raises, and
`write(event, kind)` gives the record back in the source's own vocabulary: reading that again gives the same event
(only rows under an owner's declared mapping have no vocabulary to be written in).
Adding a format is one file here and one folder in the test corpus; `MOST` where whole documents are one record;
`find(record, context)` gives what one record says; `ingest.tables` makes most of it from a table.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple, cast

from commonwatch.events.event import Event
from commonwatch.ingest.framing import Frames
from commonwatch.ingest.outcome import MAX_RECORD, Outcome
from commonwatch.ingest.report.mapping import Mapping
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables.parsing import Find
from commonwatch.ingest.tables.table import Tables


class Format(NamedTuple):
    """One input format. FRAMING `json` decides between lines and objects by content, `lines` is one record a line."""

    name: str
    title: str
    number: int
    framing: Literal["json", "lines"]
    comments: bool
    mapping: Mapping
    recognise: Callable[[bytes], float]
    parse: Callable[[Frames, Context], list[Outcome]]
    write: Callable[[Event, str], bytes] | None
    #: of formats made of tables: the tables, and what finds the values of one record (of rows under a mapping too)
    tables: Tables | None = None
    find: Find | None = None
    #: bytes of the longest record; longer ones are passed over and quarantined
    most: int = MAX_RECORD


@cache
def formats() -> dict[str, Format]:
    """Every format by name, in order of NUMBER."""
    names = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    found = [_load(name) for name in names]
    return {f.name: f for f in sorted(found, key=lambda f: f.number)}


def _load(name: str) -> Format:
    module = importlib.import_module(f"{__name__}.{name}")
    return Format(
        name=cast("str", module.NAME),
        title=module.TITLE,
        number=module.NUMBER,
        framing=module.FRAMING,
        comments=module.COMMENTS,
        mapping=module.MAPPING,
        recognise=module.recognise,
        parse=module.parse,
        write=getattr(module, "write", None),
        tables=getattr(module, "TABLES", None),
        find=getattr(module, "find", None),
        most=getattr(module, "MOST", MAX_RECORD),
    )
