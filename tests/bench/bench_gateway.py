"""Gateway: parse + label + enforce + seal, events a second on one core, beside bare msgspec decoding of the same bytes."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import Any

import msgspec

from commonwatch.agreements.decode import convert
from commonwatch.agreements.edge import Ceilings
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments
from commonwatch.gateway.edge import Edge, edge_keys
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.outcome import Parsed
from commonwatch.ingest.reading import Reader
from commonwatch.ingest.rules import default_rules
from commonwatch.ingest.source import Source

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Path(os.environ.get("COMMONWATCH_SHARED", ROOT.parent / "shared")) / "data" / "suricata"


class Bare(msgspec.Struct):
    """The few keys a bare decoder would look at."""

    timestamp: str
    event_type: str
    src_ip: str = ""
    dest_ip: str = ""


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


def best(run: Any, count: int, times: int = 3) -> float:
    """Events a second of processor time, of the fastest of some runs (the machine is shared)."""
    took = []
    for _ in range(times):
        began = time.process_time()
        run()
        took.append(time.process_time() - began)
    return count / min(took)


def gateway(data: bytes, fields: dict[str, str]) -> None:
    """The whole way of the bytes to wire columns, as a gateway does it."""
    labeller = Labeller(default_rules())
    edge = Edge(Ceilings(documents(fields)).of, edge_keys(bytes(range(32)), "baker"))
    reader = Reader(Source(id="bench", key=bytes(32)))
    rows: list[Any] = []
    for start in range(0, len(data), 1 << 19):
        outcomes = reader.feed(data[start : start + (1 << 19)])
        rows += [(labeller.label(o.event), o.event) for o in outcomes if isinstance(o, Parsed)]
        if len(rows) >= 5_000:
            edge.enforce(rows)
            rows = []
    edge.enforce(rows)


def parse(data: bytes) -> None:
    """Framing and parsing alone."""
    reader = Reader(Source(id="bench", key=bytes(32)))
    for start in range(0, len(data), 1 << 19):
        reader.feed(data[start : start + (1 << 19)])


def main() -> None:
    """Print the figures."""
    data = lines()
    count = data.count(b"\n")
    decoder = msgspec.json.Decoder(Bare)
    bare = best(lambda: decoder.decode_lines(data), count)
    print(f"bare msgspec decoding         {bare:>10,.0f} events/s   1.00")
    rate = best(lambda: parse(data), count)
    print(f"parse to canonical events     {rate:>10,.0f} events/s   {rate / bare:.2f}")
    for name, fields in (("all exact", PLAIN), ("tokens and rungs", STRICT)):
        rate = best(lambda fields=fields: gateway(data, fields), count)
        print(f"gateway, {name:<20} {rate:>10,.0f} events/s   {rate / bare:.2f}")


if __name__ == "__main__":
    main()
