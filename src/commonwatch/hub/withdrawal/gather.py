"""What one statement took back, gathered from where it happened: publications, derived tables, streams, gateways.

Rules held here: only readers whom the agreement spoke to; of what was withdrawn from them only indicators whose values
the owner itself has events of, so that a certificate tells nobody of another owner's withdrawal; ids, never values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select

from commonwatch.agreements.effective import LiveAgreement
from commonwatch.agreements.reader import Reader
from commonwatch.agreements.terms.certificate import Reader as Lost
from commonwatch.agreements.terms.certificate import Told, Withdrawn
from commonwatch.errors import NotPermitted
from commonwatch.govern.changes import Scope, scope_of
from commonwatch.govern.decide.compiling import standing
from commonwatch.govern.policy import PolicyView
from commonwatch.govern.service import Govern
from commonwatch.hub.core import Core
from commonwatch.hub.meta.models import Gateway
from commonwatch.hub.withdrawal.cases import Case
from commonwatch.share import stix
from commonwatch.share.indicators import pattern
from commonwatch.share.ports import Gone
from commonwatch.share.publication import Publications


class Happened(NamedTuple):
    """What went at one change of policy, by reader organisation: tables, snapshots, releases, streams."""

    at: int
    epoch: int
    counts: dict[str, Counter[str]]


class Gathered(NamedTuple):
    """What readers lost, which gateways have to tell that they obey, and what each has to tell (snapshot, cursor)."""

    readers: list[Lost]
    gateways: list[Told]
    needs: dict[str, list[int]]


class Gathering:
    """Gathers for one hub."""

    def __init__(self, core: Core, govern: Govern, publications: Publications) -> None:
        self._core, self._govern, self._publications = core, govern, publications

    def gather(self, case: Case, happened: Sequence[Happened]) -> Gathered:
        """Everything this statement took back."""
        view = self._govern.view()
        scope = scope_of([LiveAgreement(case.document, "", frozenset())], view.epoch)
        withdrawn = self._withdrawn(case, view, scope)
        counts = _summed(h.counts for h in happened if h.at >= case.since)
        touched = [o for o in sorted({*withdrawn, *counts}) if o != case.document.owner and _reached(view, scope, o)]
        gateways = self._gateways(case.document.owner, {org for org in touched if withdrawn.get(org)})
        with_gateway = {told.org for told in gateways if told.side == "reader"}
        lost = [
            _lost(org, withdrawn.get(org, []), counts.get(org, Counter()), told=org in with_gateway) for org in touched
        ]
        issued = self._core.snapshots.current(case.document.owner).number
        needs = {
            t.gateway: [issued, 0] if t.side == "owner" else [0, max(g.at for g in withdrawn[t.org])] for t in gateways
        }
        return Gathered([each for each in lost if each != Lost(org=each.org)], gateways, needs)

    def _withdrawn(self, case: Case, view: PolicyView, scope: Scope) -> dict[str, list[Gone]]:
        """By reader organisation, what was withdrawn of the owner's since the statement, over all its purposes."""
        found: dict[str, list[Gone]] = {}
        for bare in self._publications.audiences():
            try:
                reader = standing(view, bare)
            except NotPermitted:
                continue
            if scope.touches(reader) and reader.org != case.document.owner:
                found.setdefault(reader.org, []).extend(self._publications.withdrawn(reader, case.since))
        if not any(found.values()):
            return found
        own = self._own(case.document.owner, {g.generation for gone in found.values() for g in gone})
        return {org: [g for g in gone if g.id in own] for org, gone in found.items()}

    def _own(self, owner: str, generations: set[int]) -> set[str]:
        """Ids of indicators for values that the owner has events of."""
        seen = self._govern.observables(Reader(owner, (), (), "operate"))
        patterns = {pattern(o.kind, o.value) for o in seen}
        return {stix.indicator_id(self._publications.publisher, p, g) for p in patterns for g in generations}

    def _gateways(self, owner: str, readers: set[str]) -> list[Told]:
        with self._core.database.read() as session:
            query = select(Gateway.id, Gateway.org).where(Gateway.active).order_by(Gateway.org, Gateway.id)
            rows = session.execute(query.where(Gateway.org.in_({owner, *readers}))).all()
        return [Told(gateway=r.id, org=r.org, side="owner" if r.org == owner else "reader") for r in rows]


def _lost(org: str, gone: Sequence[Gone], counts: Counter[str], *, told: bool) -> Lost:
    """Each indicator has a sighting beside it, so that it stands for two objects."""
    ids = {g.id: g.served for g in sorted(gone, key=lambda g: g.served)}
    indicators = [Withdrawn(name, served) for name, served in sorted(ids.items())]
    return Lost(
        org=org, indicators=indicators, taxii=2 * len(indicators),
        pushed=sum(i.served for i in indicators) if told else 0, releases=counts["releases"],
        snapshots=counts["snapshots"], tables=counts["tables"], streams=counts["streams"],
    )  # fmt: skip


def _summed(counts: Iterable[dict[str, Counter[str]]]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for each in counts:
        for org, n in each.items():
            found[org] = found.get(org, Counter()) + n
    return found


def _reached(view: PolicyView, scope: Scope, org: str) -> bool:
    info = view.orgs.get(org)
    return info is not None and scope.touches(Reader(org, info.roles, info.communities, "detect"))  # type: ignore[arg-type]
