"""What may leave the gateway: the most that any reader, purpose and age may ever see under the live agreements.

Rules held here: the gateway need not know who is in which community or has accepted which duties, so the ceiling is
taken over imagined readers who are in all of them (more membership never shows less, `agreements.md` 4 and 7); count
clauses add the precisions they count with; time is kept at least to its eight-week window, because ages are counted
from it. Nothing agreed for a label: nothing leaves.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from commonwatch.agreements.compile import Compiled
from commonwatch.agreements.counting import CountRule, counts
from commonwatch.agreements.document import Clause, Count, Limit, Share
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.lattice import TOKENS, Point, join, parse_point, point_name, precision_point
from commonwatch.agreements.reader import PURPOSES, ROLES, Reader
from commonwatch.events.fields import FIELDS, FieldName, family_of
from commonwatch.events.labels import Label

#: Stands for every organisation that no clause names. Not a legal id, so it is never a real one.
ANYONE = "*"
_PSEUDONYM = next(linkage for linkage, name in TOKENS.items() if name == "pseudonym")
_COUNTED: dict[str, FieldName] = {"sources": "src_ip", "destinations": "dst_ip"}


def ceiling(docs: OwnerDocuments, label: Label) -> dict[FieldName, str] | None:
    """The named point at which each field may leave; fields not named stay. None: such rows are not sent at all."""
    return Ceilings(docs).of(label)


class Ceilings:
    """The ceilings of one set of documents; make one for each snapshot and ask it for every label."""

    def __init__(self, docs: OwnerDocuments) -> None:
        readers = list(_imagined(docs))
        orgs = frozenset(r.org for r in readers)
        live = tuple(msgspec.structs.replace(a, accepted=orgs) for a in docs.agreements if a.state == "active")
        self._docs = msgspec.structs.replace(docs, agreements=live)
        self._readers = [(r, Compiled(self._docs, r)) for r in readers if r.org != docs.owner]
        self._done: dict[Label, dict[FieldName, str] | None] = {}

    def of(self, label: Label) -> dict[FieldName, str] | None:
        """The ceiling for a label (`ceiling`). Do not change the dict."""
        if label not in self._done:
            self._done[label] = self._ceiling(label)
        return self._done[label]

    def _ceiling(self, label: Label) -> dict[FieldName, str] | None:
        total: dict[FieldName, Point] = {}
        for reader, compiled in self._readers:
            for piece in compiled.pieces(label):
                _add(total, piece.levels)
            for age in self._ages():
                for rule in counts(self._docs, label, age, reader):
                    _add(total, _needed(rule))
        if not total:
            return None
        _add(total, {"time": parse_point("time", "window")})
        return {f: point_name(FIELDS[f].family, total[f]) for f in FIELDS if f in total}

    def _ages(self) -> list[float]:
        """One age in every stretch in which the same count clauses and limits apply."""
        rows = [c.rows for c in _all_clauses(self._docs)] if _counting(self._docs) else []
        return (
            sorted({0.0, *(float(r.after) for r in rows), *(float(r.until) for r in rows if r.until)}) if rows else []
        )


def _add(total: dict[FieldName, Point], more: dict[FieldName, Point]) -> None:
    for field, level in more.items():
        total[field] = join(total[field], level) if field in total else level


def _needed(rule: CountRule) -> dict[FieldName, Point]:
    """What a permitted cube counts with: its dimensions, and tokens of what it counts distinct values of."""
    needed: dict[FieldName, Point] = {}
    for field, step in rule.by.items():
        family = family_of(field)
        needed[field] = precision_point(family.name, family.precisions.index(step))
    for measure, counted in _COUNTED.items():
        if measure in rule.measures:
            _add(needed, {counted: Point(0, _PSEUDONYM)})
    return needed


def _all_clauses(docs: OwnerDocuments) -> Iterator[Clause]:
    for live in docs.agreements:
        yield from live.document.clauses
    for charter in (docs.charter, *docs.community_charters.values()):
        yield from charter.clauses if charter else ()


def _counting(docs: OwnerDocuments) -> bool:
    return any(isinstance(c, Count) for c in _all_clauses(docs))


def _imagined(docs: OwnerDocuments) -> Iterator[Reader]:
    """A reader for every organisation any clause names and one for all others, in every role and community."""
    orgs, communities = {ANYONE}, set[str]()
    for clause in _all_clauses(docs):
        who = clause.outside if isinstance(clause, Limit) else clause.to
        orgs.update(who.organisations)
        communities.update(who.communities)
    for org in sorted(orgs):
        for purpose in PURPOSES:
            if any(isinstance(c, Share | Count) and purpose in c.purposes for c in _all_clauses(docs)):
                yield Reader(org, ROLES, tuple(sorted(communities)), purpose)
