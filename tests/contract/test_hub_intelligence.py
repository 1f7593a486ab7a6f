"""A hub takes in a partner's document through its API and gives each member what the marking allows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from commonwatch.hub.compose import Hub
from doubles.town import Town

OURS = {"X-Commonwatch": "1"}
LIST = b"value,tlp\nred-word.example,red\nstrict.example,amber+strict\namber.example,amber\ngreen.example,green\nclear.example,clear\n"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


@pytest.fixture(scope="module")
def hub(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    made = town.copy(tmp_path_factory.mktemp("hub") / "data")
    yield made
    made.close()


def ask(hub: Hub, town: Town, org: str, method: str, path: str, body: bytes | None = None) -> Any:
    with TestClient(hub.app()) as client:
        client.cookies.set("cw_session", town.sessions[org])
        answer = client.request(method, path, content=body, headers=OURS)
    return answer.json()


def values(hub: Hub, town: Town, org: str) -> set[str]:
    return {i["value"] for i in ask(hub, town, org, "GET", "/api/indicators")}


def test_what_birch_is_given_reaches_each_member_as_far_as_its_marking_goes(hub: Hub, town: Town) -> None:
    taken = ask(hub, town, "birch", "POST", "/api/intelligence?source=cert", LIST)
    assert taken == {"kept": 5, "withdrawn": 0, "refused": {}}
    every = {"red-word.example", "strict.example", "amber.example", "green.example", "clear.example"}
    assert values(hub, town, "birch") == every
    for client in ("alder", "dune"):  # birch is their operator
        assert values(hub, town, client) == {"amber.example", "green.example", "clear.example"}
    assert values(hub, town, "cedar") == {"green.example", "clear.example"}  # all are in the valley
    (source,) = ask(hub, town, "birch", "GET", "/api/intelligence/sources")
    assert (source["name"], source["values"], source["error"]) == ("cert", 5, "")
    assert ask(hub, town, "alder", "GET", "/api/intelligence/sources") == []


def test_the_log_tells_that_something_was_given_and_never_what(hub: Hub, town: Town) -> None:
    ask(hub, town, "birch", "POST", "/api/intelligence?source=cert", LIST)
    entries = ask(hub, town, "birch", "GET", "/api/audit/entries?limit=1000")
    assert "intelligence-given" in json.dumps(entries)
    assert "red-word" not in json.dumps(entries)


def test_a_list_that_no_longer_names_a_value_takes_it_back(hub: Hub, town: Town) -> None:
    ask(hub, town, "birch", "POST", "/api/intelligence?source=cert", b"value,tlp\nclear.example,clear\n")
    assert values(hub, town, "cedar") == values(hub, town, "birch") == {"clear.example"}


def test_what_cannot_be_read_is_a_problem_that_says_what_to_do(hub: Hub, town: Town) -> None:
    for path, body in (("?tlp=none", b"a.example"), ("", b'{"x": 1}'), ("", b'{"type":')):
        told = ask(hub, town, "birch", "POST", f"/api/intelligence{path}", body)
        assert told["status"] == 400 or told["status"] == 422
        assert told["todo"]
