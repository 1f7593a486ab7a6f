"""Every object we write is STIX 2.1 to the strict parser and to the validator, with the ids the standard asks for."""

from __future__ import annotations

import warnings
from typing import get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2patterns.validator import run_validator

from commonwatch.agreements.decode import convert
from commonwatch.agreements.document import Agreement, Duties
from commonwatch.agreements.reader import ClauseRef
from commonwatch.agreements.terms.iep import ACTIONS, policy, policy_id, terms_of
from commonwatch.events.labels import Tlp
from commonwatch.share import marking, stix
from commonwatch.share.indicators import DAY, Indicator, pattern

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import stix2
    from stix2validator import ValidationOptions, validate_instance

NOON = 1_790_000_000_000_000
AT = stix.stamp(NOON)
VALUES = {
    "ip": "198.51.100.7",
    "domain": "evil.example.net",
    "url": "http://evil.example.net/it's?a=b",
    "mail": "bad@evil.example.net",
    "sha256": "a" * 64,
    "sha1": "b" * 40,
    "md5": "c" * 32,
}
pytestmark = pytest.mark.filterwarnings("ignore")


def item(kind: str, value: str, **more: object) -> Indicator:
    found = {
        "valid_from": NOON,
        "valid_until": NOON + 7 * DAY,
        "tlp": 2,
        "clauses": (ClauseRef("dsa-1", 2, "c"),),
        **more,
    }
    text = pattern(kind, value)
    return Indicator(id=stix.indicator_id("Nordic Shield", text, 1), kind=kind, value=value, pattern=text, **found)  # type: ignore[arg-type]


def signed(name: str, version: int, **duties: object) -> Agreement:
    parties = [{"id": "acme", "name": "Acme", "key": "a" * 43, "role": "owner"}, {"id": "cert", "name": "C", "key": "b" * 43, "role": "member"}]  # fmt: skip
    share = {
        "kind": "share", "id": "warn", "to": {"organisations": ["cert"]}, "purposes": ["detect"],
        "rows": {"events": ["malware"], "tlp": "amber"}, "fields": {"src_ip": "exact"},
    }  # fmt: skip
    head = {"dsa": "1", "id": name, "version": version, "title": "Early warning", "parties": parties}
    found = convert({**head, "starts": "2026-01-01", "ends": "2027-01-01", "clauses": [share], "duties": duties})
    assert isinstance(found, Agreement)
    return found


def strictly_valid(document: stix.Stix) -> None:
    stix2.parse(document, allow_custom=False)
    result = validate_instance(document, ValidationOptions(version="2.1"))
    assert result.is_valid, result.errors


@pytest.mark.parametrize(("kind", "value"), [*VALUES.items(), ("ip", "2001:db8::7")])
def test_every_kind_of_indicator_is_valid(kind: str, value: str):
    seen = item(kind, value, first_seen=NOON, last_seen=NOON + 5, sightings=3, confidence=60, malware="emotet")
    strictly_valid(stix.indicator(seen, "Nordic Shield", AT, AT))
    strictly_valid(stix.sighting(seen, "Nordic Shield", "cert detect", AT, AT))
    strictly_valid(stix.observable(seen))
    observed = stix.observed_data(seen, "Nordic Shield", "cert detect", AT, AT)
    assert observed is not None
    strictly_valid(observed)
    assert run_validator(seen.pattern, stix_version="2.1") == []


def test_what_indicators_refer_to_is_valid():
    for document in stix.statics("Nordic Shield"):
        strictly_valid(document)


def test_withheld_times_leave_out_observed_data():
    assert stix.observed_data(item("ip", VALUES["ip"]), "p", "a", AT, AT) is None
    assert "count" not in stix.sighting(item("ip", VALUES["ip"]), "p", "a", AT, AT)


def test_an_observable_has_the_published_deterministic_id():
    shown = stix.observable(item("ip", "198.51.100.3"))
    assert shown["id"] == "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"


