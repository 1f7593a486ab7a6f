"""The `commonwatch agreement` command, run as people run it."""

from __future__ import annotations

import json
import stat

import pytest

from commonwatch.agreements.decode import canonical, decode, plain, to_yaml
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
    """A valid agreement as YAML, owned and operated by keys in files."""

    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_check_prints_the_text_and_read_gives_the_document_back(run, file):
    source = file("a.yaml", to_yaml(make.agreement()))
    status, text, _ = run("check", source)
    assert status == 0
    assert "[operate] Share malware events marked TLP:AMBER or lower" in text
    assert run("say", source)[1] == text
    status, yaml, _ = run("read", file("a.txt", text))
    assert decode(yaml) == make.agreement()
    status, text, _ = run("read", file("a.txt", text), "--json")
    assert text.encode() == canonical(make.agreement()) + b"\n"


def test_check_names_the_path_of_every_problem(run, file):
    bad = plain(make.agreement())
    bad["clauses"] += [bad["clauses"][0] | {"to": {"communities": ["with"]}, "purposes": []}]
    status, _, err = run("check", file("a.json", json.dumps(bad)))
    assert status == 1
    paths = [line.partition(" (line")[0] for line in err.splitlines()]
    assert paths == ["$.clauses[1].id", "$.clauses[1].to.communities", "$.clauses[1].purposes"]


def test_check_names_the_path_and_line_of_everything_that_does_not_fit(run, file):
    bad = plain(make.agreement())
    bad["clauses"][0]["fields"]["src_ip"] = "hour"
    bad["titel"] = bad.pop("title")
    status, _, err = run("check", file("a.json", json.dumps(bad, indent=1)))
    assert status == 1
    assert [line.partition(" ")[0] for line in err.splitlines()] == [
        "$.titel", "$.title", "$.clauses[0].fields.src_ip",
    ]  # fmt: skip
    assert "did you mean `title`?" in err
    assert "(line 1)" in err


def test_a_variant_of_the_text_is_refused_with_the_wording_to_use(run, file):
    bad = plain(make.agreement())
    bad["clauses"][0]["rows"]["until"] = 24
    text = run("say", file("a.json", json.dumps(bad)))[1]
    status, _, err = run("read", file("a.txt", text.replace("1 day", "24 hours")))
    assert status == 2
    assert "until they are 1 day old" in err
    assert "line 5" in err
    assert run("read", file("a.txt", text.replace("Share", "Give")))[0] == 2


def test_keys_are_made_private_and_never_overwritten(run, tmp_path):
    path = tmp_path / "key.json"
    status, thumbprint, _ = run("keygen", path)
    assert status == 0
    assert len(thumbprint.strip()) == 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert run("keygen", path)[0] == 2
    assert path.read_bytes() == before


def test_two_parties_sign_and_anyone_verifies(run, file, tmp_path):
    document = plain(make.agreement())
    for party, name in zip(document["parties"], ("one", "two"), strict=True):
        party["key"] = run("keygen", tmp_path / name)[1].strip()
    source, out = file("a.json", json.dumps(document)), tmp_path / "a.jws"
    status, text, err = run("sign", source, "--key", tmp_path / "one", "--out", out)
    assert status == 0
    assert text == run("say", source)[1]
    assert "still to sign: delta-mss" in err
    assert run("verify", out)[0] == 1
    assert "signed by all" in run("sign", out, "--key", tmp_path / "two", "--out", out)[2]
    status, text, _ = run("verify", out)
    assert status == 0
    assert "signed by alpha-dental" in text
    assert run("say", out)[1] == run("say", source)[1]
    run("keygen", tmp_path / "three")
    assert run("sign", out, "--key", tmp_path / "three", "--out", out)[0] == 2


def test_diff_shows_the_sentences_that_differ(run, file):
    one, other = to_yaml(make.agreement()), to_yaml(make.agreement(title="Another"))
    assert run("diff", file("a", one), file("b", one))[0] == 0
    status, text, _ = run("diff", file("a", one), file("b", other))
    assert status == 1
    assert 'version 1: "Another"' in text
    assert "[operate]" not in text


def test_the_schema_is_printed(run):
    assert "northgate" not in run("schema")[1]
    assert json.loads(run("schema")[1])["$defs"]["Agreement"]["additionalProperties"] is False


def test_a_missing_file_is_one_clear_line(run, tmp_path):
    status, _, err = run("check", tmp_path / "absent")
    assert status == 2
    assert err.count("\n") == 1


def test_duties_are_printed_as_an_iep_policy_file(run, file):
    status, out, _ = run("iep", file("a.yaml", to_yaml(make.agreement(duties={"actions": "internal"}))))
    (policy,) = json.loads(out)["iep_policies"]
    assert status == 0
    assert (policy["iep_version"], policy["permitted_actions"]) == ("2.0", "internally-visible-actions")
