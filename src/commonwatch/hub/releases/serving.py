"""All releases of one hub as the HTTP room serves them: exact, thresholded and private ones alike.

Rules held here: who opens or asks a private or thresholded release is recorded for every owner that is counted in it;
asking costs nothing and draws nothing; an id of the reader's own that was replaced is `Gone`, every other `NotFound`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from commonwatch.agreements.reader import Reader
from commonwatch.errors import Gone, InvalidInput, NotFound
from commonwatch.events.rungs import DAY
from commonwatch.govern.answer.asking import instant_text
from commonwatch.govern.policy import DecisionLog
from commonwatch.govern.release import Release, ReleaseInfo
from commonwatch.govern.service import Govern
from commonwatch.govern.taken import Part, Taken, Use
from commonwatch.hub.budget.ledger import Ledger
from commonwatch.hub.releases import boxes, wire
from commonwatch.hub.releases.money import Money
from commonwatch.hub.releases.plans import LABEL
from commonwatch.hub.releases.reading import Mine, Readings
from commonwatch.hub.releases.shelf import Shelf
from commonwatch.privacy.release.slices import revised
from commonwatch.web.ports.releases import AskBox, AskCost, BoxInfo, BudgetInfo, CostInfo

MOST_KNOWN, MOST_BODIES = 4_096, 32


class Served:
    """Implements `web.ports.Released`. Thread-safe."""

    def __init__(
        self, govern: Govern, shelf: Shelf, ledger: Ledger, decisions: DecisionLog, now: Callable[[], int]
    ) -> None:
        self._govern, self._shelf, self._decisions, self._now = govern, shelf, decisions, now
        self._readings, self._money = Readings(shelf, govern), Money(shelf, ledger, govern, now)
        self._known: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._bodies: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def releases(self, reader: Reader, *, use: Use = Use()) -> list[ReleaseInfo]:
        """What the reader may open: the exact release first, then private and thresholded ones, newest first."""
        return [*self._govern.releases(reader, use=use), *(self._info(m) for m in self._mine(reader))]

    def release(
        self, reader: Reader, release: str, *, version: int | None = None, cancel: threading.Event | None = None,
        use: Use = Use(),
    ) -> Release:  # fmt: skip
        """One release by id, recorded for the owners behind it. `version`: an older one of a release that grows."""
        mine = self._find(reader, release)
        if mine is None:
            if version is not None:
                raise InvalidInput("this release has no versions", where="version", todo="leave it out")
            return self._govern.release(reader, release, cancel=cancel, use=use)
        wanted = mine.version if version is None else version
        if wanted not in mine.versions:
            todo = f"there are {', '.join(map(str, mine.versions))}"
            raise NotFound("no such version of this release", where="version", todo=todo)
        body = self._body(reader, mine, wanted)
        self._record(reader, mine, "release-opened", use)
        return Release(mine.id, body, self._good_until(), {}, self._info(mine))

    def box(self, reader: Reader, release: str, asked: AskBox, *, use: Use = Use()) -> BoxInfo:
        """One question to a private or thresholded release."""
        mine = self._find(reader, release)
        if mine is None:
            raise NotFound("no such release", todo="list the releases you may open")
        if mine.kind == "thresholded":
            answer = boxes.exact(mine, asked)
        else:
            answer = boxes.private(mine, self._readings.pieces(mine, mine.version), asked)
        self._record(reader, mine, "release-asked", use)
        return answer

    def cost(self, reader: Reader, asked: AskCost) -> CostInfo:
        """A cost before it is spent."""
        return self._money.cost(reader, asked)

    def budget(self, owner: str) -> BudgetInfo:
        """An owner's own account."""
        return self._money.budget(owner)

    def _mine(self, reader: Reader) -> list[Mine]:
        found = self._readings.of(reader)
        with self._lock:
            for mine in found:
                self._known[mine.id] = (f"{reader.org} {reader.purpose}", f"{mine.plan.id} {mine.kind}")
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return found

    def _find(self, reader: Reader, release: str) -> Mine | None:
        """The reader's release of this id; None where it may be an exact one. Raises Gone for one that was replaced."""
        found = self._mine(reader)
        mine = next((m for m in found if m.id == release), None)
        if mine is None and release in self._known and self._known[release][0] == f"{reader.org} {reader.purpose}":
            what = self._known[release][1]
            current = next((m.id for m in found if f"{m.plan.id} {m.kind}" == what), None)
            raise Gone(
                "this release was replaced or taken back", current=current, todo="list the releases you may open"
            )
        return mine

    def _body(self, reader: Reader, mine: Mine, version: int) -> bytes:
        key = (mine.id, version)
        with self._lock:
            if key in self._bodies:
                return self._bodies[key]
        about = wire.provenance(self._govern.view(), reader, mine, self._good_until())
        if mine.kind == "thresholded":
            body = wire.thresholded(mine, version, about)
        else:
            before, now = self._readings.series(mine, version - 1), self._readings.series(mine, version)
            stretches = [s for s in revised(before, now) if s[0] < version - 1]
            body = wire.private(mine, self._readings.pieces(mine, version), version, stretches, about)
        with self._lock:
            self._bodies[key] = body
            while len(self._bodies) > MOST_BODIES:
                self._bodies.popitem(last=False)
        return body

    def _info(self, mine: Mine) -> ReleaseInfo:
        axes = [axis.key for axis in mine.plan.plan.axes[1:]] if mine.kind == "private" else ["family"]
        about = {
            "community": mine.plan.community, "tier": mine.tier, "version": mine.version, "versions": mine.versions,
            "opened": wire.day_text(mine.plan, mine.plan.opened),
            "released_until": instant_text(mine.plan.start + mine.version * DAY),
            "privacy": wire.privacy(mine) if mine.kind == "private" else None,
            "measure": LABEL if mine.kind == "private" else wire.EXACT.format(t=mine.plan.contributors),
            "values": {axis.key: list(axis.values) for axis in mine.plan.plan.axes[1:]},
        }  # fmt: skip
        return ReleaseInfo(
            id=mine.id, kind=mine.kind, window=wire.window(mine.plan), bin="1d" if mine.kind == "private" else "1w",
            cells=sum(len(s.values) for s in mine.slices) + sum(len(c.shown) for c in mine.weeks.values()), bytes=0,
            dims=["t", *axes], measures=["onsets"], good_until=instant_text(self._good_until()), about=about,
        )  # fmt: skip

    def _record(self, reader: Reader, mine: Mine, kind: str, use: Use) -> None:
        """Tell every owner that is counted in it: "counted you: release X"."""
        if use.inside:
            return
        wanted = mine.plan.wanted(mine.tier)
        fields = {str(field): step for field, step in wanted.by.items()}
        parts = []
        for owner in sorted(self._shelf.owners(mine.behind) - {reader.org}):
            consent = mine.consents.get(owner)
            clauses = tuple(str(ref) for ref in consent.clauses) if consent else ()
            parts.append(Part(owner, clauses, fields, 1))
        detail = {"release": mine.id, "epoch": self._govern.view().epoch, "plan": mine.plan.id}
        self._decisions.decided(reader, kind, detail, Taken("counted", use.by, mine.id, tuple(parts)))

    def _good_until(self) -> int:
        """Until the next day closes nothing changes by the clock."""
        return (self._now() // DAY + 1) * DAY
