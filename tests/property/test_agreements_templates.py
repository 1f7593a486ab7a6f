"""Templates: every level of every template makes a whole agreement, and more is never less."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.agreements.check import check
from commonwatch.agreements.counting import counts
from commonwatch.agreements.decode import canonical, decode
from commonwatch.agreements.document import Fields, Limit
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments, effective
from commonwatch.agreements.english import read, say
from commonwatch.agreements.lattice import leq
from commonwatch.agreements.reader import PURPOSES, Reader
from commonwatch.agreements.templates import Exceptions, attempt, instantiate
from commonwatch.agreements.templates.fleet import batch
from commonwatch.agreements.templates.template import Template
from commonwatch.errors import InvalidInput
from commonwatch.events.fields import FIELDS
from commonwatch.events.labels import EventClass, Label, Severity, Tlp
from commonwatch.hub.templates.shipped import shipped
from strategies import agreements as gen

OWNER, OPERATOR, COMMUNITY = "alpha-dental", "delta-mss", "sme-shield"
TEMPLATES = st.sampled_from(list(shipped().values()))
READERS = st.builds(
    Reader, st.sampled_from([OPERATOR, "coast-cert", "bravo-bakery"]), st.sampled_from([("sme",), ("cert",), ("mssp",)]),
    st.sampled_from([(COMMUNITY,), ()]), st.sampled_from(PURPOSES),
)  # fmt: skip
LABELS = st.builds(
    Label, st.sampled_from([EventClass.MALWARE, EventClass.INTRUSION, EventClass.DNS, EventClass.MAIL]),
    st.sampled_from(list(Tlp)), st.sampled_from(list(Severity)), st.sampled_from(["branch", "head-office", ""]),
)  # fmt: skip
AGES = st.sampled_from([0, 1, 24, 30, 2159, 2160])


@st.composite
def parameters(draw, template: Template):
    """Values for everything a template asks."""
    starts, ends = sorted([draw(gen.DAYS), draw(gen.DAYS)])
    found = {"starts": starts.isoformat(), "ends": ends.isoformat()}
    orgs = {"owner": OWNER, "operator": OPERATOR}
    for p in template.parameters:
        if p.kind in orgs:
            contacts = [msgspec.to_builtins(c) for c in draw(gen.CONTACTS)]
            key = gen.thumbprint(orgs[p.kind])
            found[p.name] = {"id": orgs[p.kind], "name": draw(gen.NAMES), "key": key, "contacts": contacts}
        elif p.kind == "community":
            found[p.name] = COMMUNITY
        elif draw(st.booleans()):
            found[p.name] = draw(st.lists(st.sampled_from(gen.SITES), unique=True))
    for name in ("title", "purpose", "basis", "jurisdiction"):
        if draw(st.integers(0, 3)) == 0:
            found[name] = draw(gen.LINES)
    return found


@st.composite
def chosen(draw):
    """A template, a level, values."""
    template = draw(TEMPLATES)
    return template, draw(st.sampled_from(template.levels)).level, draw(parameters(template))


def live(agreement):
    return LiveAgreement(
        agreement, hashlib.sha256(canonical(agreement)).hexdigest(), frozenset({"coast-cert", "bravo-bakery", OPERATOR})
    )


def docs(agreement):
    return OwnerDocuments(OWNER, (live(agreement),))


@settings(max_examples=40)
@given(chosen())
def test_every_level_is_a_whole_agreement_that_says_itself_and_reads_back(choice):
    agreement = instantiate(*choice).agreement
    check(agreement)
    assert read(say(agreement)) == agreement
    assert decode(canonical(agreement)) == agreement
    assert agreement.origin.template == choice[0].id
    assert not [p.mark for p in choice[0].parameters if f" {p.mark}" in say(agreement)]


@settings(max_examples=60)
@given(chosen(), LABELS, AGES, READERS)
def test_a_narrower_level_never_reveals_more(choice, label, age, reader):
    template, _, values = choice
    made = [docs(instantiate(template, one.level, values).agreement) for one in template.levels]
    for field in FIELDS:
        shown = [effective(one, label, age, field, reader).level for one in made]
        assert all(leq(a, b) for a, b in pairwise(shown))
    cubes = [{(c.clause.clause, c.contributors): c.by for c in counts(one, label, age, reader)} for one in made]
    assert all(a.items() <= b.items() for a, b in pairwise(cubes))


@pytest.mark.parametrize("template", shipped().values(), ids=lambda t: t.id)
def test_each_level_shows_something_the_one_before_does_not(template):
    """Levels differ: the property above would hold for five equal ones."""
    readers = [
        Reader(OPERATOR, ("mssp",), (), "operate"),
        Reader("coast-cert", ("cert",), (), "respond"),
        Reader("bravo-bakery", ("sme",), (COMMUNITY,), "detect"),
    ]
    label = Label(EventClass.MALWARE, Tlp.AMBER, Severity.HIGH, "")
    values = {
        "owner": OWNER,
        "operator": OPERATOR,
        "community": COMMUNITY,
        "starts": "2027-01-01",
        "ends": "2027-12-31",
    }
    values = {k: v for k, v in values.items() if k in {*template.by_name, "starts", "ends"}}
    seen = []
    for one in template.levels:
        documents = docs(instantiate(template, one.level, values).agreement)
        shown = {(r.org, f, effective(documents, label, 30, f, r).level) for r in readers for f in FIELDS}
        seen.append((shown, tuple(len(counts(documents, label, 30, r)) for r in readers)))
    assert all(a != b for a, b in pairwise(seen))


def test_the_lowest_level_of_a_member_shows_nothing_to_anyone():
    values = {"owner": OWNER, "community": COMMUNITY, "starts": "2027-01-01", "ends": "2027-12-31"}
    agreement = instantiate(shipped()["sme-member"], 0, values).agreement
    for purpose in PURPOSES:
        reader = Reader("bravo-bakery", ("cert", "isp", "mssp", "sme"), (COMMUNITY,), purpose)
        for label in [Label(c, Tlp.CLEAR, Severity.FATAL, "") for c in EventClass]:
            assert not counts(docs(agreement), label, 1, reader)
            assert all(effective(docs(agreement), label, 1, f, reader).level == (0, 0) for f in FIELDS)


@settings(max_examples=40)
@given(chosen(), st.data(), LABELS, AGES, READERS)
def test_exceptions_never_reveal_more_than_the_plain_level(choice, data, label, age, reader):
    template, level, values = choice
    open_ids = [t.clause.id for t in template.clauses if t.within(level) and not isinstance(t.clause, Limit)]
    without = data.draw(st.lists(st.sampled_from(open_ids), unique=True, max_size=1)) if len(open_ids) > 1 else []
    limits = data.draw(st.lists(gen.limits("mine", pool=gen.FEW_FIELDS), max_size=1))
    exceptions = Exceptions(without=tuple(without), limits=tuple(limits))
    draft = instantiate(template, level, values, exceptions)
    plain = instantiate(template, level, values)
    for field in gen.FEW_FIELDS:
        assert leq(
            effective(docs(draft.agreement), label, age, field, reader).level,
            effective(docs(plain.agreement), label, age, field, reader).level,
        )
    assert set(draft.origin.changed) == {*without, *(limit.id for limit in limits)}
    assert read(say(draft.agreement)) == draft.agreement


def test_an_exception_that_would_reveal_more_is_refused():
    values = {"owner": OWNER, "community": COMMUNITY, "starts": "2027-01-01", "ends": "2027-12-31"}
    with pytest.raises(InvalidInput, match="a limit cannot be left out"):
        instantiate(shipped()["sme-alone"], 2, values, Exceptions(without=("people",)))
    taken = Limit(id="people", fields=Fields(user="exact"))
    with pytest.raises(InvalidInput, match="has a clause of that name"):
        instantiate(shipped()["sme-alone"], 2, values, Exceptions(limits=(taken,)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(chosen(), st.data())
def test_anything_given_for_a_parameter_is_a_draft_or_a_problem_with_a_path(choice, data):
    template, level, values = choice
    name = data.draw(st.sampled_from([*template.by_name, "starts", "title", "nothing"]))
    draft, found = attempt(template, level, {**values, name: data.draw(JSON)})
    assert (draft is None) == bool(found)
    assert all(f.path.startswith("$.") and f.message and f.todo for f in found)


@settings(max_examples=60)
@given(st.text(max_size=60), st.sampled_from(["owner,level\n", "owner;sites;withhold\n", ""]))
def test_no_file_breaks_a_batch(text, head):
    try:
        found = batch(
            shipped()["sme-alone"],
            head + text,
            1,
            {"community": "shield", "starts": "2027-01-01", "ends": "2027-01-02"},
        )
    except InvalidInput:
        return
    assert all(fault.row > 1 and fault.message for fault in found.faults)
