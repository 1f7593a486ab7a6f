"""Bodies of requests and answers, as typed Structs: the one source of the OpenAPI document and of strict decoding.

Unknown fields of a request are refused with a path. Answers are built from the ports' structs by `msgspec.convert`, so
a port cannot add a field to an answer by accident.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from commonwatch.agreements.reader import Purpose, Reader
from commonwatch.govern.policy import OrgInfo
from commonwatch.govern.query import Hidden
from commonwatch.web.ports import NotificationInfo

_Short = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Plain = dict[str, Any]


class OpenSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Either a setup link (and perhaps a new passphrase) or a person and their passphrase."""

    link: _Secret | None = None
    person: _Short | None = None
    passphrase: _Secret | None = None


class SwitchPurpose(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Act for this purpose from now on."""

    purpose: Purpose


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why (the others read it). `statement`: a JWS envelope signed with a key of my own; else the hub's held key."""

    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    statement: Plain | None = None


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An API token that narrows what its person may do."""

    name: _Short
    purpose: Purpose
    scopes: Annotated[tuple[_Short, ...], msgspec.Meta(min_length=1, max_length=20)]
    days: Annotated[int, msgspec.Meta(ge=1, le=3660)] = 90


class Who(msgspec.Struct, frozen=True):
    """A person (or token) by id and name."""

    id: str
    name: str


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, for which organisation and purpose."""

    person: Who
    org: OrgInfo
    purpose: Purpose
    purposes: tuple[Purpose, ...]
    epoch: int
    admin: bool
    operator: bool = False
    kind: str = "person"


class ClauseView(msgspec.Struct, frozen=True):
    """One clause in the words people signed."""

    id: str
    text: str


class BindingView(msgspec.Struct, frozen=True, kw_only=True):
    """One agreement (or charter) that binds this view."""

    id: str
    version: int
    owner: str | None
    owner_name: str | None
    title: str
    state: str
    clauses: list[ClauseView] = []


class FieldView(msgspec.Struct, frozen=True, kw_only=True):
    """The best this reader can get of one clause field, or why nothing."""

    field: str
    label: str
    granted: str | None = None
    uniform: bool = True
    withheld: Hidden | None = None


class DimView(msgspec.Struct, frozen=True):
    """A dimension to filter, rank and cube by."""

    key: str
    label: str
    kind: str
    many: bool


class View(msgspec.Struct, frozen=True, kw_only=True):
    """As whom one looks, and bound by what."""

    reader: Reader
    epoch: int
    watermark: str
    agreements: list[BindingView]
    fields: list[FieldView]
    dims: list[DimView] = []


class ReleaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A release this reader may open."""

    id: str
    kind: str
    window: Plain
    bin: str | None
    cells: int
    bytes: int
    dims: list[Any]
    measures: list[Any]
    good_until: str | int | None
    about: Plain | None = None


class Releases(msgspec.Struct, frozen=True):
    """Every release this reader may open."""

    releases: list[ReleaseView]


class AgreementView(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement as a party sees it; document, envelope and statements only where one is asked for."""

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
    document: Any = msgspec.UNSET
    envelope: Any = msgspec.UNSET
    statements: Any = msgspec.UNSET


class SaveDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A document as it is, complete or not: an object, or YAML or JSON text. `shared`: with the signers it names."""

    document: dict[str, Any] | str
    shared: bool = False


class MakeOffer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to offer: a document (object, YAML or JSON text), or a draft by name (`of`: the organisation it is of)."""

    document: dict[str, Any] | str | None = None
    draft: _Short | None = None
    of: _Short | None = None


class SignPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A JWS signature made where the key is kept (`protected`, `signature`, base64url), or the `envelope` that holds it
    (as `commonwatch agreement sign --out` writes it, with one signature), or `held`: by the key this hub holds.
    """

    envelope: Plain | None = None
    protected: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    signature: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    held: bool = False


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why. The other parties read it."""

    reason: Annotated[str, msgspec.Meta(max_length=200)] = ""


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The public half of a signing key, 32 bytes in base64url.

    `statement`: a `key-change` signed with the key in force (a JWS envelope, the new public half in its `keys`). Left
    out for a first key, and where this hub holds the key in force: then the hub signs the change, once, and forgets it.
    """

    public: Annotated[str, msgspec.Meta(min_length=43, max_length=43)]
    statement: Plain | None = None


class NotificationsView(msgspec.Struct, frozen=True, kw_only=True):
    """What my organisation was told of, the newest first; `unseen` counts all that I have not seen."""

    unseen: int
    notifications: list[NotificationInfo]


class MarkSeen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """These I have seen; null is all of them."""

    uids: Annotated[list[_Short], msgspec.Meta(max_length=1000)] | None = None


class Unseen(msgspec.Struct, frozen=True):
    """How many stay unseen."""

    unseen: int


class TokenMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new token; the secret is shown this once."""

    id: str
    name: str
    purpose: Purpose
    scopes: tuple[str, ...]
    created: int
    expires: int
    secret: str


class Health(msgspec.Struct, frozen=True):
    """`ok` while the policy answers."""

    status: str
