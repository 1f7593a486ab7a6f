"""The command line's way to a hub: the token is sent and never printed, and problems come back as what they are."""

from __future__ import annotations

import argparse
import json

import httpx
import pytest

from commonwatch.cli.client import Client, add_options
from commonwatch.errors import Conflict, InvalidInput, Unavailable


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(words)


def client(answer: httpx.Response) -> tuple[Client, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    return Client("https://hub.example/base", "cwt_secret", httpx.MockTransport(reply)), asked


def test_the_token_goes_to_the_hub_under_its_prefix() -> None:
    hub, asked = client(httpx.Response(200, json={"ok": True}))
    assert hub.post("/api/x", {"a": 1}) == {"ok": True}
    assert str(asked[0].url) == "https://hub.example/base/api/x"
    assert asked[0].headers["authorization"] == "Bearer cwt_secret"
    assert json.loads(asked[0].content) == {"a": 1}


def test_a_problem_of_the_hub_is_raised_as_the_error_it_is() -> None:
    told = {"type": "urn:commonwatch:problem:conflict", "detail": "it moved on", "todo": "look again", "status": 409}
    hub, _ = client(httpx.Response(409, json=told))
    with pytest.raises(Conflict, match="it moved on") as caught:
        hub.get("api/x")
    assert caught.value.todo == "look again"
    assert "cwt_secret" not in str(caught.value)


def test_what_is_no_hub_is_said_so() -> None:
    hub, _ = client(httpx.Response(502, text="<html>bad gateway"))
    with pytest.raises(Unavailable, match="502"):
        hub.get("api/x")


def test_address_and_token_come_from_options_files_or_the_environment(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("COMMONWATCH_URL", raising=False)
    monkeypatch.delenv("COMMONWATCH_TOKEN", raising=False)
    with pytest.raises(InvalidInput, match="no hub"):
        Client.of(parsed())
    with pytest.raises(InvalidInput, match="no API token"):
        Client.of(parsed("--url", "https://hub.example"))
    (tmp_path / "token").write_text("cwt_x\n")
    with Client.of(parsed("--url", "https://hub.example", "--token-file", str(tmp_path / "token"))):
        pass
    monkeypatch.setenv("COMMONWATCH_URL", "https://hub.example")
    monkeypatch.setenv("COMMONWATCH_TOKEN", "cwt_x")
    with Client.of(parsed()):
        pass
