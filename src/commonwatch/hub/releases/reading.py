"""What a reader has: its private release and its exact weeks of each plan, as they stand under the policy of now.

Rules held here: a release is there while at least one owner's agreements still permit it for this reader, acting for
the purpose it was made for; its id is a function of plan, reader, version and policy epoch, so what was replaced is
told from what never was; solved pieces are kept by what they were solved from.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from commonwatch.agreements.reader import Reader
from commonwatch.govern.counted.consent import Consent, split
from commonwatch.govern.policy import PolicyView
from commonwatch.govern.service import Govern
from commonwatch.hub.releases.exact import Cells
from commonwatch.hub.releases.plans import Opened, Tier, reader_of
from commonwatch.hub.releases.seats import members_of
from commonwatch.hub.releases.shelf import Shelf
from commonwatch.privacy.release.slices import Piece, Series, Slice, pieces

Kind = Literal["private", "thresholded"]
#: Plans of a community that are listed, the newest first; solved series that are kept.
MOST_PLANS, MOST_SOLVED = 8, 16


class Mine(NamedTuple):
    """A release of a reader. `version`: the newest; `consents`: those of now; `behind`: the sets it was made from."""

    id: str
    kind: Kind
    plan: Opened
    tier: Tier | None
    version: int
    slices: tuple[Slice, ...]
    weeks: dict[int, Cells]
    consents: dict[str, Consent]
    behind: frozenset[str]

    @property
    def versions(self) -> list[int]:
        """The versions there are: days after which something new was drawn."""
        size = {s: self.plan.plan.axes[0].blocks[s.levels[0]] for s in self.slices}
        return sorted({(s.index + 1) * n for s, n in size.items()} | {7 * (week + 1) for week in self.weeks})


class Readings:
    """Finds and solves what readers have. Thread-safe."""

    def __init__(self, shelf: Shelf, govern: Govern) -> None:
        self._shelf, self._govern = shelf, govern
        self._solved: OrderedDict[tuple[object, ...], list[Piece]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, reader: Reader) -> list[Mine]:
        """Everything of this reader, newest windows first."""
        view = self._govern.view()
        info = view.orgs.get(reader.org)
        made_for = reader_of(info) if info is not None else None
        if made_for is None or made_for.purpose != reader.purpose:
            return []
        found: list[Mine] = []
        seen: dict[str, int] = {}
        for plan in self._shelf.plans():
            seen[plan.community] = seen.get(plan.community, 0) + 1
            if seen[plan.community] <= MOST_PLANS:
                found += self._of(view, plan, made_for)
        return found

    def pieces(self, mine: Mine, version: int) -> list[Piece]:
        """The solved pieces of a private release as a version had them."""
        key = (mine.plan.id, mine.tier, version, tuple((s.owners, s.levels, s.index) for s in mine.slices))
        with self._lock:
            if key in self._solved:
                self._solved.move_to_end(key)
                return self._solved[key]
        made = pieces(self.series(mine, version))
        with self._lock:
            self._solved[key] = made
            while len(self._solved) > MOST_SOLVED:
                self._solved.popitem(last=False)
        return made

    def series(self, mine: Mine, version: int) -> Series:
        """The slices of a version."""
        assert mine.tier is not None
        return Series(mine.plan.at(mine.tier), mine.plan.closed, mine.slices).as_of(version)

    def _of(self, view: PolicyView, plan: Opened, reader: Reader) -> list[Mine]:
        found = [self._private(view, plan, reader), self._exact(view, plan, reader)]
        return [mine for mine in found if mine is not None]

    def _private(self, view: PolicyView, plan: Opened, reader: Reader) -> Mine | None:
        held = self._shelf.held(plan, reader.org)
        if not held.slices:
            return None
        tier: Tier = held.seats[-1][2]  # type: ignore[assignment]
        consents, _ = split(self._govern.consents(reader, members_of(view, plan.community), plan.wanted(tier)))
        if not consents:
            return None
        sets = frozenset(s.owners for s in held.slices)
        made = Mine("", "private", plan, tier, 0, held.slices, {}, consents, sets)
        return _named(made, reader, view.epoch)

    def _exact(self, view: PolicyView, plan: Opened, reader: Reader) -> Mine | None:
        kept = self._shelf.weeks(plan, reader.org)
        if not kept:
            return None
        consents, _ = split(self._govern.consents(reader, members_of(view, plan.community), plan.wanted(None)))
        if not consents:
            return None
        weeks = {week: msgspec.json.decode(body, type=Cells) for week, (_, body) in kept.items()}
        sets = frozenset(digest for digest, _ in kept.values())
        return _named(Mine("", "thresholded", plan, None, 0, (), weeks, consents, sets), reader, view.epoch)


def released(found: Sequence[Piece]) -> list[int]:
    """The days that are in some piece."""
    return [day for piece in found for day in range(piece.start, piece.start + piece.size)]


def _named(mine: Mine, reader: Reader, epoch: int) -> Mine:
    version = max(mine.versions)
    told = repr((mine.plan.id, mine.kind, reader.org, reader.purpose, mine.tier, version, epoch))
    return mine._replace(version=version, id=hashlib.sha256(told.encode()).hexdigest()[:32])
