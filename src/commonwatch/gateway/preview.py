"""What a draft would send from here and show to whom, on logs of this machine, before anything has ever left.

Rules held here: files are read, labelled and brought down as a running gateway would; what would leave is looked at by
the hub's own path (`govern.preview`), in a store that lives for this one preview in a folder only its owner can read;
nothing is sent, nothing is kept, no file position moves. Old logs are looked at as of their newest event.
"""

from __future__ import annotations

import os
import secrets
import tempfile
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
from commonwatch.govern.policy import OrgInfo, OwnerPolicy, PolicyView
from commonwatch.govern.preview.looking import Ground, Looking
from commonwatch.govern.preview.making import Places, preview
from commonwatch.govern.preview.shapes import Drafted, Feed, Preview
from commonwatch.ingest.counters import Counters
from commonwatch.ingest.outcome import Parsed
from commonwatch.ingest.reading import read_file
from commonwatch.ingest.source import Source
from commonwatch.share.allow import AllowList
from commonwatch.share.change import Desk
from commonwatch.share.imagined import feed
from commonwatch.store import Store, StoredBatch

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


class HubKey(NamedTuple):
    """The one key a gateway hands to its hub: previews derive their own from it."""

    owner: str
    key: bytes

    def pseudonym_key(self, owner: str) -> bytes | None:
        """The key of the one owner there is here."""
        return self.key if owner == self.owner else None


def local_preview(local: Local, asked: Drafted) -> LocalPreview:
    """Read the files and look at what would leave of them. Raises InvalidInput where the draft is another owner's."""
    owner, docs = local.documents.owner, local.documents
    if author_of(asked.draft) != owner:
        raise InvalidInput("the draft is of another owner", where="parties", todo=f"preview a document of {owner}")
    would = drafted(docs, asked.draft, asked.communities)
    with tempfile.TemporaryDirectory(prefix="commonwatch-preview-") as folder:
        both = _Both(Path(folder), owner, local.keys, would)
        try:
            read = both.take(local)
            return _looked(both, asked, docs, read, tuple(path.name for path in local.files))
        finally:
            both.close()


class _Both:
    """Two stores of one preview: events as they are here, and what of them would leave."""

    def __init__(self, folder: Path, owner: str, keys: Keys, would: OwnerDocuments) -> None:
        self.owner, self.keys, self.newest = owner, keys, 0
        self.raw = Store.open(folder / "raw", memory_limit="1GB", threads=os.cpu_count())
        self.held = Store.open(folder / "held", memory_limit="1GB", threads=os.cpu_count())
        self._whole, self._edge = Edge(lambda _label: EXACT, keys), Edge(Ceilings(would).of, keys)
        self._batches = 0

    def take(self, local: Local) -> Counters:
        """Everything the files hold."""
        counters = Counters()
        rows = _rows(local, counters)
        while portion := list(islice(rows, PORTION)):
            self._batches += 1
            self.newest = max(self.newest, *(event.time for _, event in portion))
            for store, edge in ((self.raw, self._whole), (self.held, self._edge)):
                self._store(store, edge, portion)
        return counters

    def _store(self, store: Store, edge: Edge, rows: Sequence[Row]) -> None:
        columns, profiles, _ = edge.enforce(rows)
        if columns:
            store.append(
                StoredBatch(
                    batch_uid=self._batches, gateway="here", org=self.owner, received=wall_clock() + DAY,
                    columns=columns, profiles=tuple(profiles),  # type: ignore[arg-type]
                )
            )  # fmt: skip

    def close(self) -> None:
        """Close both; the folder goes with the preview."""
        self.raw.close()
        self.held.close()


def _rows(local: Local, counters: Counters) -> Iterator[Row]:
    for path in local.files:
        for outcome in read_file(path, local.source(path), counters):
            if isinstance(outcome, Parsed):
                yield local.label(outcome.event), outcome.event


def _looked(
    both: _Both, asked: Drafted, docs: OwnerDocuments, read: Counters, files: tuple[str, ...]
) -> LocalPreview:  # fmt: skip
    now = min(wall_clock(), both.newest + MINUTE) if both.newest else wall_clock()
    orgs = {both.owner: OrgInfo(both.owner, both.owner)}
    view = PolicyView(0, now, {both.owner: OwnerPolicy(both.owner, docs, bytes(32))}, orgs)
    secret = secrets.token_bytes(32)
    places = Places(both.raw, both.held, view, HubKey(both.owner, both.keys.for_hub), secret, partial(_feed, now))
    made = preview(places, asked)
    ground = Ground(both.owner, both.raw, now - asked.days * DAY, places.keys, secret)
    whole, events = _held(ground, view)
    leaving, sent = _held(ground._replace(store=both.held), view)
    fields = (_leaving(name, sum(whole[name].values()), leaving[name]) for name in FIELDS if whole.get(name))
    return LocalPreview(files=files, read=read.as_dict(), events=events, sent=sent, fields=tuple(fields), preview=made)


def _feed(now: int, reader: Reader, before: Sequence[Observable], after: Sequence[Observable]) -> Feed:
    """What a hub would publish to the reader for these events alone."""
    return feed(Desk(f"{reader.org} {reader.purpose}", HUB, now), AllowList(), before, after)


def _held(ground: Ground, view: PolicyView) -> tuple[dict[FieldName, dict[str, int]], int]:
    """Values of each field by the point they are held at, and how many rows there are."""
    with ground.store.session() as session, Looking(ground, view, session) as looking:
        return looking.values(), sum(lot.rows for lot in looking.lots(looking.owner))


def _leaving(name: FieldName, values: int, leaving: dict[str, int]) -> Leaving:
    points = dict(sorted(leaving.items(), key=lambda each: -each[1]))
    rest = max(0, values - sum(points.values()))
    return Leaving(field=name, label=FIELDS[name].label, values=values, leaving=points, staying=rest)
