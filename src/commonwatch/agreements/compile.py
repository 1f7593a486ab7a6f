"""Compile one owner's documents for one reader: per label, pieces of the age axis with a level for every field.

Equals `effective()` at every point (tested); here only faster: clauses that can never reach the reader are dropped
once, labels that meet the same clauses share one result. Rules held here: pieces cover the whole axis [0, inf) without
gap or overlap; every shown field names the clauses that allowed it, every withheld field its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from commonwatch.agreements.document import Limit, Share, levels
from commonwatch.agreements.effective import (
    AnyDocument,
    LiveAgreement,
    OwnerDocuments,
    accepted,
    addresses,
    cut_reason,
    furthest,
    limits_on,
    ref_of,
    whom_to_ask,
)
from commonwatch.agreements.lattice import WITHHELD, Point, join, leq, meet, top_of
from commonwatch.agreements.reader import ClauseRef, Reader, Reason, Withheld
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS, Label, Severity, Tlp

_NEVER = float("inf")


class Piece(msgspec.Struct, frozen=True):
    """Ages [from_hours, until_hours) that share one decision. Fields not in `levels` are in `reasons`."""

    from_hours: float
    until_hours: float | None
    levels: dict[FieldName, Point]
    allowed: dict[FieldName, tuple[ClauseRef, ...]]
    reasons: dict[FieldName, Withheld]
    clauses: tuple[ClauseRef, ...]


def pieces(docs: OwnerDocuments, label: Label, reader: Reader) -> list[Piece]:
    """What `reader` sees of the owner's events with `label`, by age. Do not change the list: it is shared."""
    return compiled(docs, reader).pieces(label)


_KEPT = 16_384
_kept: dict[tuple[int, Reader], Compiled] = {}


def compiled(docs: OwnerDocuments, reader: Reader) -> Compiled:
    """The compiled form for this reader, kept for as long as the same documents object is asked about."""
    key = (id(docs), reader)
    found = _kept.get(key)
    if found is None or found.docs is not docs:
        if len(_kept) >= _KEPT:
            _kept.clear()
        found = _kept[key] = Compiled(docs, reader)
    return found


class _Rows(NamedTuple):
    """Rows of a clause, brought to numbers. `classes` and `sites` None is all."""

    classes: frozenset[int] | None
    tlp: int
    severity: int
    sites: frozenset[str] | None
    after: float
    until: float


class _Share(NamedTuple):
    """A share with what is already known about this reader: `never` is why it cannot apply, whatever the label."""

    ref: ClauseRef
    agreement: int
    rows: _Rows
    red: bool
    never: Reason | None
    inactive: Reason | None
    shown: dict[FieldName, Point]

    def failure(self, label: Label) -> Reason | None:
        """The first check but age that fails."""
        rows = self.rows
        if self.never:
            return self.never
        if rows.classes is not None and label.event_class not in rows.classes:
            return "class"
        if label.tlp > rows.tlp or (label.tlp == Tlp.RED and not self.red):
            return "tlp"
        if label.severity < rows.severity:
            return "severity"
        if rows.sites is not None and label.site not in rows.sites:
            return "site"
        return self.inactive

    def at(self, age: float) -> Reason | None:
        """Whether the age is outside, and on which side."""
        if age < self.rows.after:
            return "too-young"
        return "too-old" if age >= self.rows.until else None


class _Limit(NamedTuple):
    """A limit on single events that binds this reader. `agreement` -1 is the owner's charter."""

    ref: ClauseRef
    agreement: int
    rows: _Rows
    caps: dict[FieldName, Point]

    def covers(self, label: Label) -> bool:
        """Whether it covers the label, age aside."""
        rows, severity = self.rows, label.severity
        return (
            (rows.classes is None or label.event_class in rows.classes)
            and label.tlp >= rows.tlp
            and (severity == Severity.UNKNOWN or severity >= rows.severity)
            and (rows.sites is None or label.site == "" or label.site in rows.sites)
        )


