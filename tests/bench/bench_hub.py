"""Hub: durable ingest beside a bare engine insert; sighting to indicator at 50 gateways; revocation to effect.

A real hub process on loopback, 50 enrolled gateways with their streams held open by this one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commonwatch.cli.demo.stage import command, free_port
from commonwatch.events.address import parse
from commonwatch.gateway.enrol import enrol
from commonwatch.gateway.state import StateFolder
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.bootstrap import CommunitySpec, PersonSpec, Spec, found
from commonwatch.hub.settings import Settings
from commonwatch.wire.auth import sign_request
from commonwatch.wire.batch import BatchHeader, batch_uid, seal
from scenario.live import agreement

GATEWAYS, ROWS, BATCHES, ROUNDS = 100, 5_000, 20, 10
PROFILE = dict.fromkeys(
    ("time", "owner", "owner_sector", "owner_region", "owner_size", "severity", "signature", "malware", "src_ip",
     "dst_ip", "src_port", "dst_port", "protocol", "domain", "action"), "exact",
)  # fmt: skip
COMMUNITY = "ring"


def spec() -> Spec:
    """Fifty members that share with each other and with an operator."""
    members = [f"member-{i:03d}" for i in range(GATEWAYS)]
    documents = []
    for member in members:
        made: dict[str, Any] = dict(agreement(member, "operator-mss"))
        share = dict(made["clauses"][0], id="ring", to={"communities": [COMMUNITY]}, purposes=["detect"])
        share["fields"] = dict(share["fields"], malware="exact")
        made |= {"clauses": [*made["clauses"], share], "community": COMMUNITY}
        documents.append(made)
    return Spec(
        organisations=(*(OrgInfo(m, m.title(), ("sme",)) for m in members), OrgInfo("operator-mss", "Op", ("mssp",))),
        communities=(CommunitySpec(COMMUNITY, "Ring", "operator-mss", tuple(members)),),
        people=(
            PersonSpec("olga", "Olga", "operator-mss", ("operate",), uses=99),
            *(PersonSpec(f"head-{m}", m, m, ("operate",), admin=True, uses=9) for m in members[:ROUNDS]),
        ),
        documents=tuple(documents),
        gateways=dict.fromkeys(members, 1),
    )  # fmt: skip


class Site:
    """One enrolled gateway, reduced to its signed requests."""

    def __init__(self, url: str, code: str, folder: Path) -> None:
        self.identity = enrol(url, code, StateFolder(folder), name="bench")
        self.key = StateFolder(folder).signing_key
        self.seq = 0

    def headers(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """The signature headers of a request."""
        return sign_request(method, path, body, time.time_ns() // 1000, self.identity.gateway, self.key)

    def batch(self, columns: dict[str, list[Any]]) -> bytes:
        """Seal rows."""
        self.seq += 1
        header = BatchHeader(
            batch_uid=batch_uid(self.identity.gateway, columns["event_uid"]), gateway=self.identity.gateway,
            org=self.identity.org, seq=self.seq, snapshot=0, rows=len(columns["time"]), profiles=[PROFILE],
            rules_version=1, made_at=time.time_ns() // 1000,
        )  # fmt: skip
        return seal(header, columns, self.key)


def rows(count: int, malware: str | None = None, remote: str = "198.18.0.1") -> dict[str, list[Any]]:
    """Columns of `count` flows, or of malware verdicts if a family is named, a second apart."""
    now = time.time_ns() // 1000
    inside, outside = parse("192.168.1.20"), parse(remote)
    made: dict[str, list[Any]] = {
        "event_uid": [os.urandom(16) for _ in range(count)], "time": [now - i * 1_000_000 for i in range(count)],
        "event_class": [1 if malware else 10] * count, "tlp": [2] * count, "severity_id": [3 + i % 2 for i in range(count)],
        "profile": [0] * count, "class_uid": [2004 if malware else 4001] * count, "is_alert": [bool(malware)] * count, "action_id": [1] * count,
        "src_ip_hi": [inside.hi] * count, "src_ip_lo": [inside.lo] * count, "src_scope": [1] * count,
        "dst_ip_hi": [outside.hi] * count, "dst_ip_lo": [outside.lo + i % 60_000 for i in range(count)],
        "dst_scope": [2] * count, "src_port": [1024 + i % 60_000 for i in range(count)], "dst_port": [443] * count,
        "proto": [6] * count, "rule_uid": [f"1:{2_000_000 + i % 500}" for i in range(count)],
        "rule_name": [f"BENCH rule {i % 500}" for i in range(count)],
    }  # fmt: skip
    return made | ({"malware_family": [malware] * count, "malware_names": [[malware]] * count} if malware else {})


@contextlib.contextmanager
def hub() -> Iterator[tuple[str, list[Site], Any]]:
    """A served hub with enrolled gateways."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        settings = Settings(data=folder / "hub", url=f"http://127.0.0.1:{port}", port=port)
        founded = found(settings, spec())
        with (folder / "hub.log").open("wb") as log:
            process = subprocess.Popen(command(["hub", "serve", "--data", str(settings.data)]), stdout=log, stderr=log)
        try:
            for _ in range(600):
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"{settings.url}/healthz", trust_env=False).is_success:
                        break
                time.sleep(0.1)
            sites = [Site(settings.url, codes[0], folder / org) for org, codes in founded.codes.items()]
            yield settings.url, sites, founded
        finally:
            process.terminate()
            process.wait(20)


