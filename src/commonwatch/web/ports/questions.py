"""What documents mean: previews of drafts, impact of changes, who sees what. Ports only."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import msgspec

from commonwatch.agreements.impact.changes import Change, CountChange
from commonwatch.agreements.impact.findings import Finding
from commonwatch.agreements.impact.questions import NotSeen, WhoSees
from commonwatch.agreements.impact.words import WhichRows
from commonwatch.agreements.reader import Purpose
from commonwatch.events.fields import FieldName
from commonwatch.govern.preview.shapes import OwnRows, Preview
from commonwatch.web.ports.people import Principal


class AskPreview(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A draft (as an object, or as YAML or JSON text) over the last days; all readers it names, or one of them."""

    document: dict[str, Any] | Annotated[str, msgspec.Meta(max_length=1 << 20)]
    days: Annotated[int, msgspec.Meta(ge=1, le=90)] = 7
    reader: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    rows: Annotated[int, msgspec.Meta(ge=1, le=50)] = 20


class AskImpact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A draft (as an object, or as YAML or JSON text) that would be signed, or `without`: a document that would end."""

    document: dict[str, Any] | Annotated[str, msgspec.Meta(max_length=1 << 20)] | None = None
    without: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class ImpactInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a change would do, and what is to be found in the draft.

    `partial`: judged from those documents alone that the organisation may read, since the events are another's.
    """

    newly: tuple[Change, ...]
    no_longer: tuple[Change, ...]
    newly_counted: tuple[CountChange, ...]
    no_longer_counted: tuple[CountChange, ...]
    findings: tuple[Finding, ...]
    partial: bool


class AskSees(msgspec.Struct, frozen=True, kw_only=True):
    """Who sees a field at least so precisely, in rows with these labels; what is absent is everything."""

    field: str
    at_least: str | None = None
    events: tuple[str, ...] = ()
    tlp: str | None = None
    severity: str | None = None
    site: str | None = None
    age: float | None = None


class SeenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that a reader sees, with the level of every field shown. The owner only where the reader may know it."""

    owner: str | None
    purposes: tuple[Purpose, ...]
    rows: WhichRows
    fields: dict[FieldName, str]
    clauses: tuple[str, ...]


class WhatSees(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader sees; where a field was asked about, also where it is withheld, and why."""

    reader: str
    seen: tuple[SeenInfo, ...]
    withheld: tuple[NotSeen, ...] = ()


class Previews(Protocol):
    """What a draft would do to the events of the principal's own organisation. For people of the owner only."""

    def preview(self, principal: Principal, asked: AskPreview, cancel: threading.Event) -> Preview: ...
    def own_rows(self, principal: Principal, days: int) -> Sequence[OwnRows]: ...


class Questions(Protocol):
    """What documents mean for whom, over everything in force. Answers are of documents alone, never of events.

    An organisation asks about its own data, about what it may sign, and about what it sees itself.
    """

    def impact(self, principal: Principal, asked: AskImpact) -> ImpactInfo: ...
    def who_sees(self, principal: Principal, asked: AskSees) -> WhoSees: ...
    def what_sees(self, principal: Principal, reader: str | None, field: str | None) -> WhatSees: ...
