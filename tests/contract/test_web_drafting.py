"""The routes an editor works with, against a whole hub in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from litestar.testing import TestClient

from commonwatch.agreements.decode import convert, plain, to_yaml
from commonwatch.agreements.english import say
from commonwatch.hub.compose import Hub
from doubles.asking import OURS
from doubles.town import Town
from strategies import signed as make


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


@pytest.fixture(scope="module")
def hub(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    made = town.copy(tmp_path_factory.mktemp("hub") / "data")
    yield made
    made.close()


@pytest.fixture(scope="module")
def clients(hub: Hub, town: Town) -> Iterator[dict[str, TestClient]]:
    """A browser of every organisation's administrator, and one of nobody."""
    app = hub.app()
    made = {org: TestClient(app) for org in ("alder", "birch", "cedar", "dune", "nobody")}
    for org, client in made.items():
        client.headers.update(OURS)
        if org in town.sessions:
            client.cookies.set("cw_session", town.sessions[org])
    with made["alder"]:
        yield made


def test_an_object_or_a_text_is_checked_and_said(clients: dict[str, TestClient]) -> None:
    document = make.agreement()
    for given in (plain(document), to_yaml(document)):
        answer = clients["alder"].post("/api/agreements/check", json={"document": given})
        assert answer.status_code == 200
        body = answer.json()
        assert convert(body["document"]) == document
        assert body["text"] == say(document)
        assert body["ready"]
        assert body["problems"] == []


def test_an_unfinished_document_is_an_answer_with_problems(clients: dict[str, TestClient]) -> None:
    bad = plain(make.agreement()) | {"starts": "soon"}
    body = clients["alder"].post("/api/agreements/check", json={"document": bad}).json()
    assert [p["path"] for p in body["problems"]] == ["$.starts"]
    assert set(body["problems"][0]) >= {"path", "message", "todo"}
    assert body["sentences"]


def test_english_is_read_back(clients: dict[str, TestClient]) -> None:
    document = make.agreement()
    body = clients["alder"].post("/api/agreements/read", json={"text": say(document)}).json()
    assert convert(body["document"]) == document
    body = clients["alder"].post("/api/agreements/read", json={"text": say(document) + "And more.\n"}).json()
    assert body["problems"][0]["line"] == say(document).count("\n") + 1


@pytest.mark.parametrize("path", ["/api/agreements/check", "/api/agreements/read"])
def test_nobody_and_nonsense_are_refused(clients: dict[str, TestClient], path: str) -> None:
    assert clients["nobody"].post(path, json={"document": {}}).status_code == 401
    assert clients["alder"].post(path, json={"documnt": {}}).status_code == 400
