"""What stands on a printed document, without how it looks: the signed words, what they mean, who signed, the chain.

Rules held here: sentences are those of the controlled English; only words that the text uses are defined; a document
that not all have signed says that it is a draft; a signature is shown only if it was verified.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from commonwatch.agreements.decode import canonical, digest
from commonwatch.agreements.document import (
    BLANK_KEY,
    Agreement,
    Charter,
    Clause,
    Count,
    Document,
    Law,
    Limit,
    Share,
    named,
)
from commonwatch.agreements.english import phrases, say, say_clause
from commonwatch.agreements.signing import signers
from commonwatch.web.print import meanings

Line = tuple[str, str]


class Mark(msgspec.Struct, frozen=True):
    """A verified signature: the organisation, its key, and when it was taken (microseconds UTC, where known)."""

    org: str
    key: str
    at: int | None = None


class Chain(msgspec.Struct, frozen=True):
    """One version of the document: number, SHA-256 of its bytes, and when it was registered (microseconds UTC)."""

    version: int
    digest: str
    at: int | None = None


class Signing(msgspec.Struct, frozen=True):
    """One party that signs: in which role, whom to turn to there, and its signature as far as there is one."""

    role: str
    name: str
    org: str
    key: str
    contacts: tuple[Line, ...]
    signed: bool
    at: str


class Paragraph(msgspec.Struct, frozen=True):
    """A clause: its name, what it does in two words, its sentence up to the colon, and the parts after it."""

    name: str
    does: str
    lead: str
    parts: tuple[str, ...]


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the paper, top to bottom. `draft` while not every party has signed."""

    kind: str
    title: str
    draft: bool
    facts: tuple[Line, ...]
    parties: tuple[Signing, ...]
    clauses: tuple[Paragraph, ...]
    duties: tuple[str, ...]
    law: tuple[Line, ...]
    definitions: tuple[tuple[str, tuple[Line, ...]], ...]
    chain: tuple[tuple[str, str, str, bool], ...]
    digest: str
    text: str
    text_digest: str


def sheet_of(document: Document, marks: Iterable[Mark] = (), chain: Sequence[Chain] = ()) -> Sheet:
    """The sheet of a valid document (`check`, drafts included), its verified signatures and its versions."""
    by = {mark.org: mark for mark in marks}
    parties = tuple(_parties(document, by))
    text, hashed = say(document), digest(canonical(document))
    duties = phrases.say_duties(document.duties).split("; ") if isinstance(document, Agreement) else []
    return Sheet(
        kind=_kind(document), title=document.title, draft=not all(party.signed for party in parties),
        facts=tuple(_facts(document)), parties=parties, clauses=tuple(_paragraph(c) for c in document.clauses),
        duties=_ended(duties), law=tuple(_law(document.law)) if isinstance(document, Agreement) else (),
        definitions=tuple((name, lines) for name, lines in _definitions(document.clauses) if lines),
        chain=tuple(_chain(chain, hashed)), digest=hashed, text=text, text_digest=digest(text.encode()),
    )  # fmt: skip


def _kind(document: Document) -> str:
    if isinstance(document, Agreement):
        return "Data Sharing Agreement"
    return "Charter" if isinstance(document, Charter) else f"Charter of community {document.community}"


def _facts(document: Document) -> Iterator[Line]:
    yield "Name", document.id
    yield "Version", str(document.version)
    if isinstance(document, Agreement):
        yield "Valid", f"{_day(document.starts)} to {_day(document.ends)}, both days included"
        if document.community:
            yield "Community", f"{document.community}, and bound by the charter of that community"
        if origin := document.origin:
            changed = f", changed in {phrases.join(origin.changed, 'and')}" if origin.changed else ""
            yield "Made from", f"template {origin.template}, version {origin.version}, level {origin.level}{changed}"
    if document.previous:
        yield "Replaces", f"the version with SHA-256 {document.previous}"


def _parties(document: Document, marks: Mapping[str, Mark]) -> Iterator[Signing]:
    roles = {p.id: phrases.PARTIES[p.role] for p in document.parties} if isinstance(document, Agreement) else {}
    alone = "Owner" if isinstance(document, Charter) else "Steward"
    for signer in signers(document):
        mark = marks.get(signer.id)
        signed = mark is not None and mark.key == signer.key
        contacts = tuple((c.name, c.reach) for c in getattr(signer, "contacts", ()))
        at = moment(mark.at) if mark is not None and signed and mark.at is not None else ""
        key = "" if signer.key == BLANK_KEY else signer.key
        yield Signing(roles.get(signer.id, alone), signer.name, signer.id, key, contacts, signed, at)


