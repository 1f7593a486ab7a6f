"""Governed beside ungoverned query time, and how long a revocation takes to bite.

Run as a script: `bench_govern.py [--rows 1000000] [--owners 10,200,2000] [--json FILE]`. Events lie as compaction leaves
them (`loading.py`); every owner has an agreement of its own (levels, ages, classes differ). Each typical question is
asked of the raw tables by a plain tree of nodes and of `Govern.ask`, turn and turn about, so that whatever else the
machine does meets both. First through the live relation, then as a reader who asks often has it: from its snapshot.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlglot import exp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.loading import load
from commonwatch.govern.query import Constraint, Cube, Distinct, Filter, Histogram, Interval, Rows, Top
from commonwatch.govern.service import Govern
from commonwatch.store import Store
from doubles.govern import HOUR, Keys, Log, Policy, documents, org, reader, share, to

CLASSES = ("malware", "intrusion", "firewall", "dns", "auth")
RUNS = 5


def agreement(owner: str, rng: random.Random) -> Any:
    """An owner's own mixture of levels, ages and classes."""
    fields = {
        "time": rng.choice(("exact", "minute", "minute", "hour")), "owner": rng.choice(("exact", "pseudonym")),
        "src_ip": rng.choice(("exact", "exact", "pseudonym+network")), "dst_ip": "pseudonym", "signature": "exact",
        "malware": rng.choice(("exact", "family")), "severity": "exact", "src_port": rng.choice(("exact", "range")),
        "dst_port": "exact", "action": "exact", "owner_sector": "exact", "user": "pseudonym",
    }  # fmt: skip
    until = rng.choice((None, None, 720, 2_160))
    late = share(
        "late", to("cert"), {**fields, "time": "hour"}, events=("dns",), tlp="green", after=rng.choice((0, 24))
    )
    main = share(
        "main",
        to("mssp"),
        fields,
        events=CLASSES[: rng.randrange(3, 6)],
        tlp=rng.choice(("green", "amber")),
        until=until,
    )
    return documents(owner, main, late)


def col(name: str) -> exp.Column:
    return exp.column(name, table="r", quoted=True)


def raw(store: Store, columns: list[str]) -> exp.Subquery:
    return store.relation(columns).subquery("r")


def ungoverned(store: Store) -> dict[str, exp.Expr]:
    """What the same questions cost without agreements: plain trees over the raw tables."""
    week = exp.GTE(this=col("time"), expression=exp.cast(exp.Literal.string("2025-11-13 00:00:00"), "TIMESTAMP"))
    family = exp.EQ(this=col("malware_family"), expression=exp.Literal.string("family-7"))
    needle = exp.EQ(this=col("src_ip_lo"), expression=exp.Literal.number((0xFFFF << 32) | 0x0B000001))
    page = (
        "time",
        "handling",
        "severity_id",
        "rule_name",
        "malware_family",
        "src_ip_hi",
        "src_ip_lo",
        "dst_ip_lo",
        "dst_port",
    )
    latest = exp.select(*(col(c) for c in page)).from_(raw(store, [*page]))
    latest = latest.order_by(exp.Ordered(this=col("time"), desc=True)).limit(100)
    sources = grouped(store, ["src_ip_hi", "src_ip_lo"])
    return {
        "histogram 6h": grouped(store, ["time"], binned(6 * HOUR)),
        "histogram one family": grouped(store, ["time", "malware_family"], binned(6 * HOUR)).where(family),
        "top source addresses": ranked(sources),
        "top sources, 7 days": ranked(grouped(store, ["time", "src_ip_hi", "src_ip_lo"], col("src_ip_hi"), col("src_ip_lo"))).where(week),
        "top signatures": ranked(grouped(store, ["rule_name"])), "top families": ranked(grouped(store, ["malware_family"])),
        "top severities": ranked(grouped(store, ["severity_id"])),
        "needle address": ranked(grouped(store, ["severity_id", "src_ip_lo"], col("severity_id"))).where(needle),
        "distinct sources": exp.select(count()).from_(sources.subquery("g")),
        "distinct signatures, one family": exp.select(count()).from_(
            grouped(store, ["rule_name", "malware_family"], col("rule_name")).where(family.copy()).subquery("g")),
        "latest 100 rows": latest, "latest 100 of one family": latest.where(family.copy()),
        "cube day x class x severity x family": grouped(
            store, ["time", "event_class", "severity_id", "malware_family"],
            binned(24 * HOUR), *(col(c) for c in ("event_class", "severity_id", "malware_family"))),
    }  # fmt: skip


