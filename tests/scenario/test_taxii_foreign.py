"""The TAXII 2.1 client against a server that others wrote (OASIS medallion), and against answers the standard allows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from medallion import register_blueprints, set_config
from medallion.backends.memory_backend import MemoryBackend
from werkzeug.serving import make_server

from commonwatch.errors import CommonwatchError, InvalidInput, NotPermitted, Overloaded, Unavailable
from commonwatch.hub.intelligence import taxii
from commonwatch.hub.intelligence.asking import Auth, client
from commonwatch.hub.intelligence.table import Intelligence, Source
from commonwatch.hub.jobs.fetch import pull

NOW = 1_795_348_800_000_000
IDS = [f"91a7b528-80eb-42ed-a74d-c6fbd5a2611{n}" for n in range(3)]
ME = Auth(user="birch", password="secret")
CANARY = "canary-in-the-answer"


def indicator(n: int, minute: int = 0) -> dict[str, Any]:
    at = f"2026-11-20T10:{minute:02}:{n % 60:02}.000Z"
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{n:012}",
        "created": at, "modified": at, "valid_from": at, "pattern": f"[domain-name:value = 'd{n}.example']",
        "pattern_type": "stix", "valid_until": "2027-11-20T10:00:00.000Z",
    }  # fmt: skip


def added(n: int, minute: int = 0) -> dict[str, Any]:
    """A manifest entry as medallion's data files have it."""
    made = indicator(n, minute)
    at = f"2026-11-21T10:{minute:02}:{n % 60:02}.000000Z"
    media = "application/stix+json;version=2.1"
    return {"id": made["id"], "date_added": at, "version": made["modified"], "media_type": media}


def data(numbers: range) -> dict[str, Any]:
    collections = [
        {"id": IDS[0], "title": "Ours to read", "can_read": True, "can_write": False,
         "media_types": ["application/stix+json;version=2.1"],
         "manifest": [added(n) for n in numbers], "objects": [indicator(n) for n in numbers]},
        {"id": IDS[1], "title": "Not ours", "can_read": False, "can_write": False, "manifest": [], "objects": [],
         "media_types": ["application/stix+json;version=2.1"]},
    ]  # fmt: skip
    root = {"title": "Trust group", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 1 << 20}
    return {
        "/discovery": {"title": "A server", "api_roots": ["/trustgroup/", "https://elsewhere.example/other/"]},
        "trustgroup": {"information": root, "status": [], "collections": collections},
    }


class Foreign:
    """The server. `minute` rises with what is added."""

    def __init__(self, folder: Path) -> None:
        file = folder / "data.json"
        file.write_text(json.dumps(data(range(25))))
        app = Flask("medallion-of-a-partner")
        app.config["PROPAGATE_EXCEPTIONS"] = False
        set_config(app, "users", {"users": {"birch": "secret"}})
        set_config(app, "taxii", {"taxii": {"max_page_size": 10}})
        where = {"module": MemoryBackend.__module__, "module_class": "MemoryBackend", "filename": str(file)}
        set_config(app, "backend", {"backend": where})
        register_blueprints(app)
        from medallion import handle_backend_error, handle_processing_error
        from medallion.exceptions import BackendError, ProcessingError

        app.register_error_handler(ProcessingError, handle_processing_error)
        app.register_error_handler(BackendError, handle_backend_error)
        self.asked: list[str] = []
        self.backend: MemoryBackend = app.medallion_backend  # type: ignore[attr-defined]

        @app.before_request
        def note() -> None:
            from flask import request

            self.asked.append(request.full_path)

        self.server = make_server("127.0.0.1", 0, app)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def collection(self) -> str:
        return f"{self.url}/trustgroup/collections/{IDS[0]}/"

    def add(self, n: int, minute: int) -> None:
        """One more object, later."""
        found = self.backend.data["trustgroup"]["collections"][0]
        found["objects"].append(indicator(n, minute))
        found["manifest"].append(added(n, minute))

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Foreign]:
    made = Foreign(tmp_path)
    yield made
    made.close()


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Intelligence]:
    made = Intelligence(tmp_path / "i.sqlite")
    yield made
    made.close()


def values(table: Intelligence) -> set[str]:
    return {h.value for h in table.held(NOW)}


def pulled(table: Intelligence, auth: Auth = ME) -> tuple[int, str]:
    return pull(table, table.source("birch", "t"), auth, lambda: NOW)


def test_a_foreign_server_is_discovered_from_any_of_its_addresses(foreign: Foreign) -> None:
    for start in (f"{foreign.url}/taxii2/", f"{foreign.url}/somewhere", f"{foreign.url}/trustgroup/"):
        with client(start, ME) as http:
            found = {c.url: c for c in taxii.discover(http, start)}
        assert found[foreign.collection].readable
        assert found[foreign.collection].title == "Ours to read"
        assert found[foreign.collection].root == "Trust group"
        assert not found[f"{foreign.url}/trustgroup/collections/{IDS[1]}/"].readable
    with client(foreign.collection, ME) as http:
        assert [c.url for c in taxii.discover(http, foreign.collection)] == [foreign.collection]
        found_all = taxii.discover(http, f"{foreign.url}/taxii2/")
    (other,) = [c for c in found_all if "elsewhere" in c.url]
    assert not other.readable
    assert "another host" in other.trouble


