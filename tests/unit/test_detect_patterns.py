"""Sigma rules mean here what the specification says; what cannot be run says why, and nothing a rule holds can harm."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatch.detect.patterns.ordered import Reached, Stages
from commonwatch.detect.patterns.sigma import NotRunnable, Ordered, Rule, read_rules
from commonwatch.events.address import parse
from commonwatch.events.event import Event
from commonwatch.events.labels import EventClass

ID = "7f5a3a1e-0000-4000-8000-000000000001"


def event(**values: Any) -> Event:
    return Event(event_class=EventClass.WEB, time=0, class_uid=4002, **values)


def rule(detection: str, logsource: str = "category: proxy") -> str:
    return f"title: T\nid: {ID}\nlogsource:\n  {logsource}\ndetection:\n{detection}\n"


def compiled(sel: str) -> Rule:
    (found,) = read_rules(rule(f"  sel:\n    {sel}\n  condition: sel"))
    assert isinstance(found, Rule), found
    return found


@pytest.mark.parametrize(
    ("sel", "values", "matches"),
    [
        ("c-uri: '/Evil'", {"url": "/evil"}, True),
        ("c-uri|cased: '/Evil'", {"url": "/evil"}, False),
        ("c-uri|contains: 'ev'", {"url": "/EVil"}, True),
        ("c-uri|startswith: '/ev'", {"url": "/evil"}, True),
        ("c-uri|endswith: 'il'", {"url": "/evil/"}, False),
        ("c-uri: '/e*l'", {"url": "/evil"}, True),
        ("c-uri: '/e?l'", {"url": "/evil"}, False),
        ("c-uri: '/e??l'", {"url": "/evil"}, True),
        (r"c-uri: '/e\*l'", {"url": "/evil"}, False),
        (r"c-uri: '/e\*l'", {"url": "/e*l"}, True),
        ("c-uri: ['/a', '/b']", {"url": "/b"}, True),
        ("c-uri|contains|all: ['a', 'b']", {"url": "/b"}, False),
        ("c-uri|contains|all: ['a', 'b']", {"url": "/ba"}, True),
        ("c-uri|re: 'e[vw]+il$'", {"url": "/evvil"}, True),
        ("c-uri|re: 'EVIL'", {"url": "/evil"}, False),
        ("c-uri|re|i: 'EVIL'", {"url": "/evil"}, True),
        ("c-uri: null", {}, True),
        ("c-uri: null", {"url": "/"}, False),
        ("c-uri: ''", {}, True),
        ("c-uri|exists: true", {"url": "/"}, True),
        ("c-uri|exists: false", {"url": "/"}, False),
        ("dst_port: 80", {"dst_port": 80}, True),
        ("dst_port|gte: 80", {"dst_port": 79}, False),
        ("dst_port|lt: 80", {"dst_port": 79}, True),
        ("dst_port|lt: 80", {}, False),
        ("dst_ip|cidr: 198.51.100.0/24", {"dst_ip": parse("198.51.100.7")}, True),
        ("dst_ip|cidr: 198.51.100.0/24", {"dst_ip": parse("2001:db8::1")}, False),
        ("dst_ip|cidr: 2001:db8::/32", {"dst_ip": parse("2001:db8::1")}, True),
        ("SourceIp: 198.51.100.7", {"src_ip": parse("198.51.100.7")}, True),
        ("Hashes|contains: 'SHA256=00ff'", {"file_sha256": bytes.fromhex("00ff" + "11" * 30)}, True),
        ("sha256: " + "ab" * 32, {"file_sha256": bytes.fromhex("ab" * 32)}, True),
        (r"Image|endswith: '\evil.exe'", {"process_name": "evil.exe"}, True),
        (r"Image|endswith: '\evil.exe'", {"process_name": r"C:\x\Evil.exe"}, True),
        (r"Image|endswith: '\evil.exe'", {"process_name": "notevil.exe"}, False),
        ("CommandLine|windash|contains: ' -enc'", {"process_cmd": "powershell /enc QQ"}, True),
        ("CommandLine|base64offset|contains: 'foo'", {"process_cmd": "x Zm9v"}, True),
        ("attack_techniques: T1059", {"attack_techniques": ("T1003", "T1059")}, True),
        ("src_user|fieldref: dst_user", {"src_user": "a", "dst_user": "a"}, True),
        ("src_user|fieldref: dst_user", {}, False),
        ("malware_family|contains: 'otet'", {"malware_family": "emotet"}, True),
    ],
)
def test_values_and_modifiers_mean_what_sigma_says(sel: str, values: dict[str, Any], *, matches: bool):
    assert compiled(sel).test(event(**values)) is matches


def test_conditions_join_selections_and_keywords_search_the_texts():
    text = rule("  a:\n    c-uri|contains: evil\n  b_1:\n    dst_port: 80\n  b_2:\n    dst_port: 81\n  k: [beacon, 'c?2']\n"
                "  condition: a and not 1 of b_* or k")  # fmt: skip
    (found,) = read_rules(text)
    assert isinstance(found, Rule)
    assert found.classes == {EventClass.WEB}
    assert found.fields == {"c-uri", "dst_port"}
    assert found.test(event(url="/evil", dst_port=82))
    assert not found.test(event(url="/evil", dst_port=81))
    assert found.test(event(message="a Beacon came", dst_port=81))
    assert found.test(event(user_agent="xcx2x"))
    assert not found.test(event(dst_port=82))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (rule("  sel:\n    NoSuchField: 1\n  condition: sel"), "no column here stands for the field NoSuchField"),
        (rule("  sel:\n    c-uri|nosuch: 1\n  condition: sel"), "nosuch"),
        (rule("  sel:\n    c-uri: 1\n  condition: sel", "product: nothing"), "no source here for log source nothing"),
        (rule("  sel:\n    c-uri|re: '(?=x)'\n  condition: sel"), "perl operator"),
        (rule("  sel:\n    c-uri|expand: '%x%'\n  condition: sel"), "placeholders"),
        (rule("  sel:\n    c-uri: 1\n  condition: other"), "other"),
        ("title: [", "not YAML"),
        ("just text", "not Sigma"),
        ("x" * 300_000, "more than 256 KiB"),
        (f"title: C\nname: c\ncorrelation:\n  type: event_count\n  rules: [{ID}]\n  timespan: 1h\n  condition: {{gte: 2}}",
         ""),
    ],
)  # fmt: skip
def test_what_cannot_be_run_says_why(text: str, reason: str):
    found = read_rules(text)
    assert found
    assert all(isinstance(one, NotRunnable) for one in found)
    assert reason.lower() in found[0].reason.lower()


def test_a_catastrophic_expression_takes_linear_time():
    test = compiled("c-uri|re: '(a+)+$'").test
    begun = time.process_time()
    assert not test(event(url="a" * 4_000 + "!"))
    assert time.process_time() - begun < 1


def test_pipelines_of_others_are_never_read():
    text = "name: p\npriority: 1\ntransformations:\n- type: query_expression_placeholders\n"
    assert all(isinstance(one, NotRunnable) for one in read_rules(text))


def test_an_ordered_correlation_names_its_stages_group_and_span():
    first, second = rule("  sel:\n    c-uri: /a\n  condition: sel"), rule("  sel:\n    c-uri: /b\n  condition: sel")
    second = second.replace("000001", "000002")
    whole = f"""{first}---\n{second}---
