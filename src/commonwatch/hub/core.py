"""The hub's parts, put together: everything behind HTTP except govern, share and the event store themselves.

Rules: the audit log never falls behind silently: what waits in the outbox is delivered after every change and at start;
a metadata database older than the audit log (a restored backup) is refused, since it would revive what was revoked.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.audit.log import AuditLog
from commonwatch.errors import Conflict, Unavailable
from commonwatch.govern.changes import Scope, between
from commonwatch.govern.policy import PolicyView
from commonwatch.hub.accounts import Accounts
from commonwatch.hub.gateways import Enrolments, Gateways
from commonwatch.hub.intake import Append, Intake
from commonwatch.hub.life.drafts import Drafts
from commonwatch.hub.life.keys import SigningKeys
from commonwatch.hub.life.lives import Lives
from commonwatch.hub.life.milestones import Milestones
from commonwatch.hub.life.offers import Offers
from commonwatch.hub.live.leases import Leases
from commonwatch.hub.members import Members
from commonwatch.hub.meta import epoch as epochs
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.keys import KeyFile
from commonwatch.hub.meta.migrate import migrate
from commonwatch.hub.meta.outbox import Drain
from commonwatch.hub.notices import Notices
from commonwatch.hub.notifications import Notifications
from commonwatch.hub.push import Broadcaster
from commonwatch.hub.registry.documents import Documents
from commonwatch.hub.registry.live import Policy
from commonwatch.hub.registry.parties import Parties
from commonwatch.hub.registry.snapshots import Snapshots
from commonwatch.hub.settings import Settings
from commonwatch.hub.stream import Downlink
from commonwatch.hub.templates.shelf import Shelf

log = logging.getLogger("commonwatch.hub")
DRAIN = 0.25
#: How many of the newest log entries are looked through for the policy epoch.
LOOK_BACK = 5_000


class Office:
    """What the command line needs: the metadata alone, without log, store or streams."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings, self.clock = settings, clock or Clock()
        self.database = Database(settings.database_url)
        migrate(self.database, settings.backups)
        with self.database.write() as session:
            self.clock.raise_to(epochs.found(session).clock)
        self.keys = KeyFile(settings.data)
        self.members = Members(self.database, self.keys, self.clock)
        self.policy = Policy(self.database, self.clock)
        self.documents = Documents(self.database, self.keys, self.clock, self.policy)
        self.accounts = Accounts(self.database, self.clock, settings)
        self.enrolments = Enrolments(self.database, self.keys, self.clock, self.members)
        self.notifications = Notifications(self.database, self.clock)
        self.drafts = Drafts(self.database, self.clock)
        self.templates = Shelf(self.database, self.clock, self.policy)
        self.offers = Offers(self.documents)
        self.lives = Lives(self.documents, self.offers)
        self.signing_keys = SigningKeys(self.documents, self.members)
        self.milestones = Milestones(self.documents)

    def close(self) -> None:
        """Close the files."""
        self.policy.close()
        self.database.close()
        self.keys.close()


class Core(Office):
    """A hub that serves. `append` is the event store's; `watermark` tells up to when events are readable."""

    def __init__(
        self, settings: Settings, append: Append, audit: AuditLog | None = None,
        watermark: Callable[[], str] = lambda: "", clock: Clock | None = None,
    ) -> None:  # fmt: skip
        super().__init__(settings, clock)
        self.audit = audit
        if audit is not None:
            refuse_old(audit, self.policy)
        self.push = Broadcaster()
        self.drain = Drain(self.database, audit.append_many if audit is not None else len)
        self.snapshots = Snapshots(self.database, self.keys, self.clock, self.policy)
        self.leases = Leases(self.policy, self.accounts)
        self.downlink = Downlink(self.push, self.policy, self.snapshots, audit, self.clock, self.leases)
        self.intake = Intake(self.database, self.clock, append)
        self.watermark = watermark
        self._shown = ""
        self.agreements = Parties(self.documents, self.policy, self.members)
        self.gateways = Gateways(
            self.database,
            self.clock,
            self.enrolments,
            self.intake,
            self.downlink,
            self.agreements.operated,
            self.documents,
        )
        self.notices = Notices(self.push, self.leases, self.policy, watermark)
        self.touched: list[Callable[[Scope], None]] = [self.leases.changed]
        self._before: PolicyView | None = None
        self._rising = threading.Lock()
        self.policy.listen(self._rose)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def open(
        cls, settings: Settings, append: Append, audit: AuditLog | None = None,
        watermark: Callable[[], str] = lambda: "",
    ) -> Core:  # fmt: skip
        """A hub on this folder; call `start` to let it watch and deliver by itself."""
        return cls(settings, append, audit, watermark)

    def start(self) -> None:
        """Deliver what waits, then watch for changes by others and by the clock."""
        self._before = self.policy.view()
        self.drain.run()
        self.policy.start()
        self._thread = threading.Thread(target=self._deliver, name="outbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, deliver what waits, close the files. The log and the store belong to whoever opened them."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)
        with contextlib.suppress(Unavailable):
            self.drain.run()
        super().close()

    def _deliver(self) -> None:
        while not self._stop.wait(DRAIN):
            try:
                self.drain.run()
                self.notifications.tell(self.push.notified)
            except Unavailable:
                log.warning("the outbox or notifications cannot be delivered; it will be tried again")
            self._tell_watermark()

    def _tell_watermark(self) -> None:
        """Tell listeners that new events are readable: once for many batches."""
        try:
            watermark = self.watermark()
        except Unavailable:
            return
        if watermark != self._shown:
            self._shown = watermark
            self.push.watermark(watermark)

    def _rose(self, epoch: int) -> None:
        """The policy changed: first to whom it matters, then to everybody."""
        with self._rising:
            try:
                view = self.policy.view()
            except Unavailable:
                return  # every stream ends for want of a policy
            before, self._before = self._before or view, view
            scope = between(before, view)
        for heard in self.touched:
            heard(scope)
        self.push.epoch(epoch, scope.owners)


def audit_key(settings: Settings) -> Ed25519PrivateKey:
    """The key that signs checkpoints; made when there is none yet."""
    keys = KeyFile(settings.data)
    try:
        return Ed25519PrivateKey.from_private_bytes(keys.ensure("audit", "hub"))
    finally:
        keys.close()


class _Seen(msgspec.Struct):
    detail: dict[str, object] = {}


def refuse_old(audit: AuditLog, policy: Policy) -> None:
    """Refuse to serve when the log knows a later policy epoch than the database: it came from an old backup."""
    epoch = policy.view().epoch
    for number in range(len(audit) - 1, max(-1, len(audit) - 1 - LOOK_BACK), -1):
        logged = msgspec.json.decode(audit.entry(number), type=_Seen).detail.get("epoch")
        if isinstance(logged, int) and logged > epoch:
            todo = "restore a newer backup of the metadata, or run: commonwatch hub recover"
            raise Conflict("the metadata database is older than the audit log", where=f"entry {number}", todo=todo)
