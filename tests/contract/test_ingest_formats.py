"""What every format must keep: a corpus, a reference page, a table that says what its parser does."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from commonwatch.events.columns import COLUMNS
from commonwatch.events.event import Event
from commonwatch.ingest import Parsed, Source, read_file
from commonwatch.ingest.formats import formats
from commonwatch.ingest.recognise import recognise
from commonwatch.ingest.report.mapping import page
from strategies.eve import CORPUS, golden, outcomes, source


def test_every_format_has_a_corpus_folder_and_every_folder_a_format():
    assert {p.name for p in CORPUS.iterdir() if p.is_dir()} == set(formats())


def test_format_numbers_are_never_shared():
    numbers = [f.number for f in formats().values()]
    assert len(set(numbers)) == len(numbers)
    assert all(1 <= n <= 255 for n in numbers)


@pytest.mark.parametrize("name", list(formats()))
def test_the_reference_page_is_current(name, root):
    """Refresh with `python -m commonwatch.ingest.report.reference`."""
    known = formats()[name]
    written = (root / "docs" / "reference" / "formats" / f"{name.replace('_', '-')}.md").read_text("utf-8")
    assert written == page(known.name, known.title, known.mapping, known.most)


@pytest.mark.parametrize("name", list(formats()))
def test_the_table_names_real_columns(name):
    for row in formats()[name].mapping.maps:
        assert row.columns
        assert set(row.columns) | set(row.also) <= set(COLUMNS)


def test_golden_records_are_recognised_whatever_the_file_is_called():
    data = b"\n".join(json.dumps(case["record"]).encode() for case in golden()[:20])
    found = recognise(data)
    assert found is not None
    assert found.name == "suricata_eve"
    assert "name" not in Source.__struct_fields__


def _leaves(record: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in record.items():
        found += _leaves(value, (*path, key)) if isinstance(value, dict) and value else [(*path, key)]
    return found


def _without(record: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    head, *rest = path
    if rest:
        return record | {head: _without(record[head], tuple(rest))}
    return {key: value for key, value in record.items() if key != head}


def _reach(path: tuple[str, ...], value: Any, kind: str) -> frozenset[str]:
    """The columns that the table lets a source path change; lists and their items are one."""
    mapping = formats()["suricata_eve"].mapping
    name = ".".join(path)
    reached = mapping.reach(name, kind) | mapping.reach(name + "[]", kind)
    if isinstance(value, list):
        for item in value:
            for inner in _leaves(item) if isinstance(item, dict) else []:
                steps = [f"{name}[]", *inner]
                reached |= mapping.reach(".".join(steps), kind)
                if "responses" in name:
                    reached |= mapping.reach("ldap.responses[].bind_response.result_code", kind)
    return reached


def _event(record: dict[str, Any]) -> Event | None:
    (found,) = outcomes(json.dumps(record).encode(), format="suricata_eve")
    return found.event if isinstance(found, Parsed) else None


def _changed(one: Event, other: Event) -> set[str]:
    names = {f.name for f in msgspec.structs.fields(Event)} - {"event_uid"}
    return {n for n in names if getattr(one, n) != getattr(other, n)}


@pytest.mark.parametrize("case", [c for c in golden() if "event" in c], ids=lambda case: case["name"])
def test_taking_a_field_away_changes_only_the_columns_the_table_names(case):
    record, kind = case["record"], case["record"]["event_type"]
    whole = _event(record)
    assert whole is not None
    for path in _leaves(record):
        value = record
        for step in path:
            value = value[step]
        rest = _event(_without(record, path))
        if rest is not None:
            changed = _changed(whole, rest)
            assert changed <= _reach(path, value, kind), (path, changed)


def test_every_row_of_the_table_is_fed_by_some_golden_record():
    fed: set[str] = set()
    for case in golden():
        record = case["record"]
        whole = _event(record)
        for path in _leaves(record) if whole else []:
            rest = _event(_without(record, path))
            if rest is None or _changed(whole, rest):
                fed.add(".".join(path))
    rows = {row.source.partition("[]")[0] for row in formats()["suricata_eve"].mapping.maps}
    assert rows <= fed


def test_unmapped_fields_never_leave():
    """A canary in every field that the table does not map appears nowhere in the event."""
    canary = "CANARY"
    mapping = formats()["suricata_eve"].mapping
    for case in golden():
        if "event" not in case:
            continue
        record, kind = case["record"], case["record"]["event_type"]
        for path in _leaves(record):
            if not _reach(path, None, kind) and path != ("flow_id",):
                planted = _plant(record, path, canary)
                assert canary not in repr(_event(planted)), path
    assert mapping.find("flow_id") == ()


def _plant(record: dict[str, Any], path: tuple[str, ...], value: str) -> dict[str, Any]:
    head, *rest = path
    return record | {head: _plant(record[head], tuple(rest), value) if rest else value}


def _again(event: Event, kind: str) -> Event | None:
    """An event written in the source's vocabulary and read again."""
    return _event(json.loads(formats()["suricata_eve"].write(event, kind)))


@pytest.mark.parametrize("case", [c for c in golden() if "event" in c], ids=lambda case: case["name"])
def test_every_mapped_field_can_be_written_back_in_its_sources_vocabulary(case):
    event = _event(case["record"])
    assert event is not None
    again = _again(event, case["record"]["event_type"])
    assert again is not None
    assert _changed(event, again) == set()


def test_real_events_survive_the_round_trip(samples):
    stream = read_file(samples / "suricata" / "suricatalog_eve_nostats.jsonl.gz", source())
    for found in list(stream)[::40]:
        assert isinstance(found, Parsed)
        again = _again(found.event, found.kind)
        assert again is not None
        assert _changed(found.event, again) == set(), found.kind
