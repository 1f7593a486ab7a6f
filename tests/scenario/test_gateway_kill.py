"""Kill -9 of the gateway at random moments, again and again: nothing acknowledged is lost, nothing is stored twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from doubles.hub import TinyHub, agreement

KILLS = 52
FIRST, EACH = 12_000, 300
TESTS = Path(__file__).resolve().parents[1]


def write_eve(path: Path, first: int, count: int) -> None:
    """Alerts with numbers in their flow ids, each a line."""
    with path.open("a") as out:
        for n in range(first, first + count):
            record = {
                "timestamp": f"2026-01-02T03:{n // 60 % 60:02}:{n % 60:02}.000000+0000", "event_type": "alert",
                "flow_id": n, "src_ip": "203.0.113.7", "src_port": 1024 + n % 60_000, "dest_ip": "192.0.2.10",
                "dest_port": 443, "proto": "TCP",
                "alert": {"action": "allowed", "gid": 1, "signature_id": 1 + n % 50, "rev": 1, "signature": "ET SCAN",
                          "category": "scan", "severity": 2},
            }  # fmt: skip
            out.write(json.dumps(record) + "\n")


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Until something is so, or too long has passed."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.002)


def gateway(state: Path, *words: str) -> Any:
    """What a gateway command prints, as JSON."""
    command = [sys.executable, "-m", "commonwatch", "gateway", words[0], "--state", str(state), *words[1:]]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


class Forker:
    """Starts gateways quickly and kills them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "doubles.forker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(TESTS)},
        )  # fmt: skip

    def start(self, state: Path, logs: Path) -> int:
        """The pid of a gateway that has just begun."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{state} {logs}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the forker."""
        self._process.communicate()


def kill_once(forker: Forker, hub: TinyHub, where: tuple[Path, Path], moment: float, *, after_receipt: bool) -> None:
    """Start a gateway and kill it; fails if it had ended before."""
    receipts, requests = hub.receipts, hub.requests
    pid = forker.start(*where)
    wait_for(lambda: hub.receipts > receipts if after_receipt else hub.requests > requests, 3.0)
    time.sleep(moment)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), 10.0)


def test_fifty_kills_lose_nothing_and_store_nothing_twice(tmp_path: Path) -> None:
    chance, state, logs = random.Random(7), tmp_path / "gw", tmp_path / "logs"
    logs.mkdir()
    write_eve(logs / "eve.json", 0, FIRST)
    progress, forker = set(), Forker()
    with TinyHub() as hub:
        gateway(state, "enrol", hub.url, hub.code())
        hub.publish(agreement(hub.owner, hub.reader))
        for kill in range(KILLS):
            hub.cut_answers = kill % 2
            moment = chance.uniform(0.0, 0.03 if kill % 3 == 0 else 0.25)
            kill_once(forker, hub, (state, logs), moment, after_receipt=kill % 3 == 0)
            progress.add(len(hub.stored))
            write_eve(logs / "eve.json", FIRST + kill * EACH, EACH)
            if kill == KILLS // 2:
                (logs / "eve.json").rename(logs / "eve.json.1")
                (logs / "eve.json").touch()
        hub.cut_answers = 0
        forker.close()
        done = gateway(state, "run", "--once", str(logs))
        counts = gateway(state, "status", "--json")["counts"]
        events = hub.events()
    assert len(progress) > KILLS // 4, "kills came before anything happened"
    assert hub.duplicates > 0, "no receipt was ever lost"
    assert done["spool"] == {"batches": 0, "events": 0}
    assert len(events) == len(set(events)) == FIRST + KILLS * EACH
    assert counts["read"] == counts["mapped"] == len(events)
    assert counts["quarantined"] == {}