def bare_insert(columns: dict[str, list[Any]]) -> float:
    """Events per second of the engine alone: Arrow in, commit, per batch of the same columns."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(f"{folder}/bare.duckdb") as con:
        table = pa.table(columns)
        con.register("batch", table)
        con.execute("CREATE TABLE bare AS SELECT * FROM batch LIMIT 0")
        begun = time.perf_counter()
        for _ in range(BATCHES):
            con.execute("INSERT INTO bare SELECT * FROM batch")
        return BATCHES * ROWS / (time.perf_counter() - begun)


def ingest(url: str, sites: list[Site]) -> float:
    """Events per second, acknowledged, over HTTP, from as many gateways as given."""
    sealed = [sites[i % len(sites)].batch(rows(ROWS)) for i in range(BATCHES)]

    async def send() -> float:
        async with httpx.AsyncClient(base_url=url, timeout=120, trust_env=False) as http:
            lanes = [sealed[i :: len(sites)] for i in range(len(sites))]

            async def lane(site: Site, mine: list[bytes]) -> None:
                for body in mine:
                    answer = await http.post("/gateway/batches", content=body, headers=site.headers("POST", "/gateway/batches", body))  # fmt: skip
                    assert answer.is_success, answer.text

            begun = time.perf_counter()
            await asyncio.gather(*(lane(s, m) for s, m in zip(sites, lanes, strict=True)))
            return BATCHES * ROWS / (time.perf_counter() - begun)

    return asyncio.run(send())


async def promulgate(url: str, sites: list[Site]) -> tuple[list[float], list[float]]:
    """Seconds from sending a sighting to its indicator at each of the other gateways; and to the receipt."""
    arrived: dict[str, list[float]] = {}
    receipts: list[float] = []
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=None, limits=limits, trust_env=False) as http:

        async def listen(site: Site, opened: asyncio.Event) -> None:
            path = "/gateway/stream?last_snapshot=0&checkpoint=0"
            async with http.stream("GET", path, headers=site.headers("GET", path)) as answer:
                async for line in answer.aiter_lines():
                    opened.set()
                    at = time.perf_counter()
                    for value, times in arrived.items():
                        if f'"{value}"' in line:
                            times.append(at)

        opened = [asyncio.Event() for _ in sites]
        tasks = [asyncio.create_task(listen(s, o)) for s, o in zip(sites, opened, strict=True)]
        await asyncio.gather(*(o.wait() for o in opened))
        taken: list[float] = []
        for number in range(ROUNDS + 1):
            value = f"198.19.7.{number + 1}"
            arrived[value] = []
            body = sites[0].batch(rows(1, "darkgate", value))
            begun = time.perf_counter()
            answer = await http.post("/gateway/batches", content=body, headers=sites[0].headers("POST", "/gateway/batches", body))  # fmt: skip
            answer.raise_for_status()
            receipts.append(time.perf_counter() - begun)
            deadline = time.perf_counter() + 120
            while len(arrived[value]) < len(sites) and time.perf_counter() < deadline:
                await asyncio.sleep(0.01)
            taken += [at - begun for at in arrived[value]] if number else []  # the first round warms up
            if os.environ.get("BENCH_VERBOSE"):
                print("round", number, [round(t - begun, 2) for t in arrived[value]][::10], flush=True)
            assert len(arrived[value]) >= len(sites) - 1, (value, len(arrived[value]))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return taken, receipts


def login(url: str, link: str) -> httpx.Client:
    """A person's browser."""
    http = httpx.Client(base_url=url, headers={"X-Commonwatch": "1"}, timeout=60, trust_env=False)
    http.post("/api/session", json={"link": link.partition("#link=")[2]}).raise_for_status()
    return http


