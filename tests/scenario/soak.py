"""`./dev soak [SECONDS]`: kill gateways and hub at random moments for SECONDS (default 600), then count what is stored.

Two gateways of one member: one tails a log, one takes records over HTTP; both die as often as the hub.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenario.live import Live, simulated_member
from scenario.second import Second, Shipper, stored_of
from scenario.test_kill_any_process import Feeder, finish, finish_second, torment


def main(args: list[str]) -> int:
    """Torment one hub and two gateways; 0 if every record was stored once."""
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
            second = Second(live)
            second.start()
            shipper = Shipper(second)
            shipper.start()
            feeder = Feeder(log, lines, rng)
            feeder.start()
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                torment(live, second, log, 10, rng)
                kills += 10
                print(f"{kills} kills, {feeder.left:,} of {len(lines):,} records to write", flush=True)
            feeder.go_on.set()
            feeder.join(60)
            counts = finish(live, log)["counts"]
            finish_second(live, second, shipper)
        finally:
            second.kill()
            live.close()
        stored, distinct, _ = stored_of(live, live.name)
    assert isinstance(counts, dict)
    want = counts["mapped"] - counts["not_agreed"]
    print(f"{kills} kills: {counts['read']:,} read, {want:,} to store, {stored:,} stored, {distinct:,} different")
    print(f"over HTTP: {len(second.taken):,} acknowledged, all of them stored, no event twice")
    return 0 if counts["read"] == len(lines) and stored == distinct == want else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
