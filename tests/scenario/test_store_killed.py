"""kill -9 at random moments: what was acknowledged is there, once and whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

from sqlglot import exp

from commonwatch.store import Store

WRITER = """
import sys
from pathlib import Path
from commonwatch.store import Store
from doubles.govern import batch, events
store = Store.open(Path(sys.argv[1]), memory_limit="256MB", threads=1)
for uid in range(int(sys.argv[2]), int(sys.argv[2]) + 100_000):
    if uid % 7 == 0:
        store.compact()
    store.append(batch("acme", events(20, seed=uid), uid=uid + 1))
    print(uid + 1, flush=True)
"""


def test_an_acknowledged_batch_survives_kill_minus_nine(tmp_path: Path) -> None:
    rng, acknowledged = random.Random(3), set[int]()
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(max(acknowledged, default=0))],
            stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(Path(__file__).parent.parent), "PATH": ""},
        )  # fmt: skip
        assert child.stdout
        for _ in range(rng.randrange(3, 12)):
            acknowledged.add(int(child.stdout.readline()))
        child.send_signal(signal.SIGKILL)
        acknowledged |= {int(line) for line in child.stdout.read().splitlines() if line.strip()}
        child.wait()
        child.stdout.close()
    store = Store.open(tmp_path)
    with store.session() as session:
        rows = session.run(exp.select("*").from_(store.relation(["batch_uid", "event_uid"]).subquery("r"))).to_pylist()
    counts: dict[int, int] = {}
    for row in rows:
        counts[row["batch_uid"]] = counts.get(row["batch_uid"], 0) + 1
    assert acknowledged <= set(counts), "an acknowledged batch is missing"
    assert set(counts.values()) == {20}, "a batch is there in part, or twice"
    assert len({row["event_uid"] for row in rows}) == len(rows)
    store.close()
