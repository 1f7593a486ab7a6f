"""Partners' intelligence as people of an organisation give it and look after it. Implements `web.ports.Given`.

Rules held here: whatever is given is its receiver's, under the marking it carries; only an organisation's
administrators give by hand; what is fetched is looked after by administrators of providers, CERTs, ISPs and stewards,
and by the hub's own; an address set here lies outside the hub's network; the log says that something was given, by whom
and how much, never what; a secret goes in and never comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from commonwatch.errors import Conflict, InvalidInput, NotFound, NotPermitted
from commonwatch.events.labels import Tlp
from commonwatch.govern.answer.asking import instant_text
from commonwatch.hub.intelligence.asking import Auth, check_address
from commonwatch.hub.intelligence.table import Intelligence, Source, tlp_of
from commonwatch.ingest.intel import read_intelligence
from commonwatch.web.ports import GivenBy, NewSource, Principal, SourceChange, SourcesInfo, TakenIn

Note = Callable[[Principal, str, dict[str, Any]], None]
#: Sources of one organisation; seconds between two fetches from here at least.
MOST_SOURCES, SHORTEST = 50, 300
_PROVIDERS = frozenset({"mssp", "cert", "isp"})


class Around(NamedTuple):
    """What the desk needs of the hub. `changed` is told after something was kept, `asked` when there is to fetch."""

    now: Callable[[], int]
    note: Note
    changed: Callable[[], None]
    asked: Callable[[], None]
    seal: Callable[[Auth], bytes]
    is_steward: Callable[[str], bool]


class Desk:
    """The port."""

    def __init__(self, table: Intelligence, around: Around) -> None:
        self._table, self._hub = table, around

    def take(self, principal: Principal, body: bytes, name: str, tlp: str) -> TakenIn:
        """Keep what a document gives under a source of this name. Raises NotPermitted, Conflict, InvalidInput."""
        if not principal.admin and principal.kind == "person":
            raise NotPermitted("only an administrator of your organisation gives intelligence", todo="ask one")
        source, given = self._source(principal.reader.org, name, tlp_of(tlp)), read_intelligence(body)
        taken = self._table.take(source, given, self._hub.now())
        self._table.went(source, self._hub.now())
        detail = {"kept": taken.kept, "withdrawn": taken.withdrawn, "refused": sum(taken.refused.values())}
        self._hub.note(principal, "intelligence-given", detail)
        self._hub.changed()
        return TakenIn(taken.kept, taken.withdrawn, taken.refused)

    def _source(self, org: str, name: str, tlp: int) -> Source:
        try:
            found = self._table.source(org, name)
        except NotFound:
            self._table.add(Source(org=org, name=name, kind="upload", tlp=tlp))
            return self._table.source(org, name)
        if found.kind != "upload":
            raise Conflict("this source is fetched, not given by hand", where="source", todo="choose another name")
        return msgspec.structs.replace(found, tlp=tlp)

    def sources(self, principal: Principal) -> SourcesInfo:
        """The organisation's sources; credentials are not shown, addresses only to who may manage them."""
        found = tuple(self._shown(principal, s) for s in self._table.sources(principal.reader.org))
        give = principal.admin or principal.kind != "person"
        may = (*(["give"] if give else []), *(["manage"] if self._manages(principal) else []))
        return SourcesInfo(may=may, sources=found)

    def add(self, principal: Principal, asked: NewSource) -> GivenBy:
        """One more source. Raises NotPermitted, Conflict, InvalidInput."""
        self._check(principal)
        org = principal.reader.org
        if len(self._table.sources(org)) >= MOST_SOURCES:
            raise Conflict(f"an organisation has at most {MOST_SOURCES} sources", todo="remove one first")
        check_address(asked.address, inside=False)
        made = Source(
            org=org, name=asked.name.strip(), kind=asked.kind, url=asked.address, weight=asked.weight,
            tlp=tlp_of(asked.tlp), community=asked.community, every=_often(asked.every), life=asked.life,
            auth=self._auth(asked.auth, asked.user, asked.secret),
        )  # fmt: skip
        self._table.add(made)
        self._hub.note(principal, "source-added", {"source": made.name, "kind": made.kind})
        self._hub.asked()
        return self._shown(principal, self._table.source(org, made.name))

    def change(self, principal: Principal, name: str, asked: SourceChange) -> GivenBy:
        """Other settings for a source. Raises NotPermitted, NotFound, InvalidInput."""
        self._check(principal)
        source = self._table.source(principal.reader.org, name)
        wanted: dict[str, Any] = {k: getattr(asked, k) for k in ("weight", "life", "community", "paused")}
        wanted |= {"tlp": None if asked.tlp is None else tlp_of(asked.tlp)}
        wanted |= {"every": None if asked.every is None else _often(asked.every)}
        wanted |= self._moved(source, asked.address)
        if asked.auth is not None:
            wanted["auth"] = self._auth(asked.auth, asked.user, asked.secret)
        given = {k: v for k, v in wanted.items() if v is not None}
        self._table.change(msgspec.structs.replace(source, next_at=0, **given))
        self._hub.note(principal, "source-changed", {"source": name, "what": sorted(given)})
        self._hub.asked()
        self._hub.changed()
        return self._shown(principal, self._table.source(source.org, name))

    def fetch(self, principal: Principal, name: str) -> GivenBy:
        """Fetch soon. Raises NotPermitted, NotFound, Conflict."""
        self._check(principal)
        source = self._table.source(principal.reader.org, name)
        if source.kind == "upload" or source.paused:
            raise Conflict("nothing is fetched from this source", where="name", todo="resume it, or give documents")
        self._table.change(msgspec.structs.replace(source, next_at=0))
        self._hub.asked()
        return self._shown(principal, self._table.source(source.org, name))

    def remove(self, principal: Principal, name: str) -> None:
        """Forget a source and what it gave. Raises NotPermitted, NotFound."""
        if not self._manages(principal):
            given = self._table.source(principal.reader.org, name).kind == "upload"
            if not (given and principal.admin and principal.kind == "person"):
                self._check(principal)
        self._table.remove(principal.reader.org, name)
        self._hub.note(principal, "source-removed", {"source": name})
        self._hub.changed()

    def _manages(self, principal: Principal) -> bool:
        provides = bool(_PROVIDERS & set(principal.reader.roles)) or self._hub.is_steward(principal.reader.org)
        return principal.kind == "person" and (principal.operator or (principal.admin and provides))

    def _check(self, principal: Principal) -> None:
        if not self._manages(principal):
            what = "sources are looked after by administrators of providers, CERTs, ISPs and stewards"
            raise NotPermitted(what, todo="ask one, or give the document itself")

    def _moved(self, source: Source, address: str | None) -> dict[str, Any]:
        """A new address; credentials are for the server they were given for."""
        if address is None or address == source.url:
            return {}
        if source.kind == "upload":
            raise InvalidInput("this source is not fetched", where="address", todo="add another source")
        check_address(address, inside=False)
        return {"url": address, "inside": False, "auth": b""}

    def _auth(self, auth: str, user: str, secret: str) -> bytes:
        """Credentials as they are kept. Raises InvalidInput."""
        if auth == "none":
            return b""
        if not secret or (auth == "basic" and not user):
            raise InvalidInput("credentials are not complete", where="secret", todo="give user and secret")
        if any(not c.isprintable() for c in user + secret):
            raise InvalidInput("credentials have a line break or other control character", where="secret", todo="check")
        kinds = {"basic": Auth(user=user, password=secret), "bearer": Auth(bearer=secret), "key": Auth(key=secret)}
        return self._hub.seal(kinds[auth])

    def _shown(self, principal: Principal, s: Source) -> GivenBy:
        return GivenBy(
            name=s.name, kind=s.kind, address=s.url if self._manages(principal) else "", tlp=Tlp(s.tlp).word,
            weight=s.weight, every=s.every, life=s.life, community=s.community, paused=s.paused, known=bool(s.auth),
            values=self._table.count(s.org, s.name, self._hub.now()), last_ok=_instant(s.last_ok),
            next_at=_instant(s.next_at) if s.kind != "upload" and not s.paused else "", failures=s.failures,
            error=s.error, refused=msgspec.json.decode(s.refused, type=dict[str, int]),
        )  # fmt: skip


def _often(every: int) -> int:
    if every < SHORTEST:
        raise InvalidInput(f"ask at most every {SHORTEST} seconds", where="every", todo="choose a longer time")
    return every


def _instant(at: int) -> str:
    return instant_text(at) if at else ""
