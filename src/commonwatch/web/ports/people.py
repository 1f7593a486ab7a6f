"""Who asks: people, sessions, tokens, the directory, notices and notifications. Ports only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, Protocol

import msgspec

from commonwatch.agreements.reader import Purpose, Reader, Role
from commonwatch.govern.policy import OrgInfo


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


class NotificationInfo(msgspec.Struct, frozen=True):
    """What an organisation is told of. `at` is microseconds; `text` the sentence; `seen` by who asks."""

    uid: str
    at: int
    kind: str
    subject: str
    text: str
    detail: dict[str, Any]
    seen: bool = False


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


class Notices(Protocol):
    """Live notices for a browser: (event name, JSON object). Ends by itself within 1 s of losing the lease."""

    def watch(self, principal: Principal) -> AsyncIterator[tuple[str, dict[str, Any]]]: ...


class Notifications(Protocol):
    """What an organisation was told of, and which of it a person has seen."""

    def of(self, principal: Principal, *, unseen: bool = False, limit: int = 100) -> Sequence[NotificationInfo]: ...
    def unseen(self, principal: Principal) -> int: ...
    def mark_seen(self, principal: Principal, uids: Sequence[str] | None = None) -> int: ...
