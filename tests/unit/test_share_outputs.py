"""Lists for tools: what may be in them, and that the tools' own readers (dnspython, PyMISP) read them."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
import msgspec
import pymisp
import pytest

from commonwatch.share.allow import AllowList
from commonwatch.share.indicators import DAY, Indicator, pattern
from commonwatch.share.outputs.about import About
from commonwatch.share.outputs.choosing import Wanted, chosen
from commonwatch.share.outputs.formats import FORMATS
from commonwatch.share.outputs.misp import misp

NOW = 20_400 * DAY
OWN = AllowList(domains=frozenset({"ours.example"}), networks=("192.0.2.0/24",))
ABOUT = About(publisher="Shield", reader="bakery", product="block", made=NOW, epoch=7)
VALUES = [
    ("ip", "198.51.100.7"), ("ip", "2001:db8::8:800:200c:417a"), ("domain", "bad.example"),
    ("url", "https://bad.example/a?b=1"), ("sha256", "ab" * 32), ("md5", "cd" * 16), ("mail", "x@bad.example"),
]  # fmt: skip


def item(kind: str, value: str, **more) -> Indicator:
    made = Indicator(
        kind=kind, value=value, pattern=pattern(kind, value), valid_from=NOW - DAY, valid_until=NOW + 7 * DAY,
        confidence=90, sources=5, first_seen=NOW - DAY, last_seen=NOW - 5, tlp=1, severity=4, malware="emotet",
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


ITEMS = [item(kind, value) for kind, value in VALUES]


def text(name: str, items=ITEMS, about=ABOUT) -> str:
    return FORMATS[name].render([i for i in items if i.kind in FORMATS[name].kinds], about).decode()


def body(name: str) -> list[str]:
    return [line for line in text(name).splitlines() if not line.startswith("#")]


def test_a_blocklist_is_selective_and_a_watchlist_has_everything_permitted():
    doubtful = item("ip", "198.51.100.8", confidence=40)
    bound = item("ip", "198.51.100.9", may_act=False)
    ended = item("ip", "198.51.100.10", valid_until=NOW)
    everything = [*ITEMS, doubtful, bound, ended]
    assert chosen(everything, Wanted(), OWN, NOW) == sorted(ITEMS, key=lambda i: (i.kind, i.value))
    watched = {i.value for i in chosen(everything, Wanted(product="watch"), OWN, NOW)}
    assert {"198.51.100.8", "198.51.100.9"} <= watched
    assert "198.51.100.10" not in watched


@pytest.mark.parametrize(
    ("kind", "value"),
    [("ip", "10.0.0.1"), ("ip", "192.0.2.3"), ("domain", "www.ours.example"), ("url", "http://ours.example/x"),
     ("url", "http://192.168.1.1/"), ("domain", "printer.local"), ("mail", "boss@ours.example")],
)  # fmt: skip
@pytest.mark.parametrize("product", ["block", "watch"])
def test_nothing_internal_and_nothing_of_ones_own_is_ever_in_a_list(kind: str, value: str, product):
    assert chosen([item(kind, value)], Wanted(product=product), OWN, NOW) == []


def test_every_text_list_says_what_it_is_and_lists_each_value_once():
    assert text("ip").startswith("# Commonwatch blocklist of Shield for bakery: 2 values, may be blocked.\n")
    assert body("ip") == ["198.51.100.7", "2001:db8::8:800:200c:417a"]
    assert body("domain") == ["bad.example"]
    assert body("url") == ["bad.example/a?b=1"]
    assert body("hash") == ["ab" * 32, "cd" * 16]
    assert "to watch for, not to block" in text("ip", about=msgspec.structs.replace(ABOUT, product="watch"))


@pytest.mark.parametrize("value", ["https://bad.example/a\nb", "https://bad.example/a b", "#x"])
def test_a_value_cannot_smuggle_a_line_into_a_list(value: str):
    assert value not in text("url", [item("url", value)])
    assert body("url") == ["bad.example/a?b=1"]


def test_wazuh_keys_with_a_colon_are_quoted_and_values_have_none():
    assert text("wazuh").splitlines()[:2] == [
        "198.51.100.7:emotet, 5 members, confidence 90",
        '"2001:db8::8:800:200c:417a":emotet, 5 members, confidence 90',
    ]


def test_crowdsec_decisions_last_as_long_as_the_indicator():
    first, _ = json.loads(text("crowdsec"))
    assert first == {
        "duration": "168h", "reason": "commonwatch/emotet, 5 members, confidence 90", "scope": "ip", "type": "ban",
        "value": "198.51.100.7",
    }  # fmt: skip


def test_a_resolver_reads_the_zone():
    zone = dns.zone.from_text(text("rpz"), relativize=True, check_origin=True)
    names = {str(name) for name, node in zone.nodes.items() if node.get_rdataset(1, dns.rdatatype.CNAME)}
    assert names == {
        "bad.example", "*.bad.example", "32.7.100.51.198.rpz-ip", "128.417a.200c.800.8.zz.db8.2001.rpz-ip",
    }  # fmt: skip
    assert all(
        node.get_rdataset(1, dns.rdatatype.CNAME)[0].target == dns.name.root
        for name, node in zone.nodes.items()
        if str(name) in names
    )
    assert not dns.zone.from_text(text("rpz", [item("domain", "bad .example")])).get_node("bad")


def test_suricata_gets_rules_over_the_files_they_load():
    archive = zipfile.ZipFile(io.BytesIO(FORMATS["suricata"].render(ITEMS, ABOUT)))
    rules = [r for r in archive.read("commonwatch.rules").decode().splitlines() if not r.startswith("#")]
    files = set(archive.namelist()) - {"commonwatch.rules"}
    assert files == {"commonwatch-ip.lst", "commonwatch-domain.lst", "commonwatch-sha256.lst", "commonwatch-md5.lst"}
    assert all(any(f"{file};" in rule for rule in rules) for file in files)
    assert len({rule.partition("sid:")[2] for rule in rules}) == len(rules)
    assert all(rule.startswith("drop ") and rule.endswith("rev:1;)") for rule in rules)
    assert base64.b64decode(archive.read("commonwatch-domain.lst")) == b"bad.example"
    watching = FORMATS["suricata"].render(ITEMS, msgspec.structs.replace(ABOUT, product="watch"))
    assert b"\nalert " in zipfile.ZipFile(io.BytesIO(watching)).read("commonwatch.rules")
    assert FORMATS["suricata"].render(ITEMS, ABOUT) == FORMATS["suricata"].render(ITEMS, ABOUT)


def test_pymisp_reads_the_feed_and_a_second_fetch_is_the_same(tmp_path: Path):
    files = misp(ITEMS, ABOUT)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    manifest = json.loads(files["manifest.json"])
    (uuid,) = manifest
    event = pymisp.MISPEvent()
    event.load_file(tmp_path / f"{uuid}.json")
    assert event.uuid == uuid
    assert {(a.type, a.value) for a in event.attributes} >= {("ip-dst", "198.51.100.7"), ("sha256", "ab" * 32)}
    assert all(a.to_ids for a in event.attributes)
    assert [tag.name for tag in event.tags] == ["tlp:green"]
    assert {row[1] for row in csv.reader(io.StringIO(files["hashes.csv"].decode()))} == {uuid}
    assert misp(ITEMS, ABOUT) == files
    assert not any(a["to_ids"] for a in json.loads(misp([item("ip", "198.51.100.7", may_act=False)], ABOUT)[f"{uuid}.json"])["Event"]["Attribute"])  # fmt: skip


def test_empty_lists_are_empty_and_still_well_formed():
    assert json.loads(text("crowdsec", [])) == []
    assert body("ip")
    assert dns.zone.from_text(text("rpz", [])) is not None
    assert json.loads(misp([], ABOUT)["manifest.json"]) == {}
