"""Quarantined records are tried again, for instance after an update that mends a parser.

Rules held here: a record keeps the id it always had, so nothing becomes two events; what is read now leaves quarantine
in the same transaction in which it is spooled; what still cannot be read stays where it is; labels and agreements are
those of now, as for every record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from commonwatch.events.event import Event
from commonwatch.gateway.downlink.policy import Policy
from commonwatch.gateway.journal import Bad, Journal, Mark
from commonwatch.gateway.keeping.originals import Original, Originals
from commonwatch.gateway.reading.collect import Sealer
from commonwatch.gateway.reading.numbers import renumber
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.outcome import Outcome, Parsed, Skipped
from commonwatch.ingest.reading import Reader, Resume
from commonwatch.ingest.source import Context, Source

#: Records tried in one transaction.
PORTION = 1_000
ASKED, DONE = "replay", "replayed"


class Replayed(msgspec.Struct):
    """What came of it. `gone`: the original is not kept (any more)."""

    read: int = 0
    still: int = 0
    gone: int = 0


class Reading(NamedTuple):
    """What records are read with."""

    source: Callable[[Mark], Source]
    labeller: Labeller
    sealer: Sealer
    #: the owner's key of event ids, where another gateway reads the same logs
    shared: bytes | None = None


def replay(journal: Journal, originals: Originals, reading: Reading, policy: Policy, at: int) -> Replayed:
    """Try everything in quarantine again."""
    done, waiting = Replayed(), journal.quarantined(limit=-1)
    for start in range(0, len(waiting), PORTION):
        found = list(_tried(waiting[start : start + PORTION], originals, reading, done))
        if found:
            _commit(journal, found, reading, policy, at)
    return done


def uid_of(bad: Bad, source: Callable[[Mark], Source]) -> bytes:
    """The event id of a quarantined record."""
    return Context(source(_mark(bad))).uid(bad.position)


def _tried(
    waiting: Sequence[Bad], originals: Originals, reading: Reading, done: Replayed
) -> Iterator[tuple[Bad, list[Outcome]]]:
    """Those that can be read now, with what they are."""
    for bad in waiting:
        source = reading.source(_mark(bad))
        original = originals.find(Context(source).uid(bad.position))
        outcomes = [] if original is None else _read(original, source, bad.position)
        if original is not None and reading.shared is not None:
            renumber(outcomes, {bad.position: original.record}, bad.source, reading.shared)
        if original is None:
            done.gone += 1
        elif outcomes and all(isinstance(o, Parsed | Skipped) for o in outcomes):
            done.read += 1
            yield bad, outcomes
        else:
            done.still += 1


def _read(original: Original, source: Source, position: int) -> list[Outcome]:
    """The outcomes of one record, read where it stood: as its format, else as what it looks like."""
    for name in (original.format, None) if original.format else (None,):
        resume = Resume(position, format=name, memory=original.memory if name else b"")
        reader = Reader(source, resume)
        outcomes = reader.feed(original.record + b"\n") + reader.finish()
        if outcomes and all(isinstance(o, Parsed | Skipped) for o in outcomes):
            return outcomes
    return outcomes


def _commit(
    journal: Journal, found: Sequence[tuple[Bad, list[Outcome]]], reading: Reading, policy: Policy, at: int
) -> None:
    counts, rows, ids = Counter[str](), list[Event](), set[bytes]()
    for bad, outcomes in found:
        counts[f"quarantined:{bad.reason}"] -= 1
        for outcome in outcomes:
            if isinstance(outcome, Parsed) and outcome.event.event_uid in ids:
                counts["skipped:read_twice"] += 1
            elif isinstance(outcome, Parsed):
                ids.add(outcome.event.event_uid)
                rows.append(outcome.event)
            elif isinstance(outcome, Skipped):
                counts[f"skipped:{outcome.reason}"] += 1
    counts["mapped"] += len(rows)
    counts["read"] += sum(len(outcomes) for _, outcomes in found) - len(found)
    batches = []
    if rows:
        columns, profiles, dropped = policy.edge.enforce([(reading.labeller.label(e), e) for e in rows])
        counts["not_agreed"] += dropped
        if columns:
            seq = journal.next_seq()
            batches.append(reading.sealer.seal(columns, profiles, policy, seq=seq, at=at))
            counts["spooled"] += batches[0].rows
    settled = [(bad.source, bad.generation, bad.position) for bad, _ in found]
    journal.commit([], batches, counts, [], at, settled=settled)


def _mark(bad: Bad) -> Mark:
    return Mark(0, bad.source, bad.source, 0, 0, b"", bad.generation)
