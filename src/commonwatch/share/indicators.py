"""From governed observables to indicators: patterns, life times, confidence (`events.md` 10, `detection.md` 7).

Rules held here:
- only a value in clear becomes an indicator, never a token or a network (`refuses` and the kinds below);
- everything is computed from what this reader sees; a withheld time or count leaves the property out;
- life ends on whole days, so that a sighting renews an indicator at most once a day.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from commonwatch.agreements.reader import ClauseRef
from commonwatch.agreements.terms.iep import Terms
from commonwatch.share.allow import AllowList
from commonwatch.share.ports import Observable

DAY = 86_400_000_000
LIFE_DAYS = {"ip": 7, "url": 14, "domain": 30, "mail": 30, "sha256": 365, "sha1": 365, "md5": 365}
_PATHS = {
    "domain": "domain-name:value",
    "url": "url:value",
    "mail": "email-addr:value",
    "sha256": "file:hashes.'SHA-256'",
    "sha1": "file:hashes.'SHA-1'",
    "md5": "file:hashes.MD5",
}
_STIX_TYPES = {"domain": "domain-name", "url": "url", "mail": "email-addr"}
#: Distinct contributors -> confidence (STIX scale 0-100).
_CONFIDENCE = ((10, 95), (5, 90), (3, 75), (2, 60), (1, 40))


class Indicator(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An indicator as one reader may have it. Times are microseconds; None is withheld."""

    id: str = ""
    kind: str
    value: str
    pattern: str
    valid_from: int
    valid_until: int
    confidence: int | None = None
    sources: int | None = None
    sightings: int | None = None
    first_seen: int | None = None
    last_seen: int | None = None
    tlp: int = 4
    severity: int | None = None
    malware: str | None = None
    clauses: tuple[ClauseRef, ...] = ()
    terms: Terms | None = None
    #: members saw it; how often that was told and then no more; what partners call it; whether they permit acting
    seen: bool = True
    unseen: int = 0
    given: tuple[tuple[str, str], ...] = ()
    may_act: bool = True

    @property
    def stix_type(self) -> str:
        """The STIX type of the observable behind the pattern."""
        if self.kind == "ip":
            return "ipv6-addr" if ":" in self.value else "ipv4-addr"
        return _STIX_TYPES.get(self.kind, "file")


def indicators_from(observables: Iterable[Observable], allow: AllowList, now: int) -> dict[str, Indicator]:
    """The indicators that live at `now`, by pattern."""
    found = (indicator(o) for o in observables if o.kind in LIFE_DAYS and not allow.refuses(o.kind, o.value))
    return {i.pattern: i for i in found if i.valid_until > now}


def indicator(seen: Observable) -> Indicator:
    """One observable as an indicator; its life starts with what the reader may know of its sightings."""
    start = seen.first_seen if seen.first_seen is not None else 0
    renewed = seen.last_seen if seen.last_seen is not None else None
    return Indicator(
        kind=seen.kind,
        value=seen.value,
        pattern=pattern(seen.kind, seen.value),
        valid_from=start,
        valid_until=_FAR if renewed is None else life_end(seen.kind, renewed),
        confidence=confidence(seen.sources),
        sources=seen.sources,
        sightings=seen.count,
        first_seen=seen.first_seen,
        last_seen=seen.last_seen,
        tlp=seen.tlp,
        severity=seen.severity,
        malware=seen.malware,
        clauses=tuple(sorted(seen.clauses)),
        terms=seen.terms,
    )


#: Stands for "counted from its publication", where the reader may not know when it was seen.
_FAR = 2**53


def dated(indicator: Indicator, published: int) -> Indicator:
    """With times counted from its publication where the times of its sightings are withheld."""
    if indicator.valid_until != _FAR:
        return indicator
    return msgspec.structs.replace(indicator, valid_from=published, valid_until=life_end(indicator.kind, published))


def life_end(kind: str, last: int) -> int:
    """When an indicator last seen at `last` ends: its life in days after the end of that day."""
    return (last // DAY + 1 + LIFE_DAYS[kind]) * DAY


def pattern(kind: str, value: str) -> str:
    """The STIX pattern for one value."""
    path = ("ipv6-addr:value" if ":" in value else "ipv4-addr:value") if kind == "ip" else _PATHS[kind]
    literal = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"[{path} = '{literal}']"


def confidence(sources: int | None) -> int | None:
    """Confidence from distinct contributors; unknown contributors give none."""
    if sources is None:
        return None
    return next((level for least, level in _CONFIDENCE if sources >= least), None)
