"""The whole gateway, events a second of one core: from a file to sealed batches in the journal, and step by step.

Baseline: msgspec decoding the same bytes into the same typed shapes, `decode_lines` at once, nothing made of them. Aims:
EVE a quarter of the baseline (150,000 where it gives 600,000), CEF 50,000 lines a second.
"""

from __future__ import annotations

import gzip
import os
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.agreements.decode import convert
from commonwatch.agreements.edge import Ceilings
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.downlink.policy import policy_of
from commonwatch.gateway.edge import Edge, edge_keys
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.reading.collect import BATCH_ROWS, Collector, Sealer
from commonwatch.ingest.formats.suricata_eve import _decoder as eve
from commonwatch.ingest.formats.suricata_eve import parse
from commonwatch.ingest.framing import Framer
from commonwatch.ingest.framing.depth import too_deep
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.outcome import Parsed
from commonwatch.ingest.reading import Reader
from commonwatch.ingest.rules import default_rules
from commonwatch.ingest.source import Context, Source

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "corpus"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SAMPLE = Path(os.environ.get("COMMONWATCH_SHARED", ROOT.parent / "shared")) / "data" / "suricata"


def lines() -> bytes:
    """The real stream where it is there, else a made one."""
    found = SAMPLE / "suricatalog_eve_nostats.jsonl.gz"
    if found.is_file():
        return gzip.decompress(found.read_bytes())
    made = {
        "timestamp": "2026-01-02T03:04:05.678901+0000", "event_type": "alert", "src_ip": "203.0.113.7", "src_port": 4711,
        "dest_ip": "192.0.2.10", "dest_port": 443, "proto": "TCP",
        "alert": {"action": "allowed", "gid": 1, "signature_id": 2001219, "rev": 20, "signature": "ET SCAN", "severity": 2},
    }  # fmt: skip
    return (msgspec.json.encode(made) + b"\n") * 20_000


def documents(fields: dict[str, str]) -> OwnerDocuments:
    """One live agreement that shares everything at these points."""
    key = "A" * 43
    classes = ["malware", "intrusion", "firewall", "web", "dns", "flow", "auth", "mail", "system", "log", "application"]
    document: Any = convert({
        "dsa": "1", "id": "bench", "version": 1, "title": "Bench",
        "parties": [
            {"id": "baker", "name": "Baker", "key": key, "role": "owner"},
            {"id": "watch", "name": "Watch", "key": "B" * 42 + "A", "role": "operator"},
        ],
        "starts": "2020-01-01", "ends": "2099-12-31",
        "clauses": [{
            "kind": "share", "id": "all", "to": {"organisations": ["watch"]}, "purposes": ["operate"],
            "rows": {"events": classes, "tlp": "amber"}, "fields": fields,
        }],
    })  # fmt: skip
    return OwnerDocuments("baker", (LiveAgreement(document, "0" * 64, frozenset({"watch"})),))


PLAIN = {
    "time": "exact", "severity": "exact", "signature": "exact", "src_ip": "exact", "dst_ip": "exact",
    "src_port": "exact", "dst_port": "exact", "action": "exact", "protocol": "exact", "volume": "exact",
    "domain": "exact", "host": "exact",
}  # fmt: skip
STRICT = PLAIN | {
    "time": "hour", "src_ip": "pseudonym+network", "dst_ip": "pseudonym", "src_port": "range", "host": "pseudonym",
    "volume": "magnitude", "domain": "registered",
}  # fmt: skip


def best(run: Callable[[], Any], count: int, times: int = 3) -> float:
    """Events a second of processor time, of the fastest of some runs (the machine is shared)."""
    took = []
    for _ in range(times):
        began = time.process_time()
        run()
        took.append(time.process_time() - began)
    return count / min(took)


def gateway(file: Path, fields: dict[str, str]) -> None:
    """Tail, parse, label, enforce, seal and commit, as the running gateway does it."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        collector = Collector(
            [file], journal, sealer=Sealer("gw-1", "baker", KEY, 1), labeller=Labeller(default_rules()),
            source=lambda m: Source(id=m.source, generation=m.generation, key=bytes(32)), clock=clock,
        )  # fmt: skip
        policy = policy_of(documents(fields), 1, 2**62, edge_keys(bytes(range(32)), "baker"))
        while collector.step(policy, once=True):
            pass
        collector.flush(policy)
        collector.close()
        journal.close()


def steps(data: bytes) -> dict[str, Callable[[], Any]]:
    """Each step alone, over what the step before it gave: where the time goes."""
    source = Source(id="bench", key=bytes(32))
    context, frames = Context(source), Framer(layout="lines").feed(data)
    records = [eve.decode(r) for r in frames.records]
    outcomes = Reader(source).feed(data)
    labeller = Labeller(default_rules())
    rows = [(labeller.label(o.event), o.event) for o in outcomes if isinstance(o, Parsed)]
    parts = [rows[i : i + BATCH_ROWS] for i in range(0, len(rows), BATCH_ROWS)]
    edge = Edge(Ceilings(documents(PLAIN)).of, edge_keys(bytes(range(32)), "baker"))
    tables = [edge.enforce(part)[0] for part in parts]
    packed = [msgspec.msgpack.encode(table) for table in tables]
    return {
        "cut into records": lambda: Framer(layout="lines").feed(data),
        "refuse what nests too deep": lambda: too_deep(frames.records),
        "decode, record by record": lambda: [eve.decode(r) for r in frames.records],
        "read the times": lambda: [context.times.read(r.timestamp or "") for r in records],
        "number the events (BLAKE2b)": lambda: [context.uid(at) for at in frames.offsets],
        "parse: all of these but the cut": lambda: parse(frames, context),
        "label": lambda: [labeller.label(event) for _, event in rows],
        "enforce, all exact": lambda: [edge.enforce(part) for part in parts],
        "pack": lambda: [msgspec.msgpack.encode(table) for table in tables],
        "compress": lambda: [zlib.compress(body, 1) for body in packed],
    }


def main() -> None:
    """Print the figures."""
    data, cef = lines(), (CORPUS / "cef" / "every-kind.log").read_bytes() * 400
    count, said = data.count(b"\n"), cef.count(b"\n")
    bare = best(lambda: eve.decode_lines(data), count)
    print(f"{'bare typed decoding, at once':<34} {bare:>10,.0f} events/s   1.00")
    with tempfile.TemporaryDirectory() as folder:
        file, other = Path(folder) / "eve.json", Path(folder) / "cef.log"
        file.write_bytes(data)
        other.write_bytes(cef)
        for name, fields in (("all exact", PLAIN), ("tokens and rungs", STRICT)):
            rate = best(lambda fields=fields: gateway(file, fields), count)
            print(f"{'whole gateway, EVE, ' + name:<34} {rate:>10,.0f} events/s   {rate / bare:.2f}")
        rate = best(lambda: gateway(other, PLAIN), said)
        print(f"{'whole gateway, CEF, all exact':<34} {rate:>10,.0f} lines/s    {rate / bare:.2f}")
    print(f"\n{'step (EVE)':<34} microseconds an event; the baseline takes {1e6 / bare:.2f}")
    for name, run in steps(data).items():
        print(f"  {name:<32} {1e6 / best(run, count):>6.2f}")


if __name__ == "__main__":
    main()
