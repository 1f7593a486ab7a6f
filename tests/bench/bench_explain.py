"""What explaining a selection costs: the engine on incidents in memory, and the governed question beside a plain cube.

Run as a script: `bench_explain.py [--rows 1000000] [--engine 1000000] [--json FILE]`. The engine is given incidents of
eight attributes (up to 2,000 values), one in a hundred selected; the governed question compares a day with the four
weeks before over stored events, turn and turn about with the cube of the same rows and dimensions of low cardinality.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.loading import load
from commonwatch.detect.explain.asking import Explainer
from commonwatch.detect.explain.mining import Incidents
from commonwatch.detect.explain.standing_out import standing_out
from commonwatch.govern.answer.asking import instant_text
from commonwatch.govern.query import Compare, Cube, Filter, Interval
from commonwatch.govern.service import Govern
from commonwatch.store import Store
from doubles.govern import DAY, NOW, Keys, Log, Policy, documents, org, reader, share, to

SIZES = (2_000, 500, 200, 60, 30, 8, 6, 4)
RUNS = 5
FIELDS = {
    "time": "exact", "owner": "exact", "src_ip": "exact", "dst_port": "exact", "signature": "exact",
    "malware": "exact", "severity": "exact", "action": "exact", "owner_sector": "exact", "protocol": "exact",
}  # fmt: skip


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = call()
    return time.perf_counter() - begun, found


def engine(rows: int) -> dict[str, Any]:
    """Seconds of mining and testing `rows` incidents, one in a hundred of them selected."""
    rng = np.random.default_rng(1)
    codes = [np.minimum(rng.zipf(1.4, rows) - 1, n - 1).astype(np.int32) for n in SIZES]
    orgs, days = rng.integers(0, 200, rows).astype(np.int32), rng.integers(0, 100, rows)
    here = days == 50
    sides = [Incidents([c[part] for c in codes], orgs[part], days[part]) for part in (here, ~here)]
    runs = [timed(lambda: standing_out(*sides)) for _ in range(RUNS)]
    return {"incidents": rows, "seconds": round(statistics.median(t for t, _ in runs), 3), "tested": runs[0][1].tests}


def governed(rows: int, owners: int = 200) -> dict[str, Any]:
    """Median seconds of the governed question and of a cube over the same rows, and their ratio."""
    names = [f"org{n:04}" for n in range(owners)]
    everyone = [
        documents(name, share("main", to("mssp"), FIELDS, events=("malware", "intrusion", "firewall", "dns", "auth")))
        for name in names
    ]
    policy = Policy(everyone, [org("mssp", "mssp"), *(org(name) for name in names)])
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder), memory_limit="4GB", threads=2)
        load(store, names, rows)
        govern = Govern(store, policy, Keys(), Log(), secret=b"s" * 32)
        start = NOW // DAY * DAY - 2 * DAY
        day = Filter(time=Interval(instant_text(start), instant_text(start + DAY)), base="rest")
        cube = Cube(by=("org", "family", "class", "severity", "category"), bin="1h")
        asked: list[tuple[float, Any]] = []
        plain: list[float] = []
        for _ in range(RUNS):
            asked.append(timed(lambda: Explainer(govern).explain(reader(), Compare(filter=day))))
            plain.append(timed(lambda: govern.ask(reader(), cube))[0])
    took, beside = statistics.median(t for t, _ in asked), statistics.median(plain)
    found = asked[0][1]
    return {
        "rows": rows, "incidents": found.selection.incidents + found.baseline.incidents, "seconds": round(took, 3),
        "cube_seconds": round(beside, 3), "ratio": round(took / beside, 2), "tested": found.tested,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--engine", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = {"engine": engine(given.engine), "governed": governed(given.rows) if given.rows else None}
    print(json.dumps(found, indent=1))
    if given.json:
        given.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
