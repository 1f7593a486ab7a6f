"""How long a member waits for a preview of a draft over its own events, beside one governed question of one reader.

Run as a script: `bench_preview.py [--rows 1000000] [--json FILE]`. All events are the member's; the draft names a
provider, a community and a role, with tokens, a limit, an age bound and a count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.loading import load
from commonwatch.agreements.document import Count, Dimensions, ShareRows
from commonwatch.govern.preview.shapes import Drafted, Feed, Preview
from commonwatch.govern.query import Filter, Interval, Rows, Top
from commonwatch.govern.service import Govern
from commonwatch.share.allow import AllowList
from commonwatch.share.change import Desk
from commonwatch.share.imagined import feed
from commonwatch.store import Store
from doubles.govern import NOW, Keys, Log, Policy, documents, limit, org, reader, share, to

RUNS = 5
SERVICE = {
    "time": "minute", "owner": "exact", "src_ip": "exact", "dst_ip": "pseudonym", "signature": "exact",
    "severity": "exact", "malware": "exact", "user": "pseudonym", "dst_port": "exact",
}  # fmt: skip
WARN = {"time": "hour", "owner": "pseudonym", "src_ip": "exact", "malware": "exact", "severity": "exact"}


def drafted() -> Any:
    """The draft: a provider, a community, a role; a limit, an age, a count."""
    count = Count(
        id="crowd", to=to(communities=("ring",)), purposes=("detect",), by=Dimensions(time="day", malware="family"),
        rows=ShareRows(events=("malware", "dns"), tlp="amber"),
    )  # fmt: skip
    made = documents(
        "acme", share("service", to("mssp"), SERVICE, events=("malware", "intrusion", "dns", "auth"), tlp="amber"),
        share("warn", to(communities=("ring",), roles=("cert",)), WARN, after=24), limit("people", {"user": "withheld"}),
        count,  # type: ignore[arg-type]
    )  # fmt: skip
    return made.agreements[0].document


def publish(who: Any, now: Any, would: Any) -> Feed:
    return feed(Desk(f"{who.org} {who.purpose}", "bench", NOW), AllowList(), now, would)


def seconds(ask: Callable[[], Any]) -> tuple[float, Any]:
    """The middle of some runs after one that does not count."""
    ask()
    taken, found = [], None
    for _ in range(RUNS):
        begun = time.perf_counter()
        found = ask()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken), found


def main(args: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(args)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder))
        load(store, ["acme"], given.rows)
        shown = documents("acme", share("service", to("mssp"), SERVICE, events=("malware", "dns"), tlp="amber"))
        policy = Policy([shown], [org("acme"), org("mssp", "mssp"), org("cert", "cert")])
        govern = Govern(store, policy, Keys(), Log(), secret=b"s" * 32, snapshots_from=1 << 60)
        report = measure(govern, given.rows)
        store.close()
    if given.json:
        given.json.write_text(json.dumps(report, indent=2))
    return 0


def measure(govern: Govern, rows: int) -> dict[str, Any]:
    """Ask and print."""
    week = Filter(time=Interval(last="7d"))
    questions: dict[str, Callable[[], Any]] = {
        "one page of rows, one reader (baseline)": lambda: govern.ask(reader(), Rows(filter=week)),
        "top signatures, one reader (baseline)": lambda: govern.ask(reader(), Top(by="rule")),
        "observables, one reader (baseline)": lambda: govern.observables(reader()),
        "own rows by label and age, 30 days": lambda: govern.own_rows("acme", 30),
    }
    for days in (7, 30, 90):
        questions[f"preview, all readers, {days} days"] = lambda days=days: govern.preview(
            Drafted(draft=drafted(), days=days, rows=20), publish
        )
    questions["preview, one reader, 7 days"] = lambda: govern.preview(
        Drafted(draft=drafted(), days=7, rows=50, reader="mssp"), publish
    )
    report: dict[str, Any] = {"rows": rows}
    print(f"{rows:,} events of one member\n\n{'':45} {'s':>7}")
    for name, ask in questions.items():
        taken, found = seconds(ask)
        more = f"   {found.total:,} events, {len(found.readers)} readers" if isinstance(found, Preview) else ""
        print(f"{name:45} {taken:7.3f}{more}", flush=True)
        report[name] = round(taken, 4)
    return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
