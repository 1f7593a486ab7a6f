"""Governed beside ungoverned query time, and how long a revocation takes to bite.

Run as a script: `bench_govern.py [--rows 1000000] [--owners 10,200,2000] [--json FILE]`. Events are made with numpy
straight into the store's layout; every owner has an agreement of its own (levels, ages, classes differ). For each
typical question the same is asked of the raw tables by a plain tree of nodes and of `Govern.ask`, through the live
relation ("governed") and with a snapshot, as readers who ask often have it ("hot"); printed are medians and ratios.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlglot import exp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from commonwatch.govern.query import Constraint, Filter, Histogram, Interval, Rows, Top
from commonwatch.govern.service import Govern
from commonwatch.store import Store, StoredBatch
from doubles.govern import DAY, EXACT, HOUR, NOW, Keys, Log, Policy, documents, org, reader, share, to

SPAN = 90
CLASSES = ("malware", "intrusion", "firewall", "dns", "auth")
NUMBERS = np.array([1, 2, 3, 9, 11])
FAMILIES = [f"family-{i}" for i in range(60)]
RULES = [f"ET rule {i}" for i in range(2_000)]
RUNS = 3


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


def fill(store: Store, owners: list[str], rows: int, seed: int = 1) -> None:
    """Zipf-sized owners, 90 days, one large append per owner and million rows."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, len(owners) + 1) ** 0.8
    sizes = np.maximum(1, (weights / weights.sum() * rows).astype(int))
    for number, (owner, size) in enumerate(zip(owners, sizes, strict=True)):
        columns = events(rng, int(size))
        store.append(
            StoredBatch(
                batch_uid=number + 1, gateway="bench", org=owner, received=NOW, columns=columns, profiles=(EXACT,)
            )
        )
    store.compact()


def events(rng: np.random.Generator, size: int) -> dict[str, Any]:
    """One owner's events as numpy and Arrow columns."""
    uids = rng.bytes(16 * size)
    taken = NUMBERS[rng.choice(5, size, p=(0.05, 0.2, 0.35, 0.3, 0.1))]
    v4 = (0xFFFF << 32) | (rng.zipf(1.3, size) % 3_000_000 + 0x0B000000)
    family = pa.DictionaryArray.from_arrays(rng.integers(0, 60, size, np.int32), FAMILIES).cast(pa.string())
    rule = pa.DictionaryArray.from_arrays(np.minimum(rng.zipf(1.2, size), 2_000).astype(np.int32) - 1, RULES).cast(
        pa.string()
    )
    users = pa.DictionaryArray.from_arrays(rng.integers(0, 40, size, np.int32), [f"user{i}" for i in range(40)]).cast(
        pa.string()
    )
    return {
        "event_uid": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), size, [None, pa.py_buffer(uids)]).cast(pa.binary()),
        "time": NOW - rng.integers(0, SPAN * DAY, size), "event_class": taken, "tlp": rng.integers(0, 3, size),
        "severity_id": rng.integers(1, 4, size), "src_ip_hi": np.zeros(size, np.int64), "src_ip_lo": v4,
        "dst_ip_hi": np.zeros(size, np.int64), "dst_ip_lo": (0xFFFF << 32) | (0x0A000000 + rng.integers(0, 250, size)),
        "src_scope": np.full(size, 2), "dst_scope": np.full(size, 1), "src_port": rng.integers(1024, 65_536, size),
        "dst_port": rng.choice([22, 25, 53, 80, 443, 3389], size), "malware_family": family, "rule_name": rule,
        "src_user": users, "action_id": rng.integers(1, 3, size), "proto": np.full(size, 6), "count": np.ones(size, np.int64),
    }  # fmt: skip


def col(name: str) -> exp.Column:
    return exp.column(name, table="r", quoted=True)


def raw(store: Store, columns: list[str]) -> exp.Subquery:
    return store.relation(columns).subquery("r")


def ungoverned(store: Store) -> dict[str, exp.Expr]:
    """What the same questions cost without agreements: plain trees over the raw tables."""
    count = exp.Count(this=exp.Star()).as_("n")
    day = exp.Div(this=exp.UnixMicros(this=col("time")), expression=exp.Literal.number(6 * HOUR), typed=True)
    week = exp.GTE(this=col("time"), expression=exp.cast(exp.Literal.string("2025-11-13 00:00:00"), "TIMESTAMP"))
    one, two = exp.Literal.number(1), exp.Literal.number(2)
    top = exp.Ordered(this=exp.column("n"), desc=True)

    def ranked(columns: list[str]) -> exp.Select:
        keys = [col(c) for c in columns]
        made = exp.select(*keys, count.copy()).from_(raw(store, columns))
        return made.group_by(*(exp.Literal.number(i + 1) for i in range(len(keys)))).order_by(top.copy()).limit(20)

    page = [
        "time",
        "handling",
        "severity_id",
        "rule_name",
        "malware_family",
        "src_ip_hi",
        "src_ip_lo",
        "dst_ip_lo",
        "dst_port",
    ]
    return {
        "histogram 6h": exp.select(day.as_("b"), count.copy()).from_(raw(store, ["time"])).group_by(one),
        "histogram one family": exp.select(day.as_("b"), count.copy()).from_(raw(store, ["time", "malware_family"]))
        .where(exp.EQ(this=col("malware_family"), expression=exp.Literal.string("family-7"))).group_by(one),
        "top source addresses": ranked(["src_ip_hi", "src_ip_lo"]),
        "top sources, 7 days": exp.select(col("src_ip_hi"), col("src_ip_lo"), count.copy()).from_(raw(store, ["time", "src_ip_hi", "src_ip_lo"]))
        .where(week).group_by(one, two).order_by(top.copy()).limit(20),
        "top signatures": ranked(["rule_name"]),
        "top families": ranked(["malware_family"]),
        "top severities": ranked(["severity_id"]),
        "needle address": exp.select(count.copy()).from_(raw(store, ["src_ip_hi", "src_ip_lo"]))
        .where(exp.EQ(this=col("src_ip_lo"), expression=exp.Literal.number((0xFFFF << 32) | 0x0B000001))),
        "latest 100 rows": exp.select(*(col(c) for c in page)).from_(raw(store, page))
        .order_by(exp.Ordered(this=col("time"), desc=True)).limit(100),
    }  # fmt: skip