def count() -> exp.Expr:
    return exp.Count(this=exp.Star()).as_("n")


def binned(size: int) -> exp.Expr:
    return exp.IntDiv(this=exp.UnixMicros(this=col("time")), expression=exp.Literal.number(size)).as_("b")


def grouped(store: Store, columns: list[str], *keys: exp.Expr) -> exp.Select:
    """Counts by some keys, by default by all columns."""
    keys = keys or tuple(col(c) for c in columns)
    made = exp.select(*keys, count()).from_(raw(store, columns))
    return made.group_by(*(exp.Literal.number(i + 1) for i in range(len(keys))))


def ranked(groups: exp.Select) -> exp.Select:
    return groups.order_by(exp.Ordered(this=exp.column("n"), desc=True)).limit(20)


def governed() -> dict[str, Any]:
    week = Interval(start="2025-11-13T00:00:00Z", end="2025-12-01T00:00:00Z")
    family = Filter(dims={"family": Constraint(within=("family-7",))})
    columns = ("time", "org", "severity", "rule", "family", "src_ip", "dst_ip", "dst_port")
    return {
        "histogram 6h": Histogram(bin="6h"),
        "histogram one family": Histogram(bin="6h", filter=family),
        "top source addresses": Top(by="src_ip"), "top sources, 7 days": Top(by="src_ip", filter=Filter(time=week)),
        "top signatures": Top(by="rule"), "top families": Top(by="family"), "top severities": Top(by="severity"),
        "needle address": Top(by="severity", filter=Filter(dims={"src_ip": Constraint(within=("11.0.0.1",))})),
        "distinct sources": Distinct(by="src_ip"), "distinct signatures, one family": Distinct(by="rule", filter=family),
        "latest 100 rows": Rows(columns=columns, limit=100), "latest 100 of one family": Rows(columns=columns, limit=100, filter=family),
        "cube day x class x severity x family": Cube(by=("class", "severity", "family"), bin="1d"),
    }  # fmt: skip


def pairs(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of both, medians of a few runs turn and turn about after one to warm up."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(RUNS + 1):
        for work, times in zip((one, other), taken, strict=True):
            began = time.perf_counter()
            work()
            if number:
                times.append(time.perf_counter() - began)
    return statistics.median(taken[0]) * 1_000, statistics.median(taken[1]) * 1_000


def measure(count: int, rows: int) -> dict[str, Any]:
    """All figures for so many owners over so many rows."""
    owners = [f"owner-{i:04d}" for i in range(count)]
    rng = random.Random(count)
    orgs = [org(o, sector=rng.choice(("Q86", "G47", "C10", "M69"))) for o in owners]
    policy = Policy([agreement(o, rng) for o in owners], [*orgs, org("mssp", "mssp"), org("cert", "cert")])
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder))
        began = time.perf_counter()
        load(store, owners, rows)
        loaded = time.perf_counter() - began
        here = Govern(store, policy, Keys(), Log(), secret=b"b" * 32, snapshots_from=1 << 60)
        began = time.perf_counter()
        seen = here.ask(reader(), Top(by="severity")).total
        first = time.perf_counter() - began
        queries = compare(store, here)
        for query in governed().values():  # a snapshot has the columns asked for within the last minute
            here.ask(reader(), query)
        began = time.perf_counter()
        here.warm(reader())
        snapshot = time.perf_counter() - began
        for name, found in compare(store, here).items():
            queries[name] |= {f"hot_{key}".replace("governed_", ""): value for key, value in found.items()}
        minute = clock(here, policy)
        revoked = revocation(here, policy, owners[0])
        store.close()
    ratios, hot = ([q[key] for q in queries.values()] for key in ("ratio", "hot_ratio"))
    handlings = len({h.no for h in store.handlings})
    return {
        "owners": count, "rows": rows, "visible": seen, "load_s": round(loaded, 1), "first_ask_s": round(first, 2),
        "handlings": handlings, "queries": queries, "median_ratio": round(statistics.median(ratios), 2),
        "median_hot_ratio": round(statistics.median(hot), 2), "snapshot_s": round(snapshot, 2),
        "revocation_s": round(revoked, 3), "minute_s": round(minute, 3),
    }  # fmt: skip


