"""A hub and a gateway as real processes that can be killed at any moment; for scenarios and the soak."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import signal
import subprocess
import time
from pathlib import Path

import httpx

from commonwatch import simulate
from commonwatch.cli.demo.stage import command, free_port, run
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.bootstrap import Founded, PersonSpec, Spec, found
from commonwatch.hub.settings import Settings
from commonwatch.simulate.params import Params

CLASSES = ["malware", "intrusion", "firewall", "web", "integrity", "log", "application", "system", "dns", "flow", "auth", "mail"]  # fmt: skip
FIELDS = ["time", "owner", "severity", "signature", "src_ip", "dst_ip", "src_port", "dst_port", "protocol", "domain", "action"]  # fmt: skip


def agreement(owner: str, reader: str) -> dict[str, object]:
    """An agreement that shows the reader every class, exactly."""
    today = dt.datetime.now(dt.UTC).date()
    share = {
        "kind": "share", "id": "all", "to": {"organisations": [reader]}, "purposes": ["operate", "detect"],
        "rows": {"events": CLASSES, "tlp": "amber+strict"}, "fields": dict.fromkeys(FIELDS, "exact"),
    }  # fmt: skip
    return {
        "dsa": "1", "id": f"{owner}-service", "version": 1, "title": "Everything", "clauses": [share],
        "parties": [{"id": owner, "role": "owner"}, {"id": reader, "role": "operator"}],
        "starts": (today - dt.timedelta(days=1)).isoformat(), "ends": (today + dt.timedelta(days=30)).isoformat(),
    }  # fmt: skip


def simulated_member(days: float = 6, seed: int = 3) -> list[bytes]:
    """What one simulated member's sensor writes."""
    made = simulate.community(Params(members=2, days=days, seed=seed))
    member = next(m for m in made.members if "sme" in m.roles)
    return [line for _, line in made.records(member, made.params.begins, made.params.until)]


class Live:
    """One hub, one member with one gateway, one operator."""

    def __init__(
        self, folder: Path, member: str = "acorn-foods", operator: str = "harbour-mss", administrator: str = ""
    ) -> None:
        self.folder, self.member, self.operator = folder, member, operator
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.settings = Settings(data=folder / "hub", url=self.url, port=port)
        self.state = folder / "gateway"
        self.hub: subprocess.Popen[bytes] | None = None
        self.gateway: subprocess.Popen[bytes] | None = None
        self.founded: Founded = found(
            self.settings,
            Spec(
                organisations=(
                    OrgInfo(member, "Acorn Foods", ("sme",)),
                    OrgInfo(operator, "Harbour", ("mssp",)),
                    *([OrgInfo(administrator, "Keeper", ("mssp",))] if administrator else []),
                ),
                people=(
                    *(
                        [PersonSpec("root", "Root", administrator, admin=True, operator=True, uses=9)]
                        if administrator
                        else []
                    ),
                    PersonSpec("olga", "Olga", operator, ("operate",), uses=99),
                    PersonSpec("anna", "Anna", member, ("operate",), admin=True, uses=99),
                ),
                documents=(agreement(member, operator),),
                gateways={member: 2},
            ),
        )

    def serve(self) -> None:
        """Start the hub and wait until it answers."""
        with (self.folder / "hub.log").open("ab") as log:
            args = command(["hub", "serve", "--data", str(self.settings.data)])
            self.hub = subprocess.Popen(args, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/healthz", timeout=2, trust_env=False).status_code == 200:
                    return
            if self.hub.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError((self.folder / "hub.log").read_text()[-2000:])

    def enrol(self) -> None:
        """Enrol the gateway."""
        code = self.founded.codes[self.member][0]
        done = run(["gateway", "enrol", self.url, code, "--state", str(self.state), "--name", "site-1"])
        assert done.returncode == 0, done.stderr
        self.name = str(json.loads(done.stdout)["gateway"])

    def tail(self, *inputs: Path, once: bool = False) -> subprocess.Popen[bytes]:
        """Start the gateway on some files."""
        args = ["gateway", "run", "--state", str(self.state), *(["--once"] if once else []), *map(str, inputs)]
        with (self.folder / "gateway.log").open("ab") as log:
            self.gateway = subprocess.Popen(command(args), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return self.gateway

    def kill(self, process: subprocess.Popen[bytes] | None) -> None:
        """kill -9, if it still runs."""
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """Kill both."""
        self.kill(self.gateway)
        self.kill(self.hub)

    def status(self) -> dict[str, object]:
        """The gateway's own account."""
        done = run(["gateway", "status", "--state", str(self.state), "--json"])
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def browser(self, person: str) -> httpx.Client:
        """A logged-in person."""
        http = httpx.Client(base_url=self.url, headers={"X-Commonwatch": "1"}, timeout=30, trust_env=False)
        link = self.founded.links[person].partition("#link=")[2]
        assert http.post("/api/session", json={"link": link}).is_success
        return http

    def total(self, person: str) -> int:
        """How many events a person's organisation may see."""
        with contextlib.closing(self.browser(person)) as http:
            answer = http.post("/api/query", json={"kind": "histogram", "bin": "1w"})
            assert answer.is_success, answer.text
            return int(answer.json()["total"])
