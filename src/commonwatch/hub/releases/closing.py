"""The job that closes days: counts what is new, pays, draws, keeps. Nothing else draws noise for a release.

Rules held here (`privacy.md` 5, 9): a day closes once, after it is over, the days one after another; owners are those
whose agreements stand at that moment; bounds are the hub's own, over all gateways of an owner; it is paid and on disk
before noise is drawn, and kept in one transaction after; one draw per set of owners, at the highest tier that reads it,
lower tiers by adding noise to that; a clock before the last close, or agreements that move meanwhile, and nothing
happens.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from commonwatch.errors import CommonwatchError, Conflict, InvalidInput, Unavailable
from commonwatch.govern.counted.consent import Wanted, split
from commonwatch.govern.counted.onsets import Closing as ClosingDay
from commonwatch.govern.policy import PolicyView
from commonwatch.govern.service import Govern
from commonwatch.hub.budget.ledger import Ledger, window_of
from commonwatch.hub.releases.exact import weeks
from commonwatch.hub.releases.plans import AXES, CUBE, DAYS, STEPS_OF, TIERS, Opened, made, tier_epsilon
from commonwatch.hub.releases.seats import Seated, Seating, members_of, readers
from commonwatch.hub.releases.shelf import Day, Drawn, Seat, Shelf
from commonwatch.privacy.release.bounds import Counted, Onset, close_day
from commonwatch.privacy.release.noise import Draw, gaussian
from commonwatch.privacy.release.profiles import ProfileName, usual
from commonwatch.privacy.release.slices import drawn, ending
from commonwatch.privacy.release.tables import coded
from commonwatch.privacy.release.tiers import lowered

log = logging.getLogger("commonwatch.hub")
#: An axis is in a plan where so many of those who consent at all allow it.
ALLOWED = Fraction(3, 4)


class Closing:
    """Opens plans and closes their days. One at a time. `draw` is OpenDP's; tests ask what would be drawn."""

    def __init__(
        self,
        shelf: Shelf,
        ledger: Ledger,
        govern: Govern,
        now: Callable[[], int],
        *,
        draw: Draw = gaussian,
        profile: Callable[[int], ProfileName] = usual,
    ) -> None:
        """`profile` says by how many members a community has what is released of it."""
        self._profile = profile
        self._shelf, self._govern, self._now, self._draw = shelf, govern, now, draw
        self._seating = Seating(govern, ledger, now)
        self._lock = threading.Lock()

    def run(self) -> int:
        """Close what is over in every community, open what is due; how many days closed."""
        view, done = self._govern.view(), 0
        communities = sorted({c for info in view.orgs.values() for c in info.communities})
        with self._lock:
            for community in communities:
                try:
                    done += self._community(community)
                except Unavailable:
                    raise
                except CommonwatchError as error:
                    log.warning("the releases of a community wait: %s", type(error).__name__)
        return done

    def _community(self, community: str) -> int:
        done, window = 0, window_of(self._now())
        plans = self._shelf.plans(community)
        for plan in [p for p in reversed(plans) if p.closed < DAYS]:
            for at in range(plan.closed, plan.over(self._now())):
                self.close(plan.id, at)
                done += 1
        if all(plan.window < window for plan in plans):
            self._open(community, window)
        return done

    def _open(self, community: str, window: int) -> None:
        """Freeze a plan for this window, if anybody consents to being counted at all, and charge it."""
        view, now = self._govern.view(), self._now()
        members = [view.orgs[org] for org in members_of(view, community)]
        profile = self._profile(len(members))
        steps = self._steps(view, [m.org for m in members], AXES[profile])
        if steps is None:
            return
        arrival = self._govern.arrival()
        blank = made(community, window, steps, members, profile, opened=0, closed=0, arrival=arrival, weekly=arrival)
        day = blank.over(now)
        marks = {"opened": day, "closed": day, "arrival": arrival, "weekly": arrival}
        plan = made(community, window, steps, members, profile, **marks)
        self._shelf.open(plan, now)
        self._seating.seated(plan, view)

    def _steps(self, view: PolicyView, members: Sequence[str], axes: Sequence[str]) -> dict[str, str] | None:
        """Axes that three quarters of those who consent allow, each at its finest allowed step; None: nobody does."""
        base = self._consenting(view, members, {"time": "week"})
        exact = self._consenting(view, members, {"time": "week", "malware": "family"}, noisy=False)
        if not base:
            return {} if exact else None
        found: dict[str, str] = {}
        for key in axes:
            field, steps = STEPS_OF[key]
            for step in steps:
                if len(self._consenting(view, members, {"time": "week", field: step})) >= ALLOWED * len(base):
                    found[key] = step
                    break
        return found

    def _consenting(
        self, view: PolicyView, members: Sequence[str], by: dict[str, str], *, noisy: bool = True
    ) -> set[str]:
        """Members that let somebody count them so, at the lowest tier."""
        wanted = Wanted(by, "onsets", 1_000_000, tier_epsilon("community") if noisy else None)  # type: ignore[arg-type]
        found: set[str] = set()
        for reader in readers(view):
            found |= split(self._govern.consents(reader, [m for m in members if m not in found], wanted))[0].keys()
        return found

    def close(self, name: str, at: int) -> None:
        """Day `at` of a plan closes. Raises Conflict when it did, InvalidInput before it is over: nothing is spent."""
        view, now = self._govern.view(), self._now()
        plan = next((p for p in self._shelf.plans() if p.id == name), None)
        if plan is None or at >= plan.over(now):
            todo = "wait until it is over, or set the clock right; nothing was spent"
            raise InvalidInput("this day is not over", where=f"{name} day {at}", todo=todo)
        if at != plan.closed:
            todo = "days close one after another, and once; nothing was spent"
            raise Conflict("this is not the day that closes next", where=f"{name} day {at}", todo=todo)
        arrival = self._govern.arrival()
        seated = self._seating.seated(plan, view)
        counted = self._counted(plan, at, seated, arrival)
        tables = ending(plan.plan, at)
        lost = self._shelf.lost(plan, at)
        if lost:
            seated = self._seating.again(plan, seated, at, sum((t.share for t in tables), Fraction()), lost)
        ends = (at + 1) % 7 == 0
        exact = weeks(self._govern, plan, view, ClosingDay(plan.day(at), plan.weekly, arrival)) if ends else []
        if self._govern.view().epoch != view.epoch:
            raise Unavailable("the agreements changed while a day closed", todo="it closes at the next beat")
        if tables and seated.seats:
            self._shelf.begin(plan, at, lost)
        known = self._shelf.counted(plan)
        slices = self._slices(plan, at, seated.seats, [*_onsets(plan, known), *counted])
        weekly = arrival if ends else None
        self._shelf.close(plan, Day(at, arrival, counted, seated.seats, slices, exact, weekly), self._now())

    def _counted(self, plan: Opened, at: int, seated: Seated, arrival: int) -> list[Onset]:
        """What this day counts, within each organisation's bounds for the window."""
        fresh = self._govern.onsets(seated.basis, ClosingDay(plan.day(at), plan.arrival, arrival))
        known, per_owner = self._shelf.counted(plan), dict[str, list[Onset]]()
        for new in fresh:
            per_owner.setdefault(new.owner, []).append(plan.onset(new.owner, at, new.family))
        found = []
        for owner, onsets in sorted(per_owner.items()):
            state = Counted(at - 1, frozenset(known.get(owner, ())))
            _, one = close_day(plan.bounds, state, at, onsets)
            found += [one] if one else []
        return found

    def _slices(self, plan: Opened, at: int, seats: Sequence[Seat], onsets: Sequence[Onset]) -> list[Drawn]:
        """One draw per set of owners, at the highest tier anyone with that set is served at; lower ones from it."""
        found: list[Drawn] = []
        for digest, owners in {seat.digest: set(seat.owners) for seat in seats}.items():
            tiers = [tier for tier in TIERS if any(s.tier == tier and s.digest == digest for s in seats)]
            codes = coded(plan.plan.axes, plan.plan.family, [o for o in onsets if o.owner in owners])
            top = tiers[0]
            for one in drawn(plan.at(top), at, codes, digest, self._draw):
                found.append(Drawn(top, one))
                for tier in tiers[1:]:
                    low = lowered(one, TIERS[top] * CUBE, TIERS[tier] * CUBE, self._draw)
                    found.append(Drawn(tier, low))
        return found


def _onsets(plan: Opened, known: Mapping[str, Mapping[int, int]]) -> list[Onset]:
    """What was counted before, in the codes of the plan."""
    return [
        plan.onset(owner, day, "")._replace(family=family)
        for owner, families in known.items()
        for family, day in families.items()
    ]
