"""The alert table: each organisation reports its first onset of any rare family, once in a window; two day tables.

Rules held here (`privacy.md` 7.1): the list of rare families is public; k is 1, first come, whatever else the
organisation sees; region x family and family by day share one rate; the national number is the best of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from commonwatch.privacy.release.axes import Axis, plain
from commonwatch.privacy.release.bounds import Bounds, Onset, bounded
from commonwatch.privacy.release.plan import Plan, Share

REGIONAL, NATIONAL = Fraction(62, 100), Fraction(38, 100)
K, DAYS = 1, 56


def alert_plan(regions: Sequence[str], rare: Sequence[str], rho: Fraction, days: int = DAYS) -> Plan:
    """The plan: axes day, region and family (rare ones only), at this rate for the window."""
    time = Axis("day", tuple(map(str, range(days))), (days, 1) if days > 1 else (1,))
    axes = (time, plain("region", regions), plain("family", rare))
    day, where, what = (len(axis.blocks) - 1 for axis in axes)
    if not where:
        return Plan(axes, (Share((day, 0, what), Fraction(1)),), rho, K, 2, "alerts")
    shares = (Share((day, where, what), REGIONAL), Share((day, 0, what), NATIONAL))
    return Plan(axes, shares, rho, K, 2, "alerts")


def first_come(onsets: Iterable[Onset], rare: Sequence[int], days: int = DAYS) -> list[Onset]:
    """What the alert table counts: codes of families become places in `rare`, the rest is not rare."""
    places = {family: at for at, family in enumerate(rare)}
    mine = (o._replace(family=places[o.family]) for o in onsets if o.family in places)
    return bounded(Bounds(k=K, days=days, full_at_start=True), mine)
