"""`commonwatch agreement new|templates|batch`, run as people run it; the questions asked as a terminal asks them."""

from __future__ import annotations

import pytest

from commonwatch.agreements.check import check
from commonwatch.agreements.decode import decode
from commonwatch.cli import main
from commonwatch.cli.drafting.asking import Terminal, choose_level, choose_template, complete
from commonwatch.errors import InvalidInput
from commonwatch.hub.templates.shipped import shipped

SET = ["--set", "owner=acme", "--set", "owner.name=Acme Ltd", "--set", "starts=2027-01-01", "--set", "ends=2027-12-31"]


@pytest.fixture
def run(capsys):
    """Run the command; (exit status, stdout, stderr)."""

    def call(*args):
        status = main(["agreement", *map(str, args)])
        done = capsys.readouterr()
        return status, done.out, done.err

    return call


def answers(*lines):
    """A terminal that is answered with these lines, and what it said."""
    said, left = [], list(lines)

    def read():
        if not left:
            raise EOFError
        return left.pop(0)

    return Terminal(read, said.append), said


def test_templates_are_listed_with_their_levels(run):
    status, text, _ = run("templates")
    assert status == 0
    assert "0  Warn me only." in text
    status, text, _ = run("templates", "sme-member")
    assert "you give" in text
    assert "[warn-peers] Share malware and intrusion events" in text
    assert "owner_contact" in text


def test_options_alone_make_a_draft(run, tmp_path):
    more = [
        "--set",
        "community=shield",
        "--set",
        "sites=branch, depot",
        "--set",
        "owner.contact=Ann",
        "--set",
        "owner.reach=+49 1",
    ]
    out = tmp_path / "a.yaml"
    status, text, err = run(
        "new", "--template", "sme-alone", "--level", "3", *SET, *more, "--without", "cert-on-incidents", "--out", out
    )
    assert status == 0
    document = decode(out.read_text())
    check(document, draft=True)
    assert document.origin.changed == ("cert-on-incidents",)
    assert document.parties[0].contacts[0].reach == "+49 1"
    assert "at site branch or depot" in text
    assert str(out) in err
    assert run("new", "--template", "sme-alone", "--level", "0", *SET, *more, "--out", out)[0] == 2, "never overwritten"


def test_the_draft_goes_to_standard_output_without_a_file(run):
    status, text, _ = run("new", "--template", "sme-alone", "--level", "0", *SET, "--set", "community=shield")
    assert status == 0
    assert decode(text).id == "acme-sme-alone"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "no template is named"), (["--template", "sme-alone"], "1: Be counted in the crowd"),
        (["--template", "nothing", "--level", "1"], "no template 'nothing'"),
        (["--template", "sme-alone", "--level", "1", *SET], "Which community do you join?"),
        (["--template", "sme-alone", "--level", "1", "--set", "owner"], "no KEY=VALUE"),
        (["--template", "sme-alone", "--level", "1", *SET, "--set", "comunity=x"], "comunity"),
    ],
)  # fmt: skip
def test_what_is_missing_without_a_terminal_is_said(run, args, words):
    status, _, err = run("new", *args)
    assert status == 2
    assert words in err
    assert err.count("\n") == 1


def test_questions_are_numbered_and_asked_again_until_they_fit():
    terminal, said = answers(
        "7", "x", "2", "9", "2", "Acme!", "", "", "acme", "Acme Ltd", "", "shield", "", "soon", "2027-01-01", ""
    )
    template = choose_template(shipped(), terminal)
    assert template.id == "sme-alone"
    level = choose_level(template, terminal)
    assert level == 2
    values = complete(template, level, {}, terminal)
    assert values == {
        "owner": {"id": "acme", "name": "Acme Ltd"}, "community": "shield", "sites": [], "starts": "2027-01-01",
        "ends": "2027-12-31",
    }  # fmt: skip
    assert said.count("Please write a number from 1 to 3.") == 2
    assert said.count("Please write a number from 0 to 3.") == 1
    assert sum(line.startswith("That does not fit") for line in said) == 2
    assert "you give:" in "".join(said)


def test_questions_that_stay_open_stop_the_command():
    terminal, _ = answers("acme")
    with pytest.raises(InvalidInput, match="not answered"):
        complete(shipped()["sme-alone"], 0, {}, terminal)


def test_a_fleet_becomes_files_and_one_page_of_exceptions(run, tmp_path):
    members = tmp_path / "members.csv"
    members.write_text("owner,without\nalder,\nBad!,\nbirch,warn-peers\n")
    out = tmp_path / "drafts"
    days = ["--set", "starts=2027-01-01", "--set", "ends=2027-12-31", "--set", "community=shield"]
    status, text, err = run("batch", "sme-alone", members, "--level", "2", *days, "--out", out)
    assert status == 1
    assert "2 drafts" in text
    assert "row 3 (Bad!): $.parameters.owner.id" in err
    assert sorted(p.name for p in out.iterdir()) == ["alder-sme-alone.yaml", "birch-sme-alone.yaml", "exceptions.md"]
    assert decode((out / "birch-sme-alone.yaml").read_text()).origin.changed == ("warn-peers",)
    assert "- 1: birch" in (out / "exceptions.md").read_text()
    assert run("batch", "sme-alone", members, "--level", "2", *days, "--out", out)[0] == 2, "never overwritten"
