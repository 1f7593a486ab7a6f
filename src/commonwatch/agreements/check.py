"""What types cannot say about a document: every problem at once, each with its path.

Rules held here (`agreements.md` 4, 9): ids are unique; names are not grammar words; one owner, at most one operator;
dates and ages in order; red only to named organisations; lookups only on tokens; noisy counts release only onsets and
contributors; a share shows something and a limit caps something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from commonwatch.agreements.document import (
    BLANK_KEY,
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


class Problem(NamedTuple):
    """Where in a document something is wrong, what it is, and what to do."""

    path: str
    what: str
    todo: str


def check(document: Document, *, draft: bool = False) -> None:
    """Raise InvalidInput with every problem the document has; return if it has none. Drafts may lack keys."""
    found = [p for p in problems(document) if not (draft and p.path.endswith(".key"))]
    if found:
        listed = "; ".join(f"{p.path}: {p.what}" for p in found)
        todo = found[0].todo if len(found) == 1 else "correct each of them"
        raise InvalidInput(f"the document has {len(found)} problem(s): {listed}", where=found[0].path, todo=todo)


def problems(document: Document) -> Iterator[Problem]:
    """Every problem: where, what, what to do."""
    if (document.version > 1) != (document.previous is not None):
        what = "a version after the first names the hash of the one it replaces, the first names none"
        todo = "give `previous` the SHA-256 of the version before, or leave it out of version 1"
        yield Problem("$.previous", what, todo)
    seen: set[str] = set()
    for i, clause in enumerate(document.clauses):
        if clause.id in seen:
            yield Problem(f"$.clauses[{i}].id", f"the clause id {clause.id!r} is used twice", "choose another name")
        seen.add(clause.id)
        yield from _clause(f"$.clauses[{i}]", clause)
    if isinstance(document, Agreement):
        yield from _parties(document)
        yield from _agreement(document)
    elif isinstance(document, Charter):
        yield from _reserved("$.owner.id", [document.owner.id])
    else:
        yield from _reserved("$.steward.id", [document.steward.id])
        yield from _reserved("$.community", [document.community])


def _parties(document: Agreement) -> Iterator[Problem]:
    """One owner, at most one operator, each with a key of its own."""
    roles = [p.role for p in document.parties]
    if roles.count("owner") != 1:
        yield Problem("$.parties", "exactly one party is the owner", "give one party `role: owner`")
    if roles.count("operator") > 1:
        yield Problem("$.parties", "at most one party is the operator", "make the others `role: member`")
    keys = [p.key for p in document.parties if p.key != BLANK_KEY]
    for what, values in (("id", [p.id for p in document.parties]), ("key", keys)):
        if len(set(values)) != len(values):
            yield Problem("$.parties", f"two parties have the same {what}", f"every party has its own {what}")
    for i, party in enumerate(document.parties):
        if party.key == BLANK_KEY:
            todo = f"let {party.id} make a signing key and put its thumbprint here"
            yield Problem(f"$.parties[{i}].key", f"the signing key of {party.id} is not filled in yet", todo)
    yield from _reserved("$.parties", [p.id for p in document.parties])


def _agreement(document: Agreement) -> Iterator[Problem]:
    """Community, dates, clauses and law."""
    yield from _reserved("$.community", [document.community] if document.community else [])
    if document.starts > document.ends:
        yield Problem("$.ends", "the agreement ends before it starts", "choose a later last day")
    if document.starts.year < 2000:
        yield Problem("$.starts", "no agreement starts before the year 2000", "choose a later first day")
    if not document.clauses:
        yield Problem("$.clauses", "an agreement has at least one clause", "add a share, count or limit")
    if document.law == Law():
        yield Problem("$.law", "it says nothing", "leave `law` out, or fill one of its lines")


def _clause(path: str, clause: Clause) -> Iterator[Problem]:
    if isinstance(clause, Limit):
        yield from _limit(path, clause)
        return
    yield from _to(f"{path}.to", clause.to)
    yield from _share_rows(f"{path}.rows", clause.rows)
    if not clause.purposes:
        todo = "choose from operate, detect, respond, research"
        yield Problem(f"{path}.purposes", "at least one purpose", todo)
    if clause.rows.tlp == "red" and (clause.to.communities or clause.to.roles or not clause.to.organisations):
        todo = "lower it to amber+strict, or name only organisations in `to`"
        yield Problem(f"{path}.rows.tlp", "TLP:RED is shared only with organisations named one by one", todo)
    yield from _share(path, clause) if isinstance(clause, Share) else _count(path, clause)


def _share(path: str, clause: Share) -> Iterator[Problem]:
    shown = named(clause.fields)
    if not shown:
        yield Problem(f"{path}.fields", "a share shows at least one field", "name a field with a level: time: hour")
    if clause.lookup:
        if not clause.lookup.fields:
            yield Problem(f"{path}.lookup.fields", "at least one field", "name a field shared as a pseudonym")
        for field in clause.lookup.fields:
            if "pseudonym" not in shown.get(field, ""):
                what = f"{field} is not shared as a pseudonym, so there is nothing to look up"
                yield Problem(f"{path}.lookup.fields", what, f"share {field} as a pseudonym, or take it out here")


def _count(path: str, clause: Count) -> Iterator[Problem]:
    if not named(clause.by):
        yield Problem(f"{path}.by", "at least one dimension", "name a field with its finest step: time: day")
    if not clause.measures:
        yield Problem(f"{path}.measures", "at least one measure", "leave it out to count new threat families")
    if clause.noise and set(clause.measures) - {"onsets", "contributors"}:
        what = "with noise only onsets and contributors can be released"
        yield Problem(f"{path}.measures", what, "take the other measures out, or the noise")
    yield from _noise(f"{path}.noise", clause.noise)


def _limit(path: str, clause: Limit) -> Iterator[Problem]:
    yield from _to(f"{path}.outside", clause.outside)
    yield from _ages(f"{path}.rows", clause.rows)
    yield from _reserved(f"{path}.rows.sites", clause.rows.sites)
    if not (named(clause.fields) or clause.contributors or clause.noise):
        yield Problem(path, "a limit caps something: fields, contributors or noise", "name a field with a level")
    if clause.on == "rows" and (clause.contributors or clause.noise):
        what = "contributors and noise cap counts, not single events"
        yield Problem(f"{path}.on", what, "write `on: both` or `on: counts`")
    yield from _noise(f"{path}.noise", clause.noise)


def _share_rows(path: str, rows: ShareRows) -> Iterator[Problem]:
    if not rows.events:
        yield Problem(f"{path}.events", "at least one event class", "name one, such as malware")
    yield from _reserved(f"{path}.sites", rows.sites)
    yield from _ages(path, rows)


def _ages(path: str, rows: ShareRows | LimitRows) -> Iterator[Problem]:
    if rows.until is not None and rows.until <= rows.after:
        yield Problem(f"{path}.until", "it is not later than `after`", "give more hours, or lower `after`")


def _to(path: str, to: To) -> Iterator[Problem]:
    yield from _reserved(f"{path}.organisations", to.organisations)
    yield from _reserved(f"{path}.communities", to.communities)


def _noise(path: str, noise: Noise | None) -> Iterator[Problem]:
    for name, value in (("epsilon", noise.epsilon), ("total", noise.total)) if noise else ():
        if value is not None and round(value, 3) != value:
            yield Problem(f"{path}.{name}", "at most three decimals", f"round it to {round(value, 3)}")


def _reserved(path: str, names: Iterable[str]) -> Iterator[Problem]:
    for name in names:
        if name in RESERVED:
            yield Problem(path, f"{name!r} is a word of the grammar and cannot be a name", "choose another name")
