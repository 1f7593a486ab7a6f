"""The meaning of agreements: `effective()`, the readable reference that every compiled form must equal.

    effective = charter meet JOIN over the owner's live agreements a
                             ( JOIN shares(a) meet MEET limits(a) meet the charter of the community a names )

Rules held here (`agreements.md` 3-7): default is withheld; no priorities, no order; missing labels count as worst; a
document that is not active counts as absent, except that the reason may name its state. Ages are hours. An owner
reading its own events sees them exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

from commonwatch.agreements.document import (
    Agreement,
    Charter,
    CommunityCharter,
    Count,
    Limit,
    Share,
    ShareRows,
    To,
    levels,
)
from commonwatch.agreements.lattice import WITHHELD, Point, join, leq, meet, point_name, top_of
from commonwatch.agreements.reader import ClauseRef, Granted, Reader, Reason, Withheld
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS, Label, Severity, Tlp

State = Literal["active", "not-yet-active", "suspended", "revoked", "expired"]


class LiveAgreement(msgspec.Struct, frozen=True):
    """A fully signed agreement, its state, and who accepted its duties (parties have by signing).

    Only `active` shows anything; other states are kept because the reason names them. `digest` is that of the payload.
    """

    document: Agreement
    digest: str
    accepted: frozenset[str]
    state: State = "active"


class OwnerDocuments(msgspec.Struct, frozen=True):
    """Everything that decides about one owner's events: agreements, its charter, charters of the communities named."""

    owner: str
    agreements: tuple[LiveAgreement, ...]
    charter: Charter | None = None
    community_charters: Mapping[str, CommunityCharter] = {}

    @property
    def own(self) -> list[LiveAgreement]:
        """The agreements of this owner; one of another owner that got in here decides nothing."""
        return [live for live in self.agreements if live.document.owner == self.owner]


class Asked(NamedTuple):
    """One question: which rows (label, age in hours), which field, who reads."""

    label: Label
    age: float
    field: FieldName
    reader: Reader


class Effective(NamedTuple):
    """An effective level, the clauses that raised it there, and those that cut it (both sorted)."""

    level: Point
    allowed: tuple[ClauseRef, ...]
    cut: tuple[ClauseRef, ...]


def effective(docs: OwnerDocuments, label: Label, age_hours: float, field: FieldName, reader: Reader) -> Effective:
    """How precisely `reader` sees `field` of the owner's events with this label and age (hours, >= 0)."""
    if reader.org == docs.owner:
        return Effective(top_of(field), (), ())
    asked = Asked(label, age_hours, field, reader)
    raised: Levels = []
    cut: set[ClauseRef] = set()
    for live in docs.own:
        given, cutting = _agreement(docs, live, asked)
        raised += given
        cut |= cutting
    capped, charter_cut = _cap(raised, _naming(_clauses(docs.charter), asked))
    total = _join(level for level, _ in capped)
    allowed = {ref for level, ref in capped if level != WITHHELD and not _below_another(level, capped)}
    return Effective(total, tuple(sorted(allowed)), tuple(sorted(cut | charter_cut)))


def decide(
    docs: OwnerDocuments, label: Label, age_hours: float, field: FieldName, reader: Reader
) -> Granted | Withheld:
    """`effective()` as a decision: a named point with its clauses, or the reason and whom to ask."""
    found = effective(docs, label, age_hours, field, reader)
    if found.level != WITHHELD:
        return Granted(point_name(FIELDS[field].family, found.level), found.allowed)
    owner = effective(docs, label, age_hours, "owner", reader).level
    reason, clause = why(docs, Asked(label, age_hours, field, reader), found.cut)
    return Withheld(reason, clause, whom_to_ask(docs, owner))


AnyDocument = Agreement | Charter | CommunityCharter
Levels = list[tuple[Point, ClauseRef]]
Limits = Iterable[tuple[AnyDocument, Limit]]


