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
    (source,) = ask(hub, town, "birch", "GET", "/api/intelligence/sources")["sources"]
    assert (source["name"], source["values"], source["error"]) == ("cert", 5, "")
    assert ask(hub, town, "alder", "GET", "/api/intelligence/sources")["sources"] == []


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


def sent(hub: Hub, town: Town, org: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    with TestClient(hub.app()) as client:
        client.cookies.set("cw_session", town.sessions[org])
        answer = client.request(method, f"/api/intelligence/sources{path}", json=body, headers=OURS)
    return answer.status_code, answer.json() if answer.content else None


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names under .example are known and public here: there is no network in tests."""
    found = [(2, 1, 6, "", ("198.51.99.7", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda host, *_, **__: found if host.endswith(".example") else [])


NEW = {"name": "osint", "kind": "taxii", "address": "https://taxii.example/c/", "tlp": "green", "weight": 30}


@pytest.mark.usefixtures("outside")
def test_a_provider_s_administrator_looks_after_sources_and_a_member_does_not(hub: Hub, town: Town) -> None:
    status, made = sent(hub, town, "birch", "POST", "", NEW | {"auth": "bearer", "secret": "canary-secret", "life": 5})
    assert (status, made["address"], made["known"], made["life"]) == (201, NEW["address"], True, 5)
    assert b"canary-secret" not in b"".join(p.read_bytes() for p in hub.core.settings.data.glob("intelligence.sqlite*"))
    assert sent(hub, town, "birch", "POST", "", NEW)[0] == 409
    status, changed = sent(hub, town, "birch", "PATCH", "/osint", {"weight": 80, "paused": True, "tlp": "amber"})
    assert (status, changed["weight"], changed["paused"], changed["tlp"], changed["known"]) == (
        200,
        80,
        True,
        "amber",
        True,
    )
    assert sent(hub, town, "birch", "POST", "/osint/fetch")[0] == 409
    moved = sent(hub, town, "birch", "PATCH", "/osint", {"address": "https://other.example/c/", "paused": False})[1]
    assert (moved["address"], moved["known"]) == (
        "https://other.example/c/",
        False,
    )  # credentials stay with their server
    assert sent(hub, town, "birch", "POST", "/osint/fetch")[0] == 202
    status, listed = sent(hub, town, "birch", "GET", "")
    assert listed["may"] == ["give", "manage"]
    assert "canary-secret" not in json.dumps(listed)
    status, theirs = sent(hub, town, "alder", "GET", "")
    assert "manage" not in theirs["may"]
    assert theirs["sources"] == []
    for method, path, body in (("POST", "", NEW), ("PATCH", "/osint", {"weight": 1}), ("DELETE", "/osint", None)):
        assert sent(hub, town, "alder", method, path, body)[0] in {403, 404}
    assert sent(hub, town, "birch", "DELETE", "/osint")[0] == 204
    assert "osint" not in json.dumps(sent(hub, town, "birch", "GET", "")[1])


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "http://taxii.example/"}, {"address": "https://localhost/"}, {"address": "https://10.1.2.3/"},
        {"address": "https://nowhere.invalid/"}, {"weight": 101}, {"every": 10}, {"life": -1}, {"tlp": "pink"},
        {"auth": "basic", "secret": "x"}, {"auth": "bearer"}, {"auth": "key", "secret": "a\r\nX: y"}, {"name": "a/b"},
        {"kind": "upload"}, {"more": 1},
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_is_refused_with_the_place(hub: Hub, town: Town, wrong: dict[str, Any]) -> None:
    status, problem = sent(hub, town, "birch", "POST", "", NEW | wrong)
    assert status == 400
    assert problem["detail"]
    assert "osint" not in json.dumps(sent(hub, town, "birch", "GET", "")[1])