def test_a_foreign_collection_is_read_in_pages_resumed_and_then_polled_for_what_is_new(
    foreign: Foreign, table: Intelligence, tmp_path: Path
) -> None:
    table.add(source := Source(org="birch", name="t", kind="taxii", url=foreign.collection, inside=True))
    with client(foreign.collection, ME) as http:  # stopped behind the first of three pages
        first = next(taxii.poll(http, foreign.collection, ""))
        table.take(source, first.given, NOW, first.cursor)
    assert len(values(table)) == 10
    table.close()
    again = Intelligence(tmp_path / "i.sqlite")  # a restart
    try:
        assert pulled(again) == (15, "")
        assert values(again) == {f"d{n}.example" for n in range(25)}
        foreign.asked.clear()
        assert pulled(again) == (0, "")
        assert len(foreign.asked) == 1
        assert "added_after=2026-11-21T10%3A00%3A24" in foreign.asked[0]
        foreign.add(40, minute=5)
        assert pulled(again) == (1, "")
        assert "d40.example" in values(again)
        assert pulled(again) == (0, "")
    finally:
        again.close()


def test_a_page_that_the_server_forgot_is_begun_again(foreign: Foreign, table: Intelligence) -> None:
    table.add(source := Source(org="birch", name="t", kind="taxii", url=foreign.collection, inside=True))
    with client(foreign.collection, ME) as http:
        first = next(taxii.poll(http, foreign.collection, ""))
    table.take(source, first.given, NOW, first.cursor)
    foreign.backend.next.clear()
    assert pulled(table)[1] == ""
    assert len(values(table)) == 25


def test_refusals_of_a_foreign_server_are_told_in_plain_words(foreign: Foreign, table: Intelligence) -> None:
    for name, auth, word in (
        (IDS[0], Auth(user="birch", password="wr0ng-word"), "does not know us"),
        (IDS[1], ME, "refuses (403)"),
        (IDS[2], ME, "nothing at this address"),
    ):
        url = f"{foreign.url}/trustgroup/collections/{name}/"
        table.add(Source(org="birch", name="t", kind="taxii", url=url, inside=True))
        kept, error = pulled(table, auth)
        assert kept == 0
        assert word in error
        assert "wr0ng-word" not in error
        table.remove("birch", "t")
    with client(foreign.url, ME) as http, pytest.raises(Unavailable, match=r"protocol \(406\)"):
        taxii.get(http, foreign.collection, headers={"Accept": "application/vnd.oasis.taxii+json; version=9"})


def answered(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return client("https://taxii.example/", Auth(bearer="tok"), httpx.MockTransport(answer))


def page(*numbers: int, **more: Any) -> bytes:
    return json.dumps({"objects": [indicator(n) for n in numbers], **more}).encode()


def test_pages_without_next_go_on_by_the_last_date_added_and_one_that_leads_nowhere_ends() -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        assert request.headers["Accept"] == taxii.ACCEPT
        assert request.headers["Authorization"] == "Bearer tok"
        later = "added_after" in asked[-1]
        headers = {"X-TAXII-Date-Added-Last": "2026-11-21T10:00:02Z", "Content-Type": taxii.ACCEPT}
        return httpx.Response(200, content=page(2 if later else 1, more=True), headers=headers)

    with answered(answer) as http:
        steps = list(taxii.poll(http, "https://taxii.example/c", ""))
    assert [a.get("added_after") for a in asked] == [None, "2026-11-21T10:00:02Z"]
    assert [c.value for s in steps for c in s.given.candidates] == ["d1.example", "d2.example"]
    assert json.loads(steps[-1].cursor) == {"after": "2026-11-21T10:00:02Z"}


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [(429, {"Retry-After": "7200"}, 7_200), (503, {"Retry-After": "60"}, 60), (429, {}, 0), (429, {"Retry-After": "x"}, 0)],
)  # fmt: skip
def test_a_server_that_asks_us_to_wait_is_heeded(status: int, headers: dict[str, str], wait: int) -> None:
    refusing = answered(lambda _: httpx.Response(status, headers=headers, text=CANARY))
    with refusing as http, pytest.raises(Overloaded) as told:
        list(taxii.poll(http, "https://taxii.example/c/", ""))
    assert told.value.retry_after == wait
    assert CANARY not in str(told.value)


def test_a_wait_longer_than_our_own_delays_the_next_try(table: Intelligence) -> None:
    table.add(source := Source(org="birch", name="t", kind="taxii", url="https://x.example/", every=60))
    table.went(source, NOW, "the server asks us to wait", wait=7_200)
    assert table.due(NOW + 7_199 * 1_000_000) == []
    assert [s.name for s in table.due(NOW + 7_200 * 1_000_000)] == ["t"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(200, text="<html>Log in</html>", headers={"Content-Type": "text/html"}), Unavailable),
        (httpx.Response(200, text="{", headers={"Content-Type": taxii.ACCEPT}), Unavailable),
        (httpx.Response(200, text="[]", headers={"Content-Type": taxii.ACCEPT}), Unavailable),
        (httpx.Response(401), NotPermitted),
        (httpx.Response(403), NotPermitted),
        (httpx.Response(415), Unavailable),
        (httpx.Response(307, headers={"Location": "https://other.example/"}), Unavailable),
        (httpx.Response(500, text=CANARY), Unavailable),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_an_error_without_a_word_of_it(
    answer: httpx.Response, error: type[CommonwatchError]
) -> None:
    with answered(lambda _: answer) as http, pytest.raises(error) as told:
        list(taxii.poll(http, "https://taxii.example/c/", ""))
    assert CANARY not in str(told.value)
    assert told.value.todo


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "http://localhost/", "https://10.0.0.1/x", "https://[::1]/", "https://169.254.169.254/",
            "https://[::ffff:10.0.0.1]/", "ftp://x.example/", "https://x.example:99999/", "https://nowhere.invalid/"],
)  # fmt: skip
def test_an_address_that_a_member_set_never_leads_into_the_hub_s_own_network(url: str) -> None:
    with pytest.raises(InvalidInput):
        client(url, Auth(), inside=False)
