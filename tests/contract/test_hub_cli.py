"""`commonwatch hub`: from an empty folder to a live agreement, by commands alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from commonwatch.cli import main
from commonwatch.hub import settings as settings_file
from commonwatch.hub.core import Office

YAML = """
dsa: "1"
id: acme-service
version: 1
title: Managed security for acme
parties:
  - {id: acme, role: owner}
  - {id: msp, role: operator}
starts: 2020-01-01
ends: 2099-12-31
clauses:
  - {kind: share, id: operate-for-us, to: {organisations: [msp]}, purposes: [operate],
     rows: {events: [malware], tlp: amber}, fields: {time: exact, src_ip: exact}}
"""


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs `commonwatch hub ...` on one folder; gives (status, stdout, stderr)."""

    def run(*words: str) -> tuple[int, str, str]:
        status = main(["hub", *words, "--data", str(tmp_path / "hub")])
        out = capsys.readouterr()
        return status, out.out, out.err

    return run


def test_a_hub_is_made_filled_and_governed_by_commands(hub, tmp_path: Path) -> None:
    status, out, _ = hub("init", "--url", "https://hub.example", "--org", "msp", "--role", "mssp")
    assert status == 0
    assert "https://hub.example/#link=" in out
    assert hub("org", "add", "acme", "--name", "Acme", "--role", "sme", "--sector", "Q86", "--hold-key")[0] == 0
    assert hub("community", "add", "shield", "--steward", "msp")[0] == 0
    assert hub("community", "join", "shield", "acme")[0] == 0
    status, out, _ = hub("person", "add", "ann", "--org", "acme", "--admin")
    assert out.startswith("https://hub.example/#link=")
    status, out, _ = hub("gateway", "code", "acme")
    assert out.startswith("commonwatch gateway enrol https://hub.example ")
    (tmp_path / "dsa.yaml").write_text(YAML)
    assert hub("agreement", "sign-for", str(tmp_path / "dsa.yaml"))[0] == 0
    assert hub("agreement", "list")[1] == "acme-service\t1\tactive\tacme\n"
    status, out, _ = hub("agreement", "revoke", "acme-service", "--org", "acme", "--reason", "over")
    assert "revoke stated by acme" in out
    assert hub("agreement", "list")[1] == "acme-service\t1\trevoked\tacme\n"
    assert "acme\tAcme\tsme\tshield\tQ86" in hub("org", "list")[1]
    assert "ann\tann\tacme\tdetect" not in hub("person", "list")[1]


def test_a_printed_link_opens_a_session_and_is_stored_nowhere(hub, tmp_path: Path) -> None:
    secret = hub("init")[1].strip().rpartition("#link=")[2]
    held = b"".join(path.read_bytes() for path in (tmp_path / "hub").iterdir() if path.is_file())
    assert secret.encode() not in held
    office = Office(settings_file.load(tmp_path / "hub"))
    principal = office.accounts.open_with_link(secret, None).principal
    assert (principal.id, principal.admin, principal.operator) == ("admin", True, True)
    office.close()


def test_a_token_is_printed_once_and_narrows(hub, tmp_path: Path) -> None:
    hub("init")
    secret = hub("token", "admin", "--purpose", "detect", "--scope", "taxii", "--days", "7")[1].strip()
    office = Office(settings_file.load(tmp_path / "hub"))
    bearer = office.accounts.bearer(secret)
    assert (bearer.scopes, bearer.reader.purpose, bearer.admin) == (("taxii",), "detect", False)
    office.close()


def test_mistakes_are_one_clear_line_and_status_2(hub, tmp_path: Path) -> None:
    assert hub("org", "list")[0] == 2
    hub("init")
    for words, said in (
        (("init",), "there is a hub in this folder"),
        (("person", "add", "x1", "--org", "nobody"), "no organisation nobody"),
        (("link", "nobody"), "no person nobody"),
        (("gateway", "code", "nobody"), "no signing key"),
        (("agreement", "sign-for", str(tmp_path / "absent.yaml")), "cannot be read"),
        (("agreement", "revoke", "nothing", "--org", "operator"), "no agreement nothing"),
    ):
        status, _, err = hub(*words)
        assert status == 2
        assert said in err
        assert err.count("\n") == 1
    (tmp_path / "bad.yaml").write_text(YAML + "surprise: 1\n")
    hub("org", "add", "acme", "--role", "sme", "--hold-key")
    hub("org", "add", "msp", "--role", "mssp", "--hold-key")
    status, _, err = hub("agreement", "sign-for", str(tmp_path / "bad.yaml"))
    assert status == 2
    assert "surprise" in err


def test_no_command_reads_an_event() -> None:
    import commonwatch.cli.hub as module

    text = Path(module.__file__).read_text()
    assert "commonwatch.store" not in text
    assert "commonwatch.govern.service" not in text
