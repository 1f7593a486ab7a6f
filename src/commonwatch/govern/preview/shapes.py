"""The shape of a preview: what one owner is told about a draft over its own events. Only that owner ever gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from commonwatch.agreements.document import CommunityCharter, Document, Noise
from commonwatch.agreements.reader import Purpose, Reader
from commonwatch.govern.observe import Observable
from commonwatch.govern.query import Cell, ColumnInfo


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: the draft, back how many days, for one reader by name or for all, at most so many rows each.

    `communities`: charters in force of communities the draft may name.
    """

    draft: Document
    days: int = 7
    reader: str | None = None
    rows: int = 50
    communities: Mapping[str, CommunityCharter] = {}


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """Why something is withheld, by which clause, whom the reader is told to ask; of how many rows, where known."""

    reason: str
    clause: str | None = None
    ask: str | None = None
    rows: int | None = None


class FieldPreview(msgspec.Struct, frozen=True, kw_only=True):
    """One clause field over the rows a reader sees: named point -> rows, now and under the draft.

    `granted` is the best the documents would give; where it is above what is shown, the gateway never sent more (what
    comes after the signature is sent at the higher point). `clauses` allow what is shown under the draft, `because`
    explains what is withheld.
    """

    field: str
    label: str
    granted: str | None
    now: dict[str, int]
    would: dict[str, int]
    clauses: tuple[str, ...] = ()
    because: tuple[Because, ...] = ()


class LabelPreview(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's rows of one label: how many, how many a reader sees now and would see, and why not the others."""

    event_class: str
    tlp: str
    severity: str
    site: str
    rows: int
    now: int = 0
    would: int = 0
    because: tuple[Because, ...] = ()


class ClassPreview(msgspec.Struct, frozen=True, kw_only=True):
    """The same by event class."""

    event_class: str
    rows: int
    now: int
    would: int


class PairedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event: as the owner holds it, and as the reader would be shown it, by these clauses."""

    raw: list[Cell]
    shown: list[Cell]
    clauses: list[str]


class CountPreview(msgspec.Struct, frozen=True, kw_only=True):
    """One count clause: its words, and what is left of it for rows like these after limits. `rows` would be counted.

    No count is made in a preview: it takes other contributors, at least `contributors` of them.
    """

    clause: str
    text: str
    by: dict[str, str]
    measures: tuple[str, ...]
    contributors: int
    noise: Noise | None
    cut: tuple[str, ...]
    rows: int


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """Objects that would be published to a reader because of these events alone: how many, and the first of them."""

    newly: int = 0
    no_longer: int = 0
    objects: tuple[dict[str, Any], ...] = ()


class ReaderPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What one reader would see. `rows` are the newest; all counts are of the whole window."""

    name: str
    kind: Literal["organisation", "community", "role"]
    known: bool
    purposes: tuple[Purpose, ...]
    total: int
    now: int
    would: int
    classes: tuple[ClassPreview, ...]
    labels: tuple[LabelPreview, ...]
    fields: tuple[FieldPreview, ...]
    columns: tuple[ColumnInfo, ...]
    rows: tuple[PairedRow, ...]
    counts: tuple[CountPreview, ...]
    feed: Feed


class StayingField(msgspec.Struct, frozen=True, kw_only=True):
    """A field no reader would be shown in any row, and why."""

    field: str
    label: str
    because: tuple[Because, ...]


class Staying(msgspec.Struct, frozen=True, kw_only=True):
    """What no agreement lets leave, as far as the readers of this preview go: rows, by label, examples, fields."""

    rows: int
    labels: tuple[LabelPreview, ...]
    fields: tuple[StayingField, ...]
    columns: tuple[ColumnInfo, ...]
    examples: tuple[list[Cell], ...]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A draft over the owner's events since an instant (RFC 3339). `left_out` are readers too many to look at."""

    owner: str
    document: str
    version: int
    title: str
    since: str
    until: str
    days: int
    total: int
    readers: tuple[ReaderPreview, ...]
    left_out: tuple[str, ...]
    staying: Staying


class OwnRows(msgspec.Struct, frozen=True, kw_only=True):
    """An owner's own rows of one label, by age in whole hours (an age that no row has is left out)."""

    event_class: str
    tlp: str
    severity: str
    site: str
    rows: int
    by_age: dict[int, int]


#: Gives the feed of a reader from what it could act on now and under the draft.
Publish = Callable[[Reader, Sequence[Observable], Sequence[Observable]], Feed]
