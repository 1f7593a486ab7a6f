"""A running gateway: drives the protocol core with real files, a real clock and a real hub.

Rules held here: the event loop talks, one thread reads and parses; the two share the journal and the policy only; every
action of the core is done in order; a stop at any moment is safe. What is said to the operator never quotes a record.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from commonwatch import __version__
from commonwatch.errors import CommonwatchError, Unavailable
from commonwatch.gateway import protocol as p
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.downlink.inbox import OBSERVED, Inbox
from commonwatch.gateway.downlink.policy import Policy, PolicyKeeper
from commonwatch.gateway.downlink.witness import Witness
from commonwatch.gateway.edge import edge_keys
from commonwatch.gateway.journal import Journal, Mark, Spooled
from commonwatch.gateway.keeping.originals import ORIGINALS, Originals
from commonwatch.gateway.keeping.outgoing import Outgoing
from commonwatch.gateway.keeping.replay import ASKED, DONE, Reading, replay
from commonwatch.gateway.keeping.room import Room
from commonwatch.gateway.labels import labeller_of
from commonwatch.gateway.link import Link
from commonwatch.gateway.listening.listeners import Listeners, address_of
from commonwatch.gateway.lookback import Index, Lookback
from commonwatch.gateway.reading.collect import Collector, Sealer
from commonwatch.gateway.reading.numbers import shared_key
from commonwatch.gateway.report import (
    counts_of,
    declared_mappings,
    geo_table,
    labelling_file,
    own_networks,
    status,
    summary,
)
from commonwatch.gateway.state import Settings, StateFolder
from commonwatch.ingest.source import Source
from commonwatch.wire.messages import Checkpoint, Downlink, Heartbeat, IndicatorItem, SnapshotMessage

TICK = 0.1
#: Batches looked at in the spool at a time.
WINDOW = 64
PROVEN = "proven-time"
REST_AFTER_FAULT = 2.0
#: Seconds between looks for received segments that can be deleted.
TIDY = 5.0
#: The input that is standard input.
STDIN = "-"


class Runtime:
    """One gateway over one state folder."""

    def __init__(self, folder: StateFolder, inputs: Sequence[Path], say: Callable[[str], None], *, once: bool) -> None:
        identity, settings, key = folder.identity, folder.settings(), folder.signing_key
        self._say, self._once, self._settings, self._folder = say, once, settings, folder
        self._said: dict[str, float] = {}
        self._tidied = 0.0
        self.journal = Journal(folder.path / "gateway.db")
        self._clock = Clock(floor=int(self.journal.note(PROVEN) or b"0"))
        self._keeper = PolicyKeeper(self.journal, identity, edge_keys(folder.root, identity.org), self._clock)
        self._witness = Witness(self.journal, identity.audit_key)
        shared = shared_key(folder.root, identity.org) if settings.shared else None
        self._lookback = self._make_lookback(folder, settings, shared or folder.events_key)
        self._inbox = Inbox(self.journal, folder, self._lookback)
        self._restore()
        labeller = labeller_of(labelling_file(folder, settings), self._keeper.owner_keys(), self.journal)
        self._sealer = Sealer(identity.gateway, identity.org, key, labeller.version, shared=settings.shared)
        self._room = Room(folder.path, settings.reserve_mb << 20)
        keep = settings.keep_sent_mb << 20
        self._outgoing = Outgoing(self.journal, self._keeper, self._sealer, self._clock, keep)
        own, geo, events_key = own_networks(settings), geo_table(folder, settings), folder.events_key

        mapping_for = declared_mappings(folder, settings)

        def source(mark: Mark) -> Source:
            declared = mapping_for(mark.source)
            return Source(
                id=mark.source, generation=mark.generation, key=events_key, zone=settings.zone, own=own, geo=geo,
                clock=self._clock.now, declared=declared, format="declared_rows" if declared else None,
            )  # fmt: skip

        self._reading = Reading(source, labeller, self._sealer, shared)
        most = settings.keep_originals_mb << 20
        self._originals = Originals(folder.path / ORIGINALS, folder.originals_key, most) if most else None
        self._listeners = self._listeners_of(inputs, settings)
        files = [path for path in inputs if str(path) != STDIN] + ([self._listeners.path] if self._listeners else [])
        self._collector = Collector(
            files, self.journal, sealer=self._sealer, labeller=labeller, source=source, clock=self._clock,
            originals=self._originals, lookback=self._lookback, shared=shared,
        )  # fmt: skip
        self._link = Link(identity.url, identity.gateway, key, self._clock)
        self._protocol = p.Protocol(random.random)
        self._events: asyncio.Queue[p.Event] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stream: asyncio.Task[None] | None = None
        self._stop = threading.Event()
        self._read_all = threading.Event()
        self._fault: BaseException | None = None

    async def run(self, patience: float | None = None) -> dict[str, Any]:
        """Run until stopped, or with `once` until everything is read and acknowledged; what this run did."""
        async with contextlib.AsyncExitStack() as stack:
            if self._listeners is not None:
                await stack.enter_async_context(self._listeners.running())
            if self._settings.status:
                await self._show_status(stack)
            return await self._run(patience)

    async def _show_status(self, stack: contextlib.AsyncExitStack) -> None:
        """Serve the local status page while the gateway runs."""
        from commonwatch.gateway.listening.http import serve
        from commonwatch.gateway.statuspage import page

        host, port = address_of(self._settings.status)
        try:
            listening = socket.create_server((host, port))
        except OSError as error:
            todo = "free the port, or change `status` in settings.toml"
            raise Unavailable(f"no status page: {error.strerror}", where=self._settings.status, todo=todo) from None
        stack.push_async_callback(serve(page(self._status), listening).end)
        self._say(f"status page: http://{self._settings.status}/")

    def _status(self) -> dict[str, Any]:
        intake = self._listeners.intake if self._listeners is not None else None
        return status(self._folder) | {
            "state": self._state(),
            "received": dict(intake.counts) if intake is not None else {},
        }

    async def _run(self, patience: float | None) -> dict[str, Any]:
        before, began = self.journal.counts(), self._clock.tick()
        reader = threading.Thread(target=self._collect, name="collect", daemon=True)
        reader.start()
        ticker = asyncio.create_task(self._ticks())
        ticker.add_done_callback(self._done)
        try:
            while not self._stop.is_set() and not self._finished():
                if patience is not None and self._clock.tick() - began > patience:
                    self._tell("gave up waiting: not everything was acknowledged in time; it stays in the spool")
                    break
                await self._turn()
        finally:
            self._stop.set()
            await self._end(ticker, reader)
        if self._fault is not None:
            raise self._fault
        return summary(self.journal, before, self._clock.tick() - began)

    def _make_lookback(self, folder: StateFolder, settings: Settings, key: bytes) -> Lookback | None:
        """What was seen here, with the indicators held; None where the settings want none."""
        if settings.lookback_rows <= 0:
            return None
        index = Index(folder.path / OBSERVED, rows=settings.lookback_rows, days=settings.lookback_days)
        held = (msgspec.json.decode(body, type=IndicatorItem) for body, _ in self.journal.indicators())
        return Lookback(index, key, held)

    def stop(self) -> None:
        """End the run soon; safe from any thread."""
        self._stop.set()

    def _listeners_of(self, inputs: Sequence[Path], settings: Settings) -> Listeners | None:
        """What listens, if the settings or the command line name anything that does."""
        stdin = any(str(path) == STDIN for path in inputs)
        if not stdin and not settings.listen:
            return None
        most = settings.spool_mb * 1_048_576
        return Listeners(self._folder.path, settings.listen, most, self._tell, self._room, stdin=stdin)

    def _restore(self) -> None:
        try:
            self._keeper.restore()
        except CommonwatchError as error:
            self._tell(f"the snapshot from before is not usable, waiting for a new one: {error}")

    def _finished(self) -> bool:
        return self._once and self._read_all.is_set() and self.journal.depth()[0] == 0 and not self._tasks

    async def _turn(self) -> None:
        """Handle one event, if one comes soon."""
        try:
            event = await asyncio.wait_for(self._events.get(), TICK)
        except TimeoutError:
            return
        for action in self._protocol.handle(event):
            try:
                await self._do(action)
            except (OSError, sqlite3.OperationalError) as fault:
                self._bear(fault)
                if isinstance(action, p.Deliver):
                    self._switch(p.CloseStream())  # what was told must be told again

    def _bear(self, fault: Exception) -> None:
        """A full disk is waited out: what was not written was not acknowledged and comes again. Else it is raised."""
        if not self._room.failed(fault):
            raise fault
        self._tell("THE DISK IS FULL: nothing is read until there is room; nothing is lost at this gateway")

    async def _end(self, ticker: asyncio.Task[None], reader: threading.Thread) -> None:
        tasks = [t for t in (ticker, self._stream, *self._tasks) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(reader.join, 30.0)
        try:
            await asyncio.to_thread(self._inbox.write_out)
            self.journal.remember(PROVEN, b"%d" % self._clock.floor())
        except (OSError, sqlite3.OperationalError) as fault:
            self._bear(fault)
        await self._link.close()
        self._collector.close()
        if self._originals is not None:
            self._originals.close()
        if self._lookback is not None:
            self._lookback.close()

    # Actions of the core --------------------------------------------------------------------------------------------

    async def _do(self, action: p.Action) -> None:
        match action:
            case p.SendBatch():
                self._spawn(self._send(action.batch_uid))
            case p.Acknowledge():
                await asyncio.to_thread(self._outgoing.acknowledge, action.receipt)
            case p.SetAside():
                self._tell(f"the hub refused a batch for good, it is set aside: {action.reason}")
                await asyncio.to_thread(self.journal.set_aside, action.batch_uid, action.reason, self._clock.now())
            case p.OpenStream() | p.CloseStream():
                self._switch(action)
            case p.Deliver():
                await self._deliver(action.message)
            case p.Compare():
                await self._compare(action.last)
            case p.SendHeartbeat():
                self._spawn(self._beat())
            case p.AdjustClock():
                self._clock.offset = action.offset
            case p.Report():
                self._tell(action.what)

    def _switch(self, action: p.OpenStream | p.CloseStream) -> None:
        """Ask for the stream, or give it up."""
        if isinstance(action, p.OpenStream):
            self._outgoing.asked()
            self._stream = asyncio.create_task(self._read_stream())
        elif self._stream is not None:
            self._stream.cancel()

    async def _compare(self, last: int) -> None:
        if again := await asyncio.to_thread(self._outgoing.compare, last):
            self._tell(f"the hub was restored from a backup: {again} batches it acknowledged are sent again")

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """A fault nobody expected ends the run, loudly."""
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fault = fault
            self._stop.set()

    async def _send(self, batch_uid: int) -> None:
        try:
            ready: Spooled | p.Event = await asyncio.to_thread(self._outgoing.prepare, batch_uid)
        except sqlite3.OperationalError as fault:
            self._bear(fault)
            ready = p.Failed(self._clock.tick(), batch_uid)
        event = await self._link.send_batch(batch_uid, ready.body) if isinstance(ready, Spooled) else ready
        self._events.put_nowait(event)

    # The stream -----------------------------------------------------------------------------------------------------

    async def _read_stream(self) -> None:
        number = self._keeper.number if self._keeper.policy() is not None else 0
        path = f"/gateway/stream?last_snapshot={number}&checkpoint={self._witness.size}"
        answer, event = await self._link.open_stream(path)
        try:
            if answer is not None and event is not None:
                self._events.put_nowait(event)
                if event.status == 200:
                    async for data in answer.aiter_bytes():
                        self._events.put_nowait(p.StreamBytes(self._clock.tick(), data, self._clock.wall()))
        except (OSError, *self._link.faults):
            pass
        finally:
            if answer is not None:
                await answer.aclose()
        self._events.put_nowait(p.StreamEnded(self._clock.tick()))

    async def _deliver(self, message: Downlink) -> None:
        if isinstance(message, SnapshotMessage):
            await asyncio.to_thread(self._offer, message.body)
        elif isinstance(message, Checkpoint):
            self._spawn(self._witness_head(message))
        else:
            matches = await asyncio.to_thread(self._inbox.take, message, self._clock.now())  # type: ignore[arg-type]
            if matches:
                self._tell(f"{matches} of the indicators that came were seen here before: see `gateway indicators`")

    def _offer(self, body: bytes) -> None:
        try:
            self._keeper.offer(body)
        except CommonwatchError as error:
            self._tell(f"refused a snapshot: {error}")
            self.journal.add_counts({"refused_snapshots": 1})

    async def _witness_head(self, head: Checkpoint) -> None:
        verdict = await asyncio.to_thread(self._witness.see, head, None, self._clock.now())
        if verdict == "unproven":
            path = f"/gateway/audit/consistency?first={self._witness.size}&second={head.size}"
            found = await self._link.get(path)
            if found is None:
                return
            steps = [s for s in found.get("path", ()) if isinstance(s, str)]
            verdict = await asyncio.to_thread(self._witness.see, head, steps, self._clock.now())
        if verdict == "accepted":
            await asyncio.to_thread(self._folder.write, "checkpoint.json", msgspec.json.encode(head))
        if verdict == "unsigned":
            self._tell("ignored a head of the hub's audit log that its audit key did not sign")
        if self._witness.distrusts:
            self._tell(
                "THE HUB'S AUDIT LOG DOES NOT CONTINUE THE ONE THIS GATEWAY HOLDS: sending stops, both heads are kept "
                "as evidence (see `gateway status`; `gateway reconcile` goes on)"
            )

    async def _beat(self) -> None:
        await self._tell_statements()
        batches, events, _ = self.journal.depth()
        heartbeat = Heartbeat(
            at=self._clock.now(),
            version=__version__,
            snapshot=self._keeper.number,
            spool_batches=batches,
            spool_events=events,
            checkpoint=self._witness.size,
            counts=counts_of(self.journal.counts()),
            withdrawn=self._inbox.withdrawn,
            state=self._state(),
        )
        await self._link.post("/gateway/heartbeat", heartbeat)

    async def _tell_statements(self) -> None:
        """What the owner said here goes to the hub until it has it. A hub that refuses it changes nothing here."""
        for digest, body, told in await asyncio.to_thread(self.journal.statements):
            if told:
                continue
            status = await self._link.post("/gateway/statements", msgspec.Raw(body))
            if status in {200, 204, 409}:
                await asyncio.to_thread(self.journal.told_statement, digest)
            elif status:
                self._tell(f"the hub did not take what was said here ({status}); it holds at this gateway all the same")

    def _state(self) -> Any:
        """How this gateway is, in one word: the gravest first."""
        if self._witness.distrusts:
            return "distrusts-hub"
        if self._room.full:
            return "disk-full"
        if self._keeper.policy() is None:
            return "waiting-for-snapshot"
        return "spool-full" if self._spool_full() else "running"

    def _spool_full(self) -> bool:
        return self.journal.depth()[2] > self._settings.spool_mb << 20

    async def _ticks(self) -> None:
        while True:
            try:
                await self._tick()
            except (OSError, sqlite3.OperationalError) as fault:
                self._bear(fault)
            await asyncio.sleep(TICK)

    async def _tick(self) -> None:
        trusted = not self._witness.distrusts and not self._room.stuck
        fresh = trusted and self._keeper.policy() is not None
        self._events.put_nowait(p.Tick(self._clock.tick(), fresh))
        waiting = await asyncio.to_thread(self.journal.waiting, WINDOW)
        self._events.put_nowait(p.Queued(self._clock.tick(), tuple(uid for uid, _ in waiting)))
        await asyncio.to_thread(self._inbox.write_out)
        await asyncio.to_thread(self._tidy)

    def _tidy(self) -> None:
        """Let go of received segments that were read and committed."""
        if self._listeners is not None and self._clock.tick() - self._tidied >= TIDY:
            self._tidied = self._clock.tick()
            self.journal.forget_marks(self._listeners.segments.drop_read(self.journal.marks()))

    # The reading thread ---------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        try:
            while not self._stop.is_set() and not self._read_all.is_set():
                self._collect_some()
        except BaseException as fault:  # a fault in this thread ends the run, loudly
            self._fault = fault
            self._stop.set()

    def _collect_some(self) -> None:
        policy = self._keeper.policy()
        if policy is None or not self._has_room():
            self._collector.abandon()
            self._stop.wait(TICK)
            return
        try:
            self._replay(policy)
            if not self._collector.step(policy, once=self._once):
                self._rest(policy)
        except (OSError, sqlite3.OperationalError) as fault:
            self._room.failed(fault)
            self._tell(f"reading or spooling failed, trying again: {fault}")
            self._collector.abandon()
            self._stop.wait(REST_AFTER_FAULT)

    def _replay(self, policy: Policy) -> None:
        """Try quarantined records again, if somebody asked for it."""
        if self._originals is None or not self.journal.note(ASKED):
            return
        done = replay(self.journal, self._originals, self._reading, policy, self._clock.now())
        self.journal.remember(DONE, msgspec.json.encode(done))
        self.journal.forget(ASKED)
        self._tell(f"quarantine tried again: {done.read} read, {done.still} still bad, {done.gone} not kept")

    def _has_room(self) -> bool:
        """Whether more may be read; says so when not."""
        if self._room.full:
            self._tell("the disk is full: reading stops until there is room")
            return False
        if self._spool_full():
            self._tell("the spool is full (spool_mb): reading stops until the hub takes what waits")
            return False
        return True

    def _rest(self, policy: Policy) -> None:
        if self._once and (self._listeners is None or self._listeners.read_in):
            self._collector.flush(policy)
            self._read_all.set()
        else:
            self._stop.wait(TICK)

    def _tell(self, what: str) -> None:
        """Say something, not the same thing more than once a minute."""
        now = self._clock.tick()
        if now - self._said.get(what, float("-inf")) >= 60:
            self._said[what] = now
            self._say(what)
