"""Agreements: in force, being written, offered, signed; templates, keys, lives and certificates. Ports only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from commonwatch.agreements.diagnose import Fault
from commonwatch.agreements.signing import Signature
from commonwatch.agreements.statement import Kind as StatementKind
from commonwatch.agreements.templates import Draft, Exceptions, Template
from commonwatch.agreements.templates.fleet import Batch
from commonwatch.agreements.templates.renewal import Renewal
from commonwatch.web.ports.people import Principal
from commonwatch.web.print.sheet import Sheet


class AgreementInfo(msgspec.Struct, frozen=True):
    """An agreement as a party sees it. `text` is the controlled English people signed."""

    id: str
    version: int
    title: str
    state: str
    owner: str
    parties: tuple[dict[str, str], ...]
    starts: str
    ends: str
    may_revoke: bool
    text: str
    hash: str = ""
    may: tuple[str, ...] = ()


class DraftInfo(msgspec.Struct, frozen=True):
    """A document being written. `edition` rises with every save; times are microseconds."""

    id: str
    org: str
    document: dict[str, Any]
    shared: bool
    edition: int
    by: str
    created: int
    changed: int


class PartyInfo(msgspec.Struct, frozen=True):
    """Who is asked to sign. `signed` is when (microseconds); `held`: by the hub, on the organisation's behalf."""

    id: str
    name: str
    role: str
    key: str
    signed: int | None = None
    held: bool = False


class OfferInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A document offered for signature, as a party sees it.

    To sign: check that SHA-256 of `text` is `text_hash`, then sign the JWS protected header {alg: Ed25519, kid, typ,
    text: `text_hash`, grammar} with `payload` (base64url of the frozen bytes, as it goes into the JWS).
    """

    hash: str
    id: str
    version: int
    kind: str
    title: str
    owner: str
    state: str
    offered_by: str
    at: int
    ended: int | None
    reason: str
    parties: tuple[PartyInfo, ...]
    awaiting: tuple[str, ...]
    may: tuple[str, ...]
    typ: str
    grammar: str
    text_hash: str
    text: str = ""
    payload: str = ""
    impact: dict[str, Any] | None = None


class VersionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a document that all its parties signed. `state`: of the one in force, else replaced or agreed."""

    version: int
    hash: str
    state: str
    title: str
    starts: str
    ends: str
    registered: int
    text: str
    signers: tuple[PartyInfo, ...]


class LifeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The life of a document: versions, offers not (yet) agreed, whose signature is awaited, what I may do."""

    id: str
    state: str
    versions: tuple[VersionInfo, ...]
    offers: tuple[OfferInfo, ...]
    awaiting: tuple[str, ...]
    may: tuple[str, ...]


class DutiesInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement that reaches an organisation which is no party: the clauses that do and the duties, in English."""

    id: str
    version: int
    hash: str
    owner: str
    title: str
    state: str
    text: str
    accepted: bool


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A signing key of an organisation, its public half (base64url). `held`: this hub keeps the private one for it."""

    org: str
    thumbprint: str
    public: str
    held: bool
    added: int
    ended: int | None


class TemplateInfo(msgspec.Struct, frozen=True):
    """A template on the shelf. Shipped ones have no publisher; `published` is microseconds UTC."""

    template: Template
    community: str | None = None
    publisher: str | None = None
    published: int | None = None


class Agreements(Protocol):
    """The agreements an organisation is a party to, and what it may do with them."""

    def of(self, principal: Principal) -> Sequence[AgreementInfo]: ...
    def one(self, principal: Principal, agreement: str) -> tuple[AgreementInfo, dict[str, Any]]: ...
    def printed(self, principal: Principal, agreement: str, version: int | None = None) -> Sheet: ...
    def register(self, principal: Principal, envelope: bytes) -> AgreementInfo: ...
    def step(
        self, principal: Principal, agreement: str, kind: StatementKind, reason: str = "",
        statement: bytes | None = None,
    ) -> dict[str, Any]: ...  # fmt: skip
    def duties(self, principal: Principal) -> Sequence[DutiesInfo]: ...


class Withdrawals(Protocol):
    """Certificates of what was taken back, for the owner of an agreement."""

    def of(self, principal: Principal, agreement: str) -> Sequence[dict[str, Any]]: ...


class Drafts(Protocol):
    """Documents being written, by an organisation and whoever it shares them with."""

    def of(self, principal: Principal) -> Sequence[DraftInfo]: ...
    def one(self, principal: Principal, draft: str, of: str | None = None) -> DraftInfo: ...
    def save(
        self, principal: Principal, draft: str, document: Any, *, shared: bool = False, edition: int | None = None,
        of: str | None = None,
    ) -> DraftInfo: ...  # fmt: skip
    def drop(self, principal: Principal, draft: str, edition: int | None = None) -> None: ...


class Offers(Protocol):
    """Documents offered for signature. `offer` in a method is a hash, or a name with one open offer."""

    def of(self, principal: Principal) -> Sequence[OfferInfo]: ...
    def one(self, principal: Principal, offer: str) -> OfferInfo: ...
    def offer(self, principal: Principal, document: Any) -> OfferInfo: ...
    def sign(self, principal: Principal, offer: str, part: Signature | None) -> OfferInfo: ...
    def decline(self, principal: Principal, offer: str, reason: str = "") -> OfferInfo: ...
    def withdraw(self, principal: Principal, offer: str, reason: str = "") -> OfferInfo: ...


class Templates(Protocol):
    """Templates an organisation may use, what it makes of them, and what a steward publishes."""

    def of(self, principal: Principal) -> Sequence[TemplateInfo]: ...
    def one(self, principal: Principal, template: str) -> TemplateInfo: ...
    def publish(self, principal: Principal, document: str | dict[str, Any]) -> TemplateInfo: ...
    def withdraw(self, principal: Principal, template: str) -> None: ...
    def draft(
        self, principal: Principal, template: str, level: int, parameters: Mapping[str, Any], exceptions: Exceptions
    ) -> tuple[Draft | None, list[Fault], tuple[str, ...]]: ...
    def batch(
        self, principal: Principal, template: str, text: str, level: int | None, parameters: Mapping[str, Any]
    ) -> Batch: ...
    def renewals(self, principal: Principal, template: str) -> Sequence[Renewal]: ...


class SigningKeys(Protocol):
    """The public halves of an organisation's signing keys, and the one this hub may hold for it."""

    def of(self, principal: Principal) -> Sequence[KeyInfo]: ...
    def register(self, principal: Principal, public: str, statement: bytes | None = None) -> KeyInfo: ...
    def hold(self, principal: Principal) -> KeyInfo: ...


class Lives(Protocol):
    """The life of documents: every version, the history in the audit log, the record to keep."""

    def life(self, principal: Principal, name: str) -> LifeInfo: ...
    def history(self, principal: Principal, name: str) -> Sequence[dict[str, Any]]: ...
    def record(self, principal: Principal, name: str) -> dict[str, Any]: ...