def _agreement(docs: OwnerDocuments, live: LiveAgreement, asked: Asked) -> tuple[Levels, set[ClauseRef]]:
    """What one agreement's shares raise after its own limits and its community's charter, and what cut them."""
    if live.state != "active" or not accepted(live, asked.reader):
        return [], set()
    shares = [
        (level, ref_of(live.document, c.id))
        for c in live.document.clauses
        if isinstance(c, Share)
        and covers(c, asked.label, asked.age, asked.reader)
        and (level := levels(c.fields).get(asked.field, WITHHELD)) != WITHHELD
    ]
    return _cap(shares, _naming(limits_on(docs, live), asked))


def limits_on(docs: OwnerDocuments, live: LiveAgreement) -> Iterator[tuple[AnyDocument, Limit]]:
    """The agreement's own limits and those of the charter of the community it names."""
    yield from _clauses(live.document)
    yield from _clauses(docs.community_charters.get(live.document.community or ""))


def _clauses(document: AnyDocument | None) -> Iterator[tuple[AnyDocument, Limit]]:
    for clause in document.clauses if document else ():
        if document and isinstance(clause, Limit):
            yield document, clause


def _naming(limits: Limits, asked: Asked) -> Levels:
    """The limits on single events that cover these rows and this reader and name the field."""
    return [
        (cap, ref_of(document, c.id))
        for document, c in limits
        if c.on != "counts"
        and limit_covers(c, asked.label, asked.age, asked.reader)
        and (cap := levels(c.fields).get(asked.field)) is not None
    ]


def _cap(raised: Levels, caps: Levels) -> tuple[Levels, set[ClauseRef]]:
    """Meet every contribution with every cap; the clauses that lowered something."""
    cut = {ref for cap, ref in caps if any(not leq(level, cap) for level, _ in raised)}
    for cap, _ in caps:
        raised = [(meet(level, cap), ref) for level, ref in raised]
    return raised, cut


def _join(found: Iterable[Point]) -> Point:
    total = WITHHELD
    for level in found:
        total = join(total, level)
    return total


def _below_another(level: Point, others: Levels) -> bool:
    """Whether another contribution shows strictly more."""
    return any(leq(level, other) and level != other for other, _ in others)


def ref_of(document: AnyDocument, clause: str) -> ClauseRef:
    """The reference of a clause of a document."""
    return ClauseRef(document.id, document.version, clause)


def addresses(to: To, reader: Reader) -> bool:
    """Whether `to` names the reader's organisation, one of its communities, or one of its roles."""
    return (
        reader.org in to.organisations
        or any(c in to.communities for c in reader.communities)
        or any(r in to.roles for r in reader.roles)
    )


def accepted(live: LiveAgreement, reader: Reader) -> bool:
    """Whether the reader's organisation is bound by the duties: a party, or one that accepted them by statement."""
    return reader.org in live.accepted or reader.org in live.document.party_ids


def covers(clause: Share | Count, label: Label, age: float, reader: Reader) -> bool:
    """Whether a share or count covers these rows for this reader and purpose."""
    return failure(clause, label, reader) is None and too_old_or_young(clause.rows, age) is None


def failure(clause: Share | Count, label: Label, reader: Reader) -> Reason | None:
    """The first check but age at which a share or count does not apply, or None."""
    if not addresses(clause.to, reader):
        return "not-to-you"
    if reader.purpose not in clause.purposes:
        return "purpose"
    return row_failure(clause, label)


def row_failure(clause: Share | Count, label: Label) -> Reason | None:
    """The first label check at which a share or count does not apply. Red needs a `to` of organisations only."""
    rows = clause.rows
    if not any(CLASS_WORDS[word] == label.event_class for word in rows.events):
        return "class"
    named_only = bool(clause.to.organisations) and not clause.to.communities and not clause.to.roles
    if label.tlp > TLP_WORDS[rows.tlp] or (label.tlp == Tlp.RED and not named_only):
        return "tlp"
    if rows.severity and label.severity < SEVERITY_WORDS[rows.severity]:
        return "severity"
    return "site" if rows.sites and label.site not in rows.sites else None


def too_old_or_young(rows: ShareRows, age: float) -> Reason | None:
    """`too-young` before `after`, `too-old` from `until` on, else None."""
    if age < rows.after:
        return "too-young"
    return "too-old" if rows.until is not None and age >= rows.until else None


