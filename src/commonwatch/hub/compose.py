"""The hub put together: store, audit log, metadata, govern, publications, alerts, push, HTTP app. The one place.

Rules held here: `govern` alone gets the store; the HTTP app gets ports; one process serves a folder (a lock says so at
once); what was opened first is closed last.
"""

from __future__ import annotations

import fcntl
import hmac
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Litestar, Router
from sqlalchemy import select

from commonwatch.agreements.reader import Reader
from commonwatch.audit.log import AuditLog, Entry
from commonwatch.detect.explain.asking import Explainer
from commonwatch.detect.watch import Watch
from commonwatch.errors import Conflict
from commonwatch.govern.answer.asking import instant_text
from commonwatch.govern.observe import WORTH
from commonwatch.govern.service import Govern
from commonwatch.govern.taken import Use
from commonwatch.hub.accounts import reader_of
from commonwatch.hub.alerts import AlertTable, GovernedSightings, listed
from commonwatch.hub.budget.ledger import Ledger, known_to
from commonwatch.hub.core import Core, audit_key
from commonwatch.hub.intelligence.desk import Around, Desk
from commonwatch.hub.intelligence.table import Intelligence
from commonwatch.hub.jobs.decisions import Decisions
from commonwatch.hub.jobs.fetch import Fetching, sealed
from commonwatch.hub.jobs.tell import Telling
from commonwatch.hub.jobs.upkeep import Job, Upkeep
from commonwatch.hub.jobs.warn import Warn
from commonwatch.hub.keeping.retention import Retention
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.meta.models import Gateway, Organisation
from commonwatch.hub.publications import PublicationTable
from commonwatch.hub.registry.previews import Previews
from commonwatch.hub.registry.questions import Questions
from commonwatch.hub.releases.closing import Closing
from commonwatch.hub.releases.serving import Served
from commonwatch.hub.releases.shelf import Shelf as Releases
from commonwatch.hub.seen.book import Book
from commonwatch.hub.seen.duty import TellingOwners
from commonwatch.hub.seen.fold import Folding
from commonwatch.hub.seen.handing import Handing
from commonwatch.hub.seen.reading import Reading
from commonwatch.hub.seen.sheet import Sheet
from commonwatch.hub.settings import Settings
from commonwatch.hub.withdrawal.reading import Certificates
from commonwatch.hub.withdrawal.work import Withdrawing
from commonwatch.share import taxii
from commonwatch.share.publication import Publications
from commonwatch.store import Store, StoredBatch
from commonwatch.web import app as web
from commonwatch.web.auth import taxii_reader
from commonwatch.web.ports import Ports, Principal

LOCK = "serving.lock"
RETENTION = 3_600.0
CHECKPOINT, COMPACT, MILESTONES = 10.0, 300.0, 5.0
#: Seconds between two looks at what was recorded: to make it quick to read, and to tell owners that want to be told.
SPREAD, TELL = 2.0, 60.0
#: Seconds between two looks whether a day of a release is over.
CLOSE = 30.0
DAY = 86_400 * MICROS


