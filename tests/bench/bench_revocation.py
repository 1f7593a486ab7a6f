"""Revocation with 1,000 agreements and 10,000 held-open streams: who hears of it when, and what holding them costs.

A real hub process on loopback. 100 reader organisations hold 100 browser streams each, a session per stream, from three
client processes. Revoked are agreements that speak to one organisation (100 streams end, the rest are told) and one
that speaks to all (10,000 end). Times count from sending the revocation. Beside it: the same hub idle.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import multiprocessing as mp
import os
import queue
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_hub import Site, percentile, rows

from commonwatch.cli.demo.stage import command, free_port
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.bootstrap import CommunitySpec, Founded, PersonSpec, Spec, found_in
from commonwatch.hub.core import Office
from commonwatch.hub.meta.credentials import hashed
from commonwatch.hub.meta.models import Login
from commonwatch.hub.settings import Settings, save

READERS, CLIENTS, NARROW, ROWS = 100, 3, 3, 200
FIELDS = dict.fromkeys(("time", "severity", "signature", "src_ip", "dst_ip", "malware"), "exact")


class Heard(NamedTuple):
    """What one stream heard after a revocation: the stream, bye or epoch, and when (monotonic seconds)."""

    stream: int
    kind: str
    at: float


def agreement(owner: str, to: dict[str, list[str]], operator: str) -> dict[str, Any]:
    """An agreement that shows flows and malware exactly."""
    today = dt.datetime.now(dt.UTC).date()
    share = {
        "kind": "share", "id": "all", "to": to, "purposes": ["detect"], "rows": {"events": ["flow", "malware"], "tlp": "amber"},
        "fields": FIELDS,
    }  # fmt: skip
    return {
        "dsa": "1", "id": f"{owner}-share", "version": 1, "title": "Everything", "clauses": [share], "community": "ring",
        "parties": [{"id": owner, "role": "owner"}, {"id": operator, "role": "operator"}],
        "starts": (today - dt.timedelta(days=1)).isoformat(), "ends": (today + dt.timedelta(days=30)).isoformat(),
    }  # fmt: skip


def spec(agreements: int) -> Spec:
    """So many owners; owner 0 shares with the whole community, owner n with one reader organisation."""
    owners = [f"owner-{n:04d}" for n in range(agreements)]
    readers = [f"reader-{n:03d}" for n in range(READERS)]
    documents = [
        agreement(o, {"communities": ["ring"]} if n == 0 else {"organisations": [readers[n % READERS]]}, "operator")
        for n, o in enumerate(owners)
    ]
    return Spec(
        organisations=(
            *(OrgInfo(o, o, ("sme",)) for o in owners), *(OrgInfo(r, r, ("cert",)) for r in readers), OrgInfo("operator", "Op", ("mssp",)),
        ),
        communities=(CommunitySpec("ring", "Ring", "operator", tuple(readers)),),
        people=(
            *(PersonSpec(r, r, r, ("detect",), uses=9) for r in readers),
            *(PersonSpec(f"head-{o}", o, o, ("operate",), admin=True, uses=9) for o in owners[: NARROW + 1]),
        ),
        documents=tuple(documents),
        gateways=dict.fromkeys(owners[: NARROW + 1], 1),
    )  # fmt: skip


def found(settings: Settings, agreements: int, streams: int) -> tuple[Founded, list[str]]:
    """The community and a session for every stream; stream n is of reader organisation n mod READERS."""
    office = Office(settings)
    try:
        founded = found_in(office, spec(agreements))
        secrets = [f"bench-session-{n}" for n in range(streams)]
        now = office.clock.now()
        with office.database.write() as session:
            session.add_all(
                Login(id=f"s{n}", hash=hashed(secret), person=f"reader-{n % READERS:03d}", purpose="detect", created=now, used=now,
                      expires=now + 86_400_000_000)
                for n, secret in enumerate(secrets)
            )  # fmt: skip
        return founded, secrets
    finally:
        office.close()


async def hold(url: str, mine: list[tuple[int, str]], ready: Any, heard: Any) -> None:
    """Hold these streams open; say when all are, and what each hears after that."""
    where, gate = urlsplit(url), asyncio.Semaphore(50)
    opened = asyncio.Event()
    left = len(mine)

    async def one(stream: int, secret: str) -> None:
        nonlocal left
        async with gate:
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            writer.write(f"GET /api/stream HTTP/1.1\r\nHost: x\r\nCookie: cw_session={secret}\r\n\r\n".encode())
            assert b" 200 " in (status := await reader.readline()), status
            while await reader.readline() != b"event: hello\n":
                pass
        left -= 1
        if not left:
            opened.set()
        while line := await reader.readline():
            if line in {b"event: bye\n", b"event: epoch\n"}:
                heard.put(Heard(stream, line[7:-1].decode(), time.monotonic()))
        writer.close()

    tasks = [asyncio.create_task(one(*each)) for each in mine]
    await opened.wait()
    ready.put(len(mine))
    await asyncio.gather(*tasks)


def client(url: str, mine: list[tuple[int, str]], ready: Any, heard: Any) -> None:
    """A client process."""
    asyncio.run(hold(url, mine, ready, heard))


@contextlib.contextmanager
def served(agreements: int, streams: int) -> Iterator[tuple[str, int, Founded, list[str], Path]]:
    """A served hub: URL, process id, what was founded, the sessions' secrets, a folder."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        settings = Settings(data=folder / "hub", url=f"http://127.0.0.1:{port}", port=port)
        save(settings)
        founded, secrets = found(settings, agreements, streams)
        with (folder / "hub.log").open("wb") as log:
            process = subprocess.Popen(command(["hub", "serve", "--data", str(settings.data)]), stdout=log, stderr=log)
        try:
            for _ in range(600):
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"{settings.url}/healthz", trust_env=False).is_success:
                        break
                time.sleep(0.1)
            yield settings.url, process.pid, founded, secrets, folder
        finally:
            if log_text := (folder / "hub.log").read_text()[-1500:]:
                print(log_text if os.environ.get("BENCH_VERBOSE") else "", end="")
            process.terminate()
            process.wait(30)