class Compiled:
    """One owner's documents as one reader meets them."""

    def __init__(self, docs: OwnerDocuments, reader: Reader) -> None:
        self.docs = docs
        self._own = reader.org == docs.owner
        agreements = [] if self._own else docs.own
        self._shares = [s for i, live in enumerate(agreements) for s in _shares(i, live, reader)]
        useful = {s.agreement for s in self._shares if not s.never and not s.inactive}
        self._limits = [limit for i in sorted(useful) for limit in _limits(i, limits_on(docs, agreements[i]), reader)]
        if docs.charter and useful:
            self._limits += _limits(-1, ((docs.charter, c) for c in docs.charter.clauses), reader)
        self._done: dict[tuple[object, ...], list[Piece]] = {}
        self._withheld: dict[tuple[Reason, ClauseRef | None, str | None], Withheld] = {}

    def pieces(self, label: Label) -> list[Piece]:
        """The pieces of the age axis for a label; labels that meet the same clauses share the list."""
        failures = [share.failure(label) for share in self._shares]
        if None in failures:
            limits = [limit for limit in self._limits if limit.covers(label)]
            key: tuple[object, ...] = (*failures, *(limit.ref for limit in limits))
        else:
            limits, key = [], tuple(failures)
        if (done := self._done.get(key)) is None:
            done = self._done[key] = self._cut(failures, limits)
        return done

    def _cut(self, failures: Sequence[Reason | None], limits: Sequence[_Limit]) -> list[Piece]:
        """Cut the age axis at every bound that matters and decide each stretch."""
        applicable = [s.rows for s, failed in zip(self._shares, failures, strict=True) if failed is None]
        rows = [*applicable, *(limit.rows for limit in limits)]
        bounds = sorted({0.0, *(r.after for r in rows), *(r.until for r in rows if r.until != _NEVER)})
        ends = [*bounds[1:], None]
        made = [self._piece(a, b, failures, limits) for a, b in zip(bounds, ends, strict=True)]
        return _merge(made)

    def _piece(
        self, start: float, end: float | None, failures: Sequence[Reason | None], limits: Sequence[_Limit]
    ) -> Piece:
        """Decide every field for the ages [start, end)."""
        if self._own:
            return Piece(start, end, {f: top_of(f) for f in FIELDS}, dict.fromkeys(FIELDS, ()), {}, ())
        states = [failed or s.at(start) for s, failed in zip(self._shares, failures, strict=True)]
        raised = _raise([s for s, state in zip(self._shares, states, strict=True) if state is None])
        caps = _caps([limit for limit in limits if limit.rows.after <= start < limit.rows.until])
        shown: dict[FieldName, Point] = {}
        allowed: dict[FieldName, tuple[ClauseRef, ...]] = {}
        cuts: dict[FieldName, tuple[ClauseRef, ...]] = {}
        for field, given in raised.items():
            level, refs, cut = _settle(given, caps.get(field, ()))
            if level != WITHHELD:
                shown[field], allowed[field] = level, refs
            else:
                cuts[field] = cut
        ordered = {f: shown[f] for f in FIELDS if f in shown}
        clauses = tuple(sorted({ref for refs in allowed.values() for ref in refs}))
        return Piece(start, end, ordered, allowed, self._reasons(states, shown, cuts), clauses)

    def _reasons(
        self,
        states: Sequence[Reason | None],
        shown: dict[FieldName, Point],
        cuts: dict[FieldName, tuple[ClauseRef, ...]],
    ) -> dict[FieldName, Withheld]:
        """Why each remaining field is withheld, and whom to ask."""
        ask = whom_to_ask(self.docs, shown.get("owner", WITHHELD))
        heard: list[Reason] = [state or "field-not-granted" for state in states]
        unnamed = self._hold(furthest([(state, False) for state in heard]), None, ask)
        naming = {f for s in self._shares for f in s.shown}
        found: dict[FieldName, Withheld] = {}
        for field in FIELDS:
            if field in shown:
                continue
            if field in cuts:
                found[field] = self._hold(*cut_reason(self.docs, cuts[field]), ask)
            elif field in naming:
                said = [(state, field in s.shown) for state, s in zip(heard, self._shares, strict=True)]
                found[field] = self._hold(furthest(said), None, ask)
            else:
                found[field] = unnamed
        return found

    def _hold(self, reason: Reason, clause: ClauseRef | None, ask: str | None) -> Withheld:
        key = (reason, clause, ask)
        if key not in self._withheld:
            self._withheld[key] = Withheld(reason, clause, ask)
        return self._withheld[key]


