"""What every format made of tables must keep, held on its corpus: the table says what its parser does, all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commonwatch.events.event import Event
from commonwatch.ingest import Parsed
from commonwatch.ingest.formats import Format, formats
from commonwatch.ingest.framing import Framer
from commonwatch.ingest.recognise import recognise
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Found, Placed, make
from commonwatch.ingest.tables.table import columns_of
from strategies.corpus import EXPECTED, cases, corpus_source, outcomes_of, plain, table_formats

FORMATS = table_formats()
CASES = [pytest.param(f, path, id=f"{f.name}-{path.stem}") for f in FORMATS for path in cases(f.name)]
EACH = pytest.mark.parametrize("known", FORMATS, ids=lambda f: f.name)
CANARY = "CANARY7f3a"


def found_in(known: Format, path: Path) -> list[Found]:
    """What a format finds in a log of its corpus."""
    context = Context(corpus_source())
    comments = Framer(layout="lines" if known.framing == "lines" else None, comments=known.comments)
    data = path.read_bytes()
    frames = [comments.feed(data), comments.finish()]
    found: list[Found] = []
    for record in [r for f in frames for r in f.records]:
        assert known.find is not None
        one = known.find(record, context)
        found += [f for f in ([one] if isinstance(one, Found) else one or ()) if isinstance(f, Found)]
    return found


def event_of(known: Format, found: Found) -> Event | None:
    """The event of what was found."""
    assert known.tables is not None
    made = make(known.tables, found, Placed(0, b""), Context(corpus_source()), known.number)
    return made.event if isinstance(made, Parsed) else None


def changed(one: Event, other: Event) -> set[str]:
    names = {f.name for f in msgspec.structs.fields(Event)} - {"event_uid"}
    return {n for n in names if getattr(one, n) != getattr(other, n)}


@pytest.mark.parametrize(("known", "path"), CASES)
def test_a_log_of_the_corpus_becomes_what_is_written_beside_it(known: Format, path: Path) -> None:
    found = outcomes_of(path.read_bytes())
    assert [plain(o) for o in found] == json.loads(path.with_name(path.name + EXPECTED).read_text("utf-8"))


@pytest.mark.parametrize(("known", "path"), CASES)
def test_portions_do_not_matter(known: Format, path: Path) -> None:
    data = path.read_bytes()
    for portion in (7, 61):
        assert outcomes_of(data, portion) == outcomes_of(data)


@pytest.mark.parametrize(("known", "path"), CASES)
def test_a_log_is_recognised_by_its_content(known: Format, path: Path) -> None:
    found = recognise(path.read_bytes())
    assert found is not None
    assert found.name == known.name


@EACH
def test_taking_a_value_away_changes_only_the_columns_the_table_names(known: Format) -> None:
    for found in [f for path in cases(known.name) for f in found_in(known, path)]:
        whole = event_of(known, found)
        for name in found.values if whole else ():
            rest = event_of(known, found._replace(values={k: v for k, v in found.values.items() if k != name}))
            assert rest is not None
            assert changed(whole, rest) <= known.mapping.reach(name, found.kind), (found.kind, name)


@EACH
def test_every_row_of_the_table_is_fed_by_the_corpus(known: Format) -> None:
    fed: set[tuple[str, str]] = set()
    for found in [f for path in cases(known.name) for f in found_in(known, path)]:
        whole = event_of(known, found)
        for name in found.values if whole else ():
            rest = event_of(known, found._replace(values={k: v for k, v in found.values.items() if k != name}))
            assert rest is not None
            fed |= {(name, column) for column in changed(whole, rest)}
    assert known.tables is not None
    for table in known.tables.kinds.values():
        unfed = [c for c in table.cols if not any((c.sources[0], name) in fed for name in columns_of(c.column))]
        assert not unfed, table.kind


@EACH
def test_every_kind_stands_in_the_corpus(known: Format) -> None:
    seen = {f.kind for path in cases(known.name) for f in found_in(known, path)}
    assert known.tables is not None
    assert set(known.tables.kinds) <= seen


@EACH
def test_what_the_table_does_not_name_never_reaches_the_event(known: Format) -> None:
    for found in [f for path in cases(known.name) for f in found_in(known, path)]:
        mapped = {name for name in found.values if known.mapping.find(name, found.kind)}
        planted = {name: value if name in mapped else CANARY for name, value in found.values.items()}
        assert CANARY not in repr(event_of(known, found._replace(values=planted | {"unheard.of": CANARY})))


@EACH
def test_every_mapped_value_can_be_written_back_in_its_sources_vocabulary(known: Format) -> None:
    for found in [f for path in cases(known.name) for f in found_in(known, path)]:
        event = event_of(known, found)
        if event is None:
            continue
        assert known.write is not None
        (again,) = outcomes_of(known.write(event, found.kind), format=known.name)
        assert isinstance(again, Parsed), (found, again)
        assert again.kind == found.kind
        assert changed(event, again.event) == set(), found


@EACH
def test_a_bad_record_does_not_take_its_neighbours_along(known: Format) -> None:
    for path in cases(known.name)[:2]:
        data = path.read_bytes()
        good = [o for o in outcomes_of(data) if isinstance(o, Parsed)]
        if known.framing == "lines" and good:
            spoilt = data.rstrip(b"\n") + b"\n\xff\xfe spoilt \x00\n"
            again = [o for o in outcomes_of(spoilt) if isinstance(o, Parsed)]
            assert [o.event for o in again] == [o.event for o in good]


def test_formats_made_of_tables_are_found() -> None:
    assert {"zeek_tsv", "zeek_json"} <= {f.name for f in formats().values() if f.tables}


def test_an_event_found_again_has_the_same_id_and_equal_records_stay_two(tmp_path: Path) -> None:
    for known in FORMATS:
        for path in cases(known.name):
            ids: list[Any] = [o.event.event_uid for o in outcomes_of(path.read_bytes()) if isinstance(o, Parsed)]
            assert len(set(ids)) == len(ids)
            assert ids == [o.event.event_uid for o in outcomes_of(path.read_bytes()) if isinstance(o, Parsed)]
