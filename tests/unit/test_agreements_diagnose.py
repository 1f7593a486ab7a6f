"""What an editor is told on each pause: every problem with path, line and what to do; never an exception."""

from __future__ import annotations

import json
import time

import pytest

from commonwatch.agreements.decode import canonical, digest, plain, to_yaml
from commonwatch.agreements.diagnose import diagnose, diagnose_text
from commonwatch.agreements.document import BLANK_KEY
from commonwatch.agreements.english import say, say_clause
from strategies import signed as make


def paths(found):
    return [fault.path for fault in found.problems]


def broken():
    """Six things wrong in six places."""
    bad = plain(make.agreement())
    bad["title"] = 'say "no"'
    bad["ends"] = "2027-13-01"
    bad["claues"] = []
    bad["parties"][0]["role"] = "ownr"
    clause = bad["clauses"][0]
    clause["fields"]["src_ip"] = "hour"
    clause["rows"]["events"] = ["malware", "malwre"]
    del clause["to"]
    return bad


def test_a_whole_document_is_said_and_has_no_problem():
    document = make.agreement()
    found = diagnose(plain(document))
    assert found.ready
    assert found.problems == ()
    assert found.text == say(document)
    assert found.digest == digest(canonical(document))
    assert found.document == plain(document)
    assert [s.text for s in found.sentences] == [say_clause(c) for c in document.clauses]


@pytest.mark.parametrize(
    "form", [plain, to_yaml, lambda d: json.dumps(plain(d), indent=1), lambda d: canonical(d).decode()]
)
def test_object_yaml_and_json_give_the_same_answer(form):
    assert diagnose(form(make.agreement())) == diagnose(plain(make.agreement()))


def test_every_problem_is_found_at_once_each_with_its_path():
    found = diagnose(broken())
    assert not found.ready
    assert set(paths(found)) == {
        "$.title", "$.ends", "$.claues", "$.parties[0].role", "$.clauses[0].fields.src_ip", "$.clauses[0].to",
        "$.clauses[0].rows.events[1]",
    }  # fmt: skip


def test_problems_of_a_text_name_the_line():
    text = to_yaml(make.agreement()).replace("tlp: amber", "tlp: ambr")
    (fault,) = diagnose(text).problems
    assert fault.path == "$.clauses[0].rows.tlp"
    assert text.splitlines()[fault.line - 1].strip() == "tlp: ambr"
    assert "clear, green, amber, amber+strict or red" in fault.todo


@pytest.mark.parametrize(
    ("path", "words"),
    [("$.claues", "did you mean `clauses`?"), ("$.ends", "2026-12-31"), ("$.clauses[0].to", "communities"),
     ("$.parties[0].role", "owner"), ("$.clauses[0].fields.src_ip", "network"), ("$.title", "one line")],
)  # fmt: skip
def test_each_problem_says_what_to_do(path, words):
    fault = next(f for f in diagnose(broken()).problems if f.path == path)
    assert words in fault.todo
    assert "regex" not in fault.message + fault.todo
    assert "enum" not in fault.message


def test_clauses_that_are_whole_are_said_even_when_others_are_not():
    bad = plain(make.agreement())
    bad["clauses"].append({"kind": "limit", "id": "people"})
    bad["clauses"].append({"kind": "nothing"})
    del bad["starts"]
    found = diagnose(bad)
    assert "operate" in [s.clause for s in found.sentences]
    assert found.text is None
    assert {"$.starts", "$.clauses[2]"} <= set(paths(found))


def test_a_missing_key_is_a_blank_that_is_said_and_a_problem():
    draft = plain(make.agreement())
    del draft["parties"][1]["key"]
    found = diagnose(draft)
    assert paths(found) == ["$.parties[1].key"]
    assert f"signing with key {BLANK_KEY}" in found.text
    again = diagnose_text(found.text)
    assert again.document == found.document
    assert paths(again) == ["$.parties[1].key"]


@pytest.mark.parametrize(
    "source",
    [None, 7, "", "x", [], {}, "a: [", '{"dsa": ', "{}", "- 1", "a: &x 1\nb: *x", '{"a":1,"a":2}', {"dsa": "1"},
     {"dsa": "1", "clauses": {}}, {"dsa": "1", "clauses": [1, {}, {"kind": "share"}]}, {"dsa": "1", "parties": [{}]},
     {"dsa": 1, "charter": "1"}, {"clauses": [{"kind": "limit"}]}, "[" * 5000, "\x00", {"dsa": "1", "parties": [3]},
     {"charter": "1", "clauses": [{"kind": "share"}]}, {"community-charter": "2"}],
)  # fmt: skip
def test_anything_at_all_gives_problems_and_never_an_exception(source):
    found = diagnose(source)
    assert found.problems
    assert not found.ready
    assert all(f.message and f.todo and f.path.startswith("$") for f in found.problems)


@pytest.mark.parametrize("cut", range(0, 480, 16))
def test_a_document_that_is_being_typed_never_raises(cut):
    text = to_yaml(make.agreement())
    assert diagnose(text[:cut]).problems


def test_english_that_is_not_understood_names_line_and_wording():
    text = say(make.agreement()).replace("marked TLP:AMBER or lower", "up to TLP:AMBER")
    (fault,) = diagnose_text(text).problems
    assert fault.line
    assert text.splitlines()[fault.line - 1].startswith("[operate]")


def test_an_answer_is_quick_enough_for_each_pause():
    document = make.agreement()
    text = to_yaml(document)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        diagnose(text)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.02