def limit_covers(clause: Limit, label: Label, age: float, reader: Reader) -> bool:
    """Whether a limit binds this reader on these rows. Absent is everything; unknown labels are covered."""
    rows = clause.rows
    return (
        not addresses(clause.outside, reader)
        and (not clause.purposes or reader.purpose in clause.purposes)
        and limit_rows_cover(clause, label)
        and rows.after <= age
        and (rows.until is None or age < rows.until)
    )


def limit_rows_cover(clause: Limit, label: Label) -> bool:
    """Whether a limit covers the label, age aside."""
    rows = clause.rows
    return (
        (not rows.events or any(CLASS_WORDS[word] == label.event_class for word in rows.events))
        and (rows.from_tlp is None or label.tlp >= TLP_WORDS[rows.from_tlp])
        and (
            rows.from_severity is None
            or label.severity == Severity.UNKNOWN
            or label.severity >= SEVERITY_WORDS[rows.from_severity]
        )
        and (not rows.sites or label.site == "" or label.site in rows.sites)
    )


#: Checks of a share in the order they are made: the reason given is that of the share that came furthest.
PROGRESS: tuple[Reason, ...] = (
    "not-agreed", "not-to-you", "purpose", "class", "tlp", "severity", "site", "revoked", "expired", "suspended",
    "not-yet-active", "duties-not-accepted", "too-old", "too-young", "field-not-granted",
)  # fmt: skip


def why(docs: OwnerDocuments, asked: Asked, cut: tuple[ClauseRef, ...]) -> tuple[Reason, ClauseRef | None]:
    """Why a field is withheld: what cut it, else how far the share came that came furthest (`PROGRESS`).

    Among shares to this reader those that name the field are heard first.
    """
    if cut:
        return cut_reason(docs, cut)
    heard = [
        (
            share_failure(live, clause, asked) or "field-not-granted",
            levels(clause.fields).get(asked.field, WITHHELD) != WITHHELD,
        )
        for live in docs.own
        for clause in live.document.clauses
        if isinstance(clause, Share)
    ]
    return furthest(heard), None


def furthest(heard: list[tuple[Reason, bool]]) -> Reason:
    """The furthest reason of the shares that name the field and are to the reader; of all shares if there is none."""
    if any(reason == "field-not-granted" for reason, _ in heard):
        naming = [r for r, names in heard if names and r not in ("not-to-you", "field-not-granted")]
        return max(naming, key=PROGRESS.index, default="field-not-granted")
    naming = [r for r, names in heard if names and r != "not-to-you"]
    return max(naming or [r for r, _ in heard], key=PROGRESS.index, default="not-agreed")


def share_failure(live: LiveAgreement, clause: Share, asked: Asked) -> Reason | None:
    """The first check at which a share does not apply, in the order of `PROGRESS`."""
    return static_failure(live, clause, asked.label, asked.reader) or too_old_or_young(clause.rows, asked.age)


def static_failure(live: LiveAgreement, clause: Share | Count, label: Label, reader: Reader) -> Reason | None:
    """The first check but age at which a share or count of an agreement does not apply."""
    if reason := failure(clause, label, reader):
        return reason
    if live.state != "active":
        return live.state
    return None if accepted(live, reader) else "duties-not-accepted"


def cut_reason(docs: OwnerDocuments, cut: tuple[ClauseRef, ...]) -> tuple[Reason, ClauseRef]:
    """The reason and clause that cut a level to nothing: own limits first, then communities' charters, then charter."""
    communities = {c.id for c in docs.community_charters.values()}
    charter = {docs.charter.id} if docs.charter else set()
    for ref in cut:
        if ref.agreement not in communities | charter:
            return "limited-by", ref
    for ref in cut:
        if ref.agreement not in charter:
            return "community-charter", ref
    return "charter", cut[0]


def whom_to_ask(docs: OwnerDocuments, owner_level: Point) -> str | None:
    """The owner where the reader may know it; else the steward of a community its agreements name."""
    if owner_level == top_of("owner"):
        return docs.owner
    return min((c.steward.id for c in docs.community_charters.values()), default=None)
