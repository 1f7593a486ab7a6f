"""What the HTTP room needs from whoever composes it (the hub). Ports only: no storage, no engine, no clock of its own.

Everyone acts for an organisation and a purpose: `Principal` is what authentication yields and what every route passes
on. No port returns an event: events come from `govern` alone.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import msgspec

from commonwatch.agreements.diagnose import Fault
from commonwatch.agreements.impact.changes import Change, CountChange
from commonwatch.agreements.impact.findings import Finding
from commonwatch.agreements.impact.questions import NotSeen, WhoSees
from commonwatch.agreements.impact.words import WhichRows
from commonwatch.agreements.reader import Purpose, Reader, Role
from commonwatch.agreements.signing import Signature
from commonwatch.agreements.statement import Kind as StatementKind
from commonwatch.agreements.templates import Draft, Exceptions, Template
from commonwatch.agreements.templates.fleet import Batch
from commonwatch.agreements.templates.renewal import Renewal
from commonwatch.detect.explain.asking import Explained
from commonwatch.events.fields import FieldName
from commonwatch.govern.policy import OrgInfo
from commonwatch.govern.preview.shapes import OwnRows, Preview
from commonwatch.govern.query import Answer, Compare, Query
from commonwatch.govern.taken import Use
from commonwatch.web.print.sheet import Sheet


class Principal(msgspec.Struct, frozen=True):
    """Who asks. `id` names a person, token or gateway; a token only narrows what its person may do.

    `grant` names the session, token or enrolment behind it: what is held open ends when the grant ends.
    """

    kind: Literal["person", "token", "gateway"]
    id: str
    name: str
    reader: Reader
    admin: bool = False
    operator: bool = False
    scopes: tuple[str, ...] = ()
    grant: str = ""


class SessionInfo(msgspec.Struct, frozen=True):
    """A session that was just opened: the cookie's secret value and when it ends (seconds since 1970)."""

    secret: str
    expires: int
    principal: Principal


class TokenInfo(msgspec.Struct, frozen=True):
    """An API token without its secret."""

    id: str
    name: str
    purpose: Purpose
    scopes: tuple[str, ...]
    created: int
    expires: int
    last_used: int | None = None


class PersonInfo(msgspec.Struct, frozen=True):
    """A person of an organisation."""

    id: str
    name: str
    org: str
    purposes: tuple[Purpose, ...]
    admin: bool


class ServiceInfo(msgspec.Struct, frozen=True):
    """An organisation that offers a service, by name and by the services it offers."""

    org: str
    name: str
    roles: tuple[Role, ...]


class CommunityInfo(msgspec.Struct, frozen=True):
    """A community of mine. `steward`: whether my organisation is its steward."""

    id: str
    name: str
    steward: bool


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a member may pick by name. Organisations that offer no service are never in it."""

    services: tuple[ServiceInfo, ...]
    communities: tuple[CommunityInfo, ...]


class GatewayInfo(msgspec.Struct, frozen=True):
    """A gateway as its organisation (and its operator) sees it."""

    id: str
    org: str
    name: str
    enrolled: int
    last_seen: int | None
    connected: bool
    status: dict[str, Any]


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


class NotificationInfo(msgspec.Struct, frozen=True):
    """What an organisation is told of. `at` is microseconds; `text` the sentence; `seen` by who asks."""

    uid: str
    at: int
    kind: str
    subject: str
    text: str
    detail: dict[str, Any]
    seen: bool = False


class AskPreview(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A draft (as an object, or as YAML or JSON text) over the last days; all readers it names, or one of them."""

    document: dict[str, Any] | Annotated[str, msgspec.Meta(max_length=1 << 20)]
    days: Annotated[int, msgspec.Meta(ge=1, le=90)] = 7
    reader: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    rows: Annotated[int, msgspec.Meta(ge=1, le=50)] = 20


class AskImpact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A draft (as an object, or as YAML or JSON text) that would be signed, or `without`: a document that would end."""

    document: dict[str, Any] | Annotated[str, msgspec.Meta(max_length=1 << 20)] | None = None
    without: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class ImpactInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a change would do, and what is to be found in the draft.

    `partial`: judged from those documents alone that the organisation may read, since the events are another's.
    """

    newly: tuple[Change, ...]
    no_longer: tuple[Change, ...]
    newly_counted: tuple[CountChange, ...]
    no_longer_counted: tuple[CountChange, ...]
    findings: tuple[Finding, ...]
    partial: bool


class AskSees(msgspec.Struct, frozen=True, kw_only=True):
    """Who sees a field at least so precisely, in rows with these labels; what is absent is everything."""

    field: str
    at_least: str | None = None
    events: tuple[str, ...] = ()
    tlp: str | None = None
    severity: str | None = None
    site: str | None = None
    age: float | None = None


class SeenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that a reader sees, with the level of every field shown. The owner only where the reader may know it."""

    owner: str | None
    purposes: tuple[Purpose, ...]
    rows: WhichRows
    fields: dict[FieldName, str]
    clauses: tuple[str, ...]


class WhatSees(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader sees; where a field was asked about, also where it is withheld, and why."""

    reader: str
    seen: tuple[SeenInfo, ...]
    withheld: tuple[NotSeen, ...] = ()


class AccessWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which accesses: [since, until) in microseconds, and what they must be; "" is anything.

    `clause` is a clause's name or a whole reference (`agreement@version#clause`); `after` the id of an earlier page's
    last access.
    """

    since: int = 0
    until: int = 1 << 62
    reader: str = ""
    agreement: str = ""
    clause: str = ""
    surface: str = ""
    after: str = ""
    limit: int = 100


class AccessInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What left of one's own organisation under one set of clauses: in one answer, or added up from `at` to `until`.

    `at` and `until` are RFC 3339; `by` the kind of principal; `fields` the highest level each field was shown at;
    `count` events, rows, indicators or alerts, as `unit` says; `entry` the number of the audit entry that binds it.
    """

    id: str
    at: str
    until: str
    reader: str
    purpose: str
    by: str
    surface: str
    clauses: tuple[str, ...]
    fields: dict[str, str]
    count: int
    unit: str
    uses: int
    query: str
    entry: int


class AccessPage(msgspec.Struct, frozen=True, kw_only=True):
    """Accesses, newest first, the words of their clauses and the names of their readers; `after` if there are more."""

    accesses: list[AccessInfo]
    clauses: dict[str, str]
    readers: dict[str, str]
    after: str | None = None


class AccessSum(msgspec.Struct, frozen=True, kw_only=True):
    """Accesses added up: how many answers (`uses`), how much (`count`), and when last (RFC 3339)."""

    key: str
    uses: int
    count: int
    last: str


class AccessSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Accesses by reader, agreement, clause (`agreement@version#clause`), surface and day, each the largest first."""

    readers: list[AccessSum]
    agreements: list[AccessSum]
    clauses: list[AccessSum]
    surfaces: list[AccessSum]
    days: list[AccessSum]
    words: dict[str, str]
    names: dict[str, str]
    uses: int


class Accesses(Protocol):
    """What left of one's own organisation. `watch` ends by itself within 1 s of losing the lease."""

    def page(self, principal: Principal, wanted: AccessWanted) -> AccessPage: ...
    def summary(self, principal: Principal, wanted: AccessWanted) -> AccessSummary: ...
    def proof(self, principal: Principal, access: str, size: int = 0) -> dict[str, Any]: ...
    def watch(self, principal: Principal) -> AsyncIterator[tuple[str, dict[str, Any]]]: ...


class TemplateInfo(msgspec.Struct, frozen=True):
    """A template on the shelf. Shipped ones have no publisher; `published` is microseconds UTC."""

    template: Template
    community: str | None = None
    publisher: str | None = None
    published: int | None = None


class Accounts(Protocol):
    """People, sessions, tokens. Every failure is NotAuthenticated or NotPermitted with what to do."""

    def open_with_link(self, link: str, passphrase: str | None) -> SessionInfo: ...
    def open_with_passphrase(self, person: str, passphrase: str) -> SessionInfo: ...
    def session(self, secret: str) -> Principal: ...
    def switch_purpose(self, secret: str, purpose: Purpose) -> Principal: ...
    def close(self, secret: str) -> None: ...
    def purposes(self, principal: Principal) -> tuple[Purpose, ...]: ...
    def bearer(self, secret: str) -> Principal: ...
    def tokens(self, principal: Principal) -> Sequence[TokenInfo]: ...
    def make_token(
        self, principal: Principal, name: str, purpose: Purpose, scopes: Sequence[str], days: int
    ) -> tuple[TokenInfo, str]: ...
    def drop_token(self, principal: Principal, token: str) -> None: ...
    def people(self, principal: Principal) -> Sequence[PersonInfo]: ...
    def directory(self, principal: Principal) -> Directory: ...
    def org(self, org: str) -> OrgInfo: ...


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