def _paragraph(clause: Clause) -> Paragraph:
    """The sentence of a clause, cut where its list begins; together the parts are the signed words."""
    sentence = say_clause(clause).removeprefix(f"[{clause.id}] ")
    does = {Share: "shows events", Count: "shows counts", Limit: "sets a limit"}[type(clause)]
    lead, colon, tail = ("", "", "") if isinstance(clause, Count) else sentence.partition(": ")
    if not colon:
        return Paragraph(clause.id, does, sentence, ())
    return Paragraph(clause.id, does, f"{lead}:", _ended(tail.removesuffix(".").split("; ")))


def _ended(parts: Sequence[str]) -> tuple[str, ...]:
    """The parts of a list with the marks that stand after them in the sentence."""
    return tuple(f"{part}{'.' if number == len(parts) else ';'}" for number, part in enumerate(parts, 1))


def _law(law: Law | None) -> Iterator[Line]:
    titles = {
        "purpose": "Purpose", "basis": "Legal basis", "roles": "Roles", "jurisdiction": "Jurisdiction",
        "notes": "Notes",
    }  # fmt: skip
    for name in phrases.LAW:
        if law is not None and (value := getattr(law, name)):
            yield titles[name], value


def _chain(chain: Sequence[Chain], current: str) -> Iterator[tuple[str, str, str, bool]]:
    for link in sorted(chain, key=lambda link: link.version):
        yield f"Version {link.version}", link.digest, moment(link.at) if link.at else "", link.digest == current


# --- definitions -----------------------------------------------------------------------------------------------------


def _definitions(clauses: Sequence[Clause]) -> Iterator[tuple[str, tuple[Line, ...]]]:
    """The words that these clauses use, group by group."""
    yield "Kinds of event", _used(phrases.CLASSES, meanings.CLASSES, _events(clauses))
    yield "Traffic Light Protocol", _tlp(clauses)
    yield "Severity", _used({s: s for s in meanings.SEVERITIES}, meanings.SEVERITIES, _severities(clauses))
    yield "Purposes", _used(phrases.PURPOSES, meanings.PURPOSES, {p for c in clauses for p in c.purposes})
    yield "Who is meant", _used(phrases.ROLES, meanings.ROLES, _roles(clauses))
    yield (
        "What is told of an event",
        _used({str(f): label for f, label in phrases.LABELS.items()}, meanings.FIELDS, _fields(clauses)),
    )
    yield "How precisely", _levels(clauses)
    yield "Counts", tuple(_counting(clauses))


def _used(words: Mapping[str, str], means: Mapping[str, str], used: set[str]) -> tuple[Line, ...]:
    return tuple((words[word], means[word]) for word in means if word in used)


def _events(clauses: Sequence[Clause]) -> set[str]:
    return {event for clause in clauses for event in clause.rows.events}


def _tlp(clauses: Sequence[Clause]) -> tuple[Line, ...]:
    used = {c.rows.from_tlp if isinstance(c, Limit) else c.rows.tlp for c in clauses}
    return tuple((f"TLP:{word.upper()}", means) for word, means in meanings.TLP.items() if word in used)


def _severities(clauses: Sequence[Clause]) -> set[str]:
    return {s for c in clauses if (s := c.rows.from_severity if isinstance(c, Limit) else c.rows.severity)}


def _roles(clauses: Sequence[Clause]) -> set[str]:
    return {role for c in clauses for role in (c.outside if isinstance(c, Limit) else c.to).roles}


def _named(clause: Clause) -> dict[str, str]:
    return {str(f): level for f, level in named(clause.by if isinstance(clause, Count) else clause.fields).items()}


def _fields(clauses: Sequence[Clause]) -> set[str]:
    return {field for clause in clauses for field in _named(clause)}


def _levels(clauses: Sequence[Clause]) -> tuple[Line, ...]:
    used = {level for clause in clauses for level in _named(clause).values()}
    known = phrases.levels()
    lines = [(known[name], meanings.point(name)) for name in known if name in used]
    if any(isinstance(c, Share) and c.lookup for c in clauses):
        lines.append(("known values may be looked up", meanings.LOOKUP))
    if any(c.rows.after or c.rows.until for c in clauses):
        lines.append(("old", meanings.AGES))
    return tuple(lines)


def _counting(clauses: Sequence[Clause]) -> Iterator[Line]:
    used = {measure for c in clauses if isinstance(c, Count) for measure in c.measures}
    yield from ((phrases.MEASURES[name], means) for name, means in meanings.MEASURES.items() if name in used)
    if any(not isinstance(c, Share) and c.noise for c in clauses):
        yield "noise", meanings.NOISE


def _day(day: dt.date) -> str:
    return f"{day.day} {day:%B} {day.year}"


def moment(micros: int) -> str:
    """An instant for people: `25 November 2026, 14:03 UTC`."""
    at = dt.datetime.fromtimestamp(micros // 1_000_000, dt.UTC)
    return f"{_day(at.date())}, {at:%H:%M} UTC"