def revoke(url: str, founded: Any) -> tuple[list[float], list[float]]:
    """Seconds from sending a revocation to the first answer without the owner; and of an undisturbed answer."""
    question = {"kind": "histogram", "bin": "1d"}
    operator = login(url, founded.links["olga"])
    effect, calm = [], []
    for number in range(ROUNDS):
        member = f"member-{number:03d}"
        head = login(url, founded.links[f"head-{member}"])
        begun = time.perf_counter()
        before = operator.post("/api/query", json=question).json()["total"]
        calm.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        head.post(f"/api/agreements/{member}-service/revoke", json={"reason": "bench"}).raise_for_status()
        after = operator.post("/api/query", json=question).json()["total"]
        effect.append(time.perf_counter() - begun)
        assert after < before, (member, before, after)
    return effect, calm


def percentile(values: list[float], share: float) -> float:
    """The share-quantile of some values."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Run and print."""
    bare = bare_insert(rows(ROWS))
    with hub() as (url, sites, founded):
        print(f"{'ingest, durable and acknowledged':<44}{'events/s':>12}{'of bare':>9}")
        print(f"{'bare engine insert of the same columns':<44}{bare:>12,.0f}{1:>9.2f}")
        for count in (1, 10):
            rate = ingest(url, sites[:count])
            print(f"{f'hub, {count} gateways, batches of {ROWS:,}':<44}{rate:>12,.0f}{rate / bare:>9.2f}")
        for site in sites[1:ROUNDS]:
            body = site.batch(rows(20))
            httpx.post(f"{url}/gateway/batches", content=body, headers=site.headers("POST", "/gateway/batches", body), trust_env=False)  # fmt: skip
        taken, receipts = asyncio.run(promulgate(url, sites))
        base = statistics.median(receipts)
        print(f"\n{f'sighting to indicator, {GATEWAYS} gateways':<44}{'seconds':>12}{'of receipt':>12}")
        print(f"{'receipt of the sighting (baseline), median':<44}{base:>12.3f}{1:>12.1f}")
        for name, share in (("median", 0.5), ("p95", 0.95), ("p99", 0.99), ("slowest", 1.0)):
            value = percentile(taken, share)
            print(f"{'at a gateway, ' + name:<44}{value:>12.3f}{value / base:>12.1f}")
        effect, calm = revoke(url, founded)
        base = statistics.median(calm)
        print(f"\n{'revocation to effect on the next answer':<44}{'seconds':>12}{'of answer':>12}")
        print(f"{'an undisturbed answer (baseline), median':<44}{base:>12.3f}{1:>12.1f}")
        middle = statistics.median(effect)
        print(f"{'revoked and answered anew, median':<44}{middle:>12.3f}{middle / base:>12.1f}")
        print(f"{'revoked and answered anew, slowest':<44}{max(effect):>12.3f}{max(effect) / base:>12.1f}")


if __name__ == "__main__":
    main()
