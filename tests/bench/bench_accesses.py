"""What recording costs: the same questions with and without the record of what they took in, with a real log and book.

Run as a script: `bench_accesses.py [--rows 1000000] [--owners 200,2000]`. Printed is processor time (all threads), the
least of several runs taken in turns, because machines are shared: "first" of its filter counts the events behind it,
"next" finds them counted; last a look as the explorer takes it, six questions of one filter.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.bench_govern import agreement
from bench.loading import load
from commonwatch.audit.log import AuditLog
from commonwatch.govern.query import Histogram, Query, Rows, Top
from commonwatch.govern.service import Govern
from commonwatch.govern.taken import INSIDE, Use
from commonwatch.hub.jobs.decisions import Decisions
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.migrate import migrate
from commonwatch.hub.seen.book import Book
from commonwatch.store import Store
from doubles.govern import Keys, Policy, org, reader

ASKED: dict[str, Query] = {
    "histogram 6h": Histogram(bin="6h"), "top source addresses": Top(by="src_ip"), "top signatures": Top(by="rule"),
    "top families": Top(by="family"), "top severities": Top(by="severity"), "latest 50 rows": Rows(limit=50),
}  # fmt: skip
TURNS = 7


def least(*works: Callable[[], object]) -> list[float]:
    """Milliseconds of processor time of each, the least of some turns."""
    best = [float("inf")] * len(works)
    for _ in range(TURNS):
        for at, work in enumerate(works):
            began = time.process_time()
            work()
            best[at] = min(best[at], (time.process_time() - began) * 1_000)
    return best


def measure(owners: int, rows: int, folder: Path) -> None:
    """Print the figures for so many owners."""
    store = Store.open(folder / "store")
    names = [f"owner-{i:04d}" for i in range(owners)]
    load(store, names, rows)
    rng = random.Random(owners)
    policy = Policy([agreement(o, rng) for o in names], [*map(org, names), org("mssp", "mssp")])
    database = Database(f"sqlite:///{folder / 'meta.sqlite'}")
    migrate(database)
    book, view = Book(database), policy.view()
    log = AuditLog(folder / "audit", Ed25519PrivateKey.generate(), "bench")
    decisions = Decisions(log.append_many, lambda: view, book.keep)
    policy.view = lambda: view  # type: ignore[method-assign]
    here = Govern(store, policy, Keys(), decisions, secret=b"b" * 32, snapshots_from=1 << 60)
    who = reader()

    def ask(use: Use, *questions: Query, forget: bool = False) -> None:
        if forget:
            here._accounts._counts.clear()
        for question in questions:
            here.ask(who, question, use=use)

    print(f"\n{owners} owners, {rows:,} events; milliseconds of processor time")
    print(f"{'':24} {'unrecorded':>10} {'first':>9} {'next':>15}")
    for name, question in ASKED.items():
        base, first, again = least(
            lambda q=question: ask(INSIDE, q), lambda q=question: ask(Use(), q, forget=True), lambda q=question: ask(Use(), q)
        )  # fmt: skip
        print(f"{name:24} {base:10.1f} {first:9.1f} x{first / base:.2f} {again:9.1f} x{again / base:.2f}")
    base, look = least(lambda: ask(INSIDE, *ASKED.values()), lambda: ask(Use(), *ASKED.values(), forget=True))
    print(f"{'a look: all six':24} {base:10.1f} {look:9.1f} x{look / base:.2f}")
    began = time.perf_counter()
    sheets = book.spread()
    print(f"spread afterwards, aside: {(time.perf_counter() - began) / max(sheets, 1) * 1_000:.1f} ms an answer")
    store.close()


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--owners", default="200,2000")
    given = parser.parse_args()
    for count in given.owners.split(","):
        with tempfile.TemporaryDirectory() as folder:
            measure(int(count), given.rows, Path(folder))


if __name__ == "__main__":
    main()
