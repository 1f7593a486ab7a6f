"""A real hub that is killed, and the owner's command: what left before is recorded, proven, followed, in every form."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from doubles.town import HOUR, Town, now_wall

OURS = {"X-Commonwatch": "1"}


class Process:
    """A hub of its own process on the town's folder."""

    def __init__(self, town: Town, log: Path) -> None:
        self.town = town
        command = [sys.executable, "-m", "commonwatch", "hub", "serve", "--data", str(town.folder), "--port", "0"]
        with log.open("ab") as err:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[3]

    def ask(self, org: str, question: dict[str, object]) -> int:
        cookies = {"cw_session": self.town.sessions[org]}
        with httpx.Client(base_url=self.url, headers=OURS, cookies=cookies, trust_env=False, timeout=20) as client:
            answer = client.post("/api/query", json=question)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["total"])

    def store(self, org: str, events: list[dict[str, object]]) -> None:
        cookies, batch = {"cw_session": self.town.sessions[org]}, self.town.batch(org, events)
        with httpx.Client(base_url=self.url, headers=OURS, cookies=cookies, trust_env=False, timeout=20) as client:
            answer = client.post("/gateway/batches", content=batch)
        assert answer.status_code == 200, answer.text

    def end(self, how: int) -> None:
        self.process.send_signal(how)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


def seen(hub: Process, org: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`commonwatch agreement seen` as this organisation."""
    env = {"PATH": "/usr/bin:/bin", "COMMONWATCH_URL": hub.url, "COMMONWATCH_TOKEN": hub.town.tokens[org]}
    command = [sys.executable, "-m", "commonwatch", "agreement", "seen", *options]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path / "data", still=False)


def test_what_left_before_a_kill_is_recorded_proven_and_followed(town: Town, tmp_path: Path) -> None:
    event = {"time": now_wall() - 3 * HOUR, "event_class": 1, "malware_family": "Emotet", "src_ip": "185.220.101.1"}
    hub = Process(town, tmp_path / "log")
    hub.store("alder", [{**event, "uid": n} for n in range(6)])
    assert hub.ask("birch", {"kind": "top", "by": "family"}) == 6
    hub.end(signal.SIGKILL)

    hub = Process(town, tmp_path / "log")
    try:
        listed = [json.loads(line) for line in seen(hub, "alder", "--json").stdout.splitlines()]
        assert [(a["reader"], a["count"], a["surface"]) for a in listed if a["surface"] == "explore"] == [
            ("birch", 6, "explore")
        ]
        assert seen(hub, "birch", "--json").stdout == ""
        words = seen(hub, "alder", "--surface", "explore").stdout
        assert "birch (person, operate)  explore: 6 events under alder-service@1#operate" in words
        table = list(csv.DictReader(io.StringIO(seen(hub, "alder", "--csv").stdout)))
        assert [row["id"] for row in table] == [a["id"] for a in listed]
        assert "answers  birch  Birch" in seen(hub, "alder", "--summary").stdout

        proofs = tmp_path / "proofs"
        done = seen(hub, "alder", "--prove", str(proofs))
        assert done.returncode == 0, done.stdout + done.stderr
        assert verified(proofs) == 0
        text = (proofs / "proofs.json").read_text()
        (proofs / "proofs.json").write_text(text.replace('count\\":6', 'count\\":1'))
        assert verified(proofs) == 1

        with follow(hub, "alder") as following:
            assert following.stdout is not None
            hub.ask("birch", {"kind": "top", "by": "severity"})
            assert json.loads(following.stdout.readline())["count"] == 6
            hub.end(signal.SIGTERM)
            assert following.wait(20) == 1
    finally:
        if hub.process.poll() is None:
            hub.end(signal.SIGKILL)


def follow(hub: Process, org: str) -> subprocess.Popen[str]:
    """The live command, once it listens."""
    env = {"PATH": "/usr/bin:/bin", "COMMONWATCH_URL": hub.url, "COMMONWATCH_TOKEN": hub.town.tokens[org]}
    command = [sys.executable, "-m", "commonwatch", "agreement", "seen", "--follow"]
    made = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert made.stderr is not None
    assert "listening" in made.stderr.readline()
    return made


def verified(folder: Path) -> int:
    """The exit status of the offline check, run alone with the standard library."""
    import commonwatch.audit.verify as script

    command = [
        sys.executable,
        "-I",
        script.__file__,
        str(folder / "checkpoint.json"),
        "--proof",
        str(folder / "proofs.json"),
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode
