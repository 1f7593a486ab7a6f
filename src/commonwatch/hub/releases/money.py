"""What releases cost and what an owner's budget was spent on: before spending, and after.

Rules held here (`privacy.md` 9; 15 on what users ask for): a cost is told with the accuracy it buys and with who could
not pay; rates are exact fractions, epsilon stands beside them for people; "if all readers pooled" counts each distinct
draw once, at its highest tier.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from commonwatch.agreements.reader import Reader
from commonwatch.errors import InvalidInput, NotFound
from commonwatch.events.rungs import ANCHOR
from commonwatch.govern.answer.asking import instant_text
from commonwatch.govern.counted.consent import Consent, split
from commonwatch.govern.policy import PolicyView
from commonwatch.govern.service import Govern
from commonwatch.hub.budget.ledger import Cost, Ledger, Spent, window_of
from commonwatch.hub.releases.plans import CUBE, DELTA, LABEL, TIERS, UNIT, WINDOW, Opened, Tier, reader_of, tiers_of
from commonwatch.hub.releases.seats import allowance, members_of, readers
from commonwatch.hub.releases.shelf import Shelf
from commonwatch.privacy.release.cube import INTERVAL, unmeasured, variance
from commonwatch.privacy.release.noise import epsilon
from commonwatch.privacy.release.plan import precision
from commonwatch.web.ports.releases import AllowedInfo, AskCost, BudgetInfo, CostInfo, Expects, SpentInfo

WHOLE = 1e-9


class Money:
    """Costs and accounts, for one hub."""

    def __init__(self, shelf: Shelf, ledger: Ledger, govern: Govern, now: Callable[[], int]) -> None:
        self._shelf, self._ledger, self._govern, self._now = shelf, ledger, govern, now

    def cost(self, reader: Reader, asked: AskCost) -> CostInfo:
        """What this reader's release of a community costs its owners in this window, and how exact it is."""
        view = self._govern.view()
        info = view.orgs.get(reader.org)
        known = reader_of(info) if info is not None else None
        plan = next((p for p in self._shelf.plans(asked.community) if p.window == window_of(self._now())), None)
        if known is None or plan is None or (asked.community not in known.communities and not self._meant(plan, known)):
            todo = "a community has one once ten members let it be counted"
            raise NotFound("there is no plan for this community now", where="community", todo=todo)
        tier = self._tier(plan, known, view, asked.tier)
        consents, refused = split(self._govern.consents(known, members_of(view, plan.community), plan.wanted(tier)))
        begun = self._ledger.begun(f"{plan.id}/{known.org}/").get(tier, set())
        rate = TIERS[tier] * CUBE
        cost = Cost("quote", known.org, plan.window, rate, "quote", LABEL)
        missing = {o: allowance(c.noise) for o, c in consents.items() if o not in begun}
        quoted = self._ledger.quote(cost, missing)
        out = Counter(one.reason for one in refused)
        out["budget"] += len(quoted.left_out)
        owners = len(quoted.owners) + len(begun & consents.keys())
        return CostInfo(
            community=plan.community, tier=tier, profile=plan.plan.label, members=len(members_of(view, plan.community)),
            owners=owners, needed=plan.contributors, paid_already=len(begun & consents.keys()),
            left_out={reason: n for reason, n in sorted(out.items()) if n}, rho=str(rate),
            epsilon=round(epsilon(float(rate), DELTA), 2), delta=DELTA, expected=expected(plan, tier),
            words=_cost_words(plan, tier, owners),
        )  # fmt: skip

    def budget(self, owner: str) -> BudgetInfo:
        """Everything about one owner's budget, for that owner."""
        window, spent = window_of(self._now()), self._ledger.account(owner)
        allowed = self._allowed(owner)
        names = sorted(allowed.keys() | {s.reader for s in spent if s.window == window})
        pooled = self.pooled(owner, window)
        start = instant_text(_start(window))
        renews = instant_text(_start(window + 1))
        return BudgetInfo(
            window={"from": start, "to": renews}, unit=UNIT, delta=DELTA,
            readers=[self._line(name, allowed.get(name), spent, window) for name in names],
            spent=[_spent(one) for one in spent], pooled=str(pooled), pooled_epsilon=_eps(pooled),
            words=f"Budgets are for {UNIT}, at delta 1 in a million. What was spent is never given back; "
            f"a new window opens on {renews[:10]}.",
        )  # fmt: skip

    def pooled(self, owner: str, window: int) -> Fraction:
        """What all readers would have of this owner if they pooled: distinct draws, the highest tier once each."""
        total = Fraction()
        for plan in self._shelf.plans():
            if plan.window == window:
                for served in self._shelf.behind(plan, owner).values():
                    others = [tier for reader, tier in served if reader != owner]
                    total += max((TIERS[t] * CUBE for t in others), default=Fraction())  # type: ignore[index]
        lost = [s for s in self._ledger.account(owner) if s.window == window and "/lost/" in s.release]
        return total + sum((s.rho for s in lost), Fraction())

    def _line(self, name: str, consent: Consent | None, spent: list[Spent], window: int) -> AllowedInfo:
        given = allowance(consent.noise) if consent else allowance(None)
        here = sum((s.rho for s in spent if s.reader == name and s.window == window), Fraction())
        life = sum((s.rho for s in spent if s.reader == name), Fraction())
        rest = None if given.life is None else max(given.life - life, Fraction())
        left = max(given.window - here, Fraction())
        return AllowedInfo(
            reader=name, allowed=str(given.window), spent=str(here),
            left=str(min(left, left if rest is None else rest)),
            epsilon=_eps(given.window), life_left=None if rest is None else str(rest),
            renews=instant_text(_start(window + 1)),
        )  # fmt: skip

    def _allowed(self, owner: str) -> dict[str, Consent]:
        """Readers that this owner's agreements give a private release now."""
        view, found = self._govern.view(), dict[str, Consent]()
        info = view.orgs.get(owner)
        for plan in self._shelf.plans():
            if info is None or plan.community not in info.communities or plan.window != window_of(self._now()):
                continue
            for reader in readers(view):
                for tier in tiers_of(reader.roles):
                    consents, _ = split(self._govern.consents(reader, [owner], plan.wanted(tier)))
                    if owner in consents:
                        found.setdefault(reader.org, consents[owner])
        return found

    def _tier(self, plan: Opened, reader: Reader, view: PolicyView, asked: str | None) -> Tier:
        can = tiers_of(reader.roles)
        if asked is None:
            members = members_of(view, plan.community)
            enough = [t for t in can if self._enough(plan, reader, members, t)]
            return enough[0] if enough else can[-1]
        found = next((tier for tier in can if tier == asked), None)
        if found is None:
            raise InvalidInput("your organisation has no such tier", where="tier", todo=f"say {' or '.join(can)}")
        return found

    def _enough(self, plan: Opened, reader: Reader, members: list[str], tier: Tier) -> bool:
        return len(split(self._govern.consents(reader, members, plan.wanted(tier)))[0]) >= plan.contributors

    def _meant(self, plan: Opened, reader: Reader) -> bool:
        members = members_of(self._govern.view(), plan.community)
        return any(split(self._govern.consents(reader, members, plan.wanted(t)))[0] for t in tiers_of(reader.roles))


