"""The ports of the HTTP room in memory: two organisations, a few people, one release, one agreement."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import Any

from commonwatch.agreements.impact.questions import WhoSees
from commonwatch.agreements.reader import PURPOSES, Purpose, Reader
from commonwatch.errors import Gone, NotAuthenticated, NotFound, NotPermitted, Unavailable
from commonwatch.govern.policy import OrgInfo
from commonwatch.govern.preview.shapes import OwnRows, Preview
from commonwatch.govern.query import Answer as Answered
from commonwatch.govern.query import ColumnInfo, Hidden, Query, Row
from commonwatch.govern.taken import Use
from commonwatch.privacy.release.cube import Answer
from commonwatch.privacy.release.saying import say
from commonwatch.web.ports import (
    AccessInfo,
    AccessPage,
    AccessSummary,
    AccessWanted,
    AgreementInfo,
    AskBox,
    AskCost,
    AskImpact,
    AskPreview,
    AskSees,
    BoxInfo,
    BudgetInfo,
    CommunityInfo,
    CostInfo,
    Directory,
    GatewayInfo,
    GivenBy,
    ImpactInfo,
    NewSource,
    NotificationInfo,
    PersonInfo,
    Ports,
    Principal,
    ServiceInfo,
    SessionInfo,
    SourceChange,
    SourcesInfo,
    TakenIn,
    TokenInfo,
    WhatSees,
)

BODY = bytes(range(256)) * 40


def person(name: str, org: str, purpose: Purpose = "detect", *, admin: bool = False) -> Principal:
    """A person as authentication yields them."""
    reader = Reader(org, ("sme",), ("valley",), purpose)
    return Principal("person", name, name.title(), reader, admin=admin, grant=name)


class Accounts:
    """Sessions and tokens by their secrets. The link of a person is `link-NAME`."""

    def __init__(self) -> None:
        self.people_by_name = {"ann": person("ann", "alder", admin=True), "bo": person("bo", "birch")}
        self.sessions: dict[str, Principal] = {}
        self.bearers: dict[str, Principal] = {}
        self.made = 0

    def open_with_link(self, link: str, passphrase: str | None) -> SessionInfo:
        return self._open(link.removeprefix("link-"))

    def open_with_passphrase(self, person: str, passphrase: str) -> SessionInfo:
        if passphrase != "correct horse":
            raise NotAuthenticated("name or passphrase is wrong", todo="log in")
        return self._open(person)

    def _open(self, name: str) -> SessionInfo:
        if name not in self.people_by_name:
            raise NotAuthenticated("this setup link is unknown, used up or expired", todo="ask for a new one")
        self.made += 1
        secret = f"secret-{self.made}"
        self.sessions[secret] = self.people_by_name[name]
        return SessionInfo(secret, 0, self.sessions[secret])

    def session(self, secret: str) -> Principal:
        if secret not in self.sessions:
            raise NotAuthenticated("the session has ended", todo="log in")
        return self.sessions[secret]

    def switch_purpose(self, secret: str, purpose: Purpose) -> Principal:
        was = self.session(secret)
        self.sessions[secret] = person(was.id, was.reader.org, purpose, admin=was.admin)
        return self.sessions[secret]

    def close(self, secret: str) -> None:
        self.sessions.pop(secret, None)

    def purposes(self, principal: Principal) -> tuple[Purpose, ...]:
        return PURPOSES

    def bearer(self, secret: str) -> Principal:
        if secret not in self.bearers:
            raise NotAuthenticated("the token is unknown or was revoked", todo="make a new one")
        return self.bearers[secret]

    def tokens(self, principal: Principal) -> Sequence[TokenInfo]:
        return [TokenInfo(p.id, p.name, p.reader.purpose, p.scopes, 0, 1) for p in self.bearers.values()]

    def make_token(
        self, principal: Principal, name: str, purpose: Purpose, scopes: Sequence[str], days: int
    ) -> tuple[TokenInfo, str]:
        secret = f"cwt_{len(self.bearers)}"
        reader = Reader(principal.reader.org, ("sme",), (), purpose)
        self.bearers[secret] = Principal("token", secret[4:], name, reader, scopes=tuple(scopes))
        return TokenInfo(secret[4:], name, purpose, tuple(scopes), 0, days), secret

    def drop_token(self, principal: Principal, token: str) -> None:
        if self.bearers.pop(f"cwt_{token}", None) is None:
            raise NotFound("no such token")

    def people(self, principal: Principal) -> Sequence[PersonInfo]:
        mine = [p for p in self.people_by_name.values() if p.reader.org == principal.reader.org]
        return [PersonInfo(p.id, p.name, p.reader.org, PURPOSES, p.admin) for p in mine]

    def directory(self, principal: Principal) -> Directory:
        services = (ServiceInfo("birch", "Birch", ("mssp",)),)
        return Directory(services=services, communities=(CommunityInfo("valley", "Valley", False),))

    def org(self, org: str) -> OrgInfo:
        return OrgInfo(org, org.title(), ("sme",), ("valley",), "Q86", "DE", "small")


class Govern:
    """Answers of fixed shape. `fail` is raised by every method; `gate` holds a question until set or cancelled."""

    def __init__(self) -> None:
        self.fail: Exception | None = None
        self.gate: threading.Event | None = None
        self.cancelled = threading.Event()
        self.asked: list[tuple[Reader, object]] = []

    def _begin(self, reader: Reader, what: object) -> None:
        self.asked.append((reader, what))
        if self.fail is not None:
            raise self.fail

    def describe(self, reader: Reader) -> Any:
        self._begin(reader, "describe")
        field = SimpleNamespace(
            field="src_ip", label="source address", granted=None, uniform=True, withheld=Hidden("not-agreed", "alder")
        )
        return SimpleNamespace(reader=reader, epoch=3, watermark="2026-11-22T00:00:00Z", agreements=[], fields=[field])

    def ask(self, reader: Reader, query: Query, *, cancel: threading.Event | None = None, use: Use = Use()) -> Answered:
        self._begin(reader, query)
        if self.gate is not None:
            while not self.gate.wait(0.01):
                if cancel is not None and cancel.is_set():
                    self.cancelled.set()
                    raise RuntimeError("interrupted")
        return Answered(
            query="q1", epoch=3, watermark="2026-11-22T00:00:00Z", org=reader.org, purpose=reader.purpose,
            columns=[ColumnInfo("src_ip", "source address", "addr", "src_ip")], rows=[Row([Hidden("not-agreed")])],
        )  # fmt: skip

    def releases(self, reader: Reader, *, use: Use = Use()) -> Sequence[Any]:
        self._begin(reader, "releases")
        return [
            SimpleNamespace(
                id=f"r-{reader.org}", kind="exact", window={"from": "a", "to": "b"}, bin="1h", cells=3, bytes=len(BODY),
                dims=["t"], measures=["events"], good_until=None,
            )
        ]  # fmt: skip

    def release(self, reader: Reader, release: str, *, cancel: threading.Event | None = None, use: Use = Use()) -> Any:
        self._begin(reader, release)
        if release == f"old-{reader.org}":
            raise Gone("this release was replaced", current=f"r-{reader.org}", todo="open the current one")
        if release != f"r-{reader.org}":
            raise NotFound("no such release", todo="look at /api/releases")
        return SimpleNamespace(id=release, body=BODY)


class Releases:
    """The releases of `Govern`, one question and one account of fixed shape."""

    def __init__(self, govern: Any) -> None:
        self._govern = govern

    def releases(self, reader: Reader, *, use: Use = Use()) -> Sequence[Any]:
        return list(self._govern.releases(reader, use=use))

    def release(
        self, reader: Reader, release: str, *, version: int | None = None, cancel: threading.Event | None = None,
        use: Use = Use(),
    ) -> Any:  # fmt: skip
        return self._govern.release(reader, release, cancel=cancel, use=use)

    def box(self, reader: Reader, release: str, asked: AskBox, *, use: Use = Use()) -> BoxInfo:
        self._govern.release(reader, release, use=use)
        total = say("in all", Answer(12.0, 3.0, 0.0))
        return BoxInfo(release=release, version=7, measure="new families", by=asked.by, total=total, rows=[])

    def cost(self, reader: Reader, asked: AskCost) -> CostInfo:
        raise NotFound("there is no plan for this community now", where="community")

    def budget(self, owner: str) -> BudgetInfo:
        return BudgetInfo(
            window={}, unit="", delta=1e-6, readers=[], spent=[], pooled="0", pooled_epsilon=0.0, words=owner
        )


class Withdrawals:
    def of(self, principal: Principal, agreement: str) -> list[dict[str, Any]]:
        return []


class Agreements:
    """One agreement between alder and birch."""

    def __init__(self) -> None:
        self.revoked: list[str] = []

    def of(self, principal: Principal) -> Sequence[AgreementInfo]:
        parties = ({"org": "alder"}, {"org": "birch"})
        state = "revoked" if self.revoked else "active"
        return [AgreementInfo("a1", 1, "Trial", state, "alder", parties, "2026-01-01", "", principal.admin, "English.")]

    def one(self, principal: Principal, agreement: str) -> tuple[AgreementInfo, dict[str, Any]]:
        if agreement != "a1":
            raise NotFound("no such agreement", todo="look at /api/agreements")
        return self.of(principal)[0], {"document": {"id": "a1"}, "envelope": {}, "statements": []}

    def register(self, principal: Principal, envelope: bytes) -> AgreementInfo:
        return self.of(principal)[0]

    def step(
        self, principal: Principal, agreement: str, kind: str, reason: str = "", statement: bytes | None = None
    ) -> dict[str, Any]:
        self.one(principal, agreement)
        self.revoked.append(reason)
        return {"epoch": 4, "withdrawn": {}}


class Gateways:
    """A gateway is whoever sends `CW-Gateway: gw-1`; its stream says a line each 20 ms until told to end."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.ended = False

    def enrol(self, body: bytes) -> bytes:
        return b'{"gateway":"gw-1"}'

    def authenticate(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Principal:
        self.seen.append((method, path, body))
        if headers.get("cw-gateway") != "gw-1":
            raise NotAuthenticated("the request is not signed", where="CW-Gateway", todo="sign requests")
        return Principal("gateway", "gw-1", "gw", Reader("alder", ("sme",), (), "detect"))

    def accept(self, body: bytes) -> bytes:
        return b'{"batch_uid":1,"rows":%d,"stored":0,"duplicate":false}' % len(body)

    async def stream(self, principal: Principal, last_snapshot: int, checkpoint: int) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b'{"kind":"ping","hub_time":1}\n'
                await asyncio.sleep(0.02)
        finally:
            self.ended = True

    def heartbeat(self, principal: Principal, body: bytes) -> None:
        self.seen.append(("heartbeat", principal.id, body))

    def state(self, principal: Principal, body: bytes) -> None:
        self.seen.append(("state", principal.id, body))

    def visible(self, principal: Principal) -> Sequence[GatewayInfo]:
        return [GatewayInfo("gw-1", "alder", "gw", 0, None, connected=False, status={})]


class Notices:
    """Says hello, one epoch, then waits until `lost` is set and says bye."""

    def __init__(self) -> None:
        self.lost = threading.Event()
        self.fail: Exception | None = None
        self.watched = 0

    async def watch(self, principal: Principal) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        if self.fail is not None:
            raise self.fail
        self.watched += 1
        try:
            yield "hello", {"epoch": 3, "watermark": ""}
            while not self.lost.is_set():
                await asyncio.sleep(0.01)
            yield "bye", {"reason": "session-ended"}
        finally:
            self.watched -= 1


class Notifications:
    """Nobody was told anything."""

    def of(self, principal: Principal, *, unseen: bool = False, limit: int = 100) -> Sequence[NotificationInfo]:
        return []

    def unseen(self, principal: Principal) -> int:
        return 0

    def mark_seen(self, principal: Principal, uids: Sequence[str] | None = None) -> int:
        return 0


class Previews:
    """Nobody owns anything."""

    def preview(self, principal: Principal, asked: AskPreview, cancel: threading.Event) -> Preview:
        raise NotPermitted("this draft is not yours", todo="ask its owner")

    def own_rows(self, principal: Principal, days: int) -> Sequence[OwnRows]:
        return []


class Given:
    """Nobody gave anything."""

    def take(self, principal: Principal, body: bytes, name: str, tlp: str) -> TakenIn:
        raise NotPermitted("nothing is taken in here", todo="give it to a hub")

    def sources(self, principal: Principal) -> SourcesInfo:
        return SourcesInfo(may=(), sources=())

    def add(self, principal: Principal, asked: NewSource) -> GivenBy:
        raise NotPermitted("nothing is fetched here", todo="add it to a hub")

    def change(self, principal: Principal, name: str, asked: SourceChange) -> GivenBy:
        raise NotFound("no source of that name", todo="look at the list")

    def fetch(self, principal: Principal, name: str) -> GivenBy:
        raise NotFound("no source of that name", todo="look at the list")

    def remove(self, principal: Principal, name: str) -> None:
        raise NotFound("no source of that name", todo="look at the list")


class Questions:
    """Nobody shares anything."""

    def impact(self, principal: Principal, asked: AskImpact) -> ImpactInfo:
        return ImpactInfo(newly=(), no_longer=(), newly_counted=(), no_longer_counted=(), findings=(), partial=False)

    def who_sees(self, principal: Principal, asked: AskSees) -> WhoSees:
        return WhoSees(field="src_ip", at_least=asked.at_least, readers=(), sights=())

    def what_sees(self, principal: Principal, reader: str | None, field: str | None) -> WhatSees:
        return WhatSees(reader=reader or principal.reader.org, seen=())


class Audit:
    """An empty log."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def checkpoint(self) -> dict[str, Any]:
        return {"size": 0}

    def entries(self, principal: Principal, start: int, limit: int) -> Sequence[dict[str, Any]]:
        return [{"index": start, "kind": "login"}][:limit]

    def inclusion(self, entry: int, size: int) -> dict[str, Any]:
        return {"entry": entry, "size": size, "path": []}

    def consistency(self, first: int, second: int) -> dict[str, Any]:
        return {"first": first, "second": second, "path": []}

    def note(self, principal: Principal | None, kind: str, detail: dict[str, Any]) -> None:
        self.notes.append((kind, detail))


class Intelligence:
    """One indicator for everybody."""

    def indicators(self, reader: Reader, limit: int, use: Use) -> Sequence[dict[str, Any]]:
        return [{"id": "indicator--1", "value": "203.0.113.9"}][:limit]

    def alerts(self, reader: Reader, limit: int, use: Use) -> Sequence[dict[str, Any]]:
        return []


class Accesses:
    """One access of alder; nobody else has any."""

    def page(self, principal: Principal, wanted: AccessWanted) -> AccessPage:
        mine = [ACCESS] if principal.reader.org == "alder" and not wanted.after else []
        return AccessPage(accesses=mine, clauses={}, readers={"birch": "=Birch"})

    def summary(self, principal: Principal, wanted: AccessWanted) -> AccessSummary:
        nothing: dict[str, str] = {}
        return AccessSummary(
            readers=[], agreements=[], clauses=[], surfaces=[], days=[], words=nothing, names=nothing, uses=0
        )

    def proof(self, principal: Principal, access: str, size: int = 0) -> dict[str, Any]:
        raise NotFound("no such access")

    async def watch(self, principal: Principal) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        yield "hello", {"epoch": 3}


ACCESS = AccessInfo(
    id="7-1-2", at="2026-11-22T12:00:00Z", until="2026-11-22T12:00:00Z", reader="birch", purpose="detect", by="token",
    surface="rows", clauses=("a@1#b",), fields={"time": "hour"}, count=3, unit="rows", uses=1, query="=1+1", entry=1,
)  # fmt: skip


def ports(**changed: Any) -> Ports:
    """All ports in memory."""
    made: dict[str, Any] = {
        "govern": Govern(), "explainer": None, "accounts": Accounts(), "agreements": Agreements(), "gateways": Gateways(), "withdrawals": Withdrawals(),
        "notices": Notices(), "notifications": Notifications(), "accesses": Accesses(), "drafts": None, "templates": None, "offers": None, "audit": Audit(), "intelligence": Intelligence(), "epoch": lambda: 3, "now": lambda: 7,
        "lives": None, "signing_keys": None,
        "previews": Previews(), "questions": Questions(), "given": Given(),
    }  # fmt: skip
    made |= changed
    return Ports(**{"releases": Releases(made["govern"]), **made})


def unavailable() -> Callable[[], int]:
    """An epoch source that fails as the policy source does."""

    def epoch() -> int:
        raise Unavailable("the policy source does not answer", todo="try again")

    return epoch


def refused() -> NotPermitted:
    """Some refusal."""
    return NotPermitted("not yours", todo="ask")
