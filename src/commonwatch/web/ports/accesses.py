"""Who saw what, and the audit log behind it. Ports only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import msgspec

from commonwatch.web.ports.people import Principal


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


class Audit(Protocol):
    """The audit log as far as this organisation is concerned."""

    def checkpoint(self) -> dict[str, Any]: ...
    def entries(self, principal: Principal, start: int, limit: int) -> Sequence[dict[str, Any]]: ...
    def inclusion(self, entry: int, size: int) -> dict[str, Any]: ...
    def consistency(self, first: int, second: int) -> dict[str, Any]: ...
    def note(self, principal: Principal | None, kind: str, detail: dict[str, Any]) -> None: ...
