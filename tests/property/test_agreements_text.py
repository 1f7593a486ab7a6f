"""Controlled English and canonical bytes: exact round trips, on generated documents."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatch.agreements.check import RESERVED, check, problems
from commonwatch.agreements.decode import canonical, convert, decode, plain, to_yaml
from commonwatch.agreements.document import Share
from commonwatch.agreements.english import phrases, read, read_clause, say, say_clause
from commonwatch.errors import InvalidInput
from commonwatch.events.fields import FAMILIES, FIELDS
from strategies import agreements as gen

ALL_FIELDS, ALL_CLASSES = tuple(FIELDS), tuple(phrases.CLASSES)
CLAUSES = gen.clause_lists(most=3, pool=ALL_FIELDS, classes=ALL_CLASSES)


@given(gen.documents)
def test_a_document_read_from_its_text_is_the_same_document(document):
    assert read(say(document)) == document


@given(gen.agreements(), CLAUSES)
def test_every_field_class_and_level_survives_being_said(agreement, clauses):
    document = msgspec.structs.replace(agreement, clauses=clauses)
    check(document)
    assert read(say(document)) == document
    for clause in clauses:
        assert read_clause(say_clause(clause))["id"] == clause.id


@given(gen.documents)
def test_a_document_survives_json_and_yaml(document):
    data = canonical(document)
    assert decode(data) == document
    assert canonical(decode(data)) == data
    assert decode(to_yaml(document)) == document


@given(gen.agreements(), gen.agreements())
def test_different_documents_have_different_texts(one, other):
    assert (say(one) == say(other)) == (one == other)


@given(gen.agreements(), st.randoms())
def test_a_damaged_text_is_never_read_as_another_document_with_that_text(document, random):
    words = say(document).split(" ")
    at = random.randrange(len(words))
    words[at : at + 1] = random.choice([[], [words[at], words[at]], [random.choice(words)]])
    text = " ".join(words)
    try:
        found = read(text)
    except InvalidInput:
        return
    assert say(found) == text


@given(gen.shares(), st.sampled_from(sorted(RESERVED)), st.sampled_from(["organisations", "communities"]))
def test_a_name_that_is_a_grammar_word_is_refused_with_its_path(share, word, kind):
    document = decode(canonical(EMPTY))
    to = msgspec.structs.replace(share.to, **{kind: (word,)})
    bad = msgspec.structs.replace(document, clauses=(msgspec.structs.replace(share, to=to),))
    assert any(path == f"$.clauses[0].to.{kind}" for path, *_ in problems(bad))


@given(gen.agreements())
def test_generated_documents_are_valid(document):
    check(document)


@given(gen.shares())
def test_order_and_spelling_of_sets_make_no_difference(share):
    turned = plain(share)
    turned["to"] = {k: list(reversed(v)) for k, v in turned["to"].items()}
    turned["purposes"] = list(reversed(turned["purposes"]))
    turned["rows"]["events"] = list(reversed(turned["rows"]["events"]))
    again = msgspec.convert(turned, type=Share)
    assert again == share
    assert canonical(again) == canonical(share)


EMPTY = gen.Agreement(
    dsa="1", id="dsa-one", version=1, title="An agreement", starts="2026-12-01", ends="2027-11-30", clauses=(),
    parties=(gen.Party(id="alpha-dental", name="Alpha", role="owner", key=gen.thumbprint("a")),),
)  # fmt: skip
EMPTY = convert(json.loads(msgspec.json.encode(EMPTY)))


@pytest.mark.parametrize(
    "table", [phrases.CLASSES, phrases.PURPOSES, phrases.MEASURES, phrases.LABELS, phrases.levels(), phrases.ROLES]
)
def test_phrases_are_one_to_one(table):
    assert len(phrases.reverse(table)) == len(table)
    assert not [p for p in table.values() if "; " in p or ", " in p]


def test_every_point_of_every_family_has_its_phrase():
    for family in FAMILIES:
        for name in gen.points(family):
            field = next(f.name for f in FIELDS.values() if f.family == family)
            (group,) = phrases.say_levels({field: name})
            assert phrases.read_levels([group]) == {field: name}
