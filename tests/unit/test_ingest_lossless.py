"""What a source has survives: hash, path, link, domain, user and time, in every format that has them; real files too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commonwatch.events.address import parse
from commonwatch.ingest import Counters, Parsed, Skipped, read_file
from strategies.corpus import cases, corpus_source, outcomes_of, table_formats

#: Formats and what they have no place for.
LACKING = {"crowdsec": {"file_sha256", "file_path"}, "misp": {"file_path"}, "stix_bundle": {"dst_user"}}
KEPT = ("file_sha256", "file_path", "url", "domain", "dst_user")


@pytest.mark.parametrize("known", table_formats(), ids=lambda f: f.name)
def test_hash_path_link_domain_user_and_time_survive(known) -> None:
    events = [o.event for p in cases(known.name) for o in outcomes_of(p.read_bytes()) if isinstance(o, Parsed)]
    for column in set(KEPT) - LACKING.get(known.name, set()):
        assert any(getattr(e, column) for e in events), column
    assert not {e.time for e in events} & {corpus_source().clock()}
    assert len({e.time for e in events}) > 1


def test_real_crowdsec_alerts_are_read_whole(samples: Path) -> None:
    counters = Counters()
    found = [
        o for f in sorted((samples / "crowdsec").glob("alert*.json")) for o in read_file(f, corpus_source(), counters)
    ]
    assert counters.mapped == counters.records == len(found) == 26
    assert all(o.event.src_ip and o.event.rule_uid for o in found if isinstance(o, Parsed))
    assert any(o.event.attack_techniques == ("T1110",) for o in found if isinstance(o, Parsed))


SHA256, SHA1, MD5 = "a1" * 32, "b2" * 20, "c3" * 16
STAMP = "2026-11-18T10:00:00.000Z"


def wazuh(**data: Any) -> dict[str, Any]:
    head = {"timestamp": STAMP, "rule": {"level": 5, "groups": ["sysmon"]}, "agent": {"id": "1"}, "manager": {}}
    return {**head, "data": data}


def ocsf(**more: Any) -> dict[str, Any]:
    return {"class_uid": 1007, "time": 1_795_000_000_000, "metadata": {"version": "1.6.0"}, **more}


def intel(kind: str, value: str) -> dict[str, Any]:
    return {"_path": "intel", "ts": 1_795_000_000.5, "seen.indicator": value, "seen.indicator_type": kind}


def sighted(kinds: str, value: str) -> dict[str, Any]:
    seen = [{"type": "0", "date_sighting": "1795000000"}]
    return {"Event": {"Attribute": [{"type": kinds, "value": value, "Sighting": seen}]}}


PLACES: list[tuple[str, Any, dict[str, Any]]] = [
    ("wazuh_alerts", wazuh(win={"eventdata": {"Hashes": f"SHA1={SHA1.upper()},MD5={MD5},SHA256={SHA256},IMPHASH={MD5}"}}),
     {"file_sha256": bytes.fromhex(SHA256), "file_sha1": bytes.fromhex(SHA1), "file_md5": bytes.fromhex(MD5)}),
    ("wazuh_alerts", wazuh(http={"hostname": "a.example", "url": "/x"}), {"domain": "a.example", "url": "/x"}),
    ("ocsf", ocsf(process={"file": {"path": "/bin/x", "hashes": [{"algorithm_id": 3, "value": SHA256}]}}),
     {"file_path": "/bin/x", "file_sha256": bytes.fromhex(SHA256)}),
    ("ocsf", ocsf(attacks=[{"technique": {"uid": "T1110"}}, {"sub_technique": {"uid": "T1059.001"}}]),
     {"attack_techniques": ("T1110", "T1059.001")}),
    ("ecs", {"@timestamp": STAMP, "ecs.version": "8",
             "threat": {"technique": {"id": "T1059", "subtechnique": {"id": ["T1059.001"]}}}},
     {"attack_techniques": ("T1059", "T1059.001")}),
    ("zeek_json", intel("Intel::FILE_HASH", MD5), {"file_md5": bytes.fromhex(MD5)}),
    ("zeek_json", intel("Intel::CERT_HASH", SHA1), {"file_sha1": bytes.fromhex(SHA1)}),
    ("misp", sighted("domain|ip", "a.example|203.0.113.7"), {"domain": "a.example", "dst_ip": parse("203.0.113.7")}),
    ("cef", f"CEF:0|v|p|1|2|n|3|rt=1795000000000 destinationDnsDomain=a.example sha256={SHA256}",
     {"domain": "a.example", "file_sha256": bytes.fromhex(SHA256)}),
    ("leef", f"LEEF:1.0|v|p|1|2|devTime={STAMP}\tdomain=a.example\tmd5={MD5}",
     {"domain": "a.example", "file_md5": bytes.fromhex(MD5)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "record", "kept"), PLACES)
def test_what_stands_in_other_places_survives_too(name: str, record: Any, kept: dict[str, Any]) -> None:
    data = record.encode() if isinstance(record, str) else json.dumps(record).encode()
    (outcome,) = outcomes_of(data, format=name)
    assert isinstance(outcome, Parsed)
    assert outcome.dropped == ()
    assert {column: getattr(outcome.event, column) for column in kept} == kept


def test_a_list_of_scenarios_is_known_and_is_no_event() -> None:
    (outcome,) = outcomes_of(json.dumps({"a/b": {"name": "a/b", "behaviors": [], "mitre_attacks": []}}).encode())
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "context"
