"""Many events into a store in little time, as compaction leaves them: `settled`, sorted by (day, owner, time).

Rules held here: rows, handling numbers and rungs are made by the store's own functions and lie in its own tables, so that
what is measured is what ingest leaves; only the way in is shorter (no batch per gateway, no tail in between).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from commonwatch.store import Store, StoredBatch, batch
from commonwatch.store.append import batch_row
from doubles.govern import DAY, EXACT, NOW

SPAN, CHUNK = 90, 500_000
NUMBERS = np.array([1, 2, 3, 9, 11])
FAMILIES = [f"family-{i}" for i in range(60)]
RULES = [f"ET rule {i}" for i in range(2_000)]
USERS = [f"user{i}" for i in range(40)]
TLPS, SEVERITIES = range(3), range(1, 4)
Ints = npt.NDArray[np.int64]


def load(store: Store, owners: Sequence[str], rows: int, seed: int = 1) -> None:
    """`rows` events of Zipf-sized owners over 90 days, the oldest days first."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, len(owners) + 1) ** 0.8
    handlings = _number(store, owners)
    days = max(1, min(SPAN, CHUNK * SPAN // rows))
    for first in range(0, SPAN, days):
        some = min(days, SPAN - first)
        size = rows * (first + some) // SPAN - rows * first // SPAN
        _chunk(store, rng, weights, handlings, (first, some, size))
    store.checkpoint()


def _number(store: Store, owners: Sequence[str]) -> Ints:
    """Handling numbers for every owner and label: one row per owner, one column per label."""
    labels = [(int(c), t, s, "", 0) for c in NUMBERS for t in TLPS for s in SEVERITIES]
    numbers = []
    for owner in owners:
        plan = store._handlings.plan(owner, labels, [EXACT])
        with store._cursor() as cursor:
            plan.write(cursor)
        store._handlings.adopt(plan)
        numbers.append(plan.numbers)
    return np.array(numbers, np.int64)


def _chunk(store: Store, rng: np.random.Generator, weights: Any, handlings: Ints, part: tuple[int, int, int]) -> None:
    """The events of some days in cluster order, as one stored batch."""
    first, days, size = part
    start = NOW // DAY * DAY - (SPAN - 1 - first) * DAY
    time = np.minimum(start + rng.integers(0, days * DAY, size), NOW - 1)
    owner = rng.choice(len(weights), size, p=weights / weights.sum())
    order = np.lexsort((time, owner, time // DAY))
    columns = {"time": time[order], **_events(rng, size)}
    made = StoredBatch(
        batch_uid=first + 1, gateway="bench", org="bench", received=NOW, columns=columns, profiles=(EXACT,)
    )
    label = (np.searchsorted(NUMBERS, columns["event_class"]) * 3 + columns["tlp"]) * 3 + columns["severity_id"] - 1
    rows = batch.table(made, handlings[owner[order], label].astype(np.int32), store._arrival + 1)
    with store._cursor() as cursor:
        cursor.register("incoming_rows", rows)
        cursor.execute("BEGIN")
        kept = batch_row(made, rows.num_rows, store._arrival + 1)
        cursor.execute("INSERT INTO store.main.batch VALUES (?, ?, ?, ?, ?, ?, ?, ?)", kept)
        cursor.execute("INSERT INTO store.main.settled SELECT * FROM incoming_rows")
        cursor.execute("COMMIT")
    store._arrival, store._received, store._rows = store._arrival + 1, NOW, store._rows + size


def _events(rng: np.random.Generator, size: int) -> dict[str, Any]:
    """Everything but time and owner, as numpy and Arrow columns."""
    uids = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), size, [None, pa.py_buffer(rng.bytes(16 * size))])
    v4 = (0xFFFF << 32) | (rng.zipf(1.3, size) % 3_000_000 + 0x0B000000)
    return {
        "event_uid": uids.cast(pa.binary()), "event_class": NUMBERS[rng.choice(5, size, p=(0.05, 0.2, 0.35, 0.3, 0.1))],
        "tlp": rng.integers(0, 3, size), "severity_id": rng.integers(1, 4, size),
        "src_ip_hi": np.zeros(size, np.int64), "src_ip_lo": v4, "dst_ip_hi": np.zeros(size, np.int64),
        "dst_ip_lo": (0xFFFF << 32) | (0x0A000000 + rng.integers(0, 250, size)), "src_scope": np.full(size, 2),
        "dst_scope": np.full(size, 1), "src_port": rng.integers(1024, 65_536, size),
        "dst_port": rng.choice([22, 25, 53, 80, 443, 3389], size), "malware_family": _words(rng.integers(0, 60, size), FAMILIES),
        "rule_name": _words(np.minimum(rng.zipf(1.2, size), 2_000) - 1, RULES), "src_user": _words(rng.integers(0, 40, size), USERS),
        "action_id": rng.integers(1, 3, size), "proto": np.full(size, 6), "count": np.ones(size, np.int64),
    }  # fmt: skip


def _words(codes: Ints, words: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), words).cast(pa.string())
