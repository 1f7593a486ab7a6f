"""How far an attack has come in an organisation, by the tactics of ATT&CK in their order (`detection.md` 10).

Rules held here: within seven days; a warning needs three tactics in the order of the matrix, the last at or after
credential access; the names are those of ATT&CK Enterprise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from commonwatch.detect.alert import DAY

WITHIN = 7 * DAY
LEAST = 3
#: ATT&CK Enterprise, in the order of the matrix.
TACTICS: Mapping[str, str] = {
    "TA0043": "Reconnaissance",
    "TA0042": "Resource Development",
    "TA0001": "Initial Access",
    "TA0002": "Execution",
    "TA0003": "Persistence",
    "TA0004": "Privilege Escalation",
    "TA0005": "Defense Evasion",
    "TA0006": "Credential Access",
    "TA0007": "Discovery",
    "TA0008": "Lateral Movement",
    "TA0009": "Collection",
    "TA0011": "Command and Control",
    "TA0010": "Exfiltration",
    "TA0040": "Impact",
}
_RANK = {tactic: rank for rank, tactic in enumerate(TACTICS)}
_LATE = _RANK["TA0006"]


class Seen(NamedTuple):
    """An organisation saw a tactic (an ATT&CK id such as `TA0001`) at a time in microseconds."""

    org: str
    tactic: str
    time: int


class Progress(NamedTuple):
    """First sighting of each tactic within the seven days that end now, the furthest of them, and whether to warn."""

    first: Mapping[str, int]
    stage: str
    warn: bool


def progress(seen: Iterable[Seen], now: int) -> dict[str, Progress]:
    """Every organisation's progress as of now. Tactics that are not of the matrix are left out."""
    firsts: dict[str, dict[str, int]] = {}
    for one in seen:
        if one.tactic in _RANK and now - WITHIN < one.time <= now:
            of = firsts.setdefault(one.org, {})
            of[one.tactic] = min(one.time, of.get(one.tactic, one.time))
    return {org: Progress(first, max(first, key=_RANK.__getitem__), _warns(first)) for org, first in firsts.items()}


def _warns(first: Mapping[str, int]) -> bool:
    """Whether some tactics, at least three and the last of them late, came in the order of the matrix."""
    longest: dict[int, int] = {}  # rank of the last tactic -> tactics in order that end with it
    for _, rank in sorted((time, _RANK[tactic]) for tactic, time in first.items()):
        before = [n for last, n in longest.items() if last < rank]
        longest[rank] = max(before, default=0) + 1
    return any(n >= LEAST and rank >= _LATE for rank, n in longest.items())