@pytest.mark.parametrize("kind", sorted(VALUES))
def test_observable_ids_equal_those_of_the_reference_library(kind: str):
    shown = stix.observable(item(kind, VALUES[kind]))
    without = {k: v for k, v in shown.items() if k != "id"}
    assert stix2.parse(without, version="2.1").id == shown["id"]


@pytest.mark.parametrize("tlp", list(Tlp))
def test_markings_carry_the_published_ids(tlp: Tlp):
    found = stix.indicator(item("ip", VALUES["ip"], tlp=int(tlp)), "p", AT, AT)["object_marking_refs"]
    assert found == [stix.marking_definition(tlp)["id"]]


@settings(max_examples=60)
@given(
    st.sampled_from(["url", "mail", "domain"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1),
)
def test_no_value_can_break_out_of_its_pattern(kind: str, value: str):
    text = pattern(kind, value)
    assert run_validator(text, stix_version="2.1") == []
    literal = text[text.index("'") + 1 : -2]
    assert literal.replace("\\'", "'").replace("\\\\", "\\") == value or "\\" in value


def test_iep_markings_are_valid_and_named_by_agreement_and_version():
    terms = terms_of([signed("dsa-1", 2, actions="internal", delete_after_days=90)])
    definition = marking.iep_definition(terms, "Nordic Shield")
    strictly_valid(definition)
    assert definition["id"] == f"marking-definition--{policy_id('dsa-1', 2)}"
    assert definition["external_references"][0]["external_id"] == "dsa-1@2"
    seen = item("ip", VALUES["ip"], terms=terms, first_seen=NOON, last_seen=NOON, sightings=1)
    written = [stix.indicator(seen, "p", AT, AT), stix.sighting(seen, "p", "a", AT, AT), stix.observed_data(seen, "p", "a", AT, AT)]  # fmt: skip
    for document in written:
        assert document is not None
        strictly_valid(document)
        assert document["object_marking_refs"] == [stix.tlp_marking(2), definition["id"]]
        assert document["external_references"] == definition["external_references"]


def test_a_value_under_several_agreements_carries_the_strictest_duties_over_all_of_them():
    one = signed("dsa-1", 1, actions="internal", attribution="must", delete_after_days=90, notify_affected="may")
    two = signed("dsa-2", 4, actions="external-direct", attribution="may", delete_after_days=30, encrypt="may")
    terms = terms_of([one, two])
    assert terms.duties == Duties(actions="internal", attribution="may", delete_after_days=30, encrypt="must")
    assert policy(terms)["permitted_actions"] == "internally-visible-actions"
    assert [str(name) for name in terms.named] == ["dsa-1@1", "dsa-2@4"]
    assert terms.policy_id not in {policy_id("dsa-1", 1), policy_id("dsa-2", 4)}
    strictly_valid(marking.iep_definition(terms, "p"))
    unnamed = terms_of([one, two], named=[])
    strictly_valid(marking.iep_definition(unnamed, "p"))
    assert "dsa-" not in str(marking.iep_definition(unnamed, "p"))


def test_every_duty_maps_to_one_word_of_iep():
    assert list(ACTIONS) == list(get_args(get_type_hints(Duties)["actions"]))
    assert len(set(ACTIONS.values())) == len(ACTIONS)
    body = policy(terms_of([signed("dsa-1", 1)]))
    assert {k: body[k] for k in ("permitted_actions", "attribution", "affected_party_notifications", "encrypt_in_transit", "unmodified_resale", "iep_version")} == {
        "permitted_actions": "none", "attribution": "must-not", "affected_party_notifications": "must-not",
        "encrypt_in_transit": "must", "unmodified_resale": "must-not", "iep_version": "2.0",
    }  # fmt: skip


def test_ids_differ_by_publisher_pattern_and_generation():
    ids = {stix.indicator_id(p, q, g) for p in ("a", "ab") for q in ("b", "bc") for g in (1, 2)}
    assert len(ids) == 8
