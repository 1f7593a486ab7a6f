"""A draft among the documents in force: what would decide if it were signed now, and who its clauses speak to.

Rules held here: a draft takes the place of its earlier version or stands beside the others; it counts as active, with
every party's signature and the duties accepted by all it names; nothing else changes. Whoever joins later is imagined
as one organisation for each community and role named, under a name no organisation can have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from commonwatch.agreements.check import check
from commonwatch.agreements.decode import convert
from commonwatch.agreements.document import (
    Agreement,
    Charter,
    Clause,
    CommunityCharter,
    Count,
    Document,
    Limit,
    Share,
)
from commonwatch.agreements.effective import OwnerDocuments, addresses
from commonwatch.agreements.impact.placing import owner_of, with_document
from commonwatch.agreements.reader import PURPOSES, Purpose, Reader

#: Before the name of a community or role: no organisation's id begins with it.
FUTURE = "*"
#: Stands for the hash of the version before where a draft does not name it yet.
NO_HASH = "0" * 64
Kind = Literal["organisation", "community", "role"]


class Imagined(NamedTuple):
    """Who a clause speaks to. `purposes` are those the documents treat alike; `reader` acts for the first of them."""

    name: str
    kind: Kind
    reader: Reader
    purposes: tuple[Purpose, ...]


def draft_from(plain: dict[str, Any], name_of: Callable[[str], str | None] = lambda _org: None) -> Document:
    """A draft from plain data; what signing adds (names, keys, the hash before) is filled in where it is missing.

    Raises InvalidInput for whatever else is wrong with it.
    """
    plain = {"version": 1, **plain}
    if plain["version"] != 1 and not plain.get("previous"):
        plain["previous"] = NO_HASH
    for key in ("parties", "owner", "steward"):
        if isinstance(found := plain.get(key), list):
            plain[key] = [_completed(each, name_of) for each in found]
        elif isinstance(found, dict):
            plain[key] = _completed(found, name_of)
    draft = convert(plain)
    check(draft)
    return draft


def _completed(signer: Any, name_of: Callable[[str], str | None]) -> Any:
    """A signer with a name and a key; a key made up here decides nothing and verifies nothing."""
    if not isinstance(signer, dict) or not isinstance(org := signer.get("id"), str):
        return signer
    missing = {"name": name_of(org) or org, "key": hashlib.sha256(org.encode()).hexdigest()[:43]}
    return {**missing, **signer}


def author_of(draft: Document) -> str:
    """Whose document it would be: its owner, or the steward of a community's charter."""
    return draft.steward.id if isinstance(draft, CommunityCharter) else owner_of(draft) or ""


def drafted(
    docs: OwnerDocuments, draft: Document, communities: Mapping[str, CommunityCharter] = {}
) -> OwnerDocuments:  # fmt: skip
    """The owner's documents as they would be. `communities`: charters in force of communities the draft may name."""
    named = {live.document.community for live in docs.agreements}
    if isinstance(draft, CommunityCharter):
        return with_document(docs, draft) if draft.community in named else docs
    placed = with_document(docs, draft)
    if not isinstance(draft, Agreement):
        return placed
    agreements = tuple(
        msgspec.structs.replace(live, accepted=_bound(draft)) if live.document is draft else live
        for live in placed.agreements
    )
    charters = {name: charter for name, charter in communities.items() if name == draft.community}
    return msgspec.structs.replace(
        placed, agreements=agreements, community_charters={**charters, **docs.community_charters}
    )


def welcoming(docs: OwnerDocuments) -> OwnerDocuments:
    """The same documents, their duties accepted by whoever is imagined to join later."""
    agreements = tuple(
        msgspec.structs.replace(live, accepted=live.accepted | _future(live.document)) for live in docs.agreements
    )
    return msgspec.structs.replace(docs, agreements=agreements)


def _future(document: Agreement) -> frozenset[str]:
    """Everybody imagined whom the agreement speaks to, and a member of its community: joining is accepting."""
    named = {reader.org for reader in _named(document.clauses, _unknown).values()} | {
        FUTURE + (document.community or "")
    }
    return frozenset(org for org in named if org.startswith(FUTURE))


def _unknown(org: str) -> Reader:
    return Reader(org, (), (), PURPOSES[0])


def earlier(docs: OwnerDocuments, draft: Document) -> Document | None:
    """The document in force whose place the draft would take."""
    if isinstance(draft, Charter):
        return docs.charter
    if isinstance(draft, CommunityCharter):
        return docs.community_charters.get(draft.community)
    return next((live.document for live in docs.agreements if live.document.id == draft.id), None)


def spoken_to(docs: OwnerDocuments, draft: Document, known: Callable[[str], Reader]) -> list[Imagined]:
    """Whom a change concerns: who the draft or its earlier version names; under a charter, who anything names.

    `known` gives an organisation with its roles and communities.
    """
    every = [clause for live in docs.agreements for clause in live.document.clauses]
    charters = [docs.charter, *docs.community_charters.values()]
    caps = [clause for charter in charters if charter for clause in charter.clauses]
    before = earlier(docs, draft)
    changed = [*draft.clauses, *(before.clauses if before else ())] if isinstance(draft, Agreement) else every
    deciding = [*every, *caps, *draft.clauses]
    found = [
        Imagined(name, kind, msgspec.structs.replace(reader, purpose=group[0]), group)
        for (name, kind), reader in _named(changed, known).items()
        if reader.org != docs.owner
        for group in _purposes(deciding, reader)
    ]
    order = ("organisation", "community", "role")
    return sorted(found, key=lambda who: (order.index(who.kind), who.name, PURPOSES.index(who.purposes[0])))


def _named(clauses: Iterable[Clause], known: Callable[[str], Reader]) -> dict[tuple[str, Kind], Reader]:
    """Every organisation, community and role that shares and counts name, as a reader."""
    found: dict[tuple[str, Kind], Reader] = {}
    for clause in clauses:
        if isinstance(clause, Share | Count):
            found |= {(org, "organisation"): known(org) for org in clause.to.organisations}
            for name in clause.to.communities:
                found[f"any member of {name}", "community"] = Reader(FUTURE + name, (), (name,), PURPOSES[0])
            for role in clause.to.roles:
                found[f"any {role}", "role"] = Reader(FUTURE + role, (role,), (), PURPOSES[0])
    return found


def _purposes(clauses: Iterable[Clause], reader: Reader) -> list[tuple[Purpose, ...]]:
    """The purposes anything is shown or counted to this reader for, grouped where no clause tells them apart."""
    mine = [c for c in clauses if isinstance(c, Limit) or addresses(c.to, reader)]
    groups: dict[tuple[bool, ...], list[Purpose]] = {}
    for purpose in PURPOSES:
        if any(isinstance(c, Share | Count) and purpose in c.purposes for c in mine):
            covers = tuple(purpose in c.purposes or (isinstance(c, Limit) and not c.purposes) for c in mine)
            groups.setdefault(covers, []).append(purpose)
    return [tuple(group) for group in groups.values()]


def _bound(draft: Agreement) -> frozenset[str]:
    """Everybody the draft names, as having accepted its duties."""
    return draft.party_ids | _future(draft) | {who.org for who in _named(draft.clauses, _unknown).values()}
