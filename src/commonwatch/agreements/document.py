"""The documents: agreement, charter, community charter. One closed, typed vocabulary for JSON, YAML, schema and text.

Rules held here (`agreements.md` 4, 5, 9): whatever opens is required and has no default; whatever narrows may be
absent; in a limit everything may be absent and absent means everything. Rows of a share and rows of a limit are
different types. Sets are kept in one order, so equal documents have equal bytes. Hours, not days: one spelling per
fact. What types cannot say is checked by `check.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import force_setattr

from commonwatch.agreements.lattice import Point, parse_point, points
from commonwatch.agreements.reader import PURPOSES, ROLES, Purpose, Role
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName
from commonwatch.events.labels import CLASS_WORDS

_END = r"(?![\s\S])"
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{1,62}" + _END)]
Thumbprint = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}" + _END)]
#: Stands where the key of a party is not known yet: no key has this thumbprint, and `check` refuses it.
BLANK_KEY = "_" * 43
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + _END)]
#: A line of plain text for people: no quotes, brackets, line breaks or blanks at its ends.
_INK, _TEXT = r'[^\s"\[\]\x00-\x1f\x7f]', r'[^"\[\]\x00-\x1f\x7f\u0085\u2028\u2029]'
Line = Annotated[str, Meta(pattern=f"^{_INK}({_TEXT}{{0,198}}{_INK})?" + _END)]
Hours = Annotated[int, Meta(ge=0, le=876_000)]
Positive = Annotated[int, Meta(ge=1, le=876_000)]
Group = Annotated[int, Meta(ge=2, le=1_000_000)]
Budget = Annotated[float, Meta(ge=0.001, le=1_000)]
Version = Annotated[int, Meta(ge=1, le=1_000_000)]
ClassWord = Literal[
    "malware", "intrusion", "firewall", "web", "integrity", "log", "application", "system", "dns", "flow", "auth",
    "mail", "vulnerability", "match",
]  # fmt: skip
TlpWord = Literal["clear", "green", "amber", "amber+strict", "red"]
SeverityWord = Literal["informational", "low", "medium", "high", "critical", "fatal"]
Measure = Literal["onsets", "contributors", "events", "sources", "destinations"]
MEASURES: tuple[Measure, ...] = ("onsets", "contributors", "events", "sources", "destinations")
PartyRole = Literal["owner", "operator", "member"]
T = TypeVar("T", bound=str)


def _ordered(values: Iterable[T], order: Sequence[str] | None = None) -> tuple[T, ...]:
    """A set in its one order; ValueError on a repeated value (msgspec turns it into an error with a path)."""
    found = tuple(values)
    if len(set(found)) != len(found):
        raise ValueError("a value is listed twice")
    return tuple(sorted(found, key=order.index if order else None))


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Settings shared by every part of a document: closed, immutable, defaults not written."""

    def order(self, name: str, order: Sequence[str] | None = None) -> None:
        """Bring the set `name` into its one order."""
        force_setattr(self, name, _ordered(getattr(self, name), order))


class To(Model, frozen=True):
    """Organisations, communities, roles: any of them. Empty is nobody."""

    organisations: tuple[Slug, ...] = ()
    communities: tuple[Slug, ...] = ()
    roles: tuple[Role, ...] = ()

    def __post_init__(self) -> None:
        self.order("organisations")
        self.order("communities")
        self.order("roles", ROLES)

    @property
    def empty(self) -> bool:
        """Whether it names nobody."""
        return not (self.organisations or self.communities or self.roles)


class ShareRows(Model, frozen=True):
    """Which rows a share or count covers. `tlp` "or lower", `severity` "or above"; ages are hours, [after, until)."""

    events: tuple[ClassWord, ...]
    tlp: TlpWord
    severity: SeverityWord | None = None
    sites: tuple[Slug, ...] = ()
    after: Hours = 0
    until: Positive | None = None

    def __post_init__(self) -> None:
        self.order("events", list(CLASS_WORDS))
        self.order("sites")


