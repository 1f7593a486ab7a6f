"""What types cannot say about a document: every problem at once, each with its path.

Rules held here (`agreements.md` 4, 9): ids are unique; names are not grammar words; one owner, at most one operator;
dates and ages in order; red only to named organisations; lookups only on tokens; noisy counts release only onsets and
contributors; a share shows something and a limit caps something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from commonwatch.agreements.document import (
    Agreement,
    Charter,
    Clause,
    Count,
    Document,
    Law,
    Limit,
    LimitRows,
    Noise,
    Share,
    ShareRows,
    To,
    named,
)
from commonwatch.errors import InvalidInput

#: Words the controlled English is made of; no organisation, community or site may be called so.
RESERVED = frozenset((
    "and", "or", "for", "with", "by", "at", "once", "until", "read", "only", "outside", "nobody", "in", "of", "all",
    "site", "sites", "events", "more", "than", "counts",
))  # fmt: skip
Problem = tuple[str, str]


def check(document: Document) -> None:
    """Raise InvalidInput with every problem the document has; return if it has none."""
    found = list(problems(document))
    if found:
        first = found[0][0]
        listed = "; ".join(f"{path}: {what}" for path, what in found)
        raise InvalidInput(
            f"the document has {len(found)} problem(s): {listed}", where=first, todo="correct each of them"
        )


def problems(document: Document) -> Iterator[Problem]:
    """Every problem as (path, what is wrong)."""
    if (document.version > 1) != (document.previous is not None):
        yield "$.previous", "a version after the first names the hash of the one it replaces, the first names none"
    ids = [c.id for c in document.clauses]
    for i, clause in enumerate(document.clauses):
        if clause.id in ids[:i]:
            yield f"$.clauses[{i}].id", f"the clause id {clause.id!r} is used twice"
        yield from _clause(f"$.clauses[{i}]", clause)
    if isinstance(document, Agreement):
        yield from _agreement(document)
    elif isinstance(document, Charter):
        yield from _reserved("$.owner.id", [document.owner.id])
    else:
        yield from _reserved("$.steward.id", [document.steward.id])
        yield from _reserved("$.community", [document.community])


def _agreement(document: Agreement) -> Iterator[Problem]:
    """Parties, dates, community and law."""
    roles = [p.role for p in document.parties]
    if roles.count("owner") != 1:
        yield "$.parties", "exactly one party is the owner"
    if roles.count("operator") > 1:
        yield "$.parties", "at most one party is the operator"
    for what, values in (("id", [p.id for p in document.parties]), ("key", [p.key for p in document.parties])):
        if len(set(values)) != len(values):
            yield "$.parties", f"two parties have the same {what}"
    yield from _reserved("$.parties", [p.id for p in document.parties])
    yield from _reserved("$.community", [document.community] if document.community else [])
    if document.starts > document.ends:
        yield "$.ends", "the agreement ends before it starts"
    if document.starts.year < 2000:
        yield "$.starts", "no agreement starts before the year 2000"
    if not document.clauses:
        yield "$.clauses", "an agreement has at least one clause"
    if document.law == Law():
        yield "$.law", "it says nothing; leave it out"


def _clause(path: str, clause: Clause) -> Iterator[Problem]:
    if isinstance(clause, Limit):
        yield from _limit(path, clause)
        return
    yield from _to(f"{path}.to", clause.to)
    yield from _share_rows(f"{path}.rows", clause.rows)
    if not clause.purposes:
        yield f"{path}.purposes", "at least one purpose"
    if clause.rows.tlp == "red" and (clause.to.communities or clause.to.roles or not clause.to.organisations):
        yield f"{path}.rows.tlp", "TLP:RED is shared only with organisations named one by one"
    yield from _share(path, clause) if isinstance(clause, Share) else _count(path, clause)


def _share(path: str, clause: Share) -> Iterator[Problem]:
    shown = named(clause.fields)
    if not shown:
        yield f"{path}.fields", "a share shows at least one field"
    if clause.lookup:
        if not clause.lookup.fields:
            yield f"{path}.lookup.fields", "at least one field"
        for field in clause.lookup.fields:
            if "pseudonym" not in shown.get(field, ""):
                yield f"{path}.lookup.fields", f"{field} is not shared as a pseudonym, so there is nothing to look up"


def _count(path: str, clause: Count) -> Iterator[Problem]:
    if not named(clause.by):
        yield f"{path}.by", "at least one dimension"
    if not clause.measures:
        yield f"{path}.measures", "at least one measure"
    if clause.noise and set(clause.measures) - {"onsets", "contributors"}:
        yield f"{path}.measures", "with noise only onsets and contributors can be released"
    yield from _noise(f"{path}.noise", clause.noise)


def _limit(path: str, clause: Limit) -> Iterator[Problem]:
    yield from _to(f"{path}.outside", clause.outside)
    yield from _ages(f"{path}.rows", clause.rows)
    yield from _reserved(f"{path}.rows.sites", clause.rows.sites)
    if not (named(clause.fields) or clause.contributors or clause.noise):
        yield path, "a limit caps something: fields, contributors or noise"
    if clause.on == "rows" and (clause.contributors or clause.noise):
        yield f"{path}.on", "contributors and noise cap counts, not single events"
    yield from _noise(f"{path}.noise", clause.noise)


def _share_rows(path: str, rows: ShareRows) -> Iterator[Problem]:
    if not rows.events:
        yield f"{path}.events", "at least one event class"
    yield from _reserved(f"{path}.sites", rows.sites)
    yield from _ages(path, rows)


def _ages(path: str, rows: ShareRows | LimitRows) -> Iterator[Problem]:
    if rows.until is not None and rows.until <= rows.after:
        yield f"{path}.until", "it is not later than `after`"


def _to(path: str, to: To) -> Iterator[Problem]:
    yield from _reserved(f"{path}.organisations", to.organisations)
    yield from _reserved(f"{path}.communities", to.communities)


def _noise(path: str, noise: Noise | None) -> Iterator[Problem]:
    for name, value in (("epsilon", noise.epsilon), ("total", noise.total)) if noise else ():
        if value is not None and round(value, 3) != value:
            yield f"{path}.{name}", "at most three decimals"


def _reserved(path: str, names: Iterable[str]) -> Iterator[Problem]:
    for name in names:
        if name in RESERVED:
            yield path, f"{name!r} is a word of the grammar and cannot be a name"
