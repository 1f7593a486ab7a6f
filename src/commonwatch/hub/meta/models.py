"""Tables of the metadata database, as SQLAlchemy models. Times are microseconds UTC since 1970; lists are JSON.

Rules: no event is ever stored here, and of members' data only the numbers of the families that a private release has
counted of each in the window that is open (`ReleaseCounted`); secrets (links, sessions, tokens, enrolment codes) only
as SHA-256 of a random secret, passphrases as scrypt; envelopes as the very bytes that were signed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Micros = BigInteger


class Table(DeclarativeBase):
    """What every table shares."""

    type_annotation_map = {int: BigInteger, bytes: LargeBinary, list[str]: JSON, dict[str, Any]: JSON, str: String}  # noqa: RUF012


class Organisation(Table):
    """A member. Its public attributes are the organisation dimension."""

    __tablename__ = "organisation"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    roles: Mapped[list[str]]
    sector: Mapped[str] = mapped_column(default="")
    region: Mapped[str] = mapped_column(default="")
    size: Mapped[str] = mapped_column(default="")
    created: Mapped[int]


class Community(Table):
    """A named group of organisations; its charter is signed by the steward."""

    __tablename__ = "community"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    steward: Mapped[str] = mapped_column(ForeignKey("organisation.id"))
    created: Mapped[int]


class Membership(Table):
    """An organisation is in a community."""

    __tablename__ = "membership"
    community: Mapped[str] = mapped_column(ForeignKey("community.id"), primary_key=True)
    org: Mapped[str] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    joined: Mapped[int]


class Person(Table):
    """Somebody who acts for one organisation, for some of the purposes its roles allow."""

    __tablename__ = "person"
    id: Mapped[str] = mapped_column(primary_key=True)
    org: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    name: Mapped[str]
    purposes: Mapped[list[str]]
    admin: Mapped[bool] = mapped_column(default=False)
    operator: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    passphrase: Mapped[str | None]
    created: Mapped[int]


class Link(Table):
    """A setup link: opens a session without a passphrase, a limited number of times, until it expires."""

    __tablename__ = "link"
    hash: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(ForeignKey("person.id"))
    uses: Mapped[int]
    expires: Mapped[int]
    created: Mapped[int]


class Login(Table):
    """A browser session. `used` moves forward at most once a minute; `expires` is absolute."""

    __tablename__ = "session"
    id: Mapped[str] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)
    person: Mapped[str] = mapped_column(ForeignKey("person.id"))
    purpose: Mapped[str]
    created: Mapped[int]
    used: Mapped[int]
    expires: Mapped[int]


class Token(Table):
    """An API token: one purpose and some scopes of its person, never more."""

    __tablename__ = "token"
    id: Mapped[str] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)
    person: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str]
    purpose: Mapped[str]
    scopes: Mapped[list[str]]
    created: Mapped[int]
    expires: Mapped[int]
    used: Mapped[int | None]


class Gateway(Table):
    """An enrolled gateway. `snapshot` and `checkpoint` are the highest it has told us it holds."""

    __tablename__ = "gateway"
    id: Mapped[str] = mapped_column(primary_key=True)
    org: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    name: Mapped[str]
    key: Mapped[str]
    enrolled: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)
    seen: Mapped[int | None]
    snapshot: Mapped[int] = mapped_column(default=0)
    checkpoint: Mapped[int] = mapped_column(default=0)
    status: Mapped[dict[str, Any]]


class Enrolment(Table):
    """A one-time enrolment code of an organisation."""

    __tablename__ = "enrolment"
    hash: Mapped[str] = mapped_column(primary_key=True)
    org: Mapped[str] = mapped_column(ForeignKey("organisation.id"))
    name: Mapped[str]
    expires: Mapped[int]
    gateway: Mapped[str | None]
    created: Mapped[int]


class Document(Table):
    """A signed agreement or charter, as its envelope. `owner` is the owner, or the steward of a community charter."""

    __tablename__ = "document"
    __table_args__ = (UniqueConstraint("kind", "name", "version"), Index("document_owner", "owner"))
    hash: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    version: Mapped[int]
    owner: Mapped[str]
    envelope: Mapped[bytes]
    registered: Mapped[int]


class Party(Table):
    """Which organisations signed a document."""

    __tablename__ = "party"
    hash: Mapped[str] = mapped_column(ForeignKey("document.hash"), primary_key=True)
    org: Mapped[str] = mapped_column(primary_key=True, index=True)
    role: Mapped[str]


class Statement(Table):
    """A signed statement about a document: revoke, suspend, resume, accept-duties, key-change."""

    __tablename__ = "statement"
    hash: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str] = mapped_column(index=True)
    signer: Mapped[str]
    envelope: Mapped[bytes]
    registered: Mapped[int]


class OrgKey(Table):
    """A public key of an organisation. `held` says that the hub keeps the private half as a convenience."""

    __tablename__ = "org_key"
    thumbprint: Mapped[str] = mapped_column(primary_key=True)
    org: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    public: Mapped[str]
    held: Mapped[bool] = mapped_column(default=False)
    added: Mapped[int]
    ended: Mapped[int | None]


class Epoch(Table):
    """One row: the policy epoch, and the largest time the hub has seen."""

    __tablename__ = "policy_epoch"
    id: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    clock: Mapped[int]
    settled: Mapped[int]


class SnapshotNumber(Table):
    """The last snapshot number given to an owner, and the digest the next one names as its previous.

    `seen` is the highest number any of its gateways has held: above `number`, the hub is behind its own past.
    """

    __tablename__ = "snapshot"
    org: Mapped[str] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    number: Mapped[int]
    digest: Mapped[str]
    issued: Mapped[int]
    seen: Mapped[int] = mapped_column(default=0)


class Outbox(Table):
    """Entries on their way to the audit log, written in the transaction they tell of."""

    __tablename__ = "outbox"
    uid: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[int] = mapped_column(index=True)
    who: Mapped[str]
    kind: Mapped[str]
    org: Mapped[str]
    concerns: Mapped[list[str]]
    detail: Mapped[dict[str, Any]]


class Quarantined(Table):
    """A batch that was refused: by which gateway, why, how large. Never its content."""

    __tablename__ = "quarantine"
    digest: Mapped[str] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str]
    size: Mapped[int]
    at: Mapped[int]
    times: Mapped[int]


class Notification(Table):
    """What an organisation is told of: a step of one of its agreements, a key, an access. `told` once streams heard.

    `subject` names what it is about; `detail` holds ids, names of organisations and counts, never a member's data.
    """

    __tablename__ = "notification"
    __table_args__ = (Index("notification_of", "org", "at"), Index("notification_untold", "told", "at"))
    uid: Mapped[str] = mapped_column(primary_key=True)
    org: Mapped[str]
    at: Mapped[int]
    kind: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    told: Mapped[bool] = mapped_column(default=False)


class NotificationSeen(Table):
    """A person has seen a notification."""

    __tablename__ = "notification_seen"
    notification: Mapped[str] = mapped_column(ForeignKey("notification.uid"), primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)


class Draft(Table):
    """A document somebody is writing: as it is, complete or not. `edition` rises with every save."""

    __tablename__ = "draft"
    org: Mapped[str] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    shared: Mapped[bool] = mapped_column(default=False)
    edition: Mapped[int]
    by: Mapped[str]
    created: Mapped[int]
    changed: Mapped[int]


class DraftReader(Table):
    """An organisation that a shared draft names among its signers: it may read and edit it."""

    __tablename__ = "draft_reader"
    __table_args__ = (ForeignKeyConstraint(["org", "draft"], ["draft.org", "draft.id"]),)
    org: Mapped[str] = mapped_column(primary_key=True)
    draft: Mapped[str] = mapped_column(primary_key=True)
    reader: Mapped[str] = mapped_column(primary_key=True, index=True)


class Offer(Table):
    """A document offered for signature: its frozen bytes, the text people read, what it changes.

    `state` is open, agreed, declined, withdrawn or outdated; `org` made the offer, `ended` is when it left `open`.
    """

    __tablename__ = "offer"
    hash: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    owner: Mapped[str]
    payload: Mapped[bytes]
    text: Mapped[str]
    impact: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    state: Mapped[str] = mapped_column(index=True)
    org: Mapped[str]
    by: Mapped[str]
    at: Mapped[int]
    ended: Mapped[int | None]
    reason: Mapped[str] = mapped_column(default="")


class OfferParty(Table):
    """Who is asked to sign an offer, with which key; and its signature once it has: JWS parts, by whom, when.

    `held` says that the hub signed on the organisation's behalf.
    """

    __tablename__ = "offer_party"
    hash: Mapped[str] = mapped_column(ForeignKey("offer.hash"), primary_key=True)
    org: Mapped[str] = mapped_column(primary_key=True, index=True)
    role: Mapped[str]
    key: Mapped[str]
    protected: Mapped[str | None]
    signature: Mapped[str | None]
    held: Mapped[bool] = mapped_column(default=False)
    by: Mapped[str | None]
    at: Mapped[int | None]


class AccessWaiting(Table):
    """What one answer showed of all its owners, as it was written before the answer left; soon one row per entry."""

    __tablename__ = "access_waiting"
    leaf: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[int]
    body: Mapped[bytes]


class AccessSheet(Table):
    """Entries bound by one audit entry (`leaf`, its number), and the secret of their salts. `grain`: how far folded."""

    __tablename__ = "access_sheet"
    leaf: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[int]
    grain: Mapped[str]
    seed: Mapped[bytes]


class AccessEntry(Table):
    """One entry: what left of one owner under one set of clauses. `place` is where it stands for all to see.

    `clauses` holds each reference between blanks. `body` is the entry as its sheet binds it.
    """

    __tablename__ = "access_entry"
    __table_args__ = (Index("access_entry_owner", "owner", "at", "leaf", "place"), Index("access_entry_at", "at"))
    leaf: Mapped[int] = mapped_column(ForeignKey("access_sheet.leaf"), primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int]
    owner: Mapped[str]
    at: Mapped[int]
    reader: Mapped[str]
    purpose: Mapped[str]
    surface: Mapped[str]
    clauses: Mapped[str]
    count: Mapped[int]
    uses: Mapped[int]
    body: Mapped[bytes]


class Template(Table):
    """A version of a community's template: its canonical bytes. Never changed; `withdrawn` takes it off the shelf."""

    __tablename__ = "template"
    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    community: Mapped[str] = mapped_column(ForeignKey("community.id"), index=True)
    publisher: Mapped[str] = mapped_column(ForeignKey("organisation.id"))
    by: Mapped[str]
    document: Mapped[bytes]
    hash: Mapped[str]
    published: Mapped[int]
    withdrawn: Mapped[int | None]


