"""EVE records and broken bytes, and the golden records of the corpus."""

from __future__ import annotations

import ipaddress
import json
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from commonwatch.ingest import Outcome, Source, read

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
#: The moment the golden records are read at: 2026-11-20T00:00:00Z.
NOW = 1_795_132_800_000_000
OWN = (ipaddress.ip_network("192.168.1.0/24"),)


@cache
def golden() -> list[dict[str, Any]]:
    """The golden records: name, record, and the event, skip or quarantine it becomes."""
    lines = (CORPUS / "suricata_eve" / "golden.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def source(**settings: Any) -> Source:
    """A source with the corpus's clock and networks."""
    return Source(**({"id": "s", "key": b"k" * 32, "own": OWN, "clock": lambda: NOW} | settings))


def outcomes(data: bytes, portion: int = 1 << 20, **settings: Any) -> list[Outcome]:
    """What becomes of these bytes, fed in portions."""
    chunks = (data[i : i + portion] for i in range(0, len(data), portion))
    return list(read(chunks, source(**settings)))


def eve(kind: str = "flow", **parts: Any) -> bytes:
    """One EVE line without its newline."""
    found = {
        "timestamp": "2026-11-16T09:30:00.123456+0000",
        "flow_id": 7,
        "event_type": kind,
        "src_ip": "192.168.1.20",
        "src_port": 50000,
        "dest_ip": "198.51.100.7",
        "dest_port": 443,
        "proto": "TCP",
    }
    return json.dumps({k: v for k, v in (found | parts).items() if v is not None}).encode()


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
_paths = st.sampled_from(
    ["timestamp", "event_type", "src_ip", "src_port", "dest_ip", "proto", "flow_id", "alert", "alert.severity", "http",
     "alert.metadata", "alert.metadata.cve", "alert.signature_id", "dns", "dns.queries", "tls.ja3", "flow",
     "flow.bytes_toserver", "email.to", "email", "smtp.rcpt_to", "fileinfo.sha256", "files",
     "verdict.reject", "krb5", "ldap.responses"]
)  # fmt: skip


def replace(record: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The record with a value put at a path, parents made where they are missing."""
    head, _, rest = path.partition(".")
    inner = record.get(head)
    return record | {head: replace(inner if isinstance(inner, dict) else {}, rest, value) if rest else value}


@st.composite
def odd_records(draw: st.DrawFn) -> bytes:
    """A golden record with some values replaced by anything at all."""
    record = draw(st.sampled_from(golden()))["record"]
    for path in draw(st.lists(_paths, min_size=1, max_size=3)):
        record = replace(record, path, draw(_values))
    return json.dumps(record).encode()