def _shares(number: int, live: LiveAgreement, reader: Reader) -> Iterable[_Share]:
    """The shares of an agreement as this reader meets them."""
    inactive: Reason | None = live.state if live.state != "active" else None
    if inactive is None and not accepted(live, reader):
        inactive = "duties-not-accepted"
    for clause in live.document.clauses:
        if not isinstance(clause, Share):
            continue
        never: Reason | None = None if addresses(clause.to, reader) else "not-to-you"
        if never is None and reader.purpose not in clause.purposes:
            never = "purpose"
        rows, to = clause.rows, clause.to
        numbers = _Rows(
            _classes(rows.events), TLP_WORDS[rows.tlp], SEVERITY_WORDS[rows.severity] if rows.severity else 0,
            frozenset(rows.sites) or None, rows.after, _NEVER if rows.until is None else rows.until,
        )  # fmt: skip
        red = bool(to.organisations) and not to.communities and not to.roles
        shown = {f: level for f, level in levels(clause.fields).items() if level != WITHHELD}
        yield _Share(ref_of(live.document, clause.id), number, numbers, red, never, inactive, shown)


def _limits(number: int, clauses: Iterable[tuple[AnyDocument, Limit]], reader: Reader) -> Iterable[_Limit]:
    """The limits on single events that bind this reader."""
    for document, clause in clauses:
        if clause.on == "counts" or addresses(clause.outside, reader):
            continue
        if clause.purposes and reader.purpose not in clause.purposes:
            continue
        rows = clause.rows
        numbers = _Rows(
            _classes(rows.events) if rows.events else None,
            TLP_WORDS[rows.from_tlp] if rows.from_tlp else 0,
            SEVERITY_WORDS[rows.from_severity] if rows.from_severity else 0,
            frozenset(rows.sites) or None, rows.after, _NEVER if rows.until is None else rows.until,
        )  # fmt: skip
        yield _Limit(ref_of(document, clause.id), number, numbers, levels(clause.fields))


def _classes(words: Iterable[str]) -> frozenset[int]:
    return frozenset(CLASS_WORDS[word] for word in words)


Given = list[tuple[int, Point, ClauseRef]]


def _raise(shares: Iterable[_Share]) -> dict[FieldName, Given]:
    """Per field what applicable shares give, with their agreement."""
    found: dict[FieldName, Given] = {}
    for share in shares:
        for field, level in share.shown.items():
            found.setdefault(field, []).append((share.agreement, level, share.ref))
    return found


def _caps(limits: Iterable[_Limit]) -> dict[FieldName, Given]:
    """Per field what applicable limits cap, with their agreement (-1 is the charter)."""
    found: dict[FieldName, Given] = {}
    for limit in limits:
        for field, level in limit.caps.items():
            found.setdefault(field, []).append((limit.agreement, level, limit.ref))
    return found


def _settle(
    given: Given, caps: Sequence[tuple[int, Point, ClauseRef]]
) -> tuple[Point, tuple[ClauseRef, ...], tuple[ClauseRef, ...]]:
    """The level of one field, the clauses that raised it there and those that cut it."""
    cut: set[ClauseRef] = set()
    before_charter = [
        (_lower(level, [c for c in caps if c[0] == agreement], cut), ref) for agreement, level, ref in given
    ]
    charter = [c for c in caps if c[0] == -1]
    after = [(_lower(level, charter, cut), ref) for level, ref in before_charter]
    total = WITHHELD
    for level, _ in after:
        total = join(total, level)
    if total == WITHHELD:
        return WITHHELD, (), tuple(sorted(cut))
    highest = {ref for level, ref in after if level != WITHHELD and _is_highest(level, after)}
    return total, tuple(sorted(highest)), tuple(sorted(cut))


def _lower(level: Point, caps: Iterable[tuple[int, Point, ClauseRef]], cut: set[ClauseRef]) -> Point:
    """Meet a level with caps, noting every cap the level was not already below."""
    lowered = level
    for _, cap, ref in caps:
        if not leq(level, cap):
            cut.add(ref)
        lowered = meet(lowered, cap)
    return lowered


def _is_highest(level: Point, among: Iterable[tuple[Point, ClauseRef]]) -> bool:
    return not any(other != level and leq(level, other) for other, _ in among)


def _merge(made: Sequence[Piece]) -> list[Piece]:
    """Join neighbours that decide the same."""
    merged: list[Piece] = []
    for piece in made:
        last = merged[-1] if merged else None
        if last and (last.levels, last.allowed, last.reasons) == (piece.levels, piece.allowed, piece.reasons):
            merged[-1] = msgspec.structs.replace(last, until_hours=piece.until_hours)
        else:
            merged.append(piece)
    return merged