title: C
name: chain
level: high
correlation:
  type: temporal_ordered
  rules: [{ID}, {ID.replace("000001", "000002")}]
  group-by: [src_ip]
  timespan: 90m
"""
    *_, chain = read_rules(whole)
    assert isinstance(chain, Ordered)
    assert (chain.rules, chain.span, chain.level) == (
        (ID, ID.replace("000001", "000002")),
        90 * 60 * 1_000_000,
        "high",
    )
    assert [read(event(src_ip=parse("198.51.100.7"))) for read in chain.group] == ["198.51.100.7"]


STREAM = st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 2))), max_size=12)


@given(STREAM, st.integers(1, 6))
def test_the_automaton_equals_brute_force(stream: list[tuple[int, set[int]]], span: int):
    stages, at, events = Stages(3, span), 0, list[tuple[int, set[int]]]()
    for gap, matched in stream:
        at += gap
        events.append((at, matched))
        found = stages.see("g", matched, at)
        stages._told.clear()  # every completion is wanted here, not one a span
        starts = [
            a[0]
            for i, a in enumerate(events)
            for j, b in enumerate(events[i + 1 : -1], i + 1)
            if 0 in a[1] and 1 in b[1] and 2 in matched and j > i and events[-1][0] - a[0] <= span
        ]
        assert (found is not None) == bool(starts)
        if found is not None:
            assert found == Reached("g", max(starts), at)


def test_a_group_is_reported_once_a_span_and_groups_are_bounded():
    stages = Stages(2, 10, most=2)
    for start in (0, 3, 20):
        assert stages.see("g", {0}, start) is None
        assert (stages.see("g", {1}, start + 1) is None) == (start == 3)
    for group in "abc":
        stages.see(group, {0}, 30)
    assert stages.see("g", {1}, 31) is None  # forgotten
    assert stages.see("c", {1}, 31) is not None
