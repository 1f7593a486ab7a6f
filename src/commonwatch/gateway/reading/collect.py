"""From files to sealed batches: read, label, enforce, and commit offsets together with what came of them.

Rules held here: offsets and batches are one transaction, and what was read is on disk before it; a batch is closed at
5,000 rows or one second after its first row; without a policy nothing is read, and what was read but not committed is
read again; memory stays bounded (one portion of one file at a time); nothing malformed stops reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.events.event import Event
from commonwatch.events.labels import Label
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.downlink.policy import Policy
from commonwatch.gateway.edge import Columns
from commonwatch.gateway.journal import Bad, Journal, Mark, Spooled
from commonwatch.gateway.keeping.originals import Original, Originals
from commonwatch.gateway.lookback import Lookback
from commonwatch.gateway.reading.numbers import renumber
from commonwatch.gateway.reading.opened import Opened
from commonwatch.gateway.reading.tail import Tail
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.outcome import Outcome, Parsed, Quarantined, Skipped
from commonwatch.ingest.source import Source
from commonwatch.wire.batch import BatchHeader, batch_uid, seal

BATCH_ROWS = 5_000
BATCH_SECONDS = 1.0
SCAN_SECONDS = 0.5
#: Seconds without news after which a file is closed until it changes (an archive that ends too early: for good).
PARK_SECONDS = 60.0


class Sealer:
    """Makes sealed batches in the name of one gateway."""

    def __init__(
        self, gateway: str, org: str, key: Ed25519PrivateKey, rules_version: int, *, shared: bool = False
    ) -> None:
        self.gateway = gateway
        self.org = org
        self.key = key
        self.rules_version = rules_version
        self.shared = shared

    def seal(
        self,
        columns: Columns,
        profiles: list[dict[str, str]],
        policy: Policy,
        *,
        seq: int,
        at: int,
        uid: int | None = None,
    ) -> Spooled:
        """A batch; `uid` where it has a number already."""
        uid = batch_uid(self.gateway, columns["event_uid"]) if uid is None else uid
        header = BatchHeader(
            batch_uid=uid,
            gateway=self.gateway,
            org=self.org,
            seq=seq,
            snapshot=policy.number,
            rows=len(columns["event_uid"]),
            profiles=profiles,
            rules_version=self.rules_version,
            made_at=at,
            shared=self.shared,
        )
        return Spooled(seq, uid, header.rows, policy.digest, seal(header, columns, self.key))


class Collector:
    """Reads the inputs of one gateway into its spool."""

    def __init__(
        self,
        inputs: Sequence[Path],
        journal: Journal,
        *,
        sealer: Sealer,
        labeller: Labeller,
        source: Callable[[Mark], Source],
        clock: Clock,
        originals: Originals | None = None,
        lookback: Lookback | None = None,
        shared: bytes | None = None,
    ) -> None:
        """`shared`: the owner's key of event ids, where another gateway reads the same logs (`numbers.py`)."""
        self._shared, self._ids = shared, set[bytes]()
        self._originals, self._lookback = originals, lookback
        self._raw: dict[bytes, Original] = {}
        self._inputs = inputs
        self._journal = journal
        self._sealer = sealer
        self._labeller = labeller
        self._source = source
        self._clock = clock
        self._tail = self._fresh_tail()
        self._rows: list[tuple[Label, Event]] = []
        self._marks: dict[int, Mark] = {}
        self._counts: Counter[str] = Counter()
        self._bad: list[Bad] = []
        self._since: float | None = None
        self._scanned = float("-inf")

    def _fresh_tail(self) -> Tail:
        return Tail(self._inputs, self._journal.marks(), self._source, self._journal.next_mark())

    def step(self, policy: Policy, *, once: bool = False) -> bool:
        """Read a portion of every open file; whether there may be more to read now."""
        now = self._clock.tick()
        if once or now - self._scanned >= SCAN_SECONDS:
            self._scanned = now
            self._tail.scan(now)
            self._begin()
        busy = False
        for opened in list(self._tail.opened):
            busy = self._read(opened, once=once) or busy
            if len(self._rows) >= BATCH_ROWS:
                self.flush(policy)
        if self._since is not None and self._clock.tick() - self._since >= BATCH_SECONDS:
            self.flush(policy)
        if self._lookback is not None and self._lookback.waiting:
            self._report(self._lookback, policy)
        return busy or (once and bool(self._tail.opened or self._tail.behind))

    def _begin(self) -> None:
        """Keep from where on a new input is read, before anything of it is."""
        if self._tail.began:
            self._tail.began = False
            marks = [*self._tail.passed, *(opened.marked() for opened in self._tail.opened)]
            self._journal.commit(marks, [], {}, [], self._clock.now())

    def abandon(self) -> None:
        """Forget what was read and not committed; it will be read again."""
        self._tail.close()
        self._clear()
        self._tail = self._fresh_tail()
        self._scanned = float("-inf")

    def close(self) -> None:
        """Close the files."""
        self._tail.close()

    def flush(self, policy: Policy) -> None:
        """Commit everything read so far."""
        if self._since is None:
            return
        for opened in self._tail.opened:
            opened.sync()
            self._marks[opened.mark.id] = opened.marked()
        at = self._clock.now()
        batches: list[Spooled] = []
        seq = self._journal.next_seq()
        for start in range(0, len(self._rows), BATCH_ROWS):
            columns, profiles, dropped = policy.edge.enforce(self._rows[start : start + BATCH_ROWS])
            self._counts["not_agreed"] += dropped
            if columns:
                batches.append(self._sealer.seal(columns, profiles, policy, seq=seq + len(batches), at=at))
        self._counts["spooled"] += sum(b.rows for b in batches)
        if self._originals is not None:
            self._originals.keep(self._raw)
        self._journal.commit(self._marks.values(), batches, self._counts, self._bad, at)
        rows = self._rows
        self._clear()
        if self._lookback is not None and rows:
            self._lookback.note(rows, at)
            if self._lookback.waiting:
                self._report(self._lookback, policy)

    def _report(self, lookback: Lookback, policy: Policy) -> None:
        """Tell the hub of matches whose observable may leave exactly; the others stay here."""
        found, at = lookback.untold(), self._clock.now()
        plans = {label: policy.edge.plan(label) for _, label, _ in found}
        may = [(m, label, e) for m, label, e in found if (p := plans[label]) and p.profile.get(m.field) == "exact"]
        columns, profiles, _ = policy.edge.enforce([(label, event) for _, label, event in may])
        if columns:
            seq = self._journal.next_seq()
            batch = self._sealer.seal(columns, profiles, policy, seq=seq, at=at)
            self._journal.commit([], [batch], {"mapped": batch.rows, "read": batch.rows, "spooled": batch.rows}, [], at)
        lookback.told([m for m, _, _ in found])

    def _clear(self) -> None:
        self._rows, self._bad, self._since = [], [], None
        self._marks.clear()
        self._counts.clear()
        self._raw = {}
        self._ids.clear()

    def _read(self, opened: Opened, *, once: bool) -> bool:
        """One portion of one file; whether there was one."""
        if opened.renewed():
            self._finish(opened, renewed=True)
            return True
        outcomes = opened.step()
        if outcomes is not None:
            opened.quiet_since = self._clock.tick()
            self._take(opened, outcomes)
            return True
        now = self._clock.tick()
        if opened.quiet_since is None:
            opened.quiet_since = now
        if once or (opened.ended_at is not None and now >= opened.ended_at):
            self._finish(opened)
        elif opened.archive:
            self._end_archive(opened, now - opened.quiet_since)
        elif now - opened.quiet_since >= PARK_SECONDS:
            self._park(opened)
        return False

    def _end_archive(self, opened: Opened, quiet: float) -> None:
        """A whole archive is done; one that ends too early may still be being written."""
        if opened.damage is None or quiet >= PARK_SECONDS:
            self._finish(opened)
        elif opened.size != opened.size_read:
            mark = self._marks[opened.mark.id] = opened.marked()
            self._tail.release(opened, mark)

    def _finish(self, opened: Opened, *, renewed: bool = False) -> None:
        """The file has ended: take its last record and close it. `renewed`: its inode goes on with new content."""
        self._take(opened, opened.take_tail(final=True))
        opened.sync()
        if opened.damage is not None:
            self._counts[f"damage:{opened.damage}"] += 1
        mark = self._marks[opened.mark.id] = opened.marked(done=True)
        if renewed:
            self._tail.release(opened, mark)
        else:
            self._tail.settle(opened, mark)

    def _park(self, opened: Opened) -> None:
        """Nothing new for long: take a whole last record, and open the file again when it changes."""
        self._take(opened, opened.take_tail(final=False))
        opened.sync()
        mark = self._marks[opened.mark.id] = opened.marked()
        self._tail.settle(opened, mark)

    def _touch(self) -> None:
        if self._since is None:
            self._since = self._clock.tick()

    def _take(self, opened: Opened, outcomes: list[Outcome]) -> None:
        """Sort outcomes into rows, skips and quarantine."""
        self._touch()
        if self._shared is not None:
            outcomes = self._once_each(opened, outcomes, self._shared)
        label, rows, counts = self._labeller.label, self._rows, self._counts
        before = len(rows)
        for outcome in outcomes:
            if isinstance(outcome, Parsed):
                event = outcome.event
                rows.append((label(event), event))
            elif isinstance(outcome, Quarantined):
                self._quarantine(opened, outcome)
            else:
                counts[f"skipped:{outcome.reason}"] += 1
        if self._originals is not None:
            self._remember(opened, outcomes)
        counts["read"] += len(outcomes)
        counts["mapped"] += len(rows) - before

    def _once_each(self, opened: Opened, outcomes: list[Outcome], key: bytes) -> list[Outcome]:
        """The outcomes with ids of their records; an event that was just read under another name is skipped."""
        renumber(outcomes, {at: o.record for at, o in opened.originals().items()}, opened.mark.source, key)
        made: list[Outcome] = []
        for one in outcomes:
            again = isinstance(one, Parsed) and one.event.event_uid in self._ids
            made.append(Skipped("read_twice", one.position) if again else one)
            if isinstance(one, Parsed):
                self._ids.add(one.event.event_uid)
        return made

    def _remember(self, opened: Opened, outcomes: list[Outcome]) -> None:
        """Keep the records behind events and quarantine until the next commit."""
        originals = opened.originals()
        for outcome in outcomes:
            if isinstance(outcome, Parsed) and outcome.position in originals:
                self._raw[outcome.event.event_uid] = originals[outcome.position]
            elif isinstance(outcome, Quarantined) and outcome.position in originals:
                self._raw[opened.uid(outcome.position)] = originals[outcome.position]

    def _quarantine(self, opened: Opened, bad: Quarantined) -> None:
        self._counts[f"quarantined:{bad.reason}"] += 1
        mark = opened.mark
        self._bad.append(Bad(mark.source, mark.generation, bad.position, bad.reason, bad.head))
