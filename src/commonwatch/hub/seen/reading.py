"""What owners read of the book: pages, sums, proofs, and what leaves as it leaves. Implements `web.ports.Accesses`.

Rules held here: everything is for the principal's own organisation, whatever it asks for; a clause is told in the words
that were signed; a proof comes with the checkpoint it leads to, so that both can be kept and checked elsewhere; the
live stream holds a lease like every other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import msgspec
from sqlalchemy import select

from commonwatch.agreements.document import Agreement
from commonwatch.agreements.english import say_clause
from commonwatch.agreements.signing import envelope_from, read_payload
from commonwatch.audit.log import AuditLog
from commonwatch.govern.answer.asking import instant_text
from commonwatch.hub.live.leases import Leases
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import Document, Organisation
from commonwatch.hub.push import Accessed, Broadcaster, Pulse
from commonwatch.hub.seen.book import DAY, Book, Found, Sum, Wanted
from commonwatch.hub.seen.sheet import Sheet, place
from commonwatch.web.ports import AccessInfo, AccessPage, AccessSum, AccessSummary, AccessWanted, Principal

UNITS = {"rows": "rows", "export": "rows", "indicators": "indicators", "taxii": "indicators", "gateway": "indicators",
         "alert": "alerts", "lookup": "lookups", "counted": "releases"}  # fmt: skip
#: Clause references as written, and the sentence each stands for.
Words = Callable[[Iterable[str]], dict[str, str]]


class Reading:
    """The port. `live` fans out what is kept to the owners who watch."""

    def __init__(self, book: Book, audit: AuditLog, database: Database, leases: Leases, pulse: Pulse) -> None:
        self._book, self._audit, self._database = book, audit, database
        self._leases, self._pulse, self.live = leases, pulse, Broadcaster()
        self._said: dict[tuple[str, int], dict[str, str]] = {}

    def kept(self, sheet: Sheet, leaf: int) -> None:
        """Show a sheet that was just written down to those of its owners who watch."""
        for number, entry in enumerate(sheet.entries):
            if self.live.count(entry.owner):
                found = Found(f"{entry.at}-{leaf}-{place(sheet.seed, number)}", leaf, entry)
                self.live.accessed(entry.owner, msgspec.to_builtins(info(found)))

    def page(self, principal: Principal, wanted: AccessWanted) -> AccessPage:
        """The organisation's accesses, newest first."""
        found = self._book.page(principal.reader.org, _wanted(wanted))
        infos = [info(each) for each in found]
        return AccessPage(
            accesses=infos,
            clauses=self._words({c for each in infos for c in each.clauses}),
            readers=self._names({each.reader for each in infos}),
            after=found[-1].id if len(found) == wanted.limit else None,
        )

    def summary(self, principal: Principal, wanted: AccessWanted) -> AccessSummary:
        """The same, added up."""
        sums = self._book.sums(principal.reader.org, _wanted(wanted))
        clauses = _added(sums, lambda s: s.clauses)
        return AccessSummary(
            readers=_added(sums, lambda s: [s.reader]),
            agreements=_added(sums, lambda s: {c.partition("@")[0] for c in s.clauses}),
            clauses=clauses,
            surfaces=_added(sums, lambda s: [s.surface]),
            days=sorted(_added(sums, lambda s: [instant_text(s.day * DAY)[:10]]), key=lambda s: s.key),
            words=self._words(c.key for c in clauses),
            names=self._names({s.reader for s in sums}),
            uses=sum(s.uses for s in sums),
        )

    def proof(self, principal: Principal, access: str, size: int = 0) -> dict[str, Any]:
        """That an access is bound by the audit log: the checkpoint, and a proof as `audit verify` takes it.

        `size`: prove it against an earlier checkpoint of that size instead.
        """
        found, inside = self._book.proven(principal.reader.org, access)
        head = self._audit.checkpoint()
        logged = self._audit.inclusion(found.leaf, size or head.size) | {"data": self._audit.entry(found.leaf).decode()}
        return {"checkpoint": msgspec.structs.asdict(head), "proof": logged | {"access": inside}}

    async def watch(self, principal: Principal) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Accesses as they are recorded, until the lease is lost; the last word is `bye`."""
        async with self.live.listen(principal.reader.org) as listener:
            with self._leases.hold(principal, listener, lasting=True):
                yield "hello", {"epoch": self._pulse.epoch()}
                while listener.ended is None:
                    message = await listener.next()
                    if isinstance(message, Accessed):
                        yield "access", message.access
                yield "bye", {"reason": listener.ended}

    def _words(self, refs: Iterable[str]) -> dict[str, str]:
        """The sentence of each clause, as signed; a clause whose document is gone has none."""
        found: dict[str, str] = {}
        for ref in refs:
            name, _, version = ref.partition("#")[0].partition("@")
            if (said := self._sentences(name, int(version)).get(ref.partition("#")[2])) is not None:
                found[ref] = said
        return found

    def _sentences(self, name: str, version: int) -> dict[str, str]:
        key = (name, version)
        if key not in self._said:
            which = (Document.kind == "agreement", Document.name == name, Document.version == version)
            with self._database.read() as session:
                envelope = session.scalar(select(Document.envelope).where(*which))
            document = read_payload(envelope_from(envelope)) if envelope else None
            clauses = document.clauses if isinstance(document, Agreement) else ()
            self._said[key] = {c.id: say_clause(c) for c in clauses}
        return self._said[key]

    def _names(self, orgs: set[str]) -> dict[str, str]:
        with self._database.read() as session:
            rows = session.execute(select(Organisation.id, Organisation.name).where(Organisation.id.in_(orgs)))
            return {row[0]: row[1] for row in rows}


def info(found: Found) -> AccessInfo:
    """An entry as its owner reads it."""
    e = found.entry
    return AccessInfo(
        id=found.id, at=instant_text(e.at), until=instant_text(e.until), reader=e.reader, purpose=e.purpose, by=e.by,
        surface=e.surface, clauses=e.clauses, fields=e.fields, count=e.count, unit=UNITS.get(e.surface, "events"),
        uses=e.uses, query=e.query, entry=found.leaf,
    )  # fmt: skip


def _wanted(wanted: AccessWanted) -> Wanted:
    return Wanted(**msgspec.structs.asdict(wanted))


def _added(sums: Iterable[Sum], keys: Callable[[Sum], Iterable[str]]) -> list[AccessSum]:
    """Sums by key, the most used first."""
    totals: dict[str, tuple[int, int, int]] = {}
    for each in sums:
        for key in keys(each):
            uses, count, last = totals.get(key, (0, 0, 0))
            totals[key] = uses + each.uses, count + each.amount, max(last, each.last)
    order = sorted(totals.items(), key=lambda item: (-item[1][0], item[0]))
    return [AccessSum(key=k, uses=u, count=n, last=instant_text(last)) for k, (u, n, last) in order]
