"""Suricata EVE: golden records, real samples, and every quirk by name."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import pytest

from commonwatch.events.event import Event
from commonwatch.ingest import Counters, Parsed, Quarantined, Skipped, read_file
from commonwatch.ingest.formats._eve_kinds import KINDS, SKIPS
from commonwatch.ingest.formats.suricata_eve import parse, recognise
from strategies.eve import eve, golden, outcomes, source


def one(data: bytes, **settings: object) -> Parsed | Skipped | Quarantined:
    """The only outcome of one record."""
    (found,) = outcomes(data, format="suricata_eve", **settings)
    return found


def event_of(kind: str = "flow", **parts: object) -> Event:
    """The event of one record."""
    found = one(eve(kind, **parts))
    assert isinstance(found, Parsed), found
    return found.event


def shown(event: Event) -> dict[str, object]:
    """An event as the corpus writes it: what is not default, addresses and hashes as text."""
    found = {}
    for field in msgspec.structs.fields(Event):
        value = getattr(event, field.name)
        if field.name == "event_uid" or value == field.default or value in ((), None):
            continue
        if isinstance(value, bytes):
            value = value.hex()
        elif field.name in {"src_ip", "dst_ip"}:
            value = str(value)
        elif isinstance(value, tuple):
            value = list(value)
        found[field.name] = value
    return found


@pytest.mark.parametrize("case", golden(), ids=lambda case: case["name"])
def test_a_golden_record_becomes_its_event(case):
    found = one(json.dumps(case["record"]).encode())
    if isinstance(found, Parsed):
        assert shown(found.event) == case["event"]
        assert list(found.dropped) == case.get("dropped", [])
    else:
        assert found.reason == case.get("skipped" if isinstance(found, Skipped) else "quarantined")


def test_every_kind_of_the_tables_has_a_golden_record():
    kinds = {case["record"].get("event_type") for case in golden()}
    assert set(KINDS) | set(SKIPS) <= kinds


def test_the_real_stream_is_read_whole(samples):
    counters = Counters()
    found = list(read_file(samples / "suricata" / "suricatalog_eve_nostats.jsonl.gz", source(), counters))
    assert counters.records == len(found) == 19_657
    assert counters.mapped == 19_657
    assert not counters.skipped
    assert not counters.quarantined
    assert not counters.damage
    assert counters.kinds["flow"] == 13_956
    assert len({o.event.event_uid for o in found}) == 19_657
    severities = Counter(o.event.severity_id.word for o in found if o.kind == "alert")
    assert severities["medium"] == 1_564


def test_the_real_alert_arrays_are_read_whole(samples):
    files = sorted((samples / "suricata").glob("*.alerts.json"))
    counters = Counters()
    found = [o for file in files for o in read_file(file, source(id=file.name), counters)]
    assert counters.records == counters.mapped == len(found) == 548
    assert {o.event.time_quality for o in found if isinstance(o, Parsed)} == {0, 1}


def test_a_flow_id_of_64_bits_survives_and_a_larger_one_is_dropped():
    assert one(eve(flow_id=2**64 - 1)).session == 2**64 - 1
    larger = one(eve(flow_id=2**64))
    assert (larger.session, larger.dropped) == (None, ("flow_id",))


def test_counters_beyond_63_bits_are_dropped_not_wrapped():
    found = one(eve(flow={"bytes_toserver": 2**63, "bytes_toclient": 5}))
    assert (found.event.bytes_out, found.event.bytes_in, found.dropped) == (None, 5, ("flow.bytes_toserver",))


def test_duplicate_keys_take_the_last_value():
    data = eve().replace(b'"proto": "TCP"', b'"proto": "TCP", "proto": "UDP"')
    assert one(data).event.proto == 17


def test_numbers_in_scientific_or_text_form_are_numbers():
    assert event_of(src_port="50000").src_port == 50_000
    assert one(eve().replace(b"50000", b"5e4")).event.src_port == 50_000


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"event_type": NaN}', "malformed"),
        (eve().replace(b"TCP", b"\\ud800"), "malformed"),
        (eve() + b"{}", "malformed"),
        (b"[1, 2]", "malformed"),
        (b'"text"', "malformed"),
        (eve().replace(b"flow", b"fl\x01w"), "malformed"),
        (eve()[:-1], "truncated"),
        (eve().replace(b"TCP", b"\xff"), "not_utf8"),
        (eve(timestamp=None), "no_time"),
        (eve(timestamp=5), "bad_field:timestamp"),
        (eve(timestamp="soon"), "bad_field:timestamp"),
        (eve(timestamp="1999-12-31T23:59:59Z"), "bad_time"),
        (eve(timestamp="2026-11-21T00:00:01Z"), "bad_time"),
        (eve(event_type=None), "unknown_kind"),
        (eve("teapot"), "unknown_kind"),
        (eve().replace(b'"flow"', b'["flow"]'), "bad_field:event_type"),
        (eve(x=json.loads("[" * 40 + "]" * 40)), "too_deep"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
    ],
)
def test_a_record_that_cannot_be_an_event_is_quarantined_with_its_reason(data, reason):
    found = parse_alone(data)
    assert isinstance(found, Quarantined)
    assert found.reason == reason
    assert found.head == data[:200]


def parse_alone(data: bytes) -> Parsed | Skipped | Quarantined:
    """One record given to the parser as it is."""
    from commonwatch.ingest.framing import Frames
    from commonwatch.ingest.source import Context

    (found,) = parse(Frames([0], [data], []), Context(source()))
    return found


def test_a_record_up_to_the_clock_plus_a_day_is_believed():
    assert isinstance(one(eve(timestamp="2026-11-20T23:59:59Z")), Parsed)


def test_nesting_as_deep_as_allowed_passes_on_both_ways():
    deep = json.loads("[" * 31 + "]" * 31)
    assert isinstance(one(eve(x=deep)), Parsed)
    assert isinstance(one(eve(x=deep, src_port="none")), Parsed)


def test_a_bad_optional_field_is_dropped_and_counted_and_the_event_stays():
    found = one(eve("alert", src_ip="300.1.1.1", dest_port=-1, proto="QQQ", alert={"severity": "high", "signature": 5}))
    assert isinstance(found, Parsed)
    assert set(found.dropped) == {"src_ip", "dest_port", "proto", "alert.severity", "alert.signature"}
    assert (found.event.src_ip, found.event.dst_port, found.event.rule_name) == (None, None, None)
    assert found.event.is_alert


def test_the_fast_and_the_slow_way_give_the_same_event():
    for case in golden():
        record = case["record"]
        fast = one(json.dumps(record).encode())
        slow = one(json.dumps(record | {"tls": record.get("tls", {}), "verdict": 7}).encode())
        if isinstance(fast, Parsed) and "verdict" not in record:
            assert isinstance(slow, Parsed)
            assert shown(slow.event) == shown(fast.event)
            assert set(slow.dropped) - set(fast.dropped) == {"verdict"}


def test_the_signature_id_carries_its_generator():
    assert event_of("alert", alert={"signature_id": 5, "gid": 116}).rule_uid == "116:5"
    assert event_of("alert", alert={"signature_id": 5}).rule_uid == "1:5"


def test_a_signature_on_the_reply_does_not_swap_the_ends():
    swapped = {"src_ip": "198.51.100.7", "src_port": 80, "dest_ip": "192.168.1.20", "dest_port": 50_000}
    ends = {"src_ip": "192.168.1.20", "dest_ip": "198.51.100.7", "src_port": 50_000, "dest_port": 80}
    for extra in ({"flow": ends}, {"direction": "to_client"}, {"flow": {"pkts_toclient": 3}}, {}):
        event = event_of("alert", **swapped, alert={"signature_id": 1}, **extra)
        assert str(event.src_ip) == "192.168.1.20", extra
        assert (event.src_port, event.dst_port, event.direction_id) == (50_000, 80, 2)


def test_flow_ends_come_before_direction_and_direction_before_networks():
    swapped = {"src_ip": "198.51.100.7", "src_port": 80, "dest_ip": "192.168.1.20", "dest_port": 50_000}
    same = {"src_ip": "198.51.100.7", "dest_ip": "192.168.1.20", "src_port": 80, "dest_port": 50_000}
    first = event_of("alert", **swapped, alert={}, flow=same, direction="to_client")
    assert str(first.src_ip) == "198.51.100.7"
    second = event_of("alert", **swapped, alert={}, direction="to_server")
    assert str(second.src_ip) == "198.51.100.7"


def test_a_flow_record_is_never_turned_round():
    event = event_of("flow", src_ip="198.51.100.7", src_port=80, dest_ip="192.168.1.20", dest_port=50_000)
    assert (str(event.src_ip), event.direction_id) == ("198.51.100.7", 1)


def test_critical_comes_from_the_author_and_major_does_not_raise():
    for word, severity in (("Critical", "critical"), ("Major", "medium"), ("Minor", "medium")):
        alert = {"severity": 2, "metadata": {"signature_severity": [word]}}
        assert event_of("alert", alert=alert).severity_id.word == severity


def test_metadata_may_be_lists_or_text_and_junk_is_dropped():
    metadata = {"cve": "cve_2021_44228, CVE-2022-0001", "mitre_technique_id": ["T1071_001"], "malware_family": "Emotet",
                "mitre_tactic_id": ["No Such Tactic"]}  # fmt: skip
    found = one(eve("alert", alert={"metadata": metadata}))
    assert found.event.cve_uids == ("CVE-2021-44228", "CVE-2022-0001")
    assert found.event.attack_techniques == ("T1071.001",)
    assert (found.event.malware_names, found.event.malware_family) == (("Emotet",), "emotet")
    assert found.dropped == ("alert.metadata.mitre_tactic_id",)
    named = one(eve("alert", alert={"metadata": {"mitre_tactic_id": ["Command And Control", "TA0001"]}}))
    assert set(named.event.attack_tactics) == {"TA0011", "TA0001"}


def test_a_family_that_is_not_public_is_other():
    alert = {"metadata": {"malware_family": ["OnlyWeSawThis"]}}
    event = event_of("alert", alert=alert)
    assert (event.malware_names, event.malware_family) == (("OnlyWeSawThis",), "other")


def test_icmp_has_no_ports_and_ipv6_icmp_is_a_protocol():
    event = event_of("flow", src_port=None, dest_port=None, proto="IPv6-ICMP", icmp_type=128, icmp_code=0)
    assert (event.proto, event.src_port, event.dst_port) == (58, None, None)


def test_an_address_is_never_a_domain():
    for host in ("198.51.100.7", "198.51.100.7:8080", "[2001:db8::1]:80", "2001:db8::1"):
        assert event_of("http", http={"hostname": host, "url": "/"}).domain is None
        assert event_of("tls", tls={"sni": host}).domain is None


def test_payload_and_packets_never_reach_the_event():
    canary = "CANARY-IN-PAYLOAD"
    parts = {
        "payload": canary, "payload_printable": canary, "packet": canary, "stream": 1, "alert": {"signature_id": 1},
        "http": {"hostname": "a.example", "url": "/", "http_response_body_printable": canary},
        "snmp": {"community": canary}, "mqtt": {"connect": {"username": "u", "password": canary}},
        "ftp": {"command": "PASS", "command_data": canary}, "pop3": {"request": {"command": "PASS", "args": [canary]}},
    }  # fmt: skip
    found = one(eve("alert", **parts))
    assert isinstance(found, Parsed)
    assert canary not in repr(found)


def test_event_time_and_file_hash_survive():
    found = one(eve("fileinfo", timestamp="2026-11-16T12:30:00.000001+0300", fileinfo={"sha256": "ab" * 32}))
    assert found.event.time == 1_794_821_400_000_001
    assert found.event.file_sha256 == bytes.fromhex("ab" * 32)


def test_free_text_never_becomes_a_rule_name():
    for case in golden():
        found = one(json.dumps(case["record"]).encode())
        if isinstance(found, Parsed) and found.event.rule_name is not None:
            record = case["record"]
            assert found.event.rule_name in {
                record.get("alert", {}).get("signature"),
                record.get("anomaly", {}).get("event"),
            }


def test_rereading_gives_the_same_ids_and_equal_lines_stay_two():
    data = (eve() + b"\n") * 3
    first = [o.event.event_uid for o in outcomes(data)]
    again = [o.event.event_uid for o in outcomes(data, 11)]
    assert first == again
    assert len(set(first)) == 3


def test_ids_differ_by_source_generation_and_key():
    data = eve() + b"\n"
    ids = {
        outcomes(data, **settings)[0].event.event_uid
        for settings in ({}, {"id": "t"}, {"generation": "2"}, {"key": b"q" * 32}, {"id": "s2", "generation": ""})
    }
    assert len(ids) == 5
    assert all(len(i) == 16 for i in ids)


def test_recognition_goes_by_content():
    assert recognise(eve() + b"\n" + eve()[:20]) == 1.0
    assert recognise(b'{"Event": {"info": "x"}}') == 0.0
    assert recognise(b"CEF:0|a|b|c|d|e|5|src=1.2.3.4") == 0.0
    assert recognise(b"") == 0.0
    assert recognise(b"\x00\xff" * 100) == 0.0
