"""Whatever is typed gives an answer: never an exception, and no problem where there is none."""

from __future__ import annotations

import json
import time

from hypothesis import given
from hypothesis import strategies as st

from commonwatch.agreements.check import problems
from commonwatch.agreements.decode import canonical, convert, plain, to_yaml
from commonwatch.agreements.diagnose import diagnose, diagnose_text
from commonwatch.agreements.english import say
from strategies import agreements as gen

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(gen.documents)
def test_what_is_right_has_no_problem_in_any_form(document):
    for source in (plain(document), to_yaml(document), canonical(document).decode()):
        found = diagnose(source)
        assert found.ready == (not list(problems(document)))
        assert found.document == plain(document)
        assert found.text == say(document)
    assert diagnose_text(say(document)).document == plain(document)


@given(gen.documents, JSON, st.randoms())
def test_a_document_with_anything_anywhere_gives_problems_or_is_another_document(document, value, random):
    damaged = plain(document)
    spot = damaged
    for _ in range(random.randrange(5)):
        inner = [v for v in (spot.values() if isinstance(spot, dict) else spot) if isinstance(v, dict | list) and v]
        if not inner:
            break
        spot = random.choice(inner)
    spot[random.choice(list(spot)) if isinstance(spot, dict) else random.randrange(len(spot))] = value
    for source in (damaged, json.dumps(damaged)):
        found = diagnose(source)
        assert all(f.message and f.todo and f.path.startswith("$") for f in found.problems)
        if not found.problems:
            assert plain(convert(damaged)) == found.document


@given(JSON)
def test_no_value_at_all_breaks_it(value):
    assert diagnose(value).problems
    assert diagnose({"dsa": "1", "clauses": value, "parties": value}).problems
    assert diagnose(json.dumps(value)).problems


def test_a_large_document_of_nonsense_takes_no_long_time():
    begun = time.perf_counter()
    found = diagnose({"dsa": "1", "clauses": [1] * 200_000, "parties": [{}] * 50_000})
    assert 0 < len(found.problems) <= 300
    assert time.perf_counter() - begun < 5
