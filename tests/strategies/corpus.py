"""The corpus of formats that are made of tables: native logs with the outcomes they must have beside them.

A case is a log `NAME.log` (or .json, .csv, ...) and `NAME.expected.json`. `python tests/strategies/corpus.py FORMAT`
writes the expectations anew; what it writes is read before it is committed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from commonwatch.events.address import Address
from commonwatch.events.event import Event
from commonwatch.ingest import Outcome, Parsed, Skipped, Source, read
from commonwatch.ingest.formats import Format, formats
from strategies.eve import CORPUS, source

EXPECTED = ".expected.json"


def table_formats() -> list[Format]:
    """The formats that are made of tables."""
    return [f for f in formats().values() if f.tables is not None]


def cases(name: str) -> list[Path]:
    """The native logs of a format."""
    return [p for p in sorted((CORPUS / name).iterdir()) if not p.name.endswith(EXPECTED)]


def outcomes_of(data: bytes, portion: int = 1 << 20, **settings: Any) -> list[Outcome]:
    """What becomes of these bytes at the corpus's time and place."""
    return list(read((data[i : i + portion] for i in range(0, len(data), portion)), corpus_source(**settings)))


def corpus_source(**settings: Any) -> Source:
    """The corpus's clock, networks and zone."""
    return source(**settings)


def plain(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON people can read; event ids are left out."""
    if isinstance(outcome, Parsed):
        names = [f.name for f in msgspec.structs.fields(Event) if f.name != "event_uid"]
        empty = Event(event_class=outcome.event.event_class, time=0, class_uid=0)
        event = {n: _plain(v) for n in names if (v := getattr(outcome.event, n)) != getattr(empty, n, None)}
        event["event_class"] = outcome.event.event_class.word
        return {"kind": outcome.kind, "event": event} | ({"dropped": list(outcome.dropped)} if outcome.dropped else {})
    if isinstance(outcome, Skipped):
        return {"skipped": outcome.reason}
    return {"quarantined": outcome.reason}


def _plain(value: Any) -> Any:
    if isinstance(value, Address):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return list(value) if isinstance(value, tuple) else value


def renew(name: str) -> None:
    """Write the expectations of a format's corpus."""
    for path in cases(name):
        found = [plain(o) for o in outcomes_of(path.read_bytes())]
        text = "[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in found) + "\n]\n"
        path.with_name(path.name + EXPECTED).write_text(text, "utf-8")


if __name__ == "__main__":
    for named in sys.argv[1:]:
        renew(named)
