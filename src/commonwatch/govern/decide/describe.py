"""Who am I bound by: the agreements that reach a reader, and the best each field is shown at, or why it is not.

Rules held here: everything is a function of documents and reader, never of stored rows; an agreement is named only to
a reader who is shown its owner (agreement names can name owners), others by a number and the words of their clauses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from commonwatch.agreements.compile import Piece, compiled
from commonwatch.agreements.document import Count, Limit, Share
from commonwatch.agreements.effective import PROGRESS, LiveAgreement, OwnerDocuments, addresses
from commonwatch.agreements.english import say_clause
from commonwatch.agreements.lattice import WITHHELD, Point, join, point_name, top_of
from commonwatch.agreements.reader import Reader, Withheld
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS, Label, Severity, Tlp
from commonwatch.govern.answer.dims import DIMS
from commonwatch.govern.policy import OwnerPolicy, PolicyView
from commonwatch.govern.query import Hidden

SOMEBODY = "an agreement of a contributor withheld from you"


class ClauseText(msgspec.Struct, frozen=True):
    """A clause as people read it."""

    id: str
    text: str


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement that reaches the reader. Owner and name are None where the owner is not shown."""

    id: str
    version: int
    owner: str | None
    owner_name: str | None
    title: str
    state: str
    clauses: tuple[ClauseText, ...]


class FieldShown(msgspec.Struct, frozen=True, kw_only=True):
    """The best point at which a field is shown by anyone, whether everywhere alike, or why it is not shown."""

    field: str
    label: str
    granted: str | None
    uniform: bool
    withheld: Hidden | None


class DimShown(msgspec.Struct, frozen=True):
    """A dimension readers can filter, rank and cube by."""

    key: str
    label: str
    kind: str
    many: bool


