"""Agreements as their parties see and change them. Implements `web.ports.Agreements`.

Rules: an organisation sees what it is a party to, its own charter, and the charters of its communities, and nothing
else: absent and not visible are never told apart. What binds an organisation is for its administrators, with a
signature of its own key, or in person with the key it lets this hub hold. Revoking is final. Whoever is no party but is
shown the owner by an agreement that reaches it may accept its duties, and reads of it what reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from commonwatch.agreements.decode import plain
from commonwatch.agreements.document import Agreement, CommunityCharter
from commonwatch.agreements.english import say
from commonwatch.agreements.signing import envelope_from, signers
from commonwatch.agreements.statement import Kind, verify_statement
from commonwatch.errors import Conflict, InvalidInput, NotFound, NotPermitted
from commonwatch.hub.members import Members
from commonwatch.hub.registry.documents import Documents
from commonwatch.hub.registry.duties import asked, duties_of
from commonwatch.hub.registry.live import Policy
from commonwatch.hub.registry.printing import print_version
from commonwatch.hub.registry.resolve import Standing
from commonwatch.hub.registry.rights import binds, must_be_there, must_bind
from commonwatch.hub.registry.signed import MAY, Opened, roles_of
from commonwatch.web.ports import AgreementInfo, DutiesInfo, Principal
from commonwatch.web.print.sheet import Sheet

ENDED = ("revoked", "expired")
#: Steps after which something may have to be taken back.
NARROWING = ("revoke", "suspend")


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

    def printed(self, principal: Principal, agreement: str, version: int | None = None) -> Sheet:
        """One version of one of them (None: the newest) as it is printed."""
        return print_version(self.documents.database, principal, agreement, version)

    def register(self, principal: Principal, envelope: bytes) -> AgreementInfo:
        """Take a fully signed document of which the principal's organisation is a signer."""
        must_bind(principal)

        def own(opened: Opened) -> None:
            if principal.reader.org not in opened.signers:
                raise NotPermitted(
                    "your organisation signed nothing here", where="parties", todo="let a party register it"
                )

        made = self.documents.register(envelope, by=principal.id, check=own)
        return self._info(self._standing(principal, made.name), principal)

    def step(
        self, principal: Principal, agreement: str, kind: Kind, reason: str = "", statement: bytes | None = None
    ) -> dict[str, Any]:
        """State something about an agreement, effective with the next answer: signed by a key of the organisation's own
        (`statement`, an envelope), or (None) with the key it lets this hub hold.
        """
        (must_bind if statement is not None else must_be_there)(principal)
        standing = (
            self._reached(principal, agreement) if kind == "accept-duties" else self._standing(principal, agreement)
        )
        check_step(standing, principal, kind)
        if statement is None:
            epoch = self.documents.state_for(principal.reader.org, agreement, kind, reason, by=principal.id)
        else:
            check_stated(statement, standing, principal, kind)
            epoch = self.documents.state(statement, by=principal.id)
        return {"epoch": epoch, "withdrawn": self.withdrawn(agreement) if kind in NARROWING else {}}

    def revoke(self, principal: Principal, agreement: str, reason: str) -> dict[str, Any]:
        """The step that is final, with the key this hub holds."""
        return self.step(principal, agreement, "revoke", reason)

    def duties(self, principal: Principal) -> Sequence[DutiesInfo]:
        """What the organisation, as no party, is asked to accept or has accepted."""
        resolved = self.policy.resolved()
        return duties_of(resolved, resolved.orgs[principal.reader.org])

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

    def _reached(self, principal: Principal, agreement: str) -> Standing:
        """An agreement whose duties the organisation may accept. Raises NotFound."""
        resolved = self.policy.resolved()
        if agreement in {live.document.id for live in asked(resolved, resolved.orgs[principal.reader.org])}:
            return self.documents.standing(agreement)
        return self._standing(principal, agreement)

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
            hash=standing.hash, may=may_do(standing, principal),
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


def may_do(standing: Standing, principal: Principal) -> tuple[str, ...]:
    """What this principal may do about a document, in the state it is in."""
    role = roles_of(standing.document).get(principal.reader.org)
    if role is None or not binds(principal) or standing.state == "revoked":
        return ()
    if standing.kind != "agreement":
        return ("amend",)
    stated = {
        "active": ("suspend", "revoke"),
        "not-yet-active": ("suspend", "revoke"),
        "suspended": ("resume", "revoke"),
    }
    return (*(kind for kind in stated.get(standing.state, ()) if role in MAY[kind]), "amend")


def check_step(standing: Standing, principal: Principal, kind: Kind) -> None:
    """Refuse what is not open to the principal's organisation now. Raises NotPermitted or Conflict."""
    if kind == "accept-duties":
        return
    if standing.kind != "agreement":
        raise NotPermitted("a charter is replaced, not revoked", todo="register its next version")
    if roles_of(standing.document).get(principal.reader.org) not in MAY[kind]:
        who = " or ".join(MAY[kind])
        raise NotPermitted(f"only the {who} of an agreement may {kind} it", where="by", todo="ask one of them")
    if kind not in may_do(standing, principal):
        todo = "look at its state and its history"
        raise Conflict(f"the agreement is {standing.state.replace('-', ' ')}", where="agreement", todo=todo)


def check_stated(statement: bytes, standing: Standing, principal: Principal, kind: Kind) -> None:
    """Refuse an envelope that states something else than it was sent for. Its signature is checked afterwards."""
    said = verify_statement(envelope_from(statement)).statement
    wanted = (kind, standing.name, principal.reader.org, standing.version, standing.hash)
    if (said.kind, said.id, said.by, said.version, said.hash) != wanted:
        todo = f"state {kind} of version {standing.version}, {standing.hash}, by {principal.reader.org}"
        raise InvalidInput("the statement is about something else", where="statement", todo=todo)
