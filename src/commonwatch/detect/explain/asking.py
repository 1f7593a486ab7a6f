"""What stands out in a selection, asked and told: a governed comparison in, findings in plain words out.

Rules held here: nothing but a comparison that `govern` made for this reader; every finding says how many organisations
stand behind it and how sure it is; what could not be compared is counted and said.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from commonwatch.agreements.reader import Reader
from commonwatch.detect.explain.mining import Incidents, Pattern
from commonwatch.detect.explain.standing_out import FDR, Outstanding, Tested, standing_out
from commonwatch.govern.answer.comparing import Attribute, Comparison
from commonwatch.govern.query import Compare
from commonwatch.govern.taken import Use

#: Dimensions that select organisations: then organisations, not their days, are the independent witnesses.
_OF_ORGS = frozenset({"org", "sector", "region", "size"})
#: Fewer organisations than this prove nothing about a community.
FEW = 5
_AGAINST = {
    "interval": "the baseline you drew",
    "prev4w": "the same hours and weekdays of the four weeks before",
    "rest": "everything else",
    "filter": "the baseline",
}


class Value(msgspec.Struct, frozen=True):
    """A value of a dimension, as this reader is shown it: what a filter may ask for."""

    dim: str
    label: str
    value: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A combination of values that stands out.

    `incidents` in the selection and `expected` at the baseline's share; `times` is the ratio of the two shares;
    `organisations` with a match in the selection and `organisations_before` in the baseline; `p` is the p-value made of
    distinct organisations and days, adjusted for everything tested; `also` goes with nearly the same incidents.
    """

    more: bool
    values: tuple[Value, ...]
    also: tuple[Value, ...]
    incidents: int
    expected: float
    times: float
    organisations: int
    organisations_before: int
    p: float
    text: str


class SideInfo(msgspec.Struct, frozen=True):
    """How much was compared on one side. `left_out`: events whose contributor or hour is not shown."""

    events: int
    incidents: int
    organisations: int
    left_out: int


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What stands out, the strongest first, and under which conditions that was found.

    `against` says what the baseline is; `compared` the dimensions looked at; `tested` how many combinations; at most
    the part `fdr` of findings is false; `silent` organisations are in the baseline and not in the selection.
    """

    query: str
    watermark: str
    against: Literal["interval", "prev4w", "rest", "filter"]
    against_text: str
    selection: SideInfo
    baseline: SideInfo
    silent: int
    compared: tuple[str, ...]
    tested: int
    fdr: float
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


class Governed(Protocol):
    """Govern, as far as explaining needs it."""

    def compare(
        self, reader: Reader, asked: Compare, *, cancel: threading.Event | None = None, use: Use = Use()
    ) -> Comparison:
        """Both sides as incidents this reader is shown."""


class Explainer:
    """Explains selections of what a reader is shown."""

    def __init__(self, govern: Governed) -> None:
        self._govern = govern

    def explain(
        self, reader: Reader, asked: Compare, *, cancel: threading.Event | None = None, use: Use = Use()
    ) -> Explained:
        """What stands out in the selection. Raises InvalidInput where nothing is selected."""
        return told(self._govern.compare(reader, asked, cancel=cancel, use=use))


def told(made: Comparison) -> Explained:
    """A comparison, tested and put into words."""
    sides = [Incidents(side.codes, side.orgs, side.pieces) for side in (made.selection, made.baseline)]
    tested = standing_out(sides[0], sides[1], by_org=_proof(made.varied))
    here, there = set(made.selection.orgs.tolist()), set(made.baseline.orgs.tolist())
    infos = [
        SideInfo(side.events, len(side.orgs), len(orgs), side.left_out)
        for side, orgs in ((made.selection, here), (made.baseline, there))
    ]
    silent = len(there - here) if made.varied <= {"time"} else 0
    return Explained(
        query=made.query, watermark=made.watermark, against=made.against, against_text=_against(made),
        selection=infos[0], baseline=infos[1], silent=silent, compared=tuple(a.label for a in made.attributes),
        tested=tested.tests, fdr=FDR, findings=_findings(tested, made, infos), notes=tuple(_notes(infos, silent)),
    )  # fmt: skip


def _against(made: Comparison) -> str:
    """What the baseline is, in words that follow `in`."""
    return "all other times" if made.against == "rest" and "time" in made.varied else _AGAINST[made.against]


def _proof(varied: frozenset[str]) -> Sequence[bool]:
    """By organisation where organisations were selected, by their days where time was; by both where both were."""
    of_orgs = bool(varied & _OF_ORGS)
    return (False, True) if of_orgs and "time" in varied else (of_orgs,)


def _findings(tested: Tested, made: Comparison, infos: Sequence[SideInfo]) -> tuple[Finding, ...]:
    scale = infos[0].incidents / max(infos[1].incidents, 1)
    return tuple(_finding(found, made, scale) for found in tested.found)


def _finding(found: Outstanding, made: Comparison, scale: float) -> Finding:
    values = _values(found.pattern, made.attributes)
    return Finding(
        more=found.more, values=values, also=tuple(v for p in found.also for v in _values(p, made.attributes)),
        incidents=found.incidents, expected=round(found.before * scale, 1), times=round(found.ratio, 3),
        organisations=found.orgs, organisations_before=found.orgs_before, p=float(f"{found.p:.2g}"),
        text=_sentence(found, values, _against(made)),
    )  # fmt: skip


def _values(pattern: Pattern, attributes: Sequence[Attribute]) -> tuple[Value, ...]:
    return tuple(Value(attributes[at].key, attributes[at].label, attributes[at].values[code]) for at, code in pattern)


def _sentence(found: Outstanding, values: Sequence[Value], against: str) -> str:
    """`6 organisations, 5 times as often as in everything else: malware family X with destination port 445`."""
    what = " with ".join(f"{v.label} {v.value}" for v in values)
    if not found.more and not found.incidents:
        return f"Gone: {what}, seen by {_organisations(found.orgs_before)} in {against}"
    if found.more and not found.before:
        return f"{_organisations(found.orgs)}, never seen in {against}: {what}"
    often = f"{times(found.ratio)} as often" if found.more else f"{times(1 / found.ratio)} less often"
    return f"{_organisations(found.orgs)}, {often} {'as' if found.more else 'than'} in {against}: {what}"


def times(ratio: float) -> str:
    """A ratio in words: `1.6 times`, `12 times`, `more than 100 times`."""
    if ratio > 100:
        return "more than 100 times"
    return f"{ratio:.1f} times" if ratio < 9.95 else f"{ratio:.0f} times"


def _organisations(n: int) -> str:
    return "1 organisation" if n == 1 else f"{n} organisations"


def _notes(infos: Sequence[SideInfo], silent: int) -> list[str]:
    here, there = infos
    made = []
    if not here.incidents:
        made.append("There is nothing in the selection to explain.")
    elif not there.incidents:
        made.append("There is nothing to compare the selection with: draw a baseline, or select less.")
    elif here.organisations < FEW:
        made.append(f"The selection shows {_organisations(here.organisations)}: too few to prove much.")
    if silent:
        made.append(
            f"{_organisations(silent)} of the baseline sent nothing in the selection: a silent gateway is no cause."
        )
    if left := here.left_out + there.left_out:
        made.append(f"{left} events are left out, for their contributor or their hour is not shown to you.")
    return made