class ViewDescription(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that binds a reader."""

    reader: Reader
    epoch: int
    watermark: str
    agreements: tuple[Binding, ...]
    fields: tuple[FieldShown, ...]
    dims: tuple[DimShown, ...]


DIMENSIONS = tuple(DimShown(d.key, d.label, d.kind, d.many) for d in DIMS.values())


class Best(msgspec.Struct):
    """What one owner's documents come to for one reader, over every label and age they speak of."""

    levels: dict[FieldName, set[Point]]
    reasons: dict[FieldName, Withheld]


def describe(
    view: PolicyView, reader: Reader, watermark: str, known: dict[tuple[bytes, Reader], Best]
) -> ViewDescription:
    """The description; `known` keeps what owners' documents came to, by their digest."""
    bests = _bests(view, reader, known)
    return ViewDescription(
        reader=reader, epoch=view.epoch, watermark=watermark, agreements=tuple(_bindings(view, reader, bests)),
        fields=tuple(_fields(view, reader, list(bests.values()))), dims=DIMENSIONS,
    )  # fmt: skip


def describe_fields(
    view: PolicyView, reader: Reader, known: dict[tuple[bytes, Reader], Best]
) -> tuple[FieldShown, ...]:
    """Only the fields of the description."""
    return tuple(_fields(view, reader, list(_bests(view, reader, known).values())))


def _bests(view: PolicyView, reader: Reader, known: dict[tuple[bytes, Reader], Best]) -> dict[str, Best]:
    skipped = None if _holds_own(view, reader) else reader.org
    return {owner: _best(view.owners[owner], reader, known) for owner in sorted(view.owners) if owner != skipped}


def _holds_own(view: PolicyView, reader: Reader) -> bool:
    """Whether events of the reader's own can be here at all: without an agreement of its own none ever leaves it."""
    mine = view.owners.get(reader.org)
    return mine is not None and bool(mine.documents.agreements)


def _best(policy: OwnerPolicy, reader: Reader, known: dict[tuple[bytes, Reader], Best]) -> Best:
    key = (policy.owner.encode() + b"\0" + policy.digest, reader)
    if key not in known:
        if len(known) > 100_000:
            known.clear()
        known[key] = best_of(policy.documents, reader)
    return known[key]


def best_of(documents: OwnerDocuments, reader: Reader) -> Best:
    """What the documents come to for the reader, over every label and age they speak of."""
    found = Best({f: set() for f in FIELDS}, {})
    for piece in _pieces(documents, reader):
        for field in FIELDS:
            if piece.levels:
                found.levels[field].add(piece.levels.get(field, WITHHELD))
            if field in piece.reasons:
                found.reasons[field] = further(found.reasons.get(field), piece.reasons[field])
    return found


def _pieces(documents: OwnerDocuments, reader: Reader) -> Iterator[Piece]:
    """Every decision the documents can come to for this reader: over all labels any share to it speaks of."""
    made, seen = compiled(documents, reader), set[int]()
    for label in _labels(documents, reader):
        pieces = made.pieces(label)
        if id(pieces) not in seen:
            seen.add(id(pieces))
            yield from pieces


def _labels(documents: OwnerDocuments, reader: Reader) -> Iterator[Label]:
    shares = [c for live in documents.agreements for c in live.document.clauses if isinstance(c, Share)]
    mine = [c for c in shares if addresses(c.to, reader) and reader.purpose in c.purposes]
    if not mine:
        yield Label(CLASS_WORDS["intrusion"], Tlp.CLEAR, Severity.HIGH)
        return
    limits = list(_limits(documents))
    sites = sorted({s for c in mine for s in c.rows.sites} | {s for c in limits for s in c.rows.sites} | {""})
    highest = max(TLP_WORDS[c.rows.tlp] for c in mine)
    tlps = {0, highest} | _beside(c.rows.from_tlp and TLP_WORDS[c.rows.from_tlp] for c in limits)
    tlps |= _beside(TLP_WORDS[c.rows.tlp] for c in mine)
    severities = {0, 1} | _beside(c.rows.severity and SEVERITY_WORDS[c.rows.severity] for c in mine)
    severities |= _beside(c.rows.from_severity and SEVERITY_WORDS[c.rows.from_severity] for c in limits)
    for word in sorted({word for c in mine for word in c.rows.events}):
        for tlp in sorted(t for t in tlps if 0 <= t <= highest):
            for severity in sorted(s for s in severities if 0 <= s <= Severity.FATAL):
                for site in sites:
                    yield Label(CLASS_WORDS[word], Tlp(tlp), Severity(severity), site)


def _limits(documents: OwnerDocuments) -> Iterator[Limit]:
    """Every limit that can cut: of the agreements, the charter and communities' charters."""
    yield from (c for live in documents.agreements for c in live.document.clauses if isinstance(c, Limit))
    yield from documents.charter.clauses if documents.charter else ()
    for charter in documents.community_charters.values():
        yield from charter.clauses


def _beside(bounds: Iterable[int | None]) -> set[int]:
    """Each bound with what lies just below and above: levels change nowhere else."""
    return {int(b) + d for b in bounds if b is not None for d in (-1, 0, 1)}


def further(first: Withheld | None, second: Withheld) -> Withheld:
    """The reason that came further; a cut by a clause counts as furthest."""
    if first is None:
        return second
    order = {reason: no for no, reason in enumerate(PROGRESS)}
    return max(first, second, key=lambda w: order.get(w.reason, len(order)))


def _fields(view: PolicyView, reader: Reader, bests: Sequence[Best]) -> Iterator[FieldShown]:
    own = _holds_own(view, reader)
    for field, info in FIELDS.items():
        levels = {level for best in bests for level in best.levels[field]} | ({top_of(field)} if own else set())
        total = WITHHELD
        for level in levels:
            total = join(total, level)
        shown = point_name(info.family, total) if total != WITHHELD else None
        hidden = None if shown else _hidden(bests, field)
        yield FieldShown(field=field, label=info.label, granted=shown, uniform=len(levels) <= 1, withheld=hidden)


def _hidden(bests: Sequence[Best], field: FieldName) -> Hidden:
    found: Withheld | None = None
    for best in bests:
        if field in best.reasons:
            found = further(found, best.reasons[field])
    if found is None:
        return Hidden("not-agreed")
    return Hidden(found.reason, found.ask, str(found.clause) if found.clause and found.ask else None)


def _bindings(view: PolicyView, reader: Reader, bests: dict[str, Best]) -> Iterator[Binding]:
    unnamed: list[Binding] = []
    for owner, policy in sorted(view.owners.items()):
        for live in policy.documents.agreements:
            clauses = tuple(c for c in live.document.clauses if _reaches(live, c, reader))
            if not any(isinstance(c, Share | Count) for c in clauses):
                continue
            party = reader.org == owner or reader.org in live.document.party_ids
            if party or top_of("owner") in bests[owner].levels["owner"]:
                yield _named(view, live, clauses)
            else:
                told = [c for c in clauses if not isinstance(c, Limit)]
                texts = tuple(ClauseText(str(i + 1), _unnamed(c)) for i, c in enumerate(told))
                unnamed.append(
                    Binding(
                        id="",
                        version=live.document.version,
                        owner=None,
                        owner_name=None,
                        title=SOMEBODY,
                        state=live.state,
                        clauses=texts,
                    )
                )
    unnamed.sort(key=lambda b: hashlib.sha256(repr(b).encode()).digest())
    yield from (msgspec.structs.replace(b, id=f"withheld-{i + 1}") for i, b in enumerate(unnamed))


def _unnamed(clause: Share | Count) -> str:
    """A clause's words without its name, which its owner chose."""
    return say_clause(clause).removeprefix(f"[{clause.id}] ")


def _reaches(live: LiveAgreement, clause: Share | Count | Limit, reader: Reader) -> bool:
    """Whether a clause speaks to this reader: shares and counts by address, limits unless it is exempt."""
    if reader.org == live.document.owner:
        return True
    if isinstance(clause, Limit):
        return not addresses(clause.outside, reader) and (not clause.purposes or reader.purpose in clause.purposes)
    return addresses(clause.to, reader) and reader.purpose in clause.purposes


def _named(view: PolicyView, live: LiveAgreement, clauses: Sequence[Share | Count | Limit]) -> Binding:
    document = live.document
    info = view.orgs.get(document.owner)
    return Binding(
        id=document.id, version=document.version, owner=document.owner,
        owner_name=info.name if info else document.owner, title=document.title, state=live.state,
        clauses=tuple(ClauseText(c.id, say_clause(c)) for c in clauses),
    )  # fmt: skip