class Milestone(Table):
    """A moment of a version's life that its parties were told of once: in force, ending soon, over, duties asked."""

    __tablename__ = "milestone"
    hash: Mapped[str] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[int]


class AccessUse(Table):
    """How many answers used a version of an agreement for one reader on one day; how many its owner was told of."""

    __tablename__ = "access_use"
    owner: Mapped[str] = mapped_column(primary_key=True)
    agreement: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reader: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    uses: Mapped[int]
    told: Mapped[int]


class Withdrawal(Table):
    """What one revoking or suspending statement, or one narrowing version, took back; `statement` is its hash.

    `body` is the certificate, `signed` its envelope.
    """

    __tablename__ = "withdrawal"
    statement: Mapped[str] = mapped_column(primary_key=True)
    agreement: Mapped[str] = mapped_column(index=True)
    owner: Mapped[str]
    issued: Mapped[int]
    complete: Mapped[bool]
    body: Mapped[bytes]
    signed: Mapped[bytes]
    needs: Mapped[dict[str, Any]]


class Absent(Table):
    """A document or statement that the audit log knows and a restored database lacks; its owner is closed meanwhile."""

    __tablename__ = "absent"
    hash: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    name: Mapped[str]


class Spending(Table):
    """One owner's part in one private release: how much of its budget (an exact fraction) was spent for whom."""

    __tablename__ = "spending"
    release: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    reader: Mapped[str] = mapped_column(index=True)
    window: Mapped[int]
    rho: Mapped[str]
    draw: Mapped[str]
    what: Mapped[str]
    number: Mapped[int] = mapped_column(index=True)
    at: Mapped[int]


