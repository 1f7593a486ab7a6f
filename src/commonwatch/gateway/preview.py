"""What a draft would send from here and show to whom, on logs of this machine, before anything has ever left.

Rules held here: files are read, labelled and brought down as a running gateway would; what would leave is looked at by
the hub's own path (`govern.preview`), in stores that are gone when the preview is made; nothing is sent, nothing is
kept, no file position moves. Old logs are looked at as of their newest event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from commonwatch.agreements.drafted import author_of, drafted
from commonwatch.agreements.edge import Ceilings
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.reader import Reader
from commonwatch.errors import InvalidInput
from commonwatch.events.event import Event
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.labels import Label
from commonwatch.events.rungs import DAY, MINUTE
from commonwatch.gateway.clock import wall_clock
from commonwatch.gateway.edge import Edge, Keys
from commonwatch.govern.observe import Observable
from commonwatch.govern.preview.aside import Aside
from commonwatch.govern.preview.shapes import Drafted, Feed, Preview
from commonwatch.ingest.counters import Counters
from commonwatch.ingest.outcome import Parsed
from commonwatch.ingest.reading import read_file
from commonwatch.ingest.source import Source
from commonwatch.share.allow import AllowList
from commonwatch.share.change import Desk
from commonwatch.share.imagined import feed

PORTION = 5_000
#: As whom objects are written in a preview: the hub is not known here.
HUB = "your hub"
EXACT: dict[FieldName, str] = dict.fromkeys(FIELDS, "exact")
Row = tuple[Label, Event]


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """One field: how many events have a value of it, at which point how many would leave, and how many would stay."""

    field: str
    label: str
    values: int
    leaving: dict[str, int]
    staying: int


class LocalPreview(msgspec.Struct, frozen=True, kw_only=True):
    """A preview at the gateway. `read` counts what became of the files' records; `sent` of `events` would leave."""

    files: tuple[str, ...]
    read: dict[str, int | dict[str, int]]
    events: int
    sent: int
    fields: tuple[Leaving, ...]
    preview: Preview


class Local(NamedTuple):
    """What a preview reads: files, how they are read and labelled, the documents in force, the owner's keys."""

    files: Sequence[Path]
    source: Callable[[Path], Source]
    label: Callable[[Event], Label]
    documents: OwnerDocuments
    keys: Keys


def local_preview(local: Local, asked: Drafted) -> LocalPreview:
    """Read the files and look at what would leave of them. Raises InvalidInput where the draft is another owner's."""
    owner, docs = local.documents.owner, local.documents
    if author_of(asked.draft) != owner:
        raise InvalidInput("the draft is of another owner", where="parties", todo=f"preview a document of {owner}")
    edge = Edge(Ceilings(drafted(docs, asked.draft, asked.communities)).of, local.keys)
    with Aside(owner, local.keys.for_hub, wall_clock() + DAY) as aside:
        read, newest = _take(local, edge, aside)
        now = min(wall_clock(), newest + MINUTE) if newest else wall_clock()
        made = aside.preview(docs, asked, now, partial(_feed, now))
        whole, sent = (aside.kept(now, asked.days, raw=raw) for raw in (True, False))
    fields = (_leaving(n, sum(whole.values[n].values()), sent.values[n]) for n in FIELDS if whole.values.get(n))
    return LocalPreview(
        files=tuple(path.name for path in local.files), read=read.as_dict(), events=whole.rows, sent=sent.rows,
        fields=tuple(fields), preview=made,
    )  # fmt: skip


def _take(local: Local, edge: Edge, aside: Aside) -> tuple[Counters, int]:
    """Put everything the files hold aside, as it is and as it would leave; counts, and the newest event's time."""
    counters, newest = Counters(), 0
    whole = Edge(lambda _label: EXACT, local.keys)
    rows = _rows(local, counters)
    while portion := list(islice(rows, PORTION)):
        newest = max(newest, *(event.time for _, event in portion))
        for raw, by in ((True, whole), (False, edge)):
            columns, profiles, _ = by.enforce(portion)
            aside.take(columns, profiles, raw=raw)
    return counters, newest


def _rows(local: Local, counters: Counters) -> Iterator[Row]:
    for path in local.files:
        for outcome in read_file(path, local.source(path), counters):
            if isinstance(outcome, Parsed):
                yield local.label(outcome.event), outcome.event


def _feed(now: int, reader: Reader, before: Sequence[Observable], after: Sequence[Observable]) -> Feed:
    """What a hub would publish to the reader for these events alone."""
    return feed(Desk(f"{reader.org} {reader.purpose}", HUB, now), AllowList(), before, after)


def _leaving(name: FieldName, values: int, leaving: dict[str, int]) -> Leaving:
    points = dict(sorted(leaving.items(), key=lambda each: -each[1]))
    rest = max(0, values - sum(points.values()))
    return Leaving(field=name, label=FIELDS[name].label, values=values, leaving=points, staying=rest)
