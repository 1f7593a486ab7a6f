"""The demo's stage: one hub and one gateway per organisation, as real processes on loopback, founded from a simulation.

Rules: everything goes through the commands and the HTTP interface that anybody else uses; nothing is written to the hub
behind its back. All state lies in one folder; stopping ends every process.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec

from commonwatch import simulate
from commonwatch.agreements.reader import Purpose
from commonwatch.cli.demo import agreements
from commonwatch.errors import Unavailable
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.bootstrap import CommunitySpec, Founded, PersonSpec, Spec, found
from commonwatch.hub.settings import Settings
from commonwatch.simulate.members import Member
from commonwatch.simulate.params import HOUR, Outbreak, Params

#: Role -> purposes its person may act for; the first is the one a session opens with.
PURPOSES: dict[str, tuple[Purpose, ...]] = {
    "mssp": ("operate", "detect", "respond"),
    "cert": ("respond", "detect"),
    "isp": ("detect",),
    "sme": ("operate", "detect"),
}
PEERS = agreements.PEERS
POOL = agreements.COMMUNITY


class Scale(msgspec.Struct, frozen=True):
    """How large the demo is and how fast it runs. `live` seconds replay the `hours` of the outbreak."""

    members: int = 12
    seed: int = 7
    days: float = 6.0
    events_per_day: int = 700
    hours: float = 30.0
    live: float = 120.0


class Stage:
    """A founded community and its running processes."""

    def __init__(self, folder: Path, scale: Scale, port: int = 0) -> None:
        self.folder = folder
        self.scale = scale
        until = int(time.time() // 60 * 60) * 1_000_000
        outbreak = Outbreak(starts_before=scale.hours, spread=scale.hours * 0.8, share=0.7)
        self.community = simulate.community(
            Params(
                members=scale.members, seed=scale.seed, days=scale.days, until=until, outbreak=outbreak,
                events_per_day=scale.events_per_day,
            )
        )  # fmt: skip
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = Settings(data=folder / "hub", url=self.url, port=self.port, name="demo")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.founded: Founded | None = None

    @property
    def split(self) -> int:
        """The moment the live part begins: what lies before is history (microseconds)."""
        return self.community.params.until - int(self.scale.hours * HOUR)

    def one(self, role: str) -> Member:
        """The first member with a role."""
        return next(m for m in self.community.members if role in m.roles)

    def smes(self) -> list[Member]:
        """The SMEs, in order."""
        return [m for m in self.community.members if "sme" in m.roles]

    def log(self, member: Member) -> Path:
        """The file a member's sensor writes."""
        return self.folder / member.id / "eve.json"

    def state(self, member: Member) -> Path:
        """The folder of a member's gateway."""
        return self.folder / member.id / "gateway"

    def found(self) -> Founded:
        """Make the hub with all organisations, people and signed agreements."""
        self.founded = found(self.settings, spec_of(self))
        return self.founded

    def write_history(self) -> int:
        """Every member's log up to the live part; gives the number of records."""
        total = 0
        for member in self.community.members:
            path = self.log(member)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                if "sme" in member.roles:
                    for _, line in self.community.records(member, self.community.params.begins, self.split):
                        file.write(line)
                        total += 1
        return total

    def serve(self) -> None:
        """Start the hub and wait until it answers."""
        self.start("hub", ["hub", "serve", "--data", str(self.settings.data)])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200:
                    return
            if self.processes["hub"].poll() is not None:
                break
            time.sleep(0.2)
        raise Unavailable("the hub did not start", where=str(self.folder / "hub.log"), todo="read that log")

    def enrol(self) -> None:
        """Enrol and start every gateway; those of SMEs tail their sensor's log, the others only listen."""
        assert self.founded
        codes = self.founded.codes
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(self._enrol, m, codes[m.id][0]) for m in self.community.members]
            for job in jobs:
                job.result()
        for member in self.community.members:
            self.start(member.id, ["gateway", "run", "--state", str(self.state(member)), str(self.log(member))])

    def _enrol(self, member: Member, code: str) -> None:
        done = run(["gateway", "enrol", self.url, code, "--state", str(self.state(member)), "--name", member.sensor])
        if done.returncode:
            raise Unavailable(f"{member.id} could not enrol: {done.stderr.strip()[-300:]}", todo="see the hub's log")

    def start(self, name: str, args: Sequence[str]) -> None:
        """Start a `commonwatch` process; its output goes to `<name>.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command(args), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def stop(self) -> None:
        """End every process, gently, then not."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 8
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            if process.poll() is None:
                process.kill()
                process.wait()


def command(args: Sequence[str]) -> list[str]:
    """The command line of a `commonwatch` subprocess."""
    return [sys.executable, "-m", "commonwatch", *args]


def run(args: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a `commonwatch` command to its end."""
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return subprocess.run(
        command(args),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spec_of(stage: Stage) -> Spec:
    """Organisations, communities, people and agreements of the demo."""
    members = stage.community.members
    mssp, cert, smes = stage.one("mssp").id, stage.one("cert").id, [m.id for m in stage.smes()]
    return Spec(
        organisations=tuple(
            OrgInfo(org=m.id, name=m.name, roles=m.roles, sector=m.sector, region=m.region, size=m.size)
            for m in members
        ),
        communities=(
            CommunitySpec(POOL, "SME Shield", cert, tuple(m.id for m in members if m.id != cert)),
            CommunitySpec(PEERS, "SME Shield members", mssp, tuple(smes)),
        ),
        people=tuple(
            PersonSpec(f"{m.id}-analyst", f"Analyst at {m.name}", m.id, PURPOSES[m.roles[0]], admin=True, uses=50)
            for m in members
        ),
        documents=tuple(documents(stage)),
        gateways={m.id: 1 for m in members},
    )


def documents(stage: Stage) -> list[agreements.Document]:
    """Every SME's documents, by its grade."""
    mssp, cert = stage.one("mssp").id, stage.one("cert").id
    today = dt.datetime.now(dt.UTC).date()
    days = ((today - dt.timedelta(days=30)).isoformat(), (today + dt.timedelta(days=335)).isoformat())
    found: list[agreements.Document] = []
    for index, member in enumerate(stage.smes()):
        grade = agreements.grade_of(index)
        owner = {"id": member.id, "name": member.name, "role": "owner"}
        found.append(agreements.service(member.id, mssp, [owner, {"id": mssp, "role": "operator"}], grade, days))
        pooled = agreements.pooled(member.id, [owner, {"id": cert, "role": "member"}], grade, days)
        found += [pooled] if pooled else [agreements.charter(member.id, mssp, {"id": member.id, "name": member.name})]
    return found
