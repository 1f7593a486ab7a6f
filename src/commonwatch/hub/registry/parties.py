"""Agreements as their parties see and change them. Implements `web.ports.Agreements`.

Rules: an organisation sees what it is a party to, its own charter, and the charters of its communities, and nothing
else: absent and not visible are never told apart. Registering and revoking is for administrators of a party, in person;
revoking through the hub needs a key the organisation lets it hold, and is final.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from commonwatch.agreements.decode import plain
from commonwatch.agreements.document import Agreement, CommunityCharter
from commonwatch.agreements.english import say
from commonwatch.agreements.signing import envelope_from, signers
from commonwatch.errors import NotFound, NotPermitted
from commonwatch.hub.members import Members
from commonwatch.hub.registry.documents import Documents
from commonwatch.hub.registry.live import Policy
from commonwatch.hub.registry.resolve import Standing
from commonwatch.hub.registry.signed import Opened, roles_of
from commonwatch.web.ports import AgreementInfo, Principal

ENDED = ("revoked", "expired")


class Parties:
    """The port. `withdrawn` is asked after a revocation what had to be taken back (set by whoever publishes)."""

    def __init__(self, documents: Documents, policy: Policy, members: Members) -> None:
        self.documents, self.policy, self.members = documents, policy, members
        self.withdrawn: Callable[[str], dict[str, Any]] = lambda _name: {}

    def of(self, principal: Principal) -> Sequence[AgreementInfo]:
        """What the organisation signed or stands under, by name."""
        resolved = self.policy.resolved()
        return [self._info(s, principal) for s in resolved.standings() if sees(s, principal)]

    def one(self, principal: Principal, agreement: str) -> tuple[AgreementInfo, dict[str, Any]]:
        """One of them, with the document, the signed envelope and the statements about it."""
        standing = self._standing(principal, agreement)
        row = self.documents.version(standing.hash)
        statements = self.policy.resolved().statements.get(standing.name, ())
        detail = {
            "document": plain(standing.document),
            "envelope": msgspec.to_builtins(envelope_from(row.envelope)),
            "hash": standing.hash,
            "statements": [
                {**plain(said.signed.statement), "envelope": msgspec.to_builtins(said.envelope)} for said in statements
            ],
        }
        return self._info(standing, principal), detail

    def register(self, principal: Principal, envelope: bytes) -> AgreementInfo:
        """Take a fully signed document of which the principal's organisation is a signer."""
        administrator(principal)

        def own(opened: Opened) -> None:
            if principal.reader.org not in opened.signers:
                raise NotPermitted(
                    "your organisation signed nothing here", where="parties", todo="let a party register it"
                )

        made = self.documents.register(envelope, by=principal.id, check=own)
        return self._info(self._standing(principal, made.name), principal)

    def revoke(self, principal: Principal, agreement: str, reason: str) -> dict[str, Any]:
        """State, with the organisation's held key, that an agreement is revoked: effective with the next answer."""
        administrator(principal)
        standing = self._standing(principal, agreement)
        if standing.kind != "agreement":
            raise NotPermitted("a charter is replaced, not revoked", todo="register its next version")
        epoch = self.documents.state_for(principal.reader.org, agreement, "revoke", reason, by=principal.id)
        return {"epoch": epoch, "withdrawn": self.withdrawn(agreement)}

    def operated(self, org: str) -> set[str]:
        """Owners that name this organisation their operator in an agreement in force."""
        return {
            s.owner
            for s in self.policy.resolved().standings()
            if s.state == "active" and roles_of(s.document).get(org) == "operator"
        }

    def _standing(self, principal: Principal, agreement: str) -> Standing:
        for standing in self.policy.resolved().standings():
            if standing.name == agreement and sees(standing, principal):
                return standing
        raise NotFound("no such agreement", todo="look at the list of your agreements")

    def _info(self, standing: Standing, principal: Principal) -> AgreementInfo:
        document = standing.document
        days = (document.starts.isoformat(), document.ends.isoformat()) if isinstance(document, Agreement) else ("", "")
        roles = roles_of(document)
        parties = [{"id": s.id, "name": s.name, "role": roles[s.id]} for s in signers(document)]
        return AgreementInfo(
            id=standing.name, version=standing.version, title=document.title, state=standing.state,
            owner=standing.owner,
            parties=tuple(parties), starts=days[0],
            ends=days[1], text=say(document),
            may_revoke=bool(days[0]) and standing.state not in ENDED and self._may_sign(principal, roles),
        )  # fmt: skip

    def _may_sign(self, principal: Principal, roles: dict[str, str]) -> bool:
        held = self.documents.keys.get("signing", principal.reader.org) is not None
        return principal.kind == "person" and principal.admin and principal.reader.org in roles and held


def sees(standing: Standing, principal: Principal) -> bool:
    """Whether this document is the principal's organisation's business."""
    document = standing.document
    if isinstance(document, CommunityCharter) and document.community in principal.reader.communities:
        return True
    return principal.reader.org in roles_of(document)


def administrator(principal: Principal) -> None:
    """Refuse tokens, gateways and people who do not administer their organisation."""
    if principal.kind != "person" or not principal.admin:
        raise NotPermitted("this is for an administrator of your organisation, in person", todo="ask one of them")
