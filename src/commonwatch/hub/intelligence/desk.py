"""Partners' intelligence as people of an organisation give it and look after it. Implements `web.ports.Given`.

Rules held here: whatever is given is its receiver's, under the marking it carries; only an organisation's
administrators give by hand; the log says that something was given, by whom and how much, never what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from commonwatch.errors import Conflict, NotFound, NotPermitted
from commonwatch.events.labels import Tlp
from commonwatch.govern.answer.asking import instant_text
from commonwatch.hub.intelligence.table import Intelligence, Source, tlp_of
from commonwatch.ingest.intel import read_intelligence
from commonwatch.web.ports import GivenBy, Principal, TakenIn

Note = Callable[[Principal, str, dict[str, Any]], None]


class Desk:
    """The port. `changed` is told after something was kept."""

    def __init__(self, table: Intelligence, now: Callable[[], int], note: Note, changed: Callable[[], None]) -> None:
        self._table, self._now, self._note, self._changed = table, now, note, changed

    def take(self, principal: Principal, body: bytes, name: str, tlp: str) -> TakenIn:
        """Keep what a document gives under a source of this name. Raises NotPermitted, Conflict, InvalidInput."""
        if not principal.admin and principal.kind == "person":
            raise NotPermitted("only an administrator of your organisation gives intelligence", todo="ask one")
        source, given = self._source(principal.reader.org, name, tlp_of(tlp)), read_intelligence(body)
        taken = self._table.take(source, given, self._now())
        self._table.went(source, self._now())
        detail = {"kept": taken.kept, "withdrawn": taken.withdrawn, "refused": sum(taken.refused.values())}
        self._note(principal, "intelligence-given", detail)
        self._changed()
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

    def sources(self, principal: Principal) -> Sequence[GivenBy]:
        """The organisation's sources; credentials and addresses are not shown."""
        now = self._now()
        return [
            GivenBy(
                name=s.name, kind=s.kind, tlp=Tlp(s.tlp).word, weight=s.weight,
                values=self._table.count(s.org, s.name, now), last_ok=instant_text(s.last_ok) if s.last_ok else "",
                error=s.error, refused=msgspec.json.decode(s.refused, type=dict[str, int]),
            )
            for s in self._table.sources(principal.reader.org)
        ]  # fmt: skip
