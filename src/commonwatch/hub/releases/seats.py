"""Seats: which owners stand behind what each organisation reads, paid for before anything is drawn.

Rules held here (`privacy.md` 8, 9): an owner is in a reader's release when its documents permit the plan for it and its
budget for that reader's organisation has paid for the window, in full, also when it joins late; a reader keeps the
tier it began a window with; an owner that lets others count it counts in its own release too, so that all readers
share one draw. Where noise was begun and lost, drawing again is a new spend; who cannot pay it is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from typing import NamedTuple

from commonwatch.agreements.document import Count, Noise
from commonwatch.agreements.reader import Reader
from commonwatch.errors import NotPermitted
from commonwatch.govern.counted.consent import Consent, split
from commonwatch.govern.policy import PolicyView
from commonwatch.govern.service import Govern
from commonwatch.hub.budget.ledger import Allowance, Cost, Ledger, window_of
from commonwatch.hub.releases.plans import CUBE, DELTA, LABEL, TIERS, Opened, Tier, reader_of, tiers_of
from commonwatch.hub.releases.shelf import Seat, digest_of
from commonwatch.privacy.release.noise import rate_of


class Seated(NamedTuple):
    """Everybody's seats, and what each owner's consent rests on (for every reader that counts it)."""

    seats: list[Seat]
    basis: dict[str, list[Consent]]


def members_of(view: PolicyView, community: str) -> list[str]:
    """The members of a community, as the policy has it now."""
    return sorted(org for org, info in view.orgs.items() if community in info.communities)


def readers(view: PolicyView) -> list[Reader]:
    """Every organisation that can read releases."""
    return [reader for _, info in sorted(view.orgs.items()) if (reader := reader_of(info)) is not None]


def counts_itself(view: PolicyView, org: str) -> bool:
    """Whether an organisation has any count clause of its own in force."""
    own = view.owners[org].documents.own if org in view.owners else []
    return any(isinstance(c, Count) for live in own if live.state == "active" for c in live.document.clauses)


def allowance(noise: Noise | None) -> Allowance:
    """A clause's budget as rates, rounded down."""
    if noise is None:
        return Allowance(Fraction(0))
    return Allowance(rate_of(noise.epsilon, DELTA), None if noise.total is None else rate_of(noise.total, DELTA))


class Seating:
    """Finds seats and pays for them."""

    def __init__(self, govern: Govern, ledger: Ledger, now: Callable[[], int]) -> None:
        self._govern, self._ledger, self._now = govern, ledger, now

    def seated(self, plan: Opened, view: PolicyView) -> Seated:
        """Who reads what when a day of this plan closes now. What it needs is paid when this returns."""
        members = members_of(view, plan.community)
        found: dict[str, tuple[Tier, dict[str, Consent], set[str]]] = {}
        for reader in readers(view):
            seat = self._seat(plan, reader, members)
            if seat is not None:
                found[reader.org] = seat
        counted = {owner for _, _, owners in found.values() for owner in owners}
        seats, basis = [], dict[str, list[Consent]]()
        for org, (tier, consents, owners) in found.items():
            mine = owners | ({org} & counted)
            seats.append(Seat(org, tier, tuple(sorted(mine))))
            for owner in owners:
                if all(one is not consents[owner] for one in basis.setdefault(owner, [])):
                    basis[owner].append(consents[owner])
        return Seated(seats, basis)

    def _seat(
        self, plan: Opened, reader: Reader, members: list[str]
    ) -> tuple[Tier, dict[str, Consent], set[str]] | None:
        """The highest tier that enough owners consent to and can pay; the one it began with, once it has."""
        begun = self._ledger.begun(f"{plan.id}/{reader.org}/")
        for tier in tiers_of(reader.roles):
            if begun and tier not in begun:
                continue
            consents, _ = split(self._govern.consents(reader, members, plan.wanted(tier)))
            if len(consents) < plan.contributors:
                continue
            paid = self._paid(plan, reader, tier, consents)
            if len(paid) >= plan.contributors:
                return tier, consents, paid
        return None

    def _paid(self, plan: Opened, reader: Reader, tier: Tier, consents: Mapping[str, Consent]) -> set[str]:
        """Those that have paid for this window, the rest charged now while the window is open."""
        begun = self._ledger.begun(f"{plan.id}/{reader.org}/").get(tier, set())
        missing = consents.keys() - begun
        if missing and plan.window == window_of(self._now()):
            allowed = {owner: allowance(consents[owner].noise) for owner in missing}
            name = f"{plan.id}/{reader.org}/{tier}/{self._ledger.times(f'{plan.id}/{reader.org}/{tier}/')}"
            draw = f"{plan.id}/{digest_of({*consents, *self._own(plan, reader)})}"
            cost = Cost(name, reader.org, plan.window, TIERS[tier] * CUBE, draw, f"{LABEL}: {plan.community}, {tier}")
            quoted = self._ledger.quote(cost, allowed)
            if len(quoted.owners) + len(begun & consents.keys()) >= plan.contributors:
                with suppress(NotPermitted):
                    begun = begun | set(self._ledger.spend(cost, allowed).owners)
        return begun & consents.keys()

    def _own(self, plan: Opened, reader: Reader) -> set[str]:
        """The reader itself, where it may be in its own release: only a name for the draw, so rather once too often."""
        return {reader.org} & plan.places.keys() if counts_itself(self._govern.view(), reader.org) else set()

    def again(self, plan: Opened, seated: Seated, day: int, part: Fraction, lost: int) -> Seated:
        """Pay anew for a day whose noise was begun and lost: `part` of the rate. Who cannot is left out of the day."""
        if plan.window != window_of(self._now()):
            return Seated([], seated.basis)
        found = []
        for seat in seated.seats:
            rho = TIERS[seat.tier] * CUBE * part  # type: ignore[index]
            name = f"{plan.id}/{seat.reader}/lost/{day}.{lost}"
            what = f"{LABEL}: {plan.community}, day {day + 1} drawn again after a crash"
            cost = Cost(name, seat.reader, plan.window, rho, f"{name}/{seat.digest}", what)
            owners = {o: allowance(_noise(seated.basis[o])) for o in seat.owners if o != seat.reader}
            with suppress(NotPermitted):
                paid = self._ledger.spend(cost, owners).owners
                mine = {*paid, *({seat.reader} & set(seat.owners))}
                if len(paid) >= plan.contributors:
                    found.append(Seat(seat.reader, seat.tier, tuple(sorted(mine))))
        return Seated(found, seated.basis)


def _noise(consents: list[Consent]) -> Noise | None:
    """The smallest budget among them."""
    return min((c.noise for c in consents if c.noise), key=lambda n: (n.epsilon, n.total or n.epsilon), default=None)