class Gateways(Protocol):
    """Gateways: enrolment, signed requests, batches, the held-open stream, status."""

    def enrol(self, body: bytes) -> bytes: ...
    def authenticate(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Principal: ...
    def accept(self, body: bytes) -> bytes: ...
    def stream(self, principal: Principal, last_snapshot: int, checkpoint: int) -> AsyncIterator[bytes]: ...
    def heartbeat(self, principal: Principal, body: bytes) -> None: ...
    def state(self, principal: Principal, body: bytes) -> None: ...
    def visible(self, principal: Principal) -> Sequence[GatewayInfo]: ...


class Notices(Protocol):
    """Live notices for a browser: (event name, JSON object). Ends by itself within 1 s of losing the lease."""

    def watch(self, principal: Principal) -> AsyncIterator[tuple[str, dict[str, Any]]]: ...


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


class Notifications(Protocol):
    """What an organisation was told of, and which of it a person has seen."""

    def of(self, principal: Principal, *, unseen: bool = False, limit: int = 100) -> Sequence[NotificationInfo]: ...
    def unseen(self, principal: Principal) -> int: ...
    def mark_seen(self, principal: Principal, uids: Sequence[str] | None = None) -> int: ...


class Previews(Protocol):
    """What a draft would do to the events of the principal's own organisation. For people of the owner only."""

    def preview(self, principal: Principal, asked: AskPreview, cancel: threading.Event) -> Preview: ...
    def own_rows(self, principal: Principal, days: int) -> Sequence[OwnRows]: ...


class Questions(Protocol):
    """What documents mean for whom, over everything in force. Answers are of documents alone, never of events.

    An organisation asks about its own data, about what it may sign, and about what it sees itself.
    """

    def impact(self, principal: Principal, asked: AskImpact) -> ImpactInfo: ...
    def who_sees(self, principal: Principal, asked: AskSees) -> WhoSees: ...
    def what_sees(self, principal: Principal, reader: str | None, field: str | None) -> WhatSees: ...


class Audit(Protocol):
    """The audit log as far as this organisation is concerned."""

    def checkpoint(self) -> dict[str, Any]: ...
    def entries(self, principal: Principal, start: int, limit: int) -> Sequence[dict[str, Any]]: ...
    def inclusion(self, entry: int, size: int) -> dict[str, Any]: ...
    def consistency(self, first: int, second: int) -> dict[str, Any]: ...
    def note(self, principal: Principal | None, kind: str, detail: dict[str, Any]) -> None: ...


class Intelligence(Protocol):
    """Indicators and alerts as published to this reader."""

    def indicators(self, reader: Reader, limit: int, use: Use) -> Sequence[dict[str, Any]]: ...
    def alerts(self, reader: Reader, limit: int, use: Use) -> Sequence[dict[str, Any]]: ...


class GivenBy(msgspec.Struct, frozen=True):
    """A source of partners' intelligence, as the organisation it gives to sees it. Times RFC 3339, empty: never."""

    name: str
    kind: str
    tlp: str
    weight: int
    values: int
    last_ok: str
    error: str
    refused: dict[str, int]


class TakenIn(msgspec.Struct, frozen=True):
    """What came of a partner's document: values kept, values withdrawn, and refusals by reason."""

    kept: int
    withdrawn: int
    refused: dict[str, int]


class Given(Protocol):
    """Partners' intelligence, given to an organisation by documents or fetched for it."""

    def take(self, principal: Principal, body: bytes, name: str, tlp: str) -> TakenIn: ...
    def sources(self, principal: Principal) -> Sequence[GivenBy]: ...


class Opened(Protocol):
    """A release: its id, which is also its ETag, and the Arrow IPC stream."""

    @property
    def id(self) -> str: ...
    @property
    def body(self) -> bytes: ...


class Governed(Protocol):
    """The enforcement point. The only port from which anything of an event comes.

    `cancel` is set when whoever asked is gone: the engine's work for them should stop. `release` raises `Gone` for an
    id of the reader's own class that was replaced, `NotFound` for every other id. `use` says for the owners' record
    through which surface the answer leaves, and to what kind of principal.
    """

    def describe(self, reader: Reader) -> Any: ...
    def ask(
        self, reader: Reader, query: Query, *, cancel: threading.Event | None = None, use: Use = Use()
    ) -> Answer: ...
    def releases(self, reader: Reader, *, use: Use = Use()) -> Sequence[Any]: ...
    def release(
        self, reader: Reader, release: str, *, cancel: threading.Event | None = None, use: Use = Use()
    ) -> Opened: ...


class Explainer(Protocol):
    """What stands out in a selection of what a reader is shown, through `govern` alone."""

    def explain(
        self, reader: Reader, asked: Compare, *, cancel: threading.Event | None = None, use: Use = Use()
    ) -> Explained: ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything the room is given. `epoch` is the policy epoch now; raises `Unavailable` like the policy itself."""

    govern: Governed
    explainer: Explainer
    accounts: Accounts
    agreements: Agreements
    gateways: Gateways
    withdrawals: Withdrawals
    notices: Notices
    notifications: Notifications
    drafts: Drafts
    templates: Templates
    offers: Offers
    previews: Previews
    questions: Questions
    accesses: Accesses
    lives: Lives
    signing_keys: SigningKeys
    audit: Audit
    intelligence: Intelligence
    given: Given
    epoch: Callable[[], int]
    #: Microseconds since 1970 UTC by the hub's clock, for `CW-Hub-Time`.
    now: Callable[[], int]