def governed() -> dict[str, Any]:
    week = Interval(start="2025-11-13T00:00:00Z", end="2025-12-01T00:00:00Z")
    columns = ("time", "org", "severity", "rule", "family", "src_ip", "dst_ip", "dst_port")
    return {
        "histogram 6h": Histogram(bin="6h"),
        "histogram one family": Histogram(bin="6h", filter=Filter(dims={"family": Constraint(within=("family-7",))})),
        "top source addresses": Top(by="src_ip"), "top sources, 7 days": Top(by="src_ip", filter=Filter(time=week)),
        "top signatures": Top(by="rule"), "top families": Top(by="family"), "top severities": Top(by="severity"),
        "needle address": Top(by="severity", filter=Filter(dims={"src_ip": Constraint(within=("11.0.0.1",))})),
        "latest 100 rows": Rows(columns=columns, limit=100),
    }  # fmt: skip


def median(work: Any) -> float:
    """Milliseconds, median of a few runs after one to warm up."""
    taken = []
    for number in range(RUNS + 1):
        began = time.perf_counter()
        work()
        taken += [time.perf_counter() - began] if number else []
    return statistics.median(taken) * 1_000


def measure(count: int, rows: int) -> dict[str, Any]:
    """All figures for so many owners over so many rows."""
    owners = [f"owner-{i:04d}" for i in range(count)]
    rng = random.Random(count)
    orgs = [org(o, sector=rng.choice(("Q86", "G47", "C10", "M69"))) for o in owners]
    policy = Policy([agreement(o, rng) for o in owners], [*orgs, org("mssp", "mssp"), org("cert", "cert")])
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder))
        began = time.perf_counter()
        fill(store, owners, rows)
        loaded = time.perf_counter() - began
        here = Govern(store, policy, Keys(), Log(), secret=b"b" * 32, snapshots_from=1 << 60)
        began = time.perf_counter()
        seen = here.ask(reader(), Top(by="severity")).total
        first = time.perf_counter() - began
        queries = compare(store, here)
        began = time.perf_counter()
        here.warm(reader())
        snapshot = time.perf_counter() - began
        for name, found in compare(store, here).items():
            queries[name] |= {"hot_ms": found["governed_ms"], "hot_ratio": found["ratio"]}
        revoked = revocation(here, policy, owners[0])
        store.close()
    ratios, hot = ([q[key] for q in queries.values()] for key in ("ratio", "hot_ratio"))
    handlings = len({h.no for h in store.handlings})
    return {
        "owners": count, "rows": rows, "visible": seen, "load_s": round(loaded, 1), "first_ask_s": round(first, 2),
        "handlings": handlings, "queries": queries, "median_ratio": round(statistics.median(ratios), 2),
        "median_hot_ratio": round(statistics.median(hot), 2), "snapshot_s": round(snapshot, 2),
        "revocation_s": round(revoked, 3),
    }  # fmt: skip


def compare(store: Store, here: Govern) -> dict[str, dict[str, float]]:
    asked, plain, found = governed(), ungoverned(store), {}
    for name, tree in plain.items():
        with store.session() as session:
            base = median(lambda tree=tree, session=session: session.run(tree.copy()))
        ours = median(lambda name=name: here.ask(reader(), asked[name]))
        found[name] = {"raw_ms": round(base, 1), "governed_ms": round(ours, 1), "ratio": round(ours / base, 2)}
    return found


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
    print(f"  {'milliseconds, median of ' + str(RUNS):24} {'raw':>9} {'governed':>9}          {'hot':>9}")
    for name, q in result["queries"].items():
        print(
            f"  {name:24} {q['raw_ms']:9.1f} {q['governed_ms']:9.1f}  x{q['ratio']:<6.2f} {q['hot_ms']:9.1f}  x{q['hot_ratio']:.2f}"
        )
    print(
        f"  median ratio: governed x{result['median_ratio']}, from a snapshot (a reader who asks often) x{result['median_hot_ratio']}"
    )
    print(f"  first question (compiles the table) {result['first_ask_s']} s, snapshot made in {result['snapshot_s']} s, "
          f"revocation to effect {result['revocation_s']} s")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--owners", default="10,200,2000")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results = [measure(int(count), given.rows) for count in given.owners.split(",")]
    for result in results:
        show(result)
    if given.json:
        given.json.write_text(json.dumps({"bench": "govern", "results": results}, indent=1))


if __name__ == "__main__":
    main()
