"""A second gateway of the same member, as a process: tools post to it over HTTP, and keep what it does not take."""

from __future__ import annotations

import json
import subprocess
import threading
import time

import duckdb
import httpx

from commonwatch.cli.demo.stage import command, free_port, run
from scenario.live import Live

EACH = 20


class Second:
    """The gateway. `taken` are the numbers (source ports) of the records it answered 200 for."""

    def __init__(self, live: Live) -> None:
        self.live, self.state, self.port = live, live.folder / "gateway-2", free_port()
        code = live.founded.codes[live.member][1]
        done = run(["gateway", "enrol", live.url, code, "--state", str(self.state), "--name", "site-1b"])
        assert done.returncode == 0, done.stderr
        self.name = json.loads(done.stdout)["gateway"]
        listen = f'[[listen]]\nkind = "http"\naddress = "127.0.0.1:{self.port}"\n'
        (self.state / "settings.toml").write_text(listen)
        self.process: subprocess.Popen[bytes] | None = None
        self.taken: set[int] = set()

    def start(self, *, once: bool = False) -> subprocess.Popen[bytes]:
        """Start it."""
        args = ["gateway", "run", "--state", str(self.state), *(["--once"] if once else [])]
        with (self.live.folder / "gateway-2.log").open("ab") as log:
            self.process = subprocess.Popen(command(args), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return self.process

    def kill(self) -> None:
        """kill -9."""
        self.live.kill(self.process)


class Shipper(threading.Thread):
    """Posts records with rising numbers, each until it is taken."""

    def __init__(self, second: Second) -> None:
        super().__init__(daemon=True)
        self.second, self.end = second, threading.Event()

    def run(self) -> None:
        number = 1
        while not self.end.is_set() and number + EACH < 65_536:
            numbers = range(number, number + EACH)
            if self._post(b"".join(record(n) for n in numbers)):
                self.second.taken |= set(numbers)
                number += EACH
            self.end.wait(0.1)

    def _post(self, body: bytes) -> bool:
        try:
            answer = httpx.post(f"http://127.0.0.1:{self.second.port}/", content=body, timeout=3, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


def record(number: int) -> bytes:
    """An alert of Suricata with a number."""
    made = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000000+0000", time.gmtime()), "event_type": "alert",
        "src_ip": "203.0.113.7", "src_port": number, "dest_ip": "192.0.2.10", "dest_port": 443, "proto": "TCP",
        "alert": {"gid": 1, "signature_id": 7, "rev": 1, "signature": "ET SCAN", "severity": 2},
    }  # fmt: skip
    return json.dumps(made).encode() + b"\n"


def stored_of(live: Live, gateway: str) -> tuple[int, int, set[int]]:
    """Rows of a gateway in the store, different events among them, and their numbers, read past every room."""
    both = "SELECT * FROM main.settled UNION ALL BY NAME SELECT * FROM main.tail"
    mine = "batch_uid IN (SELECT batch_uid FROM main.batch WHERE gateway = ?)"
    query = f"SELECT count(*), count(DISTINCT event_uid), list(DISTINCT src_port) FROM ({both}) WHERE {mine}"
    with duckdb.connect(str(live.settings.store / "events.duckdb"), read_only=True) as con:
        found = con.execute(query, [gateway]).fetchone()
    assert found
    return int(found[0]), int(found[1]), set(found[2] or ())
