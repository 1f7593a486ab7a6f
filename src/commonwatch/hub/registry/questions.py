"""Questions about documents, answered for an organisation. Implements `web.ports.Questions`.

Rules held here: an organisation asks about its own data, about documents it would sign, and about what it sees itself;
being the hub's operator adds nothing. Of another owner's documents only those count that it is a party to, and the
answer says so. Organisations are told apart only where the asker may know them: members of its communities, parties,
whoever it names, and whom its own agreements in force reach; all others are the future members of what is named. What a
reader sees is told under the owner's name only to a party, or where the owner is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from commonwatch.agreements.document import Agreement, CommunityCharter, Count, Document, Duties, Share
from commonwatch.agreements.drafted import author_of, draft_from, drafted
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments, accepted, addresses
from commonwatch.agreements.impact.changes import Impact, impact, together
from commonwatch.agreements.impact.findings import Finding, lint
from commonwatch.agreements.impact.placing import without_document
from commonwatch.agreements.impact.questions import Asked, Seen, WhoSees
from commonwatch.agreements.impact.words import WhichRows
from commonwatch.agreements.impact.world import Member, World
from commonwatch.agreements.lattice import WITHHELD, Point, points
from commonwatch.agreements.reader import Reader
from commonwatch.errors import InvalidInput, NotFound, NotPermitted
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.registry.complete import plain_of
from commonwatch.hub.registry.live import Policy
from commonwatch.hub.registry.resolve import Resolved
from commonwatch.hub.templates.shelf import Shelf
from commonwatch.web.ports import AskImpact, AskSees, ImpactInfo, Principal, SeenInfo, WhatSees

#: Largest draft that is judged: a question must not keep a thread for long.
MOST_CLAUSES = 200


Sites = Callable[[str], tuple[str, ...] | None]


class Questions:
    """The port."""

    def __init__(self, policy: Policy, shelf: Shelf, sites: Sites = lambda _: None) -> None:
        """`sites`: those an owner's events have; None where they are not known. Asked only for whoever asks."""
        self._policy, self._shelf, self._sites = policy, shelf, sites

    def impact(self, principal: Principal, asked: AskImpact) -> ImpactInfo:
        """What a draft, or the end of a document, would do. Raises InvalidInput with a path, NotPermitted, NotFound."""
        resolved, me = self._policy.resolved(), principal.reader.org
        if (asked.document is None) == (asked.without is None):
            raise InvalidInput("one of `document` and `without` is asked about", where="document", todo="give one")
        if asked.document is None:
            changes = _ending(resolved, principal, asked.without or "")
            draft = None
        else:
            draft = _draft(asked.document, resolved.orgs)
            changes = _beginning(resolved, principal, draft)
        found, findings = Impact(), list[Finding]()
        terms, mine = (self._terms(principal), self._sites(me)) if draft else ({}, None)
        sites = {} if mine is None else {me: mine}
        for old, new in changes:
            world = msgspec.structs.replace(_world(resolved, me, [old, new]), terms=terms, sites=sites)
            found = together([found, impact(old, new, world)])
            findings += [f for f in lint(draft, new, world) if f not in findings] if draft else []
        partial = isinstance(draft, CommunityCharter) or any(old.owner != me for old, _ in changes)
        return ImpactInfo(
            newly=found.newly, no_longer=found.no_longer, newly_counted=found.newly_counted,
            no_longer_counted=found.no_longer_counted, findings=tuple(findings), partial=partial,
        )  # fmt: skip

    def _terms(self, principal: Principal) -> dict[str, Duties]:
        """Community -> the duties of the template its steward published last."""
        found = sorted(self._shelf.of(principal), key=lambda info: info.published or 0)
        return {info.community: info.template.duties for info in found if info.community}

    def who_sees(self, principal: Principal, asked: AskSees) -> WhoSees:
        """Who sees a field of the principal's own events. Raises InvalidInput."""
        resolved, me = self._policy.resolved(), principal.reader.org
        field = known_field(asked.field)
        docs = _own(resolved, me)
        ready = Asked([docs], _world(resolved, me, [docs]), () if asked.age is None else (asked.age,))
        return ready.who_sees(field, known_point(field, asked.at_least), ready.space.rows(**known_rows(asked)))

    def what_sees(self, principal: Principal, reader: str | None, field: str | None) -> WhatSees:
        """What the principal's organisation sees; or what a reader sees of its events, and why a field not."""
        resolved, me = self._policy.resolved(), principal.reader.org
        if reader is None or reader == me:
            return WhatSees(reader=me, seen=tuple(_sees(resolved, principal.reader)))
        docs = _own(resolved, me)
        ready = Asked([docs], _world(resolved, me, [docs]))
        if not ready.space.org(reader) or resolved.orgs.get(reader) is None:
            raise NotFound("no such reader of your events", where="reader", todo="ask who sees a field first")
        seen = tuple(
            SeenInfo(
                owner=me, purposes=s.purposes, rows=s.rows, fields=s.fields, clauses=tuple(map(str, s.clauses))
            )
            for s in ready.what_sees(reader)
        )  # fmt: skip
        info, purposes = resolved.orgs[reader], sorted({p for s in seen for p in s.purposes}) or ["detect"]
        asking = [Reader(reader, info.roles, info.communities, p) for p in purposes]  # type: ignore[arg-type]
        withheld = [w for one in asking for w in ready.why_withheld(me, one, known_field(field))] if field else []
        return WhatSees(reader=reader, seen=seen, withheld=tuple(dict.fromkeys(withheld)))


Changes = list[tuple[OwnerDocuments, OwnerDocuments]]


def _beginning(resolved: Resolved, principal: Principal, draft: Document) -> Changes:
    """The documents before and after a draft is signed, for every owner it decides about."""
    me = principal.reader.org
    if isinstance(draft, Agreement) and me not in draft.party_ids:
        raise NotPermitted("only a party of an agreement may ask what it does", where="parties", todo="ask one of them")
    if not isinstance(draft, Agreement) and author_of(draft) != me:
        raise NotPermitted("only who signs a charter may ask what it does", where="owner", todo="ask them")
    charters = {
        name: charter
        for name, held in resolved.charters.items()
        if isinstance(charter := held.verified.document, CommunityCharter) and _reads(charter, principal.reader)
    }
    if not isinstance(draft, CommunityCharter):
        old = _visible(resolved, principal.reader, author_of(draft))
        return [(old, drafted(old, draft, charters))]
    found = [_visible(resolved, principal.reader, owner) for owner in sorted(resolved.owners)]
    inside = [docs for docs in found if any(a.document.community == draft.community for a in docs.agreements)]
    return [(docs, drafted(docs, draft)) for docs in inside]


def _ending(resolved: Resolved, principal: Principal, name: str) -> Changes:
    """The documents before and after one of the principal's documents ends."""
    for owner in sorted(resolved.owners):
        old = _visible(resolved, principal.reader, owner)
        charter = old.charter is not None and old.charter.id == name
        if charter or any(a.document.id == name for a in old.agreements):
            return [(old, without_document(old, name))]
    raise NotFound("no such agreement", where="without", todo="look at the list of your agreements")


def _own(resolved: Resolved, org: str) -> OwnerDocuments:
    found = resolved.owners.get(org)
    return found.documents if found else OwnerDocuments(org, ())


def _visible(resolved: Resolved, reader: Reader, owner: str) -> OwnerDocuments:
    """An owner's documents as far as an organisation may read them: its own all, of others' those it is a party to."""
    docs = _own(resolved, owner)
    if owner == reader.org:
        return docs
    return msgspec.structs.replace(
        docs, charter=None,
        agreements=tuple(a for a in docs.agreements if reader.org in a.document.party_ids),
        community_charters={c: d for c, d in docs.community_charters.items() if _reads(d, reader)},
    )  # fmt: skip


def _reads(charter: CommunityCharter, reader: Reader) -> bool:
    return charter.community in reader.communities or charter.steward.id == reader.org


def _world(resolved: Resolved, me: str, documents: Iterable[OwnerDocuments]) -> World:
    """Who there is, as far as the asker may know them."""
    mine = resolved.orgs.get(me)
    communities = set(mine.communities) if mine else set[str]()
    listed = list(documents)
    named = {org for docs in listed for a in docs.agreements for org in _named(a)}
    live = [a for a in _own(resolved, me).agreements if a.state == "active"]
    everyone = {org.org: member(org) for org in resolved.orgs.values()}
    shown = {
        org.org
        for org in resolved.orgs.values()
        if org.org == me or org.org in named or communities & set(org.communities) or _reached(live, org)
    }
    known = {c for org in everyone.values() for c in org.communities}
    return World(
        tuple(m for name, m in everyone.items() if name in shown), tuple(sorted(known)), known=True,
        crowd=tuple(m.traits for name, m in everyone.items() if name not in shown),
    )  # fmt: skip


def _named(live: LiveAgreement) -> Iterator[str]:
    yield from live.document.party_ids
    for clause in live.document.clauses:
        yield from clause.to.organisations if isinstance(clause, Share | Count) else clause.outside.organisations


def _reached(live: Iterable[LiveAgreement], org: OrgInfo) -> bool:
    """Whether an agreement in force shows or counts anything to an organisation."""
    reader = Reader(org.org, org.roles, org.communities, "detect")  # type: ignore[arg-type]
    return any(
        isinstance(c, Share | Count) and addresses(c.to, reader) for a in live for c in a.document.clauses
    )  # fmt: skip


