"""Gateways: enrolment, batches, streams, status. Ports only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import msgspec

from commonwatch.web.ports.people import Principal


class GatewayInfo(msgspec.Struct, frozen=True):
    """A gateway as its organisation (and its operator) sees it."""

    id: str
    org: str
    name: str
    enrolled: int
    last_seen: int | None
    connected: bool
    status: dict[str, Any]


class Gateways(Protocol):
    """Gateways: enrolment, signed requests, batches, the held-open stream, status."""

    def enrol(self, body: bytes) -> bytes: ...
    def authenticate(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Principal: ...
    def accept(self, body: bytes) -> bytes: ...
    def stream(self, principal: Principal, last_snapshot: int, checkpoint: int) -> AsyncIterator[bytes]: ...
    def heartbeat(self, principal: Principal, body: bytes) -> None: ...
    def state(self, principal: Principal, body: bytes) -> None: ...
    def visible(self, principal: Principal) -> Sequence[GatewayInfo]: ...