def cost(pid: int, seconds: float) -> tuple[float, float]:
    """(share of one core over so many seconds, resident megabytes) of a process."""
    before = _ticks(pid)
    time.sleep(seconds)
    used = (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
    text = Path(f"/proc/{pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))
    return used / seconds, resident / 1024


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def browser(url: str, **cookies: str) -> httpx.Client:
    """A browser with a session."""
    return httpx.Client(base_url=url, headers={"X-Commonwatch": "1"}, cookies=cookies, timeout=120, trust_env=False)


class Round(NamedTuple):
    """One revocation: seconds to the answer, to `bye` and `epoch` at each stream, and to an obeying next read."""

    answered: float
    ended: list[float]
    told: list[float]
    read: float


def revoke(url: str, founded: Founded, owner: int, reader: str, streams: list[int], heard: Any) -> Round:
    """Revoke one owner's agreement; `reader` asks before and after; `streams` are those still open."""
    question = {"kind": "histogram", "bin": "1d"}
    with browser(url) as head, browser(url, cw_session=reader) as asks:
        link = founded.links[f"head-owner-{owner:04d}"].partition("#link=")[2]
        head.post("/api/session", json={"link": link}).raise_for_status()
        before = asks.post("/api/query", json=question).json()["total"]
        begun = time.monotonic()
        head.post(f"/api/agreements/owner-{owner:04d}-share/revoke", json={"reason": "bench"}).raise_for_status()
        answered = time.monotonic() - begun
        after = asks.post("/api/query", json=question).json()["total"]
        read = time.monotonic() - begun
        assert after == before - ROWS, (before, after)
    found: dict[int, Heard] = {}
    while len(found) < len(streams):
        try:
            said = heard.get(timeout=10)
        except queue.Empty:
            missing = sorted(set(streams) - found.keys())
            raise SystemExit(f"{len(missing)} of {len(streams)} streams heard nothing, such as {missing[:5]}") from None
        found.setdefault(said.stream, said)
    times = {kind: [h.at - begun for h in found.values() if h.kind == kind] for kind in ("bye", "epoch")}
    return Round(answered, times["bye"], times["epoch"], read)


def line(name: str, values: list[float]) -> None:
    """One line: how many, median, p99, slowest in seconds."""
    if values:
        shown = "".join(f"{percentile(values, share):>10.3f}" for share in (0.5, 0.99, 1.0))
        print(f"{name:<52}{len(values):>8,}{shown}", flush=True)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--agreements", type=int, default=1_000)
    parser.add_argument("--streams", type=int, default=10_000)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with served(given.agreements, given.streams) as (url, pid, founded, secrets, folder):
        for org, codes in founded.codes.items():
            site = Site(url, codes[0], folder / org)
            body = site.batch(rows(ROWS))
            headers = site.headers("POST", "/gateway/batches", body)
            httpx.post(f"{url}/gateway/batches", content=body, headers=headers, trust_env=False).raise_for_status()
        with browser(url, cw_session=secrets[0]) as asks:
            asks.post("/api/query", json={"kind": "histogram", "bin": "1d"}).raise_for_status()
        idle = cost(pid, 8)
        ready, heard = mp.Queue(), mp.Queue()
        lanes = [list(enumerate(secrets))[n::CLIENTS] for n in range(CLIENTS)]
        clients = [mp.Process(target=client, args=(url, lane, ready, heard), daemon=True) for lane in lanes]
        begun = time.monotonic()
        for each in clients:
            each.start()
        for _ in clients:
            ready.get(timeout=600)
        opening = time.monotonic() - begun
        time.sleep(2)
        holding = cost(pid, 10)
        print(f"{given.agreements:,} agreements, {given.streams:,} streams, opened in {opening:.0f} s")
        print(f"{'hub':<52}{'of a core':>10}{'MB':>10}")
        print(f"{'idle, no stream (baseline)':<52}{idle[0]:>10.3f}{idle[1]:>10.0f}")
        print(f"{f'holding {given.streams:,} streams':<52}{holding[0]:>10.3f}{holding[1]:>10.0f}")
        print(f"\n{'seconds from sending the revocation':<52}{'':>8}{'median':>10}{'p99':>10}{'slowest':>10}")
        open_now = list(range(given.streams))
        rounds = []
        for owner in range(1, NARROW + 1):
            rounds.append(revoke(url, founded, owner, secrets[owner], open_now, heard))
            open_now = [s for s in open_now if s % READERS != owner]
        line("one organisation touched: its answer", [r.answered for r in rounds])
        line("its streams end", [t for r in rounds for t in r.ended])
        line("all others are told", [t for r in rounds for t in r.told])
        line("the next read obeys", [r.read for r in rounds])
        last = revoke(url, founded, 0, secrets[0], open_now, heard)
        line("everybody touched: its answer", [last.answered])
        line("all streams end", last.ended)
        line("the next read obeys", [last.read])
        print(
            json.dumps({"slowest_end": max(last.ended), "slowest_narrow_end": max(t for r in rounds for t in r.ended)})
        )
        for each in clients:
            each.join(20)


if __name__ == "__main__":
    main()
