"""`commonwatch intelligence sources` at a hub: add, list, set, pause, resume, pull, remove; what is said and kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from commonwatch.cli import main
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.bootstrap import Spec, found
from commonwatch.hub.intelligence.table import Intelligence
from commonwatch.hub.settings import Settings

ME = ["--org", "birch", "--name", "osint"]


class Quiet(SimpleHTTPRequestHandler):
    """Files, without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[str]:
    """A list at an address of this machine."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "list.txt").write_text("bad.example\nworse.example\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "www")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/list.txt"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    data = tmp_path / "hub"
    settings = Settings(data=data, database=f"sqlite:///{data}/meta.sqlite")
    found(settings, Spec(organisations=(OrgInfo("birch", "Birch", ("cert",)),)))
    return data


def test_a_source_lives_its_whole_life_from_the_command_line(
    hub: Path, feed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*args: str, code: int = 0) -> str:
        assert main(["intelligence", *args, "--data", str(hub)]) == code
        return capsys.readouterr().out

    monkeypatch.setenv("COMMONWATCH_SOURCE_SECRET", "canary-secret")
    added = [
        "--kind",
        "list",
        "--source-url",
        feed,
        "--tlp",
        "green",
        "--weight",
        "30",
        "--life",
        "3",
        "--auth",
        "bearer",
    ]
    said("sources", "add", *ME, *added)
    assert said("pull") == "birch\tosint\t2\twell\n"
    assert said("sources", "list") == f"birch\tosint\tlist\t{feed}\tgreen\t30\t2\twell\n"
    said("sources", "set", *ME, "--weight", "80", "--tlp", "amber")
    said("sources", "pause", *ME)
    assert said("sources", "list") == f"birch\tosint\tlist\t{feed}\tamber\t80\t2\tpaused\n"
    assert said("pull") == ""
    said("sources", "resume", *ME)
    said("sources", "set", *ME, "--source-url", f"{feed}.gone")
    assert "nothing at this address (404)" in said("pull", code=1)
    assert "404" in said("sources", "list")
    table = Intelligence(hub / "intelligence.sqlite")
    (source,) = table.sources()
    assert source.life == 3
    assert {h.weight for h in table.held(source.last_ok)} == {80}
    ends = [h.valid_until - h.valid_from for h in table.held(source.last_ok)]
    assert {round(e / 86_400_000_000) for e in ends} == {3}
    table.close()
    assert b"canary-secret" not in (hub / "intelligence.sqlite").read_bytes()
    said("sources", "remove", *ME)
    assert said("sources", "list") == ""


def test_what_cannot_be_is_refused_before_anything_is_kept(
    hub: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMMONWATCH_SOURCE_SECRET", raising=False)
    add = ["intelligence", "sources", "add", "--data", str(hub), *ME, "--kind", "taxii"]
    for more, word in (
        (["--source-url", "http://partner.example/"], "https"),
        (["--source-url", "https://partner.example/", "--weight", "300"], "0 to 100"),
        (["--source-url", "https://partner.example/", "--life", "-1"], "lives"),
        (["--source-url", "https://partner.example/", "--auth", "basic", "--user", "us"], "credentials"),
    ):
        assert main([*add, *more]) != 0
        assert word in capsys.readouterr().err
    assert main(["intelligence", "sources", "list", "--data", str(hub)]) == 0
    assert capsys.readouterr().out == ""


def test_a_file_of_an_earlier_release_gets_the_new_settings(tmp_path: Path) -> None:
    import sqlite3

    old = sqlite3.connect(tmp_path / "i.sqlite")
    old.executescript(
        "CREATE TABLE source(org TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, url TEXT NOT NULL, weight INTEGER"
        " NOT NULL, tlp INTEGER NOT NULL, community INTEGER NOT NULL, every INTEGER NOT NULL, auth BLOB NOT NULL, cursor"
        " TEXT NOT NULL, failures INTEGER NOT NULL, next_at INTEGER NOT NULL, last_ok INTEGER NOT NULL, error TEXT NOT"
        " NULL, refused TEXT NOT NULL, PRIMARY KEY(org, name)) WITHOUT ROWID;"
        "INSERT INTO source VALUES ('birch','s','list','https://x.example/',50,4,0,60,x'','',0,0,0,'','{}')"
    )
    old.close()
    table = Intelligence(tmp_path / "i.sqlite")
    (source,) = table.sources()
    assert (source.paused, source.inside, source.life) == (False, True, 0)
    table.close()