class LimitRows(Model, frozen=True):
    """Which rows a limit covers; absent is everything. `from_tlp` and `from_severity` read "or higher"."""

    events: tuple[ClassWord, ...] = ()
    from_tlp: TlpWord | None = None
    from_severity: SeverityWord | None = None
    sites: tuple[Slug, ...] = ()
    after: Hours = 0
    until: Positive | None = None

    def __post_init__(self) -> None:
        self.order("events", list(CLASS_WORDS))
        self.order("sites")


if TYPE_CHECKING:

    class Fields(msgspec.Struct, frozen=True):
        """Clause field -> named point of that field's family; one optional attribute per field."""

        def __init__(self, **levels: str) -> None: ...

    class Dimensions(msgspec.Struct, frozen=True):
        """Clause field -> named precision without tokens; one optional attribute per field."""

        def __init__(self, **steps: str) -> None: ...

else:

    def _field_struct(name: str, doc: str, names: dict[FieldName, tuple[str, ...]]) -> type:
        fields = [(field, Literal[allowed] | UnsetType, UNSET) for field, allowed in names.items()]
        namespace = {"__doc__": doc}
        return msgspec.defstruct(
            name, fields, frozen=True, forbid_unknown_fields=True, kw_only=True, module=__name__, namespace=namespace
        )

    Fields = _field_struct(
        "Fields",
        "Clause field -> named point of that field's family.",
        {f.name: tuple(points(f.family)) for f in FIELDS.values()},
    )
    Dimensions = _field_struct(
        "Dimensions",
        "Clause field -> finest step allowed, a named precision.",
        {f.name: FAMILIES[f.family].precisions[1:] for f in FIELDS.values()},
    )


def named(fields: Fields | Dimensions) -> dict[FieldName, str]:
    """The fields a clause names with their points' names, in catalogue order."""
    return {f: value for f in FIELDS if isinstance(value := getattr(fields, f), str)}


@lru_cache(maxsize=65_536)
def levels(fields: Fields) -> dict[FieldName, Point]:
    """The fields a clause names with their points, in catalogue order. Do not change the dict: it is shared."""
    return {f: parse_point(FIELDS[f].family, name) for f, name in named(fields).items()}


class Lookup(Model, frozen=True):
    """Known values of these fields may be looked up, so many a day for each reader organisation."""

    fields: tuple[FieldName, ...]
    per_day: Annotated[int, Meta(ge=1, le=1_000_000)] = 100

    def __post_init__(self) -> None:
        self.order("fields", list(FIELDS))


class Noise(Model, frozen=True):
    """Privacy spend: epsilon in each eight-week window (delta 1e-6), and over the agreement's life."""

    epsilon: Budget
    total: Budget | None = None


class Share(Model, frozen=True, tag="share", tag_field="kind"):
    """Shows single events to readers."""

    id: Slug
    to: To
    purposes: tuple[Purpose, ...]
    rows: ShareRows
    fields: Fields
    lookup: Lookup | None = None

    def __post_init__(self) -> None:
        self.order("purposes", PURPOSES)


_ONSETS: tuple[Measure, ...] = ("onsets",)


class Count(Model, frozen=True, tag="count", tag_field="kind"):
    """Permits its own cube of counts. Without noise `contributors` holds for each cell, with noise for each release."""

    id: Slug
    to: To
    purposes: tuple[Purpose, ...]
    rows: ShareRows
    by: Dimensions
    measures: tuple[Measure, ...] = _ONSETS
    contributors: Group = 5
    noise: Noise | None = None

    def __post_init__(self) -> None:
        self.order("purposes", PURPOSES)
        self.order("measures", MEASURES)
        if self.measures == _ONSETS:
            force_setattr(self, "measures", _ONSETS)


_NO_FIELDS = Fields()
_EVERYTHING = LimitRows()
_NOBODY = To()


