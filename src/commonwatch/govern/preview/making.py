"""A preview made: every reader a draft speaks to, over one owner's events, now and as if the draft were signed.

Rules held here: rows, reasons, counts and observables come from `looking`, that is from the path of every answer; an
event "stays" when no reader of this preview would see it; whole counts are exact, lists are bounded.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import msgspec

from commonwatch.agreements.decode import canonical
from commonwatch.agreements.drafted import Imagined, author_of, drafted, spoken_to, welcoming
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.reader import Reader, Withheld
from commonwatch.errors import InvalidInput, NotFound
from commonwatch.events.labels import Label
from commonwatch.events.rungs import DAY
from commonwatch.govern.answer.asking import instant_text
from commonwatch.govern.cancel import cancelled_by
from commonwatch.govern.decide.compiling import standing
from commonwatch.govern.decide.describe import best_of
from commonwatch.govern.policy import KeySource, OwnerPolicy, PolicyView
from commonwatch.govern.preview.counting import counted, counts_anything
from commonwatch.govern.preview.looking import Ground, Looking, unseen_by
from commonwatch.govern.preview.shapes import (
    Drafted,
    Feed,
    OwnRows,
    PairedRow,
    Preview,
    Publish,
    ReaderPreview,
    Staying,
)
from commonwatch.govern.preview.telling import (
    by_age,
    by_label,
    classes,
    fields,
    label_preview,
    row_reason,
    staying_fields,
)
from commonwatch.govern.query import Cell, ColumnInfo, Hidden
from commonwatch.store import Store

MOST_DAYS, MOST_SHOWN, MOST_READERS, MOST_LABELS, EXAMPLES = 90, 50, 12, 50, 10


class Places(NamedTuple):
    """Where the owner's events are: `raw` as their owner holds them, `held` what readers are answered from.

    At a hub both are its store; at a gateway `held` has what would leave. `publish` gives feeds; `secret` (32 bytes)
    is the root of the preview's keys.
    """

    raw: Store
    held: Store
    view: PolicyView
    keys: KeySource
    secret: bytes
    publish: Publish = lambda _reader, _now, _would: Feed()


def preview(places: Places, asked: Drafted, cancel: threading.Event | None = None) -> Preview:
    """The preview for the draft's owner. Raises InvalidInput, and NotFound for a reader the draft does not name."""
    _refuse(asked)
    owner, now = author_of(asked.draft), places.view.now
    text = b"preview\0" + owner.encode() + b"\0" + canonical(asked.draft)
    secret = hmac.digest(places.secret, text, hashlib.sha256)
    ground = Ground(owner, places.held, now - asked.days * DAY, places.keys, secret)
    docs = welcoming(places.view.owners[owner].documents if owner in places.view.owners else OwnerDocuments(owner, ()))
    would = drafted(docs, asked.draft, asked.communities)
    named, left_out = _readers(spoken_to(docs, asked.draft, partial(_as_known, places.view)), asked.reader)
    with _looks(ground, places, docs, would, cancel) as looks:
        making = _Making(places, asked, looks, would)
        readers = tuple(making.reader(who) for who in named)
        return Preview(
            owner=owner, document=asked.draft.id, version=asked.draft.version,
            title=asked.draft.title, days=asked.days,
            since=instant_text(ground.since), until=instant_text(now), total=making.whole.total(),
            readers=readers, left_out=left_out, staying=making.staying(named, readers),
        )  # fmt: skip


def own_rows(places: Places, owner: str, days: int) -> list[OwnRows]:
    """The owner's rows of the last days by label and age."""
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput("too long or too short a time", where="days", todo=f"ask for 1 to {MOST_DAYS} days")
    ground = Ground(owner, places.raw, places.view.now - days * DAY, places.keys, places.secret)
    view = _policy(places.view, OwnerDocuments(owner, ()))
    with places.raw.session() as session, Looking(ground, view, session) as raw:
        return by_age(raw.ages())


class _Looks(NamedTuple):
    """The owner's events under the policy of today, under the draft, and as the owner holds them."""

    now: Looking
    would: Looking
    raw: Looking


@contextmanager
def _looks(
    ground: Ground, places: Places, docs: OwnerDocuments, would: OwnerDocuments, cancel: threading.Event | None
) -> Iterator[_Looks]:
    """All three, on sessions that `cancel` stops."""
    today, then = _policy(places.view, docs), _policy(places.view, would)
    with (
        places.held.session() as one,
        places.held.session() as two,
        places.raw.session() as three,
        cancelled_by(cancel, one, two, three),
        Looking(ground, today, one) as before,
        Looking(ground, then, two) as after,
        Looking(ground._replace(store=places.raw), then, three) as raw,
    ):
        yield _Looks(before, after, raw)


def _refuse(asked: Drafted) -> None:
    if not 1 <= asked.days <= MOST_DAYS:
        raise InvalidInput("too long or too short a time", where="days", todo=f"ask for 1 to {MOST_DAYS} days")
    if not 1 <= asked.rows <= MOST_SHOWN:
        raise InvalidInput("too many rows, or none", where="rows", todo=f"ask for 1 to {MOST_SHOWN}")