class ReleasePlan(Table):
    """A plan of releases of one community in one window, frozen when it opened. `closed`: days that have closed.

    `arrival`, `weekly`: up to which batch was looked when a day and when a week closed last. `places`: member -> its
    codes on the axes that are its own.
    """

    __tablename__ = "release_plan"
    id: Mapped[str] = mapped_column(primary_key=True)
    community: Mapped[str] = mapped_column(ForeignKey("community.id"), index=True)
    window: Mapped[int]
    plan: Mapped[bytes]
    places: Mapped[dict[str, Any]]
    contributors: Mapped[int]
    opened: Mapped[int]
    closed: Mapped[int]
    arrival: Mapped[int]
    weekly: Mapped[int]


class ReleaseCounted(Table):
    """A family that was counted of an owner in a window. Goes when the window is over, and when the owner leaves."""

    __tablename__ = "release_counted"
    plan: Mapped[str] = mapped_column(ForeignKey("release_plan.id"), primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True, index=True)
    family: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[int]


class ReleaseBegun(Table):
    """A day whose noise was begun: written before any is drawn. `lost`: how many draws never arrived."""

    __tablename__ = "release_begun"
    plan: Mapped[str] = mapped_column(ForeignKey("release_plan.id"), primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lost: Mapped[int]


class ReleaseOwners(Table):
    """A set of owners by its digest: who is in a slice."""

    __tablename__ = "release_owners"
    digest: Mapped[str] = mapped_column(primary_key=True)
    owners: Mapped[list[str]]


class ReleaseSlice(Table):
    """One noisy table of one stretch of time: 64-bit little-endian integers in C order. Never drawn twice."""

    __tablename__ = "release_slice"
    plan: Mapped[str] = mapped_column(ForeignKey("release_plan.id"), primary_key=True)
    owners: Mapped[str] = mapped_column(ForeignKey("release_owners.digest"), primary_key=True)
    levels: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tier: Mapped[str] = mapped_column(primary_key=True)
    scale: Mapped[str]
    body: Mapped[bytes]
    drawn: Mapped[int]


class ReleaseSeat(Table):
    """Which set of owners stood behind a reader's release when a day closed, and at which tier it is served."""

    __tablename__ = "release_seat"
    plan: Mapped[str] = mapped_column(ForeignKey("release_plan.id"), primary_key=True)
    reader: Mapped[str] = mapped_column(primary_key=True, index=True)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    owners: Mapped[str] = mapped_column(ForeignKey("release_owners.digest"))
    tier: Mapped[str]


class ReleaseWeek(Table):
    """An exact cube of one closed week for one reader; all readers of a week have the same set of owners."""

    __tablename__ = "release_week"
    plan: Mapped[str] = mapped_column(ForeignKey("release_plan.id"), primary_key=True)
    week: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reader: Mapped[str] = mapped_column(primary_key=True, index=True)
    owners: Mapped[str] = mapped_column(ForeignKey("release_owners.digest"))
    body: Mapped[bytes]