def member(org: OrgInfo) -> Member:
    """An organisation as the algebra knows it."""
    return Member(org.org, org.roles, org.communities, org.sector, org.region, org.size)  # type: ignore[arg-type]


def _sees(resolved: Resolved, reader: Reader) -> Iterator[SeenInfo]:
    """What a reader sees of all others, those whose name it may not know last and in no order that tells them."""
    others = [policy.documents for policy in resolved.owners.values() if policy.owner != reader.org]
    documents = [docs for docs in others if _reaches(docs, reader)]
    world = World((Member(reader.org, reader.roles, reader.communities),))
    seen: dict[str, list[Seen]] = {}
    for one in Asked(documents, world).what_sees(reader.org, [reader.purpose]):
        seen.setdefault(one.owner, []).append(one)
    named, hidden = list[SeenInfo](), list[SeenInfo]()
    for owner, some in sorted(seen.items()):
        docs = resolved.owners[owner].documents
        known = any(reader.org in a.document.party_ids for a in docs.agreements)
        known = known or all(s.fields.get("owner") == "exact" for s in some)
        (named if known else hidden).extend(_told(docs, reader, s, named=known) for s in some)
    yield from named
    yield from sorted(hidden, key=msgspec.json.encode)


def _reaches(docs: OwnerDocuments, reader: Reader) -> bool:
    return any(a.state == "active" and accepted(a, reader) and any(_shares(a, reader)) for a in docs.own)


def _shares(live: LiveAgreement, reader: Reader) -> Iterator[Share]:
    return (c for c in live.document.clauses if isinstance(c, Share) and addresses(c.to, reader))


def _told(docs: OwnerDocuments, reader: Reader, seen: Seen, *, named: bool) -> SeenInfo:
    """What is seen, without what only the owner's other documents say."""
    sites = {site for a in docs.own for c in _shares(a, reader) for site in c.rows.sites}
    return SeenInfo(
        owner=seen.owner if named else None, purposes=seen.purposes, rows=_rows(seen.rows, sites), fields=seen.fields,
        clauses=tuple(map(str, seen.clauses)) if named else (),
    )  # fmt: skip


def _rows(rows: WhichRows, sites: set[str]) -> WhichRows:
    """The rows, their sites only where they are named to the reader anyway."""
    if set(rows.sites) - {"", "*"} <= sites:
        return rows
    head, _, tail = rows.text.partition(" at ")
    ages = f",{tail.partition(',')[2]}" if ", once" in tail or ", until" in tail else ""
    return msgspec.structs.replace(rows, sites=(), text=f"{head} at some sites{ages}")


def _draft(given: dict[str, Any] | str, orgs: Mapping[str, OrgInfo]) -> Document:
    """The document, checked; what signing adds to it is filled in where it is missing."""
    plain = plain_of(given)
    if isinstance(clauses := plain.get("clauses"), list) and len(clauses) > MOST_CLAUSES:
        todo = f"ask about at most {MOST_CLAUSES} clauses"
        raise InvalidInput("the draft has too many clauses to judge at once", where="$.clauses", todo=todo)
    return draft_from(plain, lambda org: orgs[org].name if org in orgs else None)


def known_field(name: str) -> FieldName:
    """A clause field. Raises InvalidInput."""
    if name not in FIELDS:
        raise InvalidInput("there is no such field", where="field", todo=f"choose from {', '.join(FIELDS)}")
    return name


def known_point(field: FieldName, name: str | None) -> Point | None:
    """A named point of the field's family; absent is anything at all. Raises InvalidInput."""
    named = points(FIELDS[field].family)
    if name is None:
        return None
    if name not in named or named[name] == WITHHELD:
        todo = f"choose from {', '.join(n for n in named if named[n] != WITHHELD)}"
        raise InvalidInput("the field has no such level", where="at_least", todo=todo)
    return named[name]


def known_rows(asked: AskSees) -> dict[str, Any]:
    """The labels asked about. Raises InvalidInput."""
    for where, values, known in (
        ("events", asked.events, CLASS_WORDS), ("tlp", filter(None, [asked.tlp]), TLP_WORDS),
        ("severity", filter(None, [asked.severity]), SEVERITY_WORDS),
    ):  # fmt: skip
        if unknown := [value for value in values if value not in known]:
            raise InvalidInput(f"unknown {where} {unknown[0]!r}", where=where, todo=f"choose from {', '.join(known)}")
    return {
        "events": asked.events, "tlp": asked.tlp, "severity": asked.severity, "site": asked.site, "age": asked.age
    }  # fmt: skip
