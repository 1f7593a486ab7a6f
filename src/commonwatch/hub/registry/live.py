"""The live policy: what govern asks for at every request. Implements `PolicySource`.

Rules: an answer is at most a tenth of a second older than the database (a change made in this process is seen at once);
a database that does not answer makes `view()` raise Unavailable and `alive()` false at once, and within 0.5 s where it
hangs; agreements that start or end by the clock raise the epoch like any other change; time never runs backwards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from commonwatch.errors import Unavailable
from commonwatch.govern.policy import PolicyView
from commonwatch.hub.meta import epoch as epochs
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.registry.resolve import Resolved, Resolver

#: Seconds: how old an answer may be, how often the watcher looks, how old a sign of life may be.
FRESH, WATCH, ALIVE = 0.1, 0.15, 0.5
#: The largest time seen is kept in the database at least this often (microseconds).
KEEP_CLOCK = 5 * MICROS
Heard = Callable[[int], None]


class Policy:
    """The port, and the watcher that notices changes made elsewhere. Thread-safe."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock
        self._resolver = Resolver()
        self._resolved: Resolved | None = None
        self._view: PolicyView | None = None
        self._looked, self._answered = -1e9, -1e9
        self._kept, self._written = 0, -1
        self._told = 0
        self._lock, self._telling = threading.RLock(), threading.RLock()
        self._listeners: list[Heard] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def view(self) -> PolicyView:
        """The policy as it stands. Raises Unavailable when that is not known."""
        with self._lock:
            self._look(FRESH)
            now = self.clock.now()
            if self._resolved is not None and now >= self._resolved.changes:
                self._look(0)
            if self._view is None:
                raise Unavailable("the policy is not known", todo="see that the metadata database runs")
            return msgspec.structs.replace(self._view, now=self.clock.now())

    def confirm(self) -> bool:
        """Ask now whether the policy answers. May block; for a busy machine on which the watcher came late."""
        try:
            self.view()
        except Unavailable:
            return False
        return True

    def alive(self) -> bool:
        """Whether the policy answered lately. Never blocks while the watcher runs."""
        if self._thread is None:
            return self.confirm()
        return time.monotonic() - self._answered < ALIVE

    def epoch(self) -> int:
        """The epoch last seen; 0 before the first."""
        view = self._view
        return view.epoch if view is not None else 0

    def resolved(self) -> Resolved:
        """The documents behind the view, with their states. Raises Unavailable."""
        with self._lock:
            self.view()
            if self._resolved is None:
                raise Unavailable("the policy is not known", todo="see that the metadata database runs")
            return self._resolved

    def changed(self) -> None:
        """A change was made in this process: look now, and tell everybody."""
        with self._lock:
            self._look(0)
        self._tell()

    def listen(self, heard: Heard) -> None:
        """Call `heard(epoch)` after every rise, from whatever thread noticed it."""
        self._listeners.append(heard)

    def start(self) -> None:
        """Watch for changes made by other processes and by the clock."""
        if self._thread is None:
            self._told = max(self._told, self.epoch())
            self._thread = threading.Thread(target=self._watch, name="policy-watch", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def _watch(self) -> None:
        while not self._stop.wait(WATCH):
            try:
                self.view()
            except Unavailable:
                continue
            self._tell()

    def _tell(self) -> None:
        """Tell of a rise, once; whoever comes while another thread tells of it waits until that is done."""
        with self._telling:
            with self._lock:
                risen, self._told = self.epoch() > self._told, max(self._told, self.epoch())
            if risen:
                for heard in list(self._listeners):
                    heard(self._told)

    def _look(self, fresh: float) -> None:
        """Read the epoch row, and the documents when it rose. Whatever fails closes."""
        written = self.database.writes
        if time.monotonic() - self._looked < fresh and written == self._written:
            return
        try:
            self.database.watch_file()
            self._read()
        except Exception:
            self._view = None
            self._looked = self._answered = -1e9
            raise
        self._looked = self._answered = time.monotonic()
        self._written = written

    def _read(self) -> None:
        with self.database.read() as session:
            epoch, clock, settled = epochs.peek(session)
            self.clock.raise_to(clock)
            now = self.clock.now()
            known, resolved = self._view, self._resolved
            if known is None or resolved is None or known.epoch != epoch or now >= resolved.changes:
                resolved = self._resolver.resolve(session, now)
        if resolved.passed > settled:
            self._settle(resolved.passed)
            return self._read()
        if resolved is not self._resolved or known is None:
            self._view = PolicyView(epoch=epoch, now=now, owners=resolved.owners, orgs=resolved.orgs)
            self._resolved = resolved
        if now - max(clock, self._kept) > KEEP_CLOCK:
            self._keep(now)
        return None

    def _settle(self, moment: int) -> None:
        """The clock passed a start or an end: a change like any other, counted once however many notice."""
        with self.database.write() as session:
            row = epochs.lock(session)
            if row.settled < moment:
                row.settled = moment
                now = self.clock.now()
                record(session, now, "hub", "policy-by-the-clock", epoch=epochs.rise(session, now))

    def _keep(self, now: int) -> None:
        with self.database.write() as session:
            row = epochs.lock(session)
            row.clock = max(row.clock, now)
        self._kept = now
