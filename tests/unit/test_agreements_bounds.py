"""Bounds by example: exactly which labels, ages and readers shares and limits cover; reference and compiled alike."""

from __future__ import annotations

import pytest

from commonwatch.agreements.compile import pieces
from commonwatch.agreements.counting import counts
from commonwatch.agreements.decode import convert
from commonwatch.agreements.edge import ceiling
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments, effective
from commonwatch.agreements.lattice import WITHHELD
from commonwatch.agreements.reader import Reader
from commonwatch.events.labels import EventClass, Label, Severity, Tlp
from strategies import signed as make

PEER = Reader("bravo-bakery", ("sme",), ("sme-shield",), "detect")
SHARE = {
    "kind": "share", "id": "all-of-it", "to": {"organisations": ["bravo-bakery"]}, "purposes": ["detect", "respond"],
    "rows": {"events": ["malware", "dns"], "tlp": "red"}, "fields": {"user": "exact"},
}  # fmt: skip
COUNT = {**SHARE, "kind": "count", "id": "counted", "by": {"time": "day"}}
del COUNT["fields"]


def label(cls=EventClass.MALWARE, tlp=Tlp.AMBER, severity=Severity.MEDIUM, site="branch"):
    """A label in the middle."""
    return Label(cls, tlp, severity, site)


def docs(*clauses, charter=()):
    """One agreement of these clauses, and a charter of these limits."""
    live = LiveAgreement(make.agreement(clauses=list(clauses)), "0" * 64, frozenset({"bravo-bakery"}))
    return OwnerDocuments("alpha-dental", (live,), make.charter(clauses=list(charter)) if charter else None)


def sees(documents, at, age=1, reader=PEER):
    """Whether the reader sees the user name; the reference and the compiled table must agree."""
    level = effective(documents, at, age, "user", reader).level
    piece = next(p for p in pieces(documents, at, reader) if p.until_hours is None or age < p.until_hours)
    assert piece.from_hours <= age
    assert piece.levels.get("user", WITHHELD) == level
    return level != WITHHELD


SHARE_BOUNDS = [
    ({"events": ["dns"]}, label(EventClass.DNS), label(EventClass.MALWARE)),
    ({"tlp": "amber"}, label(tlp=Tlp.AMBER), label(tlp=Tlp.AMBER_STRICT)),
    ({"tlp": "amber+strict"}, label(tlp=Tlp.AMBER_STRICT), label(tlp=Tlp.RED)),
    ({"severity": "medium"}, label(severity=Severity.MEDIUM), label(severity=Severity.LOW)),
    ({"severity": "informational"}, label(severity=Severity.INFORMATIONAL), label(severity=Severity.UNKNOWN)),
    ({"sites": ["branch"]}, label(site="branch"), label(site="depot")),
    ({"sites": ["branch"]}, label(site="branch"), label(site="")),
]
LIMIT_BOUNDS = [
    ({"events": ["dns"]}, label(EventClass.DNS), label(EventClass.MALWARE)),
    ({"from_tlp": "amber"}, label(tlp=Tlp.AMBER), label(tlp=Tlp.GREEN)),
    ({"from_tlp": "amber"}, label(tlp=Tlp.RED), label(tlp=Tlp.CLEAR)),
    ({"from_severity": "high"}, label(severity=Severity.HIGH), label(severity=Severity.MEDIUM)),
    ({"from_severity": "high"}, label(severity=Severity.UNKNOWN), label(severity=Severity.MEDIUM)),
    ({"sites": ["branch"]}, label(site="branch"), label(site="depot")),
    ({"sites": ["branch"]}, label(site=""), label(site="depot")),
]


@pytest.mark.parametrize(("rows", "inside", "outside"), SHARE_BOUNDS)
def test_a_share_covers_exactly_its_labels(rows, inside, outside):
    documents = docs(SHARE | {"rows": SHARE["rows"] | rows}, COUNT | {"rows": COUNT["rows"] | rows})
    assert sees(documents, inside)
    assert not sees(documents, outside)
    assert counts(documents, inside, 1, PEER)
    assert not counts(documents, outside, 1, PEER)
    assert ceiling(documents, inside) == {"time": "day", "user": "exact"}
    assert ceiling(documents, outside) is None


@pytest.mark.parametrize(("rows", "inside", "outside"), LIMIT_BOUNDS)
@pytest.mark.parametrize("place", ["agreement", "charter"])
def test_a_limit_covers_exactly_its_labels_and_whatever_is_unknown(rows, inside, outside, place):
    limit = {"kind": "limit", "id": "cap", "rows": rows, "fields": {"user": "withheld", "time": "withheld"}}
    documents = docs(SHARE, COUNT, limit) if place == "agreement" else docs(SHARE, COUNT, charter=[limit])
    assert not sees(documents, inside)
    assert sees(documents, outside)
    assert not counts(documents, inside, 1, PEER)
    assert counts(documents, outside, 1, PEER)


