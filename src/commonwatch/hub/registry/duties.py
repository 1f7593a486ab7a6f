"""Duties for readers who are no party: which agreements ask an organisation to accept them, and what it reads of those.

Rules: asked is only who is shown the owner exactly by a share that reaches it, with no limit on the owner's name
anywhere above it: the name of an agreement can name its owner. Of such an agreement the reader gets the clauses that
reach it and the duties, never the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from commonwatch.agreements.document import Agreement, Count, Limit, Share, To, named
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments
from commonwatch.agreements.english import say, say_clause
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.registry.resolve import Resolved
from commonwatch.web.ports import DutiesInfo

#: What the sentence about duties begins with.
RECEIVES = "Whoever receives under this agreement"
ENDED = ("revoked", "expired")


def asked(resolved: Resolved, org: OrgInfo) -> Iterator[LiveAgreement]:
    """Agreements that have not ended and whose duties the organisation may accept, or has accepted, as no party."""
    for policy in resolved.owners.values():
        for live in policy.documents.agreements:
            if live.state not in ENDED and shows_owner(live.document, org, policy.documents):
                yield live


def shows_owner(document: Agreement, org: OrgInfo, documents: OwnerDocuments) -> bool:
    """Whether it reaches an organisation that is no party, and shows it who the owner is."""
    if org.org in document.party_ids or document.community in org.communities:
        return False
    above = [documents.charter, documents.community_charters.get(document.community or "")]
    limits = [c for c in document.clauses if isinstance(c, Limit)]
    limits += [limit for charter in above if charter for limit in charter.clauses]
    shown = any(isinstance(c, Share) and named(c.fields).get("owner") == "exact" for c in reaching(document, org))
    return shown and not any("owner" in named(limit.fields) for limit in limits)


def reaching(document: Agreement, org: OrgInfo) -> list[Share | Count]:
    """The clauses that are for this organisation: by name, community or role."""
    return [c for c in document.clauses if isinstance(c, Share | Count) and is_for(c.to, org)]


def is_for(to: To, org: OrgInfo) -> bool:
    """Whether a clause's addressees include this organisation."""
    joined, roles = set(org.communities) & set(to.communities), set(org.roles) & set(to.roles)
    return bool(org.org in to.organisations or joined or roles)


def duties_of(resolved: Resolved, org: OrgInfo) -> Sequence[DutiesInfo]:
    """What the organisation may accept, or has accepted, by name of the agreement."""
    found = [_info(live, org) for live in asked(resolved, org)]
    return sorted(found, key=lambda info: info.id)


def _info(live: LiveAgreement, org: OrgInfo) -> DutiesInfo:
    document = live.document
    duties = [line for line in say(document).splitlines() if line.startswith(RECEIVES)]
    clauses = [say_clause(clause) for clause in reaching(document, org)]
    return DutiesInfo(
        id=document.id, version=document.version, hash=live.digest, owner=document.owner, title=document.title,
        state=live.state, text="\n".join([*clauses, *duties]) + "\n", accepted=org.org in live.accepted,
    )  # fmt: skip
