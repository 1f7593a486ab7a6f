"""Indicators and alerts out, partners' intelligence in. Ports only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from commonwatch.agreements.reader import Reader
from commonwatch.govern.taken import Use
from commonwatch.web.ports.people import Principal


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
