"""Indicators and alerts out, partners' intelligence in. Ports only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from commonwatch.agreements.reader import Reader
from commonwatch.govern.taken import Use
from commonwatch.web.ports.people import Principal


class Intelligence(Protocol):
    """Indicators and alerts as published to this reader."""

    def indicators(self, reader: Reader, limit: int, use: Use) -> Sequence[dict[str, Any]]: ...
    def alerts(self, reader: Reader, limit: int, use: Use) -> Sequence[dict[str, Any]]: ...


class GivenBy(msgspec.Struct, frozen=True, kw_only=True):
    """A source of partners' intelligence, as the organisation it gives to sees it. Times RFC 3339, empty: never.

    `every` in seconds; `life` in days, 0: by kind; `address` and `next_at` are empty where nothing is fetched. `known`
    tells whether credentials are kept; they are never shown.
    """

    name: str
    kind: str
    address: str
    tlp: str
    weight: int
    every: int
    life: int
    community: bool
    paused: bool
    known: bool
    values: int
    last_ok: str
    next_at: str
    failures: int
    error: str
    refused: dict[str, int]


class SourcesInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The sources of an organisation, and what who asks may do: `give` documents, `manage` what is fetched."""

    may: tuple[str, ...]
    sources: tuple[GivenBy, ...]


class NewSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source to be fetched from now on. `secret` is the password, the token or the key, by `auth`."""

    name: str
    kind: Literal["taxii", "misp", "misp-feed", "list"]
    address: str
    tlp: str = "red"
    weight: int = 50
    every: int = 3_600
    life: int = 0
    community: bool = False
    auth: Literal["none", "basic", "bearer", "key"] = "none"
    user: str = ""
    secret: str = ""


class SourceChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Other settings for a source; what is left out stays."""

    address: str | None = None
    tlp: str | None = None
    weight: int | None = None
    every: int | None = None
    life: int | None = None
    community: bool | None = None
    paused: bool | None = None
    auth: Literal["none", "basic", "bearer", "key"] | None = None
    user: str = ""
    secret: str = ""


class TakenIn(msgspec.Struct, frozen=True):
    """What came of a partner's document: values kept, values withdrawn, and refusals by reason."""

    kept: int
    withdrawn: int
    refused: dict[str, int]


class Given(Protocol):
    """Partners' intelligence, given to an organisation by documents or fetched for it."""

    def take(self, principal: Principal, body: bytes, name: str, tlp: str) -> TakenIn: ...
    def sources(self, principal: Principal) -> SourcesInfo: ...
    def add(self, principal: Principal, asked: NewSource) -> GivenBy: ...
    def change(self, principal: Principal, name: str, asked: SourceChange) -> GivenBy: ...
    def fetch(self, principal: Principal, name: str) -> GivenBy: ...
    def remove(self, principal: Principal, name: str) -> None: ...
