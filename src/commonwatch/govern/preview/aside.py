"""A preview of events that no hub has: two stores aside, for as long as one preview takes, in a folder of their own.

Rules held here: the folder is its owner's alone (0700) and gone at the end, whatever happens; `raw` holds events as
they are, `held` what would leave; both are looked at by the path of every preview.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.events.fields import FieldName
from commonwatch.events.rungs import DAY
from commonwatch.govern.policy import OrgInfo, OwnerPolicy, PolicyView
from commonwatch.govern.preview.looking import Ground, Looking
from commonwatch.govern.preview.making import Places, preview
from commonwatch.govern.preview.shapes import Drafted, Preview, Publish
from commonwatch.store import Store, StoredBatch

MEMORY = "1GB"


class Kept(NamedTuple):
    """What a store aside holds in the window: rows, and how many values of each field at which point."""

    rows: int
    values: dict[FieldName, dict[str, int]]


class Aside:
    """The two stores of one owner. Use it as a context. `key` is the one its gateway would hand to a hub."""

    def __init__(self, owner: str, key: bytes, received: int) -> None:
        """`received` (microseconds) stands for when the events came in: events later than that are cut to it."""
        self.owner, self._key, self._received = owner, key, received
        self._secret, self._batches = secrets.token_bytes(32), 0
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="commonwatch-preview-")))
            self.raw, self.held = (Store.open(folder / name, memory_limit=MEMORY) for name in ("raw", "held"))
            opened.callback(self.raw.close)
            opened.callback(self.held.close)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def take(self, columns: Mapping[str, Sequence[Any]], profiles: Sequence[Mapping[str, str]], *, raw: bool) -> None:
        """Rows as wire columns with their held profiles: as they are, or as they would leave."""
        if columns:
            self._batches += 1
            batch = StoredBatch(
                batch_uid=self._batches, gateway="aside", org=self.owner, received=self._received,
                columns=columns, profiles=tuple(profiles),  # type: ignore[arg-type]
            )  # fmt: skip
            (self.raw if raw else self.held).append(batch)

    def pseudonym_key(self, owner: str) -> bytes | None:
        """The key of the one owner there is."""
        return self._key if owner == self.owner else None

    def preview(self, docs: OwnerDocuments, asked: Drafted, now: int, publish: Publish) -> Preview:
        """The preview of a draft beside the documents in force, as of `now`."""
        return preview(Places(self.raw, self.held, self._view(docs, now), self, self._secret, publish), asked)

    def kept(self, now: int, days: int, *, raw: bool) -> Kept:
        """What one of the stores holds of the last days."""
        store = self.raw if raw else self.held
        ground = Ground(self.owner, store, now - days * DAY, self, self._secret)
        view = self._view(OwnerDocuments(self.owner, ()), now)
        with store.session() as session, Looking(ground, view, session) as looking:
            return Kept(sum(lot.rows for lot in looking.lots(looking.owner)), looking.values())

    def _view(self, docs: OwnerDocuments, now: int) -> PolicyView:
        orgs = {self.owner: OrgInfo(self.owner, self.owner)}
        return PolicyView(0, now, {self.owner: OwnerPolicy(self.owner, docs, bytes(32))}, orgs)
