"""Exact weeks: new families by how many organisations, where enough stand behind a cell; no noise, no second question.

Rules held here (`privacy.md` 8, `agreements.md` 8): one cube for each closed week, by family; all readers of a week
have the very same set of owners, for two cubes with different owners could be subtracted, so the set that most readers
share is served and the others get nothing that week; the threshold counts organisations that the reader does not see
otherwise; a closed week is never made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from commonwatch.agreements.reader import Reader
from commonwatch.govern.counted.consent import Consent, sees, split
from commonwatch.govern.counted.onsets import Closing
from commonwatch.govern.policy import PolicyView
from commonwatch.govern.service import Govern
from commonwatch.hub.releases.plans import COMMON, Opened
from commonwatch.hub.releases.seats import members_of, readers
from commonwatch.hub.releases.shelf import Week
from commonwatch.ingest.values.families import OTHER
from commonwatch.privacy.release.thresholded import Row, threshold


class Cells(msgspec.Struct, frozen=True):
    """A week as it is kept: shown families, and what the others add up to, where enough stand behind that."""

    t: int
    shown: dict[str, int]
    suppressed: int | None


def weeks(govern: Govern, plan: Opened, view: PolicyView, closing: Closing) -> list[Week]:
    """The exact cubes of the week that closes, for the readers whose owners are the same."""
    members, wanted = members_of(view, plan.community), plan.wanted(None)
    found: dict[Reader, dict[str, Consent]] = {}
    for reader in readers(view):
        taking, _ = split(govern.consents(reader, members, wanted))
        if taking:
            found[reader] = taking
    counted = {owner for taking in found.values() for owner in taking}
    sets = {reader: frozenset(taking) | ({reader.org} & counted) for reader, taking in found.items()}
    served = _served(sets, plan.contributors)
    if not served:
        return []
    owners = sets[served[0]]
    basis = {o: list({id(found[r][o]): found[r][o] for r in served if o in found[r]}.values()) for o in owners}
    rows = [
        Row(new.owner, (new.family if new.family in COMMON else OTHER,), 1) for new in govern.onsets(basis, closing)
    ]
    return [_week(plan, view, reader, tuple(sorted(owners)), rows) for reader in served]


def _served(sets: Mapping[Reader, frozenset[str]], least: int) -> list[Reader]:
    """The readers that share the commonest set of owners, if that is large enough."""
    groups: dict[frozenset[str], list[Reader]] = {}
    for reader, owners in sets.items():
        groups.setdefault(owners, []).append(reader)
    large = {owners: who for owners, who in groups.items() if len(owners) >= least}
    return max(large.items(), key=lambda pair: (len(pair[1]), sorted(pair[0])))[1] if large else []


def _week(plan: Opened, view: PolicyView, reader: Reader, owners: tuple[str, ...], rows: Sequence[Row]) -> Week:
    known = [o for o in owners if o == reader.org or sees(view.owners[o].documents, reader)]
    cube = threshold(("family",), rows, plan.contributors, known=known)
    cells = Cells(cube.t, {family: n for (family,), n in cube.cells.items()}, cube.suppressed)
    return Week(reader.org, owners, msgspec.json.encode(cells))