def _policy(view: PolicyView, docs: OwnerDocuments) -> PolicyView:
    """The policy of one owner alone, as these documents have it."""
    return msgspec.structs.replace(view, owners={docs.owner: OwnerPolicy(docs.owner, docs, bytes(32))})


def _as_known(view: PolicyView, org: str) -> Reader:
    """An organisation with its roles and communities, where it is known here."""
    plain = Reader(org, (), (), "operate")
    return standing(view, plain) if org in view.orgs else plain


def _readers(found: Sequence[Imagined], asked: str | None) -> tuple[Sequence[Imagined], tuple[str, ...]]:
    """The readers to look at, and the names of those beyond what one preview takes."""
    if asked is not None:
        found = [who for who in found if who.name == asked]
        if not found:
            raise NotFound("no such reader in this draft", where="reader", todo="name one of the preview's readers")
    return found[:MOST_READERS], tuple(dict.fromkeys(who.name for who in found[MOST_READERS:]))


class _Making:
    """One preview being made."""

    def __init__(self, places: Places, asked: Drafted, looks: _Looks, docs: OwnerDocuments) -> None:
        self._places, self._asked, self._looks, self._docs = places, asked, looks, docs
        lots = looks.raw.lots(looks.raw.owner)
        self.whole = by_label(lots)
        self._handlings = {label: [x.handling for x in lots if x.handling.label == label] for label in self.whole}
        self._ages = looks.raw.ages() if counts_anything(docs) else {}

    def reader(self, who: Imagined) -> ReaderPreview:
        """What one reader would see, beside what it sees now."""
        reader = who.reader
        now, would = self._looks.now.lots(reader), self._looks.would.lots(reader)
        before, after = by_label(now), by_label(would)
        columns, rows = self._pairs(reader)
        return ReaderPreview(
            name=who.name, kind=who.kind, purposes=who.purposes,
            known=who.kind != "organisation" or reader.org in self._places.view.orgs,
            total=self.whole.total(), now=before.total(), would=after.total(),
            classes=classes(self.whole, before, after),
            labels=tuple(
                label_preview(label, n, before[label], after[label], self._why(reader, label))
                for label, n in self.whole.most_common(MOST_LABELS)
            ),
            fields=fields(now, would, best_of(self._docs, reader)),
            columns=columns, rows=rows, counts=counted(self._docs, reader, self._ages), feed=self._feed(reader),
        )  # fmt: skip

    def staying(self, named: Sequence[Imagined], readers: Sequence[ReaderPreview]) -> Staying:
        """What none of the readers would see."""
        raw, everyone = self._looks.raw, [who.reader for who in named]
        unseen = unseen_by([raw.visible(reader) for reader in everyone])
        kept = by_label(raw.lots(raw.owner, [unseen]))
        page = raw.newest(raw.owner, EXAMPLES, [unseen])
        at = [i for i in range(len(page.columns)) if any(_value(row.cells[i]) for row in page.rows)]
        labels = [
            label_preview(label, n, 0, 0, [why for reader in everyone for why in self._why(reader, label)])
            for label, n in kept.most_common(MOST_LABELS)
        ]
        return Staying(
            rows=kept.total(), labels=tuple(labels), fields=staying_fields([reader.fields for reader in readers]),
            columns=tuple(page.columns[i] for i in at),
            examples=tuple([row.cells[i] for i in at] for row in page.rows),
        )  # fmt: skip

    def _why(self, reader: Reader, label: Label) -> list[Withheld]:
        found = (d for handling in self._handlings[label] for d in self._looks.raw.unseen(reader, handling))
        return list(dict.fromkeys(map(row_reason, found)))

    def _pairs(self, reader: Reader) -> tuple[tuple[ColumnInfo, ...], tuple[PairedRow, ...]]:
        """The newest rows as shown, each beside the same event as its owner holds it; without empty columns."""
        shown = self._looks.would.newest(reader, self._asked.rows)
        held = self._looks.raw.events([row.ref for row in shown.rows if row.ref])
        raw = {row.ref: row.cells for row in held.rows}
        pairs = [(raw[row.ref], row) for row in shown.rows]
        at = [
            i
            for i in range(len(shown.columns))
            if any(_value(cells[i]) or _value(row.cells[i]) for cells, row in pairs)
        ]
        rows = [
            PairedRow(
                raw=[cells[i] for i in at], shown=[row.cells[i] for i in at],
                clauses=[shown.clauses[no] for no in row.clauses],
            )
            for cells, row in pairs
        ]  # fmt: skip
        return tuple(shown.columns[i] for i in at), tuple(rows)

    def _feed(self, reader: Reader) -> Feed:
        return self._places.publish(reader, self._looks.now.observables(reader), self._looks.would.observables(reader))


def _value(cell: Cell) -> bool:
    """Whether a cell holds anything but a reason."""
    return cell is not None and not isinstance(cell, Hidden)
