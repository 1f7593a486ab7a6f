"""`./dev soak [SECONDS]`: kill gateway and hub at random moments for SECONDS (default 600), then count what is stored."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenario.live import Live, simulated_member
from scenario.test_kill_any_process import Feeder, finish, rows, torment


def main(args: list[str]) -> int:
    """Torment one hub and one gateway; 0 if every record was stored once."""
    seconds = float(args[0]) if args else 600.0
    rng, kills = random.Random(time.time_ns()), 0
    with tempfile.TemporaryDirectory(prefix="commonwatch-soak-") as name:
        folder = Path(name)
        log, lines = folder / "eve.json", simulated_member(days=20)
        log.touch()
        live = Live(folder)
        try:
            live.serve()
            live.enrol()
            feeder = Feeder(log, lines, rng)
            feeder.start()
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                torment(live, log, 10, rng)
                kills += 10
                print(f"{kills} kills, {feeder.left:,} of {len(lines):,} records to write", flush=True)
            feeder.go_on.set()
            feeder.join(60)
            counts = finish(live, log)["counts"]
        finally:
            live.close()
        stored, distinct = rows(live)
    assert isinstance(counts, dict)
    want = counts["mapped"] - counts["not_agreed"]
    print(f"{kills} kills: {counts['read']:,} read, {want:,} to store, {stored:,} stored, {distinct:,} different")
    return 0 if counts["read"] == len(lines) and stored == distinct == want else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
