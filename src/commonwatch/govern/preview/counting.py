"""What count clauses would count of the owner's rows, in words and rules. Nothing is counted for a reader here.

Rules held here (`agreements.md` 8): every count clause is its own cube; limits and charters cut it before it is said;
rows are the owner's own, by label and age.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from commonwatch.agreements.counting import CountRule, counts
from commonwatch.agreements.document import Clause, Count, named
from commonwatch.agreements.effective import OwnerDocuments, addresses, ref_of
from commonwatch.agreements.english import say_clause
from commonwatch.agreements.reader import Reader
from commonwatch.events.fields import FieldName
from commonwatch.govern.preview.shapes import CountPreview
from commonwatch.store import Handling

Ages = Mapping[Handling, Mapping[int, int]]


def clauses_of(docs: OwnerDocuments) -> list[Clause]:
    """Every clause that can decide about the owner's events."""
    charters = [docs.charter, *docs.community_charters.values()]
    found: list[Clause] = [c for live in docs.agreements for c in live.document.clauses]
    return found + [c for charter in charters if charter for c in charter.clauses]


def counts_anything(docs: OwnerDocuments) -> bool:
    """Whether there is a count clause at all."""
    return any(isinstance(c, Count) for c in clauses_of(docs))


def _stretches(docs: OwnerDocuments, by_age: Mapping[int, int]) -> dict[int, int]:
    """Rows by the youngest age of the stretch in which the same clauses apply."""
    rows = [c.rows for c in clauses_of(docs)]
    bounds = sorted({0, *(r.after for r in rows), *(r.until for r in rows if r.until)})
    found: dict[int, int] = {}
    for age, n in by_age.items():
        start = bounds[bisect_right(bounds, age) - 1]
        found[start] = found.get(start, 0) + n
    return found


def counted(docs: OwnerDocuments, reader: Reader, ages: Ages) -> tuple[CountPreview, ...]:
    """Per count clause to this reader and way it is cut: what it permits, and how many of the owner's rows it takes."""
    found: dict[str, tuple[CountRule, int]] = {}
    for handling, by_age in ages.items():
        for age, rows in _stretches(docs, by_age).items():
            for rule in counts(docs, handling.label, age, reader):
                _, before = found.get(repr(rule), (rule, 0))
                found[repr(rule)] = rule, before + rows
    clauses = {str(ref_of(live.document, c.id)): c for live in docs.own for c in _to(live.document.clauses, reader)}
    taken = {str(rule.clause) for rule, _ in found.values()}
    made = [_said(rule, clauses[str(rule.clause)], rows) for rule, rows in found.values()]
    made += [_idle(ref, clause) for ref, clause in clauses.items() if ref not in taken]
    return tuple(sorted(made, key=lambda c: (c.clause, -c.rows)))


def _to(clauses: Iterable[Clause], reader: Reader) -> list[Count]:
    """The count clauses to this reader, for its purpose."""
    counts = [c for c in clauses if isinstance(c, Count)]
    return [c for c in counts if addresses(c.to, reader) and reader.purpose in c.purposes]


def _said(rule: CountRule, clause: Count, rows: int) -> CountPreview:
    return CountPreview(
        clause=str(rule.clause), text=say_clause(clause), by=_steps(rule.by), measures=rule.measures, rows=rows,
        contributors=rule.contributors, noise=rule.noise, cut=tuple(str(ref) for ref in rule.cut),
    )  # fmt: skip


def _idle(ref: str, clause: Count) -> CountPreview:
    """A clause that would count none of these rows."""
    return CountPreview(
        clause=ref, text=say_clause(clause), by=_steps(named(clause.by)), measures=clause.measures, rows=0,
        contributors=clause.contributors, noise=clause.noise, cut=(),
    )  # fmt: skip


def _steps(by: Mapping[FieldName, str]) -> dict[str, str]:
    return {str(field): step for field, step in by.items()}