class Hub:
    """Everything of one serving hub. `start` the threads, serve `app`, `close`."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        with ExitStack() as opened:
            opened.enter_context(_Lock(settings.data / LOCK))
            self._open(settings, clock or Clock(), opened)
            self._opened = opened.pop_all()

    def _open(self, settings: Settings, clock: Clock, opened: ExitStack) -> None:
        memory, threads = settings.store_memory, settings.store_threads
        self.store = Store.open(settings.store, memory_limit=memory, threads=threads)
        opened.callback(self.store.close)
        self.audit = opened.enter_context(AuditLog(settings.audit, audit_key(settings), settings.name, clock=clock.now))
        self.core = Core(settings, self.store.append, self.audit, self.watermark, clock)
        self.core.downlink.last_batch = self.store.last_batch
        opened.callback(self.core.close)
        self.book = Book(self.core.database)
        self.accesses = Reading(self.book, self.audit, self.core.database, self.core.leases, self.core.policy)
        decisions = Decisions(self.audit.append_many, self.core.policy.view, self._keep)
        self.core.lives.entries = self._history
        secret = _secret(self.core.keys.ensure("hub", "hub"))
        self.govern = Govern(self.store, self.core.policy, self.core.keys, decisions, secret=secret)
        self.ledger = Ledger(self.core.database, clock, known_to(self.audit))
        self.kept_releases = Releases(self.core.database)
        self.closing = Closing(self.kept_releases, self.ledger, self.govern, clock.now)
        self.served = Served(self.govern, self.kept_releases, self.ledger, decisions, clock.now)
        self._open_findings(settings, decisions, opened)

    def _open_findings(self, settings: Settings, decisions: Decisions, opened: ExitStack) -> None:
        table = PublicationTable(settings.data / "publications.sqlite")
        opened.callback(table.close)
        kept = AlertTable(settings.data / "alerts.sqlite")
        opened.callback(kept.close)
        now = self.core.clock.now
        self.intelligence = Intelligence(settings.data / "intelligence.sqlite", self._communities, self._clients)
        opened.callback(self.intelligence.close)
        self.handing = Handing(decisions, self.govern.took_in)
        self.publications_table, self.alerts_table = table, kept
        self.publications = Publications(
            table, self.govern, settings.name, clock=now, record=self.handing, partners=self.intelligence
        )
        self.watch = Watch(GovernedSightings(self.govern, self.core.policy.view), kept, now)
        self.telling = Telling(self.publications, self.core.push, self.audience, decisions, self.handing)
        self.fetching = Fetching(self.intelligence, self.core.keys, now, self.telling.wake)
        self.warning = Warn(self.watch, self.core.push, self.audience, self.handing.alert)
        self.folding = Folding(self.book, self.core.database, self.audit.append_many, now)
        self.withdrawing = Withdrawing(self.core, self.govern, self.publications, self.audit)
        self.upkeep = Upkeep(
            [
                Job("the checkpoint", CHECKPOINT, self.audit.checkpoint),
                Job("closing days of releases", CLOSE, self.closing.run),
                Job("what the clock brings", MILESTONES, self.core.milestones.turn),
                Job("the record of accesses", SPREAD, self.book.spread),
                Job("telling owners of accesses", TELL, TellingOwners(self.core.database, now).run),
                Job("folding the record", COMPACT, self.folding.run),
                Job("retention", RETENTION, Retention(self.core, self.store).run),
                Job("compaction", COMPACT, lambda: self.store.compact(now() // DAY * DAY)),
            ]
        )

    def start(self) -> None:
        """Start what the hub does by itself."""
        self.core.start()
        self._take_back()
        self.core.intake.stored = self._stored
        self.core.policy.listen(lambda _: self._wake())
        self.core.policy.listen(lambda _: self.withdrawing.wake())
        self.telling.start()
        self.withdrawing.start()
        self.warning.start()
        self.upkeep.start()
        self.fetching.start()

    def _take_back(self) -> None:
        """What a change of policy takes down, and who tells of it."""
        self.core.touched.append(self.withdrawing.rose)
        self.core.leases.ended = self.withdrawing.ended
        self.core.gateways.heard = self.withdrawing.heard
        self.core.agreements.withdrawn = self.withdrawing.brief

    def _stored(self, batch: StoredBatch) -> None:
        """What came in is looked at soon where it can make an indicator or name a family, else with the next look."""
        if not WORTH.isdisjoint(batch.columns["event_class"]):
            self.telling.wake()
        if "malware_family" in batch.columns:
            self.warning.wake()

    def _wake(self) -> None:
        """There may be something to tell and to warn of."""
        self.telling.wake()
        self.warning.wake()

    def close(self) -> None:
        """Stop the threads, then close in the reverse order of opening."""
        self.fetching.stop()
        self.telling.stop()
        self.withdrawing.stop()
        self.warning.stop()
        self.upkeep.stop()
        self._opened.close()

    def _communities(self, org: str) -> frozenset[str]:
        """The communities of an organisation that was given intelligence."""
        found = self.core.policy.view().orgs.get(org)
        return frozenset(found.communities) if found is not None else frozenset()

    def _clients(self, org: str) -> frozenset[str]:
        """Those an organisation serves: owners who name it their operator."""
        return frozenset(self.core.agreements.operated(org))

    def _history(self, principal: Principal, name: str) -> Sequence[dict[str, Any]]:
        """What the audit log says of a document. The log has what happened within a quarter of a second."""
        return AuditPort(self.audit).about(principal, name)

    def watermark(self) -> str:
        """As of when answers are, RFC 3339."""
        return instant_text(self.govern.watermark(self.core.policy.view()))

    def _keep(self, sheets: Sequence[tuple[Sheet, int]], at: int) -> None:
        """Write down what answers took in, then show it to the owners who watch."""
        self.book.keep(sheets, at)
        for sheet, leaf in sheets:
            self.accesses.kept(sheet, leaf)

    def audience(self) -> Mapping[str, Reader]:
        """Every organisation with a gateway, as the reader its gateways are."""
        with self.core.database.read() as session:
            orgs = session.scalars(select(Gateway.org).where(Gateway.active).distinct().order_by(Gateway.org))
            rows = [row for org in list(orgs) if (row := session.get(Organisation, org)) is not None]
            return {row.id: reader_of(session, row, "detect") for row in rows}

    def _around(self) -> Around:
        """What looking after partners' intelligence needs."""
        core = self.core
        return Around(
            core.clock.now, AuditPort(self.audit).note, self.telling.wake, self.fetching.wake,
            partial(sealed, core.keys), core.members.is_steward,
        )  # fmt: skip

    def app(self) -> Litestar:
        """The HTTP app of this hub."""
        url = urlsplit(self.core.settings.url)
        shared = taxii.routes(taxii_reader(self.core.accounts), self.publications)
        mount = Router("/", route_handlers=shared, opt={"open": True, "csrf": "not a browser"})
        base = f"/{url.path.strip('/')}/" if url.path.strip("/") else "/"
        return web.create(self.ports(), mounts=[mount], base=base, secure=url.scheme == "https")

    def ports(self) -> Ports:
        """What the HTTP room is given."""
        core = self.core
        return Ports(
            govern=self.govern, releases=self.served, explainer=Explainer(self.govern), accounts=core.accounts,
            agreements=core.agreements, gateways=core.gateways,
            withdrawals=Certificates(core.database, core.keys),
            notices=core.notices, notifications=core.notifications,
            accesses=self.accesses, drafts=core.drafts, templates=core.templates, offers=core.offers,
            lives=core.lives, signing_keys=core.signing_keys,
            questions=Questions(core.policy, core.templates, self.govern.sites),
            previews=Previews(self.govern, core.policy, self.publications, self.audit),
            given=Desk(self.intelligence, self._around()),
            audit=AuditPort(self.audit), intelligence=Findings(self.publications, self.watch, self.handing),
            epoch=lambda: core.policy.view().epoch, now=core.clock.now,
        )  # fmt: skip


