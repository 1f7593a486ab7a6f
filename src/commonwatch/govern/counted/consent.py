"""Who takes part in a plan of counts: each owner's clauses against the plan as it is, for one reader.

Rules held here (`agreements.md` 8): dimensions within what the clause allows, its contributors at most the plan's, its
noise at least as generous; whoever is stricter is left out with a reason, nothing is averaged. **Taking part is decided
by documents alone**, never by which rows there are; the rows of a label count only where a clause permits the plan at
every age a row of a closing day can have. Owners that cannot tell two readers apart are asked once for both.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from commonwatch.agreements.counting import CountRule, counts
from commonwatch.agreements.document import Count, Limit, Measure, Noise, Share
from commonwatch.agreements.effective import OwnerDocuments, accepted, addresses
from commonwatch.agreements.reader import ClauseRef, Reader, Reason
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName
from commonwatch.events.labels import SEVERITY_WORDS, EventClass, Label, Severity, Tlp

#: The classes in which a family shows that it is there.
CLASSES = (EventClass.MALWARE, EventClass.INTRUSION)
#: Hours a row can be old when it is counted, and as a row that says what is not new.
MOST_AGE = 24 * 24


class Wanted(msgspec.Struct, frozen=True):
    """A plan, as far as an owner's clauses decide about it. `epsilon` None: exact, from `contributors` on per cell."""

    by: dict[FieldName, str]
    measure: Measure
    contributors: int
    epsilon: float | None


class Consent(NamedTuple):
    """An owner that takes part: under which clauses, with which budget, and whether rows of a label count."""

    owner: str
    clauses: tuple[ClauseRef, ...]
    noise: Noise | None
    docs: OwnerDocuments
    reader: Reader
    wanted: Wanted

    def counts(self, label: Label) -> bool:
        """Whether rows with this label are counted for this reader."""
        return label.event_class in CLASSES and all(
            any(permits(rule, self.wanted) for rule in counts(self.docs, label, age, self.reader))
            for age in _ages(self.docs)
        )


class Refused(NamedTuple):
    """An owner that does not take part, and why."""

    owner: str
    reason: Reason


def permits(rule: CountRule, wanted: Wanted) -> bool:
    """Whether one permitted cube allows the plan as it is."""
    fine = all(
        field in rule.by and _rank(field, step) <= _rank(field, rule.by[field]) for field, step in wanted.by.items()
    )
    if not fine or wanted.measure not in rule.measures or rule.contributors > wanted.contributors:
        return False
    if wanted.epsilon is None:
        return rule.noise is None
    return rule.noise is not None and rule.noise.epsilon >= wanted.epsilon


def consent(docs: OwnerDocuments, reader: Reader, wanted: Wanted) -> Consent | Refused:
    """Whether an owner takes part in a plan for this reader; data decides nothing."""
    found: list[CountRule] = []
    seen = False
    for label in _labels(docs, reader):
        per_age = [counts(docs, label, age, reader) for age in _ages(docs)]
        seen |= any(per_age)
        rules = [[rule for rule in rules if permits(rule, wanted)] for rules in per_age]
        found += itertools.chain.from_iterable(rules) if all(rules) else ()
    if not found:
        return Refused(docs.owner, "plan-stricter" if seen else "not-agreed")
    return Consent(docs.owner, tuple(sorted({r.clause for r in found})), _least(found), docs, reader, wanted)


def signature(docs: OwnerDocuments, reader: Reader) -> tuple[object, ...]:
    """What of a reader this owner's documents can tell apart."""
    bound = tuple(accepted(live, reader) for live in docs.own)
    name = reader.org if reader.org in _named(docs) else reader.org == docs.owner
    return (name, reader.roles, reader.communities, reader.purpose, bound)


class Consents:
    """Answers to `consent`, kept as long as an owner's documents are the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, tuple[object, ...], str], Consent | Refused] = {}

    def ask(self, digest: bytes, docs: OwnerDocuments, reader: Reader, wanted: Wanted) -> Consent | Refused:
        """The same as `consent`. `digest` is that of the owner's documents and their states."""
        key = (digest, signature(docs, reader), repr(wanted))
        if key not in self._known:
            if len(self._known) > 200_000:
                self._known.clear()
            self._known[key] = consent(docs, reader, wanted)
        return self._known[key]


def sees(docs: OwnerDocuments, reader: Reader) -> bool:
    """Whether the reader may see rows of this owner otherwise, by whatever live share names it."""
    active = [live for live in docs.own if live.state == "active" and accepted(live, reader)]
    return reader.org == docs.owner or any(
        isinstance(c, Share) and addresses(c.to, reader) for live in active for c in live.document.clauses
    )


def _rank(field: FieldName, step: str) -> int:
    return FAMILIES[FIELDS[field].family].precisions.index(step)


def _labels(docs: OwnerDocuments, reader: Reader) -> Iterator[Label]:
    """The least sensitive labels of each count clause to this reader: if not those, then none."""
    for live in docs.own:
        for clause in live.document.clauses:
            if not isinstance(clause, Count) or not addresses(clause.to, reader):
                continue
            severity = SEVERITY_WORDS[clause.rows.severity] if clause.rows.severity else Severity.INFORMATIONAL
            for kind in CLASSES:
                for site in clause.rows.sites or ("",):
                    yield Label(kind, Tlp.CLEAR, severity, site)


def _ages(docs: OwnerDocuments) -> list[float]:
    """One age in every stretch in which the same clauses apply, as far back as a day's counting looks."""
    rows = [c.rows for c in _clauses(docs)]
    bounds = {0, *(r.after for r in rows), *(r.until for r in rows if r.until)}
    return sorted(float(b) for b in bounds if b <= MOST_AGE)


def _clauses(docs: OwnerDocuments) -> Iterator[Count | Limit]:
    documents = [*(live.document for live in docs.own), docs.charter, *docs.community_charters.values()]
    for document in documents:
        for clause in document.clauses if document else ():
            if isinstance(clause, Count | Limit):
                yield clause


def _named(docs: OwnerDocuments) -> set[str]:
    found = {org for live in docs.own for org in live.document.party_ids}
    for clause in _clauses(docs):
        found |= set((clause.outside if isinstance(clause, Limit) else clause.to).organisations)
    return found


def _least(rules: Iterable[CountRule]) -> Noise | None:
    """The smallest budget among the rules that permit the plan."""
    noises = [rule.noise for rule in rules if rule.noise]
    totals = [n.total for n in noises if n.total is not None]
    if not noises:
        return None
    return Noise(epsilon=min(n.epsilon for n in noises), total=min(totals, default=None))


def split(answers: Sequence[Consent | Refused]) -> tuple[dict[str, Consent], list[Refused]]:
    """Those who take part, by owner, and those who do not."""
    taking: Mapping[str, Consent] = {a.owner: a for a in answers if isinstance(a, Consent)}
    return dict(taking), [a for a in answers if isinstance(a, Refused)]
