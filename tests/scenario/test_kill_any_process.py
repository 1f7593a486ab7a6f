"""Invariant 7: an acknowledged event survives kill -9 of any process at any moment, and is stored once."""

from __future__ import annotations

import gzip
import random
import threading
import time
from pathlib import Path

import pytest

from scenario.live import Live, simulated_member
from scenario.second import Second, Shipper, stored_of

KILLS = 50


def real_lines(samples: Path) -> list[bytes]:
    """The real stream: 19,657 records."""
    with gzip.open(samples / "suricata" / "suricatalog_eve_nostats.jsonl.gz") as file:
        return file.read().splitlines(keepends=True)


class Feeder(threading.Thread):
    """Appends lines to a log in bursts, like a busy sensor."""

    def __init__(self, path: Path, lines: list[bytes], rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.path, self.lines, self.rng = path, lines, rng
        self.go_on, self.left = threading.Event(), len(lines)

    def run(self) -> None:
        with self.path.open("ab") as file:
            at = 0
            while at < len(self.lines):
                step = len(self.lines) if self.go_on.is_set() else self.rng.randint(20, 400)
                file.write(b"".join(self.lines[at : at + step]))
                file.flush()
                at += step
                self.left = len(self.lines) - at
                self.go_on.wait(0.5)


def torment(live: Live, second: Second, log: Path, kills: int, rng: random.Random) -> None:
    """Kill a gateway or the hub at random moments and start it again, `kills` times."""
    live.kill(live.gateway)
    live.tail(log)
    for _ in range(kills):
        time.sleep(rng.uniform(0.05, 1.4))
        chance = rng.random()
        if chance < 0.3:
            live.kill(live.hub)
            live.serve()
        elif chance < 0.5:
            second.kill()
            second.start()
        else:
            live.kill(live.gateway)
            live.tail(log)


def finish(live: Live, log: Path) -> dict[str, object]:
    """Let everything come through; the gateway's account."""
    live.kill(live.gateway)
    assert live.tail(log, once=True).wait(120) == 0
    return live.status()


def finish_second(live: Live, second: Second, shipper: Shipper) -> None:
    """Everything the second gateway acknowledged to a sender is stored, and no event twice."""
    shipper.end.set()
    shipper.join(10)
    second.kill()
    assert second.start(once=True).wait(120) == 0
    live.kill(live.hub)
    stored, distinct, numbers = stored_of(live, second.name)
    assert second.taken
    assert second.taken <= numbers
    assert stored == distinct


@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_and_nothing_is_stored_twice(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    try:
        lines = real_lines(request.getfixturevalue("samples"))
    except pytest.skip.Exception:
        lines = simulated_member()
    rng = random.Random(11)
    log = tmp_path / "eve.json"
    log.touch()
    live = Live(tmp_path)
    feeder = Feeder(log, lines, rng)
    try:
        live.serve()
        live.enrol()
        second = Second(live)
        second.start()
        shipper = Shipper(second)
        feeder.start()
        shipper.start()
        torment(live, second, log, KILLS, rng)
        feeder.go_on.set()
        feeder.join(60)
        account = finish(live, log)
        again = finish(live, log)
        finish_second(live, second, shipper)
    finally:
        second.kill()
        live.close()
    counts = account["counts"]
    assert isinstance(counts, dict)
    assert counts["read"] == len(lines)
    assert counts["mapped"] + sum(counts["skipped"].values()) + sum(counts["quarantined"].values()) == len(lines)
    assert account["set_aside"] == []
    assert again["counts"]["sent"] == counts["sent"]  # type: ignore[index]
    stored, distinct, _ = stored_of(live, live.name)
    assert stored == distinct == counts["mapped"] - counts["not_agreed"]
