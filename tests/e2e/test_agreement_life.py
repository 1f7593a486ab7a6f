"""The life of an agreement by commands alone, against a hub that is served: keys never leave their files."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import uvicorn

from commonwatch.agreements.signing import SigningKey, b64
from commonwatch.cli import main
from commonwatch.cli.client import Client
from commonwatch.errors import Conflict, InvalidInput, SignatureError, Stale
from commonwatch.hub.compose import Hub
from doubles.town import Town

DOCUMENT = """
dsa: "1"
id: valley-warning
title: Warning in the valley
parties: [{id: alder, role: owner}, {id: birch, role: operator}]
starts: 2026-01-01
ends: 2027-12-31
clauses:
  - {kind: share, id: warn, to: {organisations: [birch], roles: [cert]}, purposes: [detect],
     rows: {events: [malware], tlp: amber}, fields: {malware: family, owner: exact}}
"""
Run = Callable[..., tuple[int, str, str]]


class Village:
    """A served hub, and for each organisation a key of its own in a file and a token that may sign."""

    def __init__(self, folder: Path) -> None:
        town = Town(folder / "founded", still=False)
        shutil.copytree(town.folder, folder / "hub")
        self.hub = Hub(msgspec.structs.replace(town.settings, data=folder / "hub"))
        self.folder, self.tokens = folder, {}
        accounts, keys = self.hub.core.accounts, self.hub.core.signing_keys
        for org in ("alder", "birch", "cedar"):
            who = accounts.session(town.sessions[org])
            self.tokens[org] = accounts.make_token(who, "cli", "detect", ["agreements", "sign"], 1)[1]
            main(["agreement", "keygen", self.key(org)])
            keys.register(who, b64(SigningKey.from_jwk(json.loads(Path(self.key(org)).read_text())).public))
        self.hub.core.start()
        self.server = uvicorn.Server(uvicorn.Config(self.hub.app(), port=0, log_level="error", lifespan="off"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def key(self, org: str) -> str:
        return str(self.folder / f"{org}.key")

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(5)
        self.hub.close()


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    made = Village(tmp_path_factory.mktemp("village"))
    yield made
    made.close()


@pytest.fixture
def run(village: Village, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `commonwatch agreement ...` for an organisation: (exit status, stdout, stderr)."""
    monkeypatch.setenv("COMMONWATCH_URL", village.url)

    def call(org: str, *words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("COMMONWATCH_TOKEN", village.tokens[org])
        status = main(["agreement", *words])
        done = capsys.readouterr()
        return status, done.out, done.err

    return call


def test_an_agreement_lives_from_offer_to_record_by_commands(village: Village, run: Run) -> None:
    document = village.folder / "valley.yaml"
    document.write_text(DOCUMENT)
    status, out, _ = run("alder", "offer", str(document))
    assert (status, "valley-warning version 1: offered" in out, "birch (operator): not yet signed" in out) == (
        0,
        True,
        True,
    )
    assert "awaits alder, birch" in run("birch", "list")[1]
    status, _, err = run("alder", "sign", "valley-warning", "--key", village.key("alder"))
    assert (status, "nobody can be asked here" in err) == (2, True)
    status, _, err = run("alder", "sign", "valley-warning", "--key", village.key("cedar"), "--yes")
    assert (status, "asked for no signature" in err) == (2, True)
    status, out, _ = run("alder", "sign", "valley-warning", "--key", village.key("alder"), "--yes")
    assert status == 0
    assert "[warn] Share malware events marked TLP:AMBER or lower" in out
    assert "partly-signed" in out
    assert "no such" in run("cedar", "show", "valley-warning")[2]
    status, out, _ = run("birch", "sign", "valley-warning", "--key", village.key("birch"), "--yes")
    assert (status, "agreed" in out, "by the hub" in out) == (0, True, False)
    status, out, _ = run("alder", "show", "valley-warning")
    assert "valley-warning is active" in out
    status, out, _ = run("cedar", "accept", "valley-warning", "--key", village.key("cedar"), "--yes")
    assert (status, "accept-duties stated" in out) == (0, True)
    for org, step, state in (
        ("birch", "suspend", "suspended"),
        ("alder", "resume", "active"),
        ("birch", "revoke", "revoked"),
    ):
        status, out, err = run(org, step, "valley-warning", "--key", village.key(org), "--yes", "--reason", "trying")
        assert (status, err) == (0, "")
        assert f"valley-warning is {state}" in run("alder", "show", "valley-warning")[1]
    record = str(village.folder / "record.json")
    assert run("birch", "export", "valley-warning", "--out", record)[0] == 0
    status, out, _ = run("birch", "verify", record)
    assert (status, "revoke stated by birch" in out, "version 1 is revoked" in out) == (0, True, True)
    page = village.folder / "record.html"
    assert run("birch", "print", record, "--out", str(page))[0] == 0
    assert SigningKey.from_jwk(json.loads(Path(village.key("birch")).read_text())).thumbprint in page.read_text()
    village.hub.core.drain.run()
    kinds = {line.split("\t")[2] for line in run("alder", "history", "valley-warning")[1].splitlines()}
    steps = (
        "offer-made",
        "offer-signed",
        "agreement-registered",
        "agreement-suspend",
        "agreement-resume",
        "agreement-revoke",
    )
    assert {f"{step} version 1" for step in steps} <= kinds


def test_an_offer_is_declined_or_withdrawn_and_a_draft_offered(village: Village, run: Run) -> None:
    document = village.folder / "other.json"
    document.write_text(json.dumps({"charter": "1", "id": "alder-charter", "title": "Never", "owner": {"id": "alder"},
                                    "clauses": [{"kind": "limit", "id": "no", "fields": {"user": "withheld"}}]}))  # fmt: skip
    assert "offered by alder" in run("alder", "offer", str(document))[1]
    assert run("alder", "decline", "alder-charter")[0] == 2
    assert "withdrawn: a mistake" in run("alder", "withdraw", "alder-charter", "--reason", "a mistake")[1]
    status, _, err = run("birch", "offer", "--draft", "none")
    assert (status, "no such draft" in err) == (2, True)
    assert run("birch", "revoke", "alder-charter", "--key", village.key("birch"), "--yes")[0] == 2


def test_a_signature_comes_in_as_the_envelope_file_it_was_made_in(village: Village, run: Run) -> None:
    """For a key that never meets a network: the frozen bytes go there as a file, the envelope comes back."""
    charter = {"charter": "1", "id": "alder-offline", "title": "Never", "owner": {"id": "alder"},
               "clauses": [{"kind": "limit", "id": "no", "fields": {"user": "withheld"}}]}  # fmt: skip
    file = village.folder / "frozen.json"
    with Client(village.url, village.tokens["alder"]) as hub:
        offer = hub.post("api/agreements/offer", {"document": charter})
        file.write_text(json.dumps({"payload": offer["payload"]}))
        assert run("alder", "sign", str(file), "--key", village.key("alder"), "--out", str(file))[0] == 0
        envelope = json.loads(file.read_text())
        for wrong in (
            {**envelope, "payload": b64(b"{}")}, {**envelope, "signatures": []}, {"payload": offer["payload"]}, {},
        ):  # fmt: skip
            with pytest.raises((InvalidInput, SignatureError)):
                hub.post(f"api/agreements/{offer['hash']}/sign", {"envelope": wrong})
        for wrong in ({}, {"held": True, "envelope": envelope}, {"protected": "x"}):
            with pytest.raises(InvalidInput):
                hub.post(f"api/agreements/{offer['hash']}/sign", wrong)
        assert hub.post(f"api/agreements/{offer['hash']}/sign", {"envelope": envelope})["state"] == "agreed"


def test_a_drafts_edition_is_its_etag_and_a_stale_one_is_refused(village: Village) -> None:
    with Client(village.url, village.tokens["birch"]) as hub:
        answer = hub.send("PUT", "api/drafts/plan", json={"document": "title: one"})
        assert (answer.headers["etag"], answer.json()["document"]) == ('"1"', {"title": "one"})
        with pytest.raises(Conflict):
            hub.put("api/drafts/plan", {"document": {}})
        assert hub.put("api/drafts/plan", {"document": {"title": "two"}}, If_Match='"1"')["edition"] == 2
        with pytest.raises(Stale):
            hub.put("api/drafts/plan", {"document": {}}, If_Match='"1"')
        with pytest.raises(InvalidInput):
            hub.put("api/drafts/plan", {"document": {}}, If_Match="*")
        hub.delete("api/drafts/plan")
        assert hub.get("api/drafts") == []


def test_a_key_is_changed_with_the_one_in_force_and_private_halves_stay(village: Village, run: Run) -> None:
    new = str(village.folder / "cedar.new")
    main(["agreement", "keygen", new])
    status, out, _ = run("cedar", "change-key", "--key", village.key("cedar"), "--new", new)
    assert (status, "in force" in out) == (0, True)
    lines = run("cedar", "keys")[1].splitlines()
    assert sum("in force" in line for line in lines) == 1
    assert run("cedar", "change-key", "--key", village.key("cedar"), "--new", new)[0] == 2
    secrets = [json.loads(Path(p).read_text())["d"] for p in (new, village.key("alder"), village.key("birch"))]
    held = [p.read_bytes() for p in (village.folder / "hub").rglob("*") if p.is_file()]
    assert not [s for s in secrets for data in held if s.encode() in data]
