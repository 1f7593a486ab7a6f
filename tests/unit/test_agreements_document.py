"""Documents: what decoding refuses, where it says the fault is, and what the second pass finds."""

from __future__ import annotations

import json

import pytest

from commonwatch.agreements.check import problems
from commonwatch.agreements.counting import counts
from commonwatch.agreements.decode import canonical, convert, decode, from_json, from_yaml, json_schema, plain, scalar
from commonwatch.agreements.document import Agreement, Charter, CommunityCharter
from commonwatch.agreements.edge import ceiling
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments, decide
from commonwatch.agreements.reader import ClauseRef, Granted, Reader, Withheld
from commonwatch.errors import InvalidInput
from commonwatch.events.labels import EventClass, Label, Severity, Tlp
from strategies import signed as make

SHARE = {
    "kind": "share", "id": "warn", "to": {"communities": ["sme-shield"]}, "purposes": ["detect"],
    "rows": {"events": ["malware"], "tlp": "green"}, "fields": {"time": "minute", "user": "pseudonym"},
}  # fmt: skip
COUNT = {
    "kind": "count", "id": "picture", "to": {"communities": ["sme-shield"]}, "purposes": ["detect"],
    "rows": {"events": ["malware"], "tlp": "amber"}, "by": {"time": "day", "src_ip": "network"},
    "measures": ["onsets", "sources"],
}  # fmt: skip
HIGH = SHARE | {"rows": SHARE["rows"] | {"severity": "low"}}
BRANCH = SHARE | {"rows": SHARE["rows"] | {"sites": ["branch"]}}
LIMIT = {"kind": "limit", "id": "people", "fields": {"user": "withheld"}}
PEER = Reader("bravo-bakery", ("sme",), ("sme-shield",), "detect")
MALWARE = Label(EventClass.MALWARE, Tlp.GREEN, Severity.HIGH, "branch")


def docs(*clauses, charter=None, state="active", accepted=("bravo-bakery",)):
    """alpha-dental's documents with one agreement of these clauses."""
    document = make.agreement(clauses=list(clauses))
    return OwnerDocuments("alpha-dental", (LiveAgreement(document, "0" * 64, frozenset(accepted), state),), charter)


# --- decoding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("12:30:45", "12:30:45"),
        ("1_0", "1_0"),
        ("0o17", "0o17"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("2026-12-01", "2026-12-01"),
        ("~", "~"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("true", True),
        ("null", None),
        ("-7", -7),
        ("7.0", 7.0),
        ("", None),
    ],
)
def test_yaml_scalars_are_those_of_json_and_nothing_else(text, value):
    found = scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_quoted_yaml_is_text():
    assert from_yaml("a: '1'\nb: \"true\"\nc: |\n  null\n") == {"a": "1", "b": "true", "c": "null\n"}


@pytest.mark.parametrize(
    ("text", "where"),
    [("a: 1\na: 2", "$.a (line 2)"), ("x: {b: 1, b: 1}", "$.x.b (line 1)"), ("- {c: 1, c: 2}", "$[0].c (line 1)")],
)
def test_a_yaml_key_given_twice_is_refused_with_its_place(text, where):
    with pytest.raises(InvalidInput, match="given twice") as caught:
        from_yaml(text)
    assert caught.value.where == where


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x",
        "a: &a [*a]",
        "&a [1, *a]",
        "{[1]: 2}",
        "a: [1",
        "---\na: 1\n---\nb: 2",
        "a: \x00",
        "",
        "[" * 5_000,
    ],
)
def test_yaml_tricks_are_refused(text):
    with pytest.raises(InvalidInput):
        from_yaml(text)


