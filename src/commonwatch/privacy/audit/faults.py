"""Faults that are planted to see that the audit has teeth: each breaks one rule of a private release, and is caught.

Nothing that serves a release imports this module. Too little noise shows best at a high rate, so that fault is audited
at rho 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from commonwatch.privacy.audit.measure import Subject, shipped, small_plan
from commonwatch.privacy.release.axes import Levels
from commonwatch.privacy.release.bounds import Bounds, Onset, bounded
from commonwatch.privacy.release.noise import Ints, gaussian
from commonwatch.privacy.release.plan import Plan, Share


class _Insensitive(Plan, frozen=True, dict=True):
    """As if an organisation had one onset only."""

    def delta2(self, levels: Levels) -> int:  # noqa: ARG002
        return 1


class _Unsplit(Plan, frozen=True, dict=True):
    """Each table takes the whole rate."""

    def rate(self, table: Share) -> Fraction:  # noqa: ARG002
        return self.rho


def _repeated(limits: Bounds, onsets: Sequence[Onset]) -> list[Onset]:
    """The first family of an organisation counts k times."""
    first = {o.owner: o for o in reversed(bounded(limits, onsets))}
    return [o for o in first.values() for _ in range(limits.k)]


def _quieter(values: Ints, scale: float) -> Ints:
    """15 % less noise than is stated."""
    return gaussian(values, 0.85 * scale)


def faults() -> list[tuple[Subject, int]]:
    """Each planted fault with the runs a side that catch it."""
    good, long = shipped(), shipped(12, 12)
    endless = msgspec.structs.replace(long.limits, k=12)
    return [
        (long._replace(name="no truncation", limits=endless), 700),
        (good._replace(name="duplicate family", bound=_repeated), 1_500),
        (good._replace(name="wrong sensitivity", plan=small_plan(kind=_Insensitive)), 1_500),
        (good._replace(name="budget not split", plan=small_plan(kind=_Unsplit)), 1_500),
        (good._replace(name="15 % less noise", plan=small_plan(families=4, rho=Fraction(3)), draw=_quieter), 3_000),
    ]
