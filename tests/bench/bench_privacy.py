"""Private releases (time, coverage, errors, audit) and pseudonyms a second beside the package `ipcrypt`.

Addresses are real-shaped: few come often (Zipf). The package is asked for a sample and its rate counted. Options:
`--rows N` for the pseudonyms, `--runs N` for the audit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ipcrypt
import numpy as np
import releasing

from commonwatch.events.address import V4_BASE, Address
from commonwatch.privacy import pseudonym
from commonwatch.privacy.nondeterministic import nd, ndx

KEY = bytes.fromhex("0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301")
TARGET, SAMPLE = 1_000, 400


def column(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """IPv4 addresses in networks, with repetition as in logs."""
    rng = np.random.default_rng(1)
    networks = rng.integers(0, 1 << 24, max(rows // 12, 1))
    distinct = (rng.choice(networks, max(rows // 6, 1)) << 8) | rng.integers(0, 256, max(rows // 6, 1))
    picked = distinct[(rng.zipf(1.3, rows) - 1) % len(distinct)]
    return np.zeros(rows, np.int64), (picked | V4_BASE).astype(np.int64)


def rate(call: Callable[[], Any], rows: int) -> float:
    """Rows a second of one call, the best of two."""
    spent = []
    for _ in range(2):
        begun = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begun)
    return rows / min(spent)


def main() -> int:
    """Print all tables; 1 when an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=12_000)
    args = parser.parse_args()
    releasing.times()
    print()
    covered = releasing.coverage()
    print()
    releasing.errors()
    print()
    kept = releasing.audits(args.runs)
    print()
    fast = pseudonyms(args.rows)
    return 0 if covered and kept and fast else 1


def pseudonyms(rows: int) -> bool:
    """Print the table; whether prefix-preserving pseudonyms reach the aim."""
    hi, lo = column(rows)
    sample = [str(Address(0, int(low))) for low in lo[:SAMPLE]]
    kinds: dict[str, tuple[Callable[[], Any], Callable[[str], Any]]] = {
        "pfx": (lambda: pseudonym.pfx(hi, lo, KEY), lambda a: ipcrypt.pfx.encrypt(a, KEY)),
        "det": (lambda: pseudonym.det(hi, lo, KEY[:16]), lambda a: ipcrypt.deterministic.encrypt(a, KEY[:16])),
        "nd": (lambda: nd(hi, lo, KEY[:16]), lambda a: ipcrypt.nd.encrypt(a, KEY[:16])),
        "ndx": (lambda: ndx(hi, lo, KEY), lambda a: ipcrypt.ndx.encrypt(a, KEY)),
    }
    print(f"pseudonyms a second, {rows:,} rows, {len(np.unique(lo)):,} distinct IPv4 addresses")
    print(f"{'kind':<5}{'ours':>14}{'package':>12}{'times':>9}")
    times = {}
    for kind, (ours, theirs) in kinds.items():
        fast, slow = rate(ours, rows), rate(lambda theirs=theirs: [theirs(a) for a in sample], SAMPLE)
        times[kind] = fast / slow
        print(f"{kind:<5}{fast:>14,.0f}{slow:>12,.0f}{times[kind]:>9,.0f}")
    print(f"aim for pfx: {TARGET:,} times; reached: {'yes' if times['pfx'] >= TARGET else 'no'}")
    return times["pfx"] >= TARGET


if __name__ == "__main__":
    sys.exit(main())
