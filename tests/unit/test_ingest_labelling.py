"""Labelling rules: a closed document, first rule wins for each label, and no label means the worst."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatch.errors import InvalidInput
from commonwatch.events.address import parse
from commonwatch.events.event import Event
from commonwatch.events.labels import EventClass, Label, Severity, Tlp
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.rules import default_rules, read_rules


def event(**values: object) -> Event:
    """An intrusion alert of medium severity."""
    return Event(**({"event_class": EventClass.INTRUSION, "time": 1, "class_uid": 2004, "severity_id": Severity.MEDIUM,
                     "product_name": "Suricata", "rule_uid": "1:2001219"} | values))  # type: ignore[arg-type]  # fmt: skip


def labelled(rules: str, made: Event) -> Label:
    """The label under rules given as YAML entries."""
    return Labeller(read_rules(f'labelling: "1"\nversion: 3\nhosts: {{desk: [PC-1, pc-2]}}\nrules:\n{rules}')).label(
        made
    )


def test_no_label_is_the_worst_label():
    assert Labeller(read_rules('labelling: "1"\nversion: 1')).label(event()) == Label(
        EventClass.INTRUSION, Tlp.RED, Severity.MEDIUM, ""
    )


def test_the_default_rules_make_everything_amber_and_name_no_site():
    labeller = Labeller(default_rules())
    for event_class in EventClass:
        assert labeller.label(event(event_class=event_class)) == Label(event_class, Tlp.AMBER, Severity.MEDIUM, "")


@pytest.mark.parametrize(
    ("when", "values", "matches"),
    [
        ("{class: [intrusion]}", {}, True),
        ("{class: [dns, web]}", {}, False),
        ("{product: [suricata]}", {}, True),
        ("{product: [Wazuh]}", {}, False),
        ("{rule: ['1:2001219']}", {}, True),
        ("{rule: ['1:20012*']}", {}, True),
        ("{rule: ['1:20012']}", {}, False),
        ("{rule: ['1:*']}", {"rule_uid": None}, False),
        ("{networks: [10.1.0.0/16]}", {"src_ip": parse("10.1.2.3")}, True),
        ("{networks: [10.1.0.0/16]}", {"dst_ip": parse("10.1.2.3")}, True),
        ("{networks: [10.1.0.0/16]}", {"src_ip": parse("10.2.2.3")}, False),
        ("{networks: ['2001:db8::/32']}", {"src_ip": parse("2001:db8::1")}, True),
        ("{networks: ['::/0']}", {"src_ip": parse("10.1.2.3")}, False),
        ("{hosts: [desk]}", {"dst_host": "pc-1"}, True),
        ("{hosts: [desk]}", {"dst_host": "pc-3"}, False),
        ("{technique: [T1071]}", {"attack_techniques": ("T1071.001",)}, True),
        ("{technique: [T1071.001]}", {"attack_techniques": ("T1071",)}, False),
        ("{class: [intrusion], product: [Wazuh]}", {}, False),
        ("{}", {}, True),
    ],
)
def test_a_rule_holds_where_every_named_condition_does(when, values, matches):
    label = labelled(f"  - {{when: {when}, set: {{tlp: green}}}}", event(**values))
    assert label.tlp == (Tlp.GREEN if matches else Tlp.RED)


def test_each_label_takes_the_first_rule_that_sets_it():
    rules = """
  - {when: {class: [intrusion]}, set: {site: head-office}}
  - {when: {rule: ['1:2001219']}, set: {tlp: green, severity: low}}
  - {set: {tlp: amber, site: elsewhere, severity: critical}}
"""
    assert labelled(rules, event()) == Label(EventClass.INTRUSION, Tlp.GREEN, Severity.LOW, "head-office")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('labelling: "1"\nversion: 0', "$.version"),
        ('labelling: "2"\nversion: 1', "$.labelling"),
        ('labelling: "1"\nversion: 1\nrules: [{when: {colour: [red]}, set: {}}]', "colour"),
        ('labelling: "1"\nversion: 1\nrules: [{when: {class: [wizardry]}, set: {}}]', "$.rules[0].when.class[0]"),
        (
            'labelling: "1"\nversion: 1\nrules: [{when: {networks: [10.0.0.300/8]}, set: {}}]',
            "$.rules[0].when.networks",
        ),
        ('labelling: "1"\nversion: 1\nrules: [{when: {hosts: [nobody]}, set: {}}]', "$.rules[0].when.hosts"),
        ('labelling: "1"\nversion: 1\nrules: [{set: {site: "Bad Site"}}]', "$.rules[0].set.site"),
        ('labelling: "1"\nversion: 1\nversion: 2', "version"),
    ],
)
def test_a_bad_rule_set_is_refused_with_its_place(text, where):
    with pytest.raises(InvalidInput) as caught:
        read_rules(text)
    assert where in str(caught.value)


@given(
    st.lists(
        st.tuples(st.sampled_from(["1:1", "1:2"]), st.sampled_from(list(EventClass)), st.sampled_from(list(Severity))),
        max_size=8,
    )
)
def test_labels_do_not_depend_on_what_came_before(many):
    rules = read_rules(
        'labelling: "1"\nversion: 1\nrules: [{when: {rule: ["1:1"]}, set: {tlp: clear}}, {set: {tlp: amber}}]'
    )
    one = Labeller(rules)
    for uid, event_class, severity in many:
        made = event(rule_uid=uid, event_class=event_class, severity_id=severity)
        assert one.label(made) == Labeller(rules).label(made)