class Limit(Model, frozen=True, tag="limit", tag_field="kind"):
    """Never more than this. Whatever is absent covers everything: rows, readers, purposes, single events and counts."""

    id: Slug
    fields: Fields = _NO_FIELDS
    rows: LimitRows = _EVERYTHING
    outside: To = _NOBODY
    purposes: tuple[Purpose, ...] = ()
    on: Literal["rows", "counts", "both"] = "both"
    contributors: Group | None = None
    noise: Noise | None = None

    def __post_init__(self) -> None:
        self.order("purposes", PURPOSES)
        for name, default in (("fields", _NO_FIELDS), ("rows", _EVERYTHING), ("outside", _NOBODY)):
            if getattr(self, name) == default:
                force_setattr(self, name, default)


Clause = Share | Count | Limit


class Duties(Model, frozen=True):
    """What every reader must do, mapped to FIRST IEP 2.0. Each default is the strictest value."""

    actions: Literal["none", "contact-first", "internal", "external-indirect", "external-direct"] = "none"
    onward: Literal["none", "same-community", "tlp"] = "none"
    attribution: Literal["must-not", "may", "must"] = "must-not"
    notify_affected: Literal["must-not", "may"] = "must-not"
    resale: Literal["must-not", "may"] = "must-not"
    encrypt: Literal["must", "may"] = "must"
    notify_owner_on_access: Literal["each", "daily", "never"] = "each"
    delete_after_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    breach_notice_hours: Annotated[int, Meta(ge=1, le=8_760)] = 24


class Signer(Model, frozen=True):
    """Who signs: organisation, its name for people, and its key's RFC 7638 thumbprint."""

    id: Slug
    name: Line
    key: Thumbprint


class Contact(Model, frozen=True):
    """Whom to turn to at a party: a name, and a line with email address, telephone number or both."""

    name: Line
    reach: Line


class Party(Signer, frozen=True):
    """A party of an agreement: its owner, its operator, or a further member, with whom to turn to there."""

    role: PartyRole
    contacts: tuple[Contact, ...] = ()


class Law(Model, frozen=True):
    """Carried, shown and signed; never interpreted."""

    purpose: Line | None = None
    basis: Line | None = None
    roles: Line | None = None
    jurisdiction: Line | None = None
    notes: Line | None = None


class Origin(Model, frozen=True):
    """The template an agreement was made from, at which level, and the clauses taken out, capped or added since."""

    template: Slug
    version: Version
    level: Annotated[int, Meta(ge=0, le=9)]
    changed: tuple[Slug, ...] = ()

    def __post_init__(self) -> None:
        self.order("changed")


_STRICTEST = Duties()


class Agreement(Model, frozen=True):
    """A Data Sharing Agreement of one owner. Valid on the days `starts` to `ends`, both included, UTC."""

    dsa: Literal["1"]
    id: Slug
    version: Version
    title: Line
    parties: tuple[Party, ...]
    starts: dt.date
    ends: dt.date
    clauses: tuple[Clause, ...]
    previous: Digest | None = None
    community: Slug | None = None
    origin: Origin | None = None
    duties: Duties = _STRICTEST
    law: Law | None = None

    def __post_init__(self) -> None:
        if self.duties == _STRICTEST:
            force_setattr(self, "duties", _STRICTEST)

    @property
    def owner(self) -> str:
        """The organisation whose events these are ("" if no party is called owner; `check` refuses that)."""
        return next((p.id for p in self.parties if p.role == "owner"), "")

    @property
    def party_ids(self) -> frozenset[str]:
        """Every organisation that signs."""
        return frozenset(p.id for p in self.parties)


class Charter(Model, frozen=True):
    """Limits only, signed by the owner alone, standing over all its agreements until replaced."""

    charter: Literal["1"]
    id: Slug
    version: Version
    title: Line
    owner: Signer
    clauses: tuple[Limit, ...]
    previous: Digest | None = None


class CommunityCharter(Model, frozen=True, rename={"charter": "community-charter"}):
    """Limits only, signed by the community's steward, over every agreement that names the community."""

    charter: Literal["1"]
    id: Slug
    version: Version
    title: Line
    community: Slug
    steward: Signer
    clauses: tuple[Limit, ...]
    previous: Digest | None = None


Document = Agreement | Charter | CommunityCharter
