"""`commonwatch agreement impact`, `lint`, `who-sees`, run as people run them."""

from __future__ import annotations

import json

import pytest

from commonwatch.agreements.decode import plain, to_yaml
from commonwatch.cli import main
from strategies import signed as make


@pytest.fixture
def run(capsys):
    """Run the command; (exit status, stdout, stderr)."""

    def call(*args):
        status = main(["agreement", *map(str, args)])
        done = capsys.readouterr()
        return status, done.out, done.err

    return call


@pytest.fixture
def file(tmp_path):
    """A file with this text."""

    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def narrowed(**changes):
    """The agreement with its first clause changed."""
    found = plain(make.agreement())
    found["clauses"][0] |= changes
    return json.dumps(found)


def test_impact_says_what_is_newly_shown_to_whom_with_an_example(run, file):
    old, new = file("old.yaml", to_yaml(make.agreement())), file("new.json", narrowed(purposes=["operate", "detect"]))
    status, out, _ = run("impact", old, new)
    assert status == 1
    assert "Newly shown to organisation" in out
    assert "for detecting threats" in out
    assert "for example: a malware event" in out
    assert run("impact", old, old)[::2] == (0, "nobody is shown anything more or less\n")
    status, out, _ = run("impact", new, old)
    assert status == 0
    assert out.startswith("No longer shown to")


def test_impact_says_what_a_charter_keeps_back(run, file):
    agreement = make.agreement()
    charter = {
        "charter": "1", "id": "ceiling", "version": 1, "title": "Ours",
        "owner": {k: v for k, v in plain(agreement)["parties"][0].items() if k != "role"},
        "clauses": [{"kind": "limit", "id": "all", "fields": dict.fromkeys(plain(agreement)["clauses"][0]["fields"], "withheld")}],
    }  # fmt: skip
    source = file("a.yaml", to_yaml(agreement))
    status, out, _ = run("impact", source, "--against-charter", file("c.json", json.dumps(charter)), "--json")
    assert status == 0
    found = json.loads(out)
    assert found["newly"] == []
    assert {s["after"] for change in found["no_longer"] for s in change["fields"]} == {"withheld"}


def test_impact_says_what_the_end_of_an_agreement_hides(run, file):
    source = file("a.yaml", to_yaml(make.agreement()))
    status, out, _ = run("impact", source, "--ends")
    assert status == 0
    assert out.startswith("No longer shown to organisation delta-mss")
    assert run("impact", source, source, "--ends")[0] == 2
    status, out, _ = run("impact", source)
    assert status == 1
    assert out.startswith("Newly shown to organisation delta-mss")


def test_diff_shows_the_words_and_what_they_do(run, file):
    old, new = file("old.yaml", to_yaml(make.agreement())), file("new.json", narrowed(purposes=["operate", "detect"]))
    status, out, _ = run("diff", old, new)
    assert status == 1
    assert "+ [operate]" in out
    assert "Newly shown to" in out


def test_lint_prints_findings_with_examples_and_fails_on_a_warning(run, file):
    twice = plain(make.agreement())
    twice["clauses"] += [twice["clauses"][0] | {"id": "again"}]
    status, out, _ = run("lint", file("a.json", json.dumps(twice)))
    assert status == 1
    assert "$.clauses[1]: [operate] already shows all of it [contained]" in out
    assert "for example: a malware event" in out
    status, out, _ = run("lint", file("b.yaml", to_yaml(make.agreement())), "--json")
    assert status == 0
    assert [f["weight"] for f in json.loads(out) if f["weight"] == "warning"] == []


def test_check_prints_findings_as_warnings_and_still_passes(run, file):
    twice = plain(make.agreement())
    twice["clauses"] += [twice["clauses"][0] | {"id": "again"}]
    status, out, err = run("check", file("a.json", json.dumps(twice)))
    assert status == 0
    assert "[again] Share" in out
    assert "warning: " in err


def test_who_sees_answers_from_files(run, file):
    source = file("a.yaml", to_yaml(make.agreement()))
    status, out, _ = run("who-sees", "user", source, "--json")
    assert status == 0
    found = json.loads(out)
    assert {(r["org"], r["purpose"]) for r in found["readers"]} == {("delta-mss", "operate")}
    assert run("who-sees", "user", source, "--tlp", "red")[::2] == (0, "nobody\n")
    assert run("who-sees", "user", source, "--at-least", "hour")[0] == 2