@pytest.mark.parametrize(("age", "shown"), [(0, False), (23.999, False), (24, True), (47.999, True), (48, False)])
def test_ages_begin_with_after_and_end_before_until(age, shown):
    rows = {"after": 24, "until": 48}
    assert sees(docs(SHARE | {"rows": SHARE["rows"] | rows}), label(), age) is shown
    assert bool(counts(docs(COUNT | {"rows": COUNT["rows"] | rows}), label(), age, PEER)) is shown
    limit = {"kind": "limit", "id": "cap", "rows": rows, "fields": {"user": "withheld"}}
    assert sees(docs(SHARE, limit), label(), age) is not shown


@pytest.mark.parametrize(("to", "named"), [
    ({"organisations": ["bravo-bakery"]}, True), ({"organisations": ["coast-cert"]}, False),
    ({"communities": ["sme-shield"]}, True), ({"communities": ["harbour-ring"]}, False),
    ({"roles": ["sme"]}, True), ({"roles": ["cert"]}, False), ({}, False),
    ({"organisations": ["coast-cert"], "roles": ["sme"]}, True),
])  # fmt: skip
def test_a_share_is_for_those_it_names_and_a_limit_for_all_others(to, named):
    amber = SHARE["rows"] | {"tlp": "amber"}
    assert sees(docs(SHARE | {"to": to, "rows": amber}), label()) is named
    limit = {"kind": "limit", "id": "cap", "outside": to, "fields": {"user": "withheld"}}
    assert sees(docs(SHARE, limit), label()) is named


@pytest.mark.parametrize(("to", "shown"), [
    ({"organisations": ["bravo-bakery"]}, True), ({"organisations": ["bravo-bakery"], "roles": ["cert"]}, False),
    ({"organisations": ["bravo-bakery"], "communities": ["sme-shield"]}, False), ({"roles": ["sme"]}, False),
])  # fmt: skip
def test_red_needs_organisations_named_one_by_one_and_nothing_else(to, shown):
    assert sees(docs(SHARE | {"to": to}), label(tlp=Tlp.RED)) is shown
    assert bool(counts(docs(COUNT | {"to": to}), label(tlp=Tlp.RED), 1, PEER)) is shown


@pytest.mark.parametrize(("purpose", "on", "shown"), [
    ("detect", "both", False), ("respond", "both", True), ("detect", "rows", False), ("detect", "counts", True),
])  # fmt: skip
def test_a_limit_binds_its_purposes_and_its_kind_of_answer(purpose, on, shown):
    limit = {
        "kind": "limit",
        "id": "cap",
        "purposes": ["detect"],
        "on": on,
        "fields": {"user": "withheld", "time": "withheld"},
    }
    reader = Reader("bravo-bakery", (), (), purpose)
    assert sees(docs(SHARE, limit), label(), 1, reader) is shown
    counted = purpose != "detect" or on == "rows"
    assert bool(counts(docs(COUNT, limit), label(), 1, reader)) is counted


def test_a_purpose_that_is_not_named_sees_nothing():
    assert not sees(docs(SHARE), label(), 1, Reader("bravo-bakery", (), (), "research"))
    assert not counts(docs(COUNT), label(), 1, Reader("bravo-bakery", (), (), "operate"))


def test_who_has_not_accepted_the_duties_sees_nothing():
    stranger = Reader("coast-cert", (), (), "detect")
    open_to_all = SHARE | {"to": {"organisations": ["bravo-bakery", "coast-cert"]}}
    assert not sees(docs(open_to_all), label(), 1, stranger)
    assert not counts(docs(COUNT | {"to": open_to_all["to"]}), label(), 1, stranger)
    assert sees(docs(open_to_all), label())


def test_what_leaves_knows_no_memberships_roles_or_acceptance_but_purposes_and_ages():
    to = {"communities": ["any-ring"], "roles": ["isp"]}
    amber = SHARE["rows"] | {"tlp": "amber"}
    assert ceiling(docs(SHARE | {"to": to, "rows": amber}), label()) == {"time": "window", "user": "exact"}
    exempt = {"kind": "limit", "id": "cap", "outside": {"roles": ["cert"]}, "fields": {"user": "withheld"}}
    assert ceiling(docs(SHARE, exempt), label()) == {"time": "window", "user": "exact"}
    later = {"kind": "limit", "id": "cap", "rows": {"until": 24}, "fields": {"user": "withheld"}}
    assert ceiling(docs(SHARE, later), label()) == {"time": "window", "user": "exact"}
    assert ceiling(docs(SHARE | {"rows": amber | {"until": 24}}, later), label()) is None
    late_count = COUNT | {"rows": COUNT["rows"] | {"after": 24}}
    assert ceiling(docs(late_count), label()) == {"time": "day"}


def test_a_community_charter_binds_only_agreements_that_name_the_community():
    signer = {"id": "steward-org", "name": "Steward", "key": make.HUB.thumbprint}
    terms = convert({
        "community-charter": "1", "id": "terms", "version": 1, "title": "Terms", "community": "sme-shield",
        "steward": signer, "clauses": [{"kind": "limit", "id": "cap", "fields": {"user": "withheld"}}],
    })  # fmt: skip
    for community, shown in (("sme-shield", False), ("other-ring", True), (None, True)):
        document = make.agreement(clauses=[SHARE], **({"community": community} if community else {}))
        live = LiveAgreement(document, "0" * 64, frozenset({"bravo-bakery"}))
        assert sees(OwnerDocuments("alpha-dental", (live,), None, {"sme-shield": terms}), label()) is shown