def compare(store: Store, here: Govern) -> dict[str, dict[str, float]]:
    """Each question beside its ungoverned twin."""
    asked, found = governed(), dict[str, dict[str, float]]()
    for name, tree in ungoverned(store).items():
        with store.session() as session:
            base, ours = pairs(lambda: session.run(tree.copy()), lambda: ask(here, asked[name]))  # noqa: B023
        found[name] = {"raw_ms": round(base, 1), "governed_ms": round(ours, 1), "ratio": round(ours / base, 2)}
    return found


def ask(here: Govern, query: Any) -> object:
    """Ask as if this filter were new: what its answer takes in of whom is counted again, as for the owners' record."""
    if query.filter != Filter():
        here._accounts._counts.clear()
    return here.ask(reader(), query)


def clock(here: Govern, policy: Policy) -> float:
    """Seconds of the first question of a new minute: bounds of age have moved, the decision table is laid out anew."""
    policy.now += 60_000_000
    began = time.perf_counter()
    here.ask(reader(), Top(by="severity"))
    return time.perf_counter() - began


def revocation(here: Govern, policy: Policy, owner: str) -> float:
    """Seconds from the change of the policy to an answer without the owner."""
    name = Filter(dims={"sector": Constraint(outside=("(withheld)",))})
    before = here.ask(reader(), Top(by="severity", filter=name)).total
    began = time.perf_counter()
    policy.replace(documents(owner, state="revoked"))
    after = here.ask(reader(), Top(by="severity", filter=name)).total
    if after >= before:
        raise SystemExit("a revocation had no effect")
    return time.perf_counter() - began


def show(result: dict[str, Any]) -> None:
    """The table people read."""
    print(f"\n{result['owners']} owners with agreements of their own, {result['handlings']:,} handlings, "
          f"{result['rows']:,} events, {result['visible']:,} of them visible to the reader")  # fmt: skip
    print(f"  {'milliseconds, median of ' + str(RUNS):38} {'raw':>8} {'live':>8} {'':7} {'raw':>8} {'snapshot':>8}")
    for name, q in result["queries"].items():
        live = f"{q['raw_ms']:8.1f} {q['governed_ms']:8.1f} x{q['ratio']:<6.2f}"
        print(f"  {name:38} {live} {q['hot_raw_ms']:8.1f} {q['hot_ms']:8.1f} x{q['hot_ratio']:.2f}")
    print(f"  median ratio: from the snapshot (a reader who asks often) x{result['median_hot_ratio']}, "
          f"through the live relation x{result['median_ratio']}")  # fmt: skip
    print(f"  loaded in {result['load_s']} s; first question (compiles the table) {result['first_ask_s']} s, of a new minute "
          f"{result['minute_s']} s; snapshot made in {result['snapshot_s']} s; revocation to effect {result['revocation_s']} s")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--owners", default="10,200,2000")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results = []
    for count in given.owners.split(","):
        results.append(measure(int(count), given.rows))
        show(results[-1])
        sys.stdout.flush()
    if given.json:
        given.json.write_text(json.dumps({"bench": "govern", "results": results}, indent=1))


if __name__ == "__main__":
    main()