def expected(plan: Opened, tier: Tier) -> list[Expects]:
    """How exact one number of each view will be, whatever the data are: of what is measured whole."""
    full, found = plan.at(tier), list[Expects]()
    axes = full.axes
    inner = (axes[0].part(0, 7), *axes[1:])
    tau = precision(inner, {(t.levels[0] - 1, *t.levels[1:]): full.scale(t) for t in full.tables})
    for size, step in ((7, "week"), (1, "day")):
        for key in ("", *(axis.key for axis in axes[1:])):
            box = [_first(7, size), *(_first(a.size, 1) if a.key == key else None for a in axes[1:])]
            if unmeasured(inner, tau, box) < WHOLE:
                sd = math.sqrt(variance(inner, tau, box))
                found.append(Expects(f"{step} x {key}" if key else step, round(sd, 1), round(INTERVAL * sd, 1)))
    return found


def _first(size: int, first: int) -> npt.NDArray[np.float64]:
    picked = np.zeros(size)
    picked[:first] = 1
    return picked


def _start(window: int) -> int:
    return ANCHOR + window * WINDOW


def _eps(rho: Fraction) -> float:
    return round(epsilon(float(rho), DELTA), 2) if rho > 0 else 0.0


def _spent(one: Spent) -> SpentInfo:
    return SpentInfo(
        at=instant_text(one.at), reader=one.reader, release=one.release, what=one.what,
        window=instant_text(_start(one.window))[:10], rho=str(one.rho), epsilon=_eps(one.rho),
    )  # fmt: skip


def _cost_words(plan: Opened, tier: Tier, owners: int) -> str:
    rho = TIERS[tier] * CUBE
    few = "" if owners >= plan.contributors else f" Fewer than {plan.contributors} organisations: nothing is released."
    ends = instant_text(plan.start + WINDOW)[:10]
    return (
        f"Each of {owners} organisations spends {rho} (epsilon {_eps(rho)} at delta 1 in a million) on you for "
        f"the eight weeks until {ends}; asking a release costs nothing further.{few}"
    )