class AuditPort:
    """The audit log as the HTTP room asks for it."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    def checkpoint(self) -> dict[str, Any]:
        """The signed head."""
        return msgspec.structs.asdict(self._audit.checkpoint())

    def entries(self, principal: Principal, start: int, limit: int) -> Sequence[dict[str, Any]]:
        """Entries that name the principal's organisation; `text` is exactly what was hashed."""
        found = self._audit.entries(principal.reader.org, start, limit)
        return [{"index": n, **msgspec.json.decode(data), "text": data.decode()} for n, data in found]

    def about(self, principal: Principal, name: str) -> Sequence[dict[str, Any]]:
        """Entries on what is called so that name the principal's organisation, oldest first."""
        word = b'"id":' + msgspec.json.encode(name)
        found = self._audit.search(principal.reader.org, word)
        read = [{"index": n, **msgspec.json.decode(data), "text": data.decode()} for n, data in found]
        return [entry for entry in read if entry.get("detail", {}).get("id") == name]

    def inclusion(self, entry: int, size: int) -> dict[str, Any]:
        """A proof that an entry is in the log."""
        return self._audit.inclusion(entry, size)

    def consistency(self, first: int, second: int) -> dict[str, Any]:
        """A proof that the log only grew."""
        return self._audit.consistency(first, second)

    def note(self, principal: Principal | None, kind: str, detail: dict[str, Any]) -> None:
        """Write an entry of the HTTP room's own."""
        org, actor = (principal.reader.org, principal.id) if principal else ("", "nobody")
        self._audit.append(Entry(kind=kind, actor=actor, org=org, detail=detail))


class Findings:
    """Indicators and alerts as the HTTP room asks for them."""

    def __init__(self, publications: Publications, watch: Watch, handing: Handing) -> None:
        self._publications, self._watch, self._handing = publications, watch, handing

    def indicators(self, reader: Reader, limit: int, use: Use) -> Sequence[dict[str, Any]]:
        """The newest indicators of this reader."""
        return self._publications.indicators(reader, limit, use)

    def alerts(self, reader: Reader, limit: int, use: Use) -> Sequence[dict[str, Any]]:
        """The alerts of this reader, live ones first; recorded for the members behind them."""
        found = self._watch.alerts(reader, limit)
        self._handing.alerts(reader, use, found)
        return [listed(alert) for alert in found]


class _Lock:
    """One process serves a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def __enter__(self) -> None:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            todo = "stop the other one first, or give this one a folder of its own with --data"
            raise Conflict("another hub serves this folder", where=str(self._path.parent), todo=todo) from None

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def _secret(seed: bytes) -> bytes:
    """From which row references and paging tokens derive; the same after a restart."""
    return hmac.digest(seed, b"commonwatch govern references 1", "sha256")
