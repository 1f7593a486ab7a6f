"""A document in controlled English: fixed phrases in the order of the clause table, one sentence a line.

Rules held here: the text is a function of the document alone and says everything in it; different documents have
different texts (`reading.py` reads them back, tested both ways).
"""

from __future__ import annotations

from collections.abc import Iterator

from commonwatch.agreements.document import (
    Agreement,
    Charter,
    Clause,
    CommunityCharter,
    Contact,
    Count,
    Document,
    Law,
    Limit,
    LimitRows,
    Noise,
    Origin,
    Share,
    ShareRows,
    Signer,
    To,
    named,
)
from commonwatch.agreements.english import phrases as p


def say(document: Document) -> str:
    """The whole document in words, one sentence a line."""
    return "".join(f"{line}\n" for line in _lines(document))


def _lines(document: Document) -> Iterator[str]:
    yield from _heading(document)
    yield from (say_clause(clause) for clause in document.clauses)
    if isinstance(document, Agreement):
        yield f"Whoever receives under this agreement shall: {p.say_duties(document.duties)}."
        if document.law:
            yield f"Law, not interpreted: {_law(document.law)}."


def _heading(document: Document) -> Iterator[str]:
    """Kind, name, version, predecessor, community, validity and who signs."""
    kind = "Data Sharing Agreement" if isinstance(document, Agreement) else "Charter"
    if isinstance(document, CommunityCharter):
        kind = f"Charter of community {document.community},"
    yield f'{kind} {document.id}, version {document.version}: "{document.title}".'
    if document.previous:
        yield f"It replaces the version whose SHA-256 is {document.previous}."
    if isinstance(document, Agreement):
        if document.community:
            yield f"It is made in community {document.community} and bound by the charter of that community."
        starts, ends = document.starts.isoformat(), document.ends.isoformat()
        yield f"It is valid from {starts} to {ends}, both days included."
        if document.origin:
            yield _origin(document.origin)
        for party in document.parties:
            yield _signer(p.PARTIES[party.role], party)
            yield from (_contact(party.id, contact) for contact in party.contacts)
    elif isinstance(document, Charter):
        yield _signer("Owner", document.owner)
    else:
        yield _signer("Steward", document.steward)


def _signer(role: str, signer: Signer) -> str:
    return f'{role} is organisation {signer.id}, "{signer.name}", signing with key {signer.key}.'


def _contact(org: str, contact: Contact) -> str:
    return f'Contact at organisation {org} is "{contact.name}", reached at "{contact.reach}".'


def _origin(origin: Origin) -> str:
    changed = f", changed in {p.join(origin.changed, 'and')}" if origin.changed else ""
    return f"It was made from template {origin.template}, version {origin.version}, at level {origin.level}{changed}."


def _law(law: Law) -> str:
    return "; ".join(f'{name} "{value}"' for name in p.LAW if (value := getattr(law, name)))


def say_clause(clause: Clause) -> str:
    """One clause as one sentence."""
    if isinstance(clause, Share):
        return _share(clause)
    return _count(clause) if isinstance(clause, Count) else _limit(clause)


def _share(clause: Share) -> str:
    shown = p.say_levels(named(clause.fields))
    if clause.lookup:
        labels = p.join((p.LABELS[f] for f in clause.lookup.fields), "and")
        shown.append(f"up to {clause.lookup.per_day} known values a day of {labels} may be looked up")
    return f"[{clause.id}] Share {_share_rows(clause.rows)} {_audience(clause)}: {'; '.join(shown)}."


def _count(clause: Count) -> str:
    measures = p.join((p.MEASURES[m] for m in clause.measures), "and")
    steps = p.join((f"{p.LABELS[f]} {p.levels()[step]}" for f, step in named(clause.by).items()), "and")
    group = f"only for groups of at least {clause.contributors} contributors"
    if clause.noise:
        group = f"only in releases that pool at least {clause.contributors} contributors, with {_noise(clause.noise)}"
    rows = _share_rows(clause.rows)
    return f"[{clause.id}] Share counts of {measures} in {rows} {_audience(clause)}, by {steps}, {group}."


def _limit(clause: Limit) -> str:
    where = {"rows": "in single events, ", "counts": "in counts, ", "both": ""}[clause.on]
    outside = "" if clause.outside.empty else f" outside {say_to(clause.outside)}"
    capped = p.say_levels(named(clause.fields))
    if clause.contributors:
        capped.append(f"counts for groups of at least {clause.contributors} contributors")
    if clause.noise:
        capped.append(_noise(clause.noise))
    read = f" read for {_purposes(clause.purposes)}" if clause.purposes else ""
    rows = f"{_limit_rows(clause.rows)}{read}"
    return f"[{clause.id}] For {rows}, {where}never show anyone{outside} more than: {'; '.join(capped)}."


def _audience(clause: Share | Count) -> str:
    return f"with {say_to(clause.to)} for {_purposes(clause.purposes)}"


def _purposes(purposes: tuple[str, ...]) -> str:
    return p.join((p.PURPOSES[purpose] for purpose in purposes), "or")


def say_to(to: To) -> str:
    """Whom a clause names, in words."""
    groups = []
    if to.organisations:
        groups.append(f"organisation{_s(to.organisations)} {p.join(to.organisations, 'and')}")
    if to.communities:
        groups.append(f"communit{'y' if len(to.communities) == 1 else 'ies'} {p.join(to.communities, 'and')}")
    groups += [p.ROLES[role] for role in to.roles]
    return "; ".join(groups) or "nobody"


def _s(items: tuple[str, ...]) -> str:
    return "" if len(items) == 1 else "s"


def _share_rows(rows: ShareRows) -> str:
    events = p.join((p.CLASSES[word] for word in rows.events), "and")
    severity = f" of {rows.severity} severity or above" if rows.severity else ""
    return f"{events} events marked TLP:{rows.tlp.upper()} or lower{severity}{_sites(rows)}{_ages(rows)}"


def _limit_rows(rows: LimitRows) -> str:
    events = p.join((p.CLASSES[word] for word in rows.events), "and") if rows.events else "all"
    tlp = f" marked TLP:{rows.from_tlp.upper()} or higher" if rows.from_tlp else ""
    severity = f" of {rows.from_severity} severity or above" if rows.from_severity else ""
    return f"{events} events{tlp}{severity}{_sites(rows)}{_ages(rows)}"


def _sites(rows: ShareRows | LimitRows) -> str:
    return f" at site {p.join(rows.sites, 'or')}" if rows.sites else ""


def _ages(rows: ShareRows | LimitRows) -> str:
    after = f", once they are {p.hours(rows.after)} old" if rows.after else ""
    return after + (f", until they are {p.hours(rows.until)} old" if rows.until else "")


def _noise(noise: Noise) -> str:
    total = f" and {float(noise.total)} in all" if noise.total else ""
    return f"noise spending at most epsilon {float(noise.epsilon)} in each eight-week window{total}"
