"""A TAXII page of 100 with enforcement on, at 1,000, 5,000 and 50,000 objects, beside the smallest answer there is.

Over a real socket, one process for the server. Aim: flat in the number of objects and at most 20 ms. Baseline: the API
root (authentication and routing, no objects) in the same run. `first`, `middle`, `last` are places in it.
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn
from litestar import Litestar

from commonwatch.agreements.reader import ClauseRef, Reader
from commonwatch.agreements.terms.iep import Terms
from commonwatch.hub.publications import PublicationTable
from commonwatch.share.ports import EVER, Ask, State
from commonwatch.share.publication import Publications
from commonwatch.share.taxii import MEDIA, collection_id, routes
from commonwatch.share.taxii_query import cursor

AIM_MS = 20.0
SIZES = (1_000, 5_000, 50_000)
READER = Reader("cert-nord", ("cert",), ("sme-shield",), "detect")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An observable as govern gives it."""

    value: str
    first_seen: int
    last_seen: int
    kind: str = "domain"
    count: int | None = 3
    sources: int | None = 2
    tlp: int = 1
    severity: int | None = 4
    malware: str | None = None
    clauses: tuple[ClauseRef, ...] = (ClauseRef("dsa-1", 1, "attackers"),)
    terms: Terms | None = None


class World:
    """So many observables."""

    def __init__(self, count: int) -> None:
        now = time.time_ns() // 1_000
        self.seen = [Seen(value=f"c{n}.evil.example", first_seen=now - n, last_seen=now) for n in range(count)]

    def standing(self, reader: Reader) -> State:
        return State(1, 1, EVER)

    def observables(self, reader: Reader, since: int | None, *, origins: Any = None) -> list[Seen]:
        return self.seen


def timed(client: httpx.Client, path: str, times: int = 40) -> float:
    """Median milliseconds of a GET."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        client.get(path).raise_for_status()
        taken.append((time.perf_counter() - begun) * 1_000)
    return statistics.median(taken)


def measure(objects: int, folder: Path) -> tuple[float, ...]:
    """Milliseconds: API root, then pages of 100 at the start, in the middle, at the end, by type; the refresh."""
    table = PublicationTable(folder / f"{objects}.sqlite")
    publications = Publications(table, World(objects // 2), "bench")
    begun = time.perf_counter()
    publications.refresh(READER)
    refreshed = (time.perf_counter() - begun) * 1_000
    server = uvicorn.Server(
        uvicorn.Config(Litestar(routes(lambda _: READER, publications)), port=0, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    home = f"/taxii2/hub/collections/{collection_id('bench')}/objects/?limit=100"
    with httpx.Client(base_url=base, headers={"Accept": MEDIA}, timeout=60) as client:
        first = publications.page(READER, Ask(limit=1))[0].added
        pages = [f"{home}&next={cursor(first + at)}" for at in (0, objects // 2, objects - 150)]
        figures = (timed(client, "/taxii2/hub/"), *(timed(client, page) for page in pages),
                   timed(client, f"{home}&match[type]=sighting"))  # fmt: skip
    server.should_exit = True
    thread.join()
    table.close()
    return (*figures, refreshed)


def main() -> int:
    logging.getLogger("httpx").setLevel(logging.WARNING)
    worst, flat = 0.0, []
    print(f"{'objects':>8} {'root':>8} {'first':>8} {'middle':>8} {'last':>8} {'by type':>8}  page/root  refresh all")
    with tempfile.TemporaryDirectory() as folder:
        for objects in SIZES:
            root, *pages, refreshed = measure(objects, Path(folder))
            worst = max(worst, *pages)
            flat.append(statistics.mean(pages))
            shown = " ".join(f"{figure:>5.1f} ms" for figure in (root, *pages))
            print(f"{objects:>8} {shown}  {flat[-1] / root:>8.1f}x  {refreshed:>8.0f} ms", flush=True)
    print(
        f"slowest page {worst:.1f} ms (aim {AIM_MS:.0f}); {SIZES[-1]:,} beside {SIZES[0]:,}: {flat[-1] / flat[0]:.2f}x"
    )
    return int(worst > AIM_MS)


if __name__ == "__main__":
    sys.exit(main())
