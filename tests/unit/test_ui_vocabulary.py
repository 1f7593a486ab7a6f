"""The browser's editor speaks the words of the hub: its tables are copies, and the copies are current."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ui" / "dev"))
import vocabulary

from commonwatch.agreements.lattice import points
from commonwatch.events.fields import FIELDS


def test_the_words_and_sentences_of_the_editor_are_current() -> None:
    for path, text in vocabulary.files().items():
        assert path.read_text() == text, f"{path.name} is not current: run python ui/dev/vocabulary.py"


def test_every_level_of_every_field_has_an_example_and_only_withheld_shows_nothing() -> None:
    for field, entry in FIELDS.items():
        for point in points(entry.family):
            assert bool(vocabulary.example(field, point)) == (point != "withheld"), (field, point)


def test_no_example_below_exact_shows_the_exact_value() -> None:
    for field, entry in FIELDS.items():
        for point in points(entry.family):
            assert point == "exact" or vocabulary.example(field, point) != str(vocabulary.VALUES[field][1])