def test_yaml_tags_make_nothing_but_text():
    with pytest.raises(InvalidInput):
        decode("dsa: !!python/object/apply:os.system ['true']")


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', '{"x":{"b":1,"b":1}}', '{"a":NaN}', '{"a":', "[" * 100_000])
def test_json_tricks_are_refused(text):
    with pytest.raises(InvalidInput):
        from_json(text)


@pytest.mark.parametrize(("change", "where"), [
    ({"starts": "2026-13-01"}, "$.starts"),
    ({"more": 1}, "$"),
    ({"version": 0}, "$.version"),
    ({"version": "1"}, "$.version"),
    ({"id": "Upper"}, "$.id"),
    ({"id": "newline\n"}, "$.id"),
    ({"title": 'with "quotes"'}, "$.title"),
    ({"previous": "abc"}, "$.previous"),
    ({"clauses": [SHARE | {"fields": {"src_ip": "hour"}}]}, "$.clauses[0].fields.src_ip"),
    ({"clauses": [SHARE | {"fields": {"unknown": "exact"}}]}, "$.clauses[0].fields"),
    ({"clauses": [SHARE | {"fields": {"file_hash": "pseudonym"}}]}, "$.clauses[0].fields.file_hash"),
    ({"clauses": [SHARE, COUNT | {"by": {"src_ip": "pseudonym"}}]}, "$.clauses[1].by.src_ip"),
    ({"clauses": [SHARE | {"rows": {"events": ["malware"]}}]}, "$.clauses[0].rows"),
    ({"clauses": [SHARE | {"rows": {"events": ["malware"], "from_tlp": "red"}}]}, "$.clauses[0].rows"),
    ({"clauses": [SHARE | {"purposes": ["detect", "detect"]}]}, "$.clauses[0].purposes"),
    ({"clauses": [LIMIT | {"rows": {"tlp": "red"}}]}, "$.clauses[0].rows"),
    ({"clauses": [{"kind": "allow", "id": "xx"}]}, "$.clauses[0].kind"),
    ({"clauses": [COUNT | {"contributors": 1}]}, "$.clauses[0].contributors"),
])  # fmt: skip
def test_a_fault_is_named_with_its_path(change, where):
    with pytest.raises(InvalidInput) as caught:
        decode(json.dumps(plain(make.agreement()) | change))
    assert caught.value.where.startswith(where) or where == "$.clauses[0].purposes"


def test_what_is_not_a_document_is_refused():
    for text in ("[]", "{}", "42", '{"dsa":"1","charter":"1"}', '{"dsa":"2"}'):
        with pytest.raises(InvalidInput):
            decode(text)
    with pytest.raises(InvalidInput, match="more than"):
        decode("a" * ((1 << 20) + 1))
    with pytest.raises(InvalidInput, match="UTF-8"):
        decode(b"\xff")


def test_defaults_written_out_are_the_same_document_and_the_same_bytes():
    short = make.agreement(clauses=[SHARE, LIMIT])
    long = make.agreement(
        clauses=[
            SHARE | {"rows": SHARE["rows"] | {"after": 0, "sites": [], "until": None}},
            LIMIT | {"rows": {}, "outside": {}, "purposes": [], "on": "both", "contributors": None},
        ],
        duties={"actions": "none", "breach_notice_hours": 24},
    )
    assert short == long
    assert canonical(short) == canonical(long)


def test_the_json_schema_names_every_kind_of_document():
    schema = json_schema()
    assert len(schema["oneOf"]) == 3
    fields = schema["$defs"]["Fields"]["properties"]
    assert "hour" not in fields["src_ip"]["enum"]
    assert "community-charter" in schema["$defs"]["CommunityCharter"]["properties"]


@pytest.mark.parametrize(("change", "path"), [
    ({"version": 2}, "$.previous"),
    ({"previous": "0" * 64}, "$.previous"),
    ({"starts": "2028-01-01"}, "$.ends"),
    ({"clauses": []}, "$.clauses"),
    ({"law": {}}, "$.law"),
    ({"parties": []}, "$.parties"),
    ({"community": "with"}, "$.community"),
    ({"clauses": [SHARE, SHARE]}, "$.clauses[1].id"),
    ({"clauses": [SHARE | {"fields": {}}]}, "$.clauses[0].fields"),
    ({"clauses": [SHARE | {"purposes": []}]}, "$.clauses[0].purposes"),
    ({"clauses": [SHARE | {"rows": {"events": [], "tlp": "red"}}]}, "$.clauses[0].rows.events"),
    ({"clauses": [SHARE | {"rows": {"events": ["web"], "tlp": "red"}}]}, "$.clauses[0].rows.tlp"),
    ({"clauses": [SHARE | {"rows": SHARE["rows"] | {"after": 9, "until": 9}}]}, "$.clauses[0].rows.until"),
    ({"clauses": [SHARE | {"rows": {"events": ["web"], "tlp": "green", "sites": ["at"]}}]}, "$.clauses[0].rows.sites"),
    ({"clauses": [SHARE | {"lookup": {"fields": ["time"]}}]}, "$.clauses[0].lookup.fields"),
    ({"clauses": [SHARE | {"lookup": {"fields": []}}]}, "$.clauses[0].lookup.fields"),
    ({"clauses": [COUNT | {"by": {}}]}, "$.clauses[0].by"),
    ({"clauses": [COUNT | {"noise": {"epsilon": 1.0}}]}, "$.clauses[0].measures"),
    ({"clauses": [COUNT | {"measures": ["onsets"], "noise": {"epsilon": 1.0001}}]}, "$.clauses[0].noise.epsilon"),
    ({"clauses": [{"kind": "limit", "id": "nothing"}]}, "$.clauses[0]"),
    ({"clauses": [LIMIT | {"on": "rows", "contributors": 5}]}, "$.clauses[0].on"),
])  # fmt: skip
def test_the_second_pass_finds_what_types_cannot_say(change, path):
    assert path in [found.path for found in problems(make.agreement(**change))]


def test_the_three_kinds_of_document_are_told_apart():
    assert isinstance(make.agreement(), Agreement)
    assert isinstance(make.charter(), Charter)
    signer = plain(make.charter())["owner"]
    terms = {
        "community-charter": "1",
        "id": "terms",
        "version": 1,
        "title": "T",
        "community": "sme-shield",
        "steward": signer,
        "clauses": [LIMIT],
    }
    assert isinstance(convert(terms), CommunityCharter)
    assert not list(problems(convert(terms)))


# --- meaning by example ----------------------------------------------------------------------------------------------


def test_limits_of_one_agreement_leave_another_alone():
    first = make.agreement(clauses=[SHARE])
    second = make.agreement(id="second", clauses=[SHARE | {"id": "again"}, LIMIT])
    both = OwnerDocuments(
        "alpha-dental", tuple(LiveAgreement(d, "0" * 64, frozenset({"bravo-bakery"})) for d in (first, second))
    )
    found = decide(both, MALWARE, 1, "user", PEER)
    assert found == Granted("pseudonym", (ClauseRef("alpha-shield", 1, "warn"),))


def test_a_pseudonym_and_a_network_meet_in_nothing_and_join_in_both():
    one = SHARE | {"fields": {"src_ip": "pseudonym"}}
    other = SHARE | {"id": "other", "fields": {"src_ip": "network"}}
    cap = LIMIT | {"fields": {"src_ip": "network"}}
    assert decide(docs(one, other), MALWARE, 1, "src_ip", PEER).point == "pseudonym+network"
    withheld = decide(docs(one, cap), MALWARE, 1, "src_ip", PEER)
    assert withheld == Withheld("limited-by", ClauseRef("alpha-shield", 1, "people"), None)


@pytest.mark.parametrize(("reason", "documents", "label", "age", "reader"), [
    ("not-agreed", docs(LIMIT), MALWARE, 1, PEER),
    ("not-to-you", docs(SHARE), MALWARE, 1, Reader("coast-cert", (), (), "detect")),
    ("purpose", docs(SHARE), MALWARE, 1, Reader("bravo-bakery", (), ("sme-shield",), "research")),
    ("class", docs(SHARE), Label(EventClass.DNS, Tlp.GREEN, Severity.HIGH), 1, PEER),
    ("tlp", docs(SHARE), Label(EventClass.MALWARE, Tlp.AMBER, Severity.HIGH), 1, PEER),
    ("severity", docs(HIGH), Label(EventClass.MALWARE, Tlp.GREEN, Severity.UNKNOWN), 1, PEER),
    ("site", docs(BRANCH), Label(EventClass.MALWARE, Tlp.GREEN, Severity.LOW), 1, PEER),
    ("too-young", docs(SHARE | {"rows": SHARE["rows"] | {"after": 2}}), MALWARE, 1.99, PEER),
    ("too-old", docs(SHARE | {"rows": SHARE["rows"] | {"until": 2}}), MALWARE, 2, PEER),
    ("field-not-granted", docs(SHARE | {"fields": {"time": "hour"}}), MALWARE, 1, PEER),
    ("suspended", docs(SHARE, state="suspended"), MALWARE, 1, PEER),
    ("revoked", docs(SHARE, state="revoked"), MALWARE, 1, PEER),
    ("duties-not-accepted", docs(SHARE, accepted=()), MALWARE, 1, PEER),
    ("limited-by", docs(SHARE, LIMIT), MALWARE, 1, PEER),
    ("charter", docs(SHARE, charter=make.charter()), MALWARE, 1, PEER),
])  # fmt: skip
def test_every_reason_is_given_where_it_applies(reason, documents, label, age, reader):
    assert decide(documents, label, age, "user", reader).reason == reason


def test_whom_to_ask_is_the_owner_only_where_the_reader_may_know_it():
    assert decide(docs(SHARE), MALWARE, 1, "src_ip", PEER).ask is None
    open_owner = docs(SHARE | {"fields": {"owner": "exact"}})
    assert decide(open_owner, MALWARE, 1, "src_ip", PEER).ask == "alpha-dental"


def test_counts_are_cut_by_limits_dimension_by_dimension():
    (rule,) = counts(docs(COUNT), MALWARE, 1, PEER)
    assert (rule.by, rule.measures, rule.contributors, rule.noise) == (COUNT["by"], ("onsets", "sources"), 5, None)
    cap = {
        "kind": "limit",
        "id": "cap",
        "fields": {"src_ip": "pseudonym+country"},
        "contributors": 9,
        "noise": {"epsilon": 2.0},
    }
    (rule,) = counts(docs(COUNT, cap), MALWARE, 1, PEER)
    assert rule.by == {"time": "day", "src_ip": "country"}
    assert (rule.contributors, rule.noise.epsilon, rule.measures) == (9, 2.0, ("onsets",))
    assert rule.cut == (ClauseRef("alpha-shield", 1, "cap"),)
    assert counts(docs(COUNT, cap | {"fields": {"time": "withheld"}}), MALWARE, 1, PEER) == []
    (rule,) = counts(docs(COUNT, cap | {"on": "rows", "contributors": None, "noise": None}), MALWARE, 1, PEER)
    assert rule.by == COUNT["by"]
    assert counts(docs(COUNT), MALWARE, 1, Reader("alpha-dental", (), ("sme-shield",), "detect")) == []


def test_what_counts_need_may_leave_the_gateway_and_nothing_else():
    assert ceiling(docs(COUNT), MALWARE) == {"time": "day", "src_ip": "pseudonym+network"}
    without = COUNT | {"by": {"malware": "family"}, "measures": ["onsets"]}
    assert ceiling(docs(without), MALWARE) == {"time": "window", "malware": "family"}
    assert ceiling(docs(COUNT), Label(EventClass.DNS, Tlp.GREEN, Severity.HIGH)) is None
    assert ceiling(docs(COUNT, state="suspended"), MALWARE) is None
