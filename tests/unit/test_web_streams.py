"""Streams that stay open, and questions whose asker goes away, over a real socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from commonwatch.errors import Unavailable
from commonwatch.web import work
from commonwatch.web.app import create
from commonwatch.web.logs import CONFIG
from commonwatch.web.ports import Ports
from commonwatch.web.rooms import KEY, Room, closing_of
from doubles import web as doubles

OURS = {"X-Commonwatch": "1"}


class Served:
    """An app on a real port, with its ports."""

    def __init__(self, ports: Ports, ui: Path) -> None:
        self.ports, self.app = ports, create(ports, ui=ui)
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            self.app, access_log=False, log_config=CONFIG, ws="none", timeout_graceful_shutdown=3, lifespan="on"
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],), daemon=True)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=10, headers=OURS) as client:
            assert client.post("/api/session", json={"link": "link-ann"}).status_code == 200
            yield client


@contextmanager
def served(ports: Ports, ui: Path) -> Iterator[Served]:
    made = Served(ports, ui)
    made.thread.start()
    while not made.server.started:
        time.sleep(0.01)
    yield made
    made.server.should_exit = True
    made.thread.join(10)
    made.socket.close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Served]:
    with served(doubles.ports(), tmp_path) as made:
        yield made


def wait_for(what: str, happened: object) -> float:
    """Seconds until `happened()` is true; fails after five."""
    begun = time.monotonic()
    while not happened():  # type: ignore[operator]
        assert time.monotonic() - begun < 5, what
        time.sleep(0.005)
    return time.monotonic() - begun


def test_notices_come_as_server_sent_events_and_end_with_bye(hub: Served) -> None:
    with hub.client() as client, client.stream("GET", "/api/stream") as answer:
        lines = answer.iter_lines()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert [next(lines), next(lines)] == ["event: hello", 'data: {"epoch":3,"watermark":""}']
        hub.ports.notices.lost.set()  # type: ignore[attr-defined]
        begun = time.monotonic()
        assert "event: bye" in list(lines)
        assert time.monotonic() - begun < 1


def test_a_stream_that_cannot_begin_is_a_problem(hub: Served) -> None:
    hub.ports.notices.fail = Unavailable("the policy source does not answer", todo="try again")  # type: ignore[attr-defined]
    with hub.client() as client:
        answer = client.get("/api/stream")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


def test_streams_let_go_of_their_source_when_the_client_leaves(hub: Served) -> None:
    with hub.client() as client:
        with client.stream("GET", "/api/stream") as answer:
            next(answer.iter_lines())
            wait_for("the notices are taken", lambda: hub.ports.notices.watched == 1)  # type: ignore[attr-defined]
        wait_for("the notices are given back", lambda: hub.ports.notices.watched == 0)  # type: ignore[attr-defined]
        with client.stream("GET", "/gateway/stream", headers={"CW-Gateway": "gw-1"}) as answer:
            assert next(answer.iter_lines()) == '{"kind":"ping","hub_time":1}'
        wait_for("the downlink is given back", lambda: hub.ports.gateways.ended)  # type: ignore[attr-defined]


def test_when_the_hub_stops_every_stream_ends_within_a_second(hub: Served) -> None:
    with hub.client() as client, client.stream("GET", "/api/stream") as answer:
        lines = answer.iter_lines()
        next(lines)
        begun = time.monotonic()
        loop = hub.server.servers[0].get_loop()
        loop.call_soon_threadsafe(closing_of(hub.app).tell)
        assert list(lines)[-2] == 'data: {"reason":"closing"}'
        assert time.monotonic() - begun < 1
        with client.stream("GET", "/gateway/stream", headers={"CW-Gateway": "gw-1"}) as late:
            assert len(list(late.iter_lines())) <= 1


def test_a_question_stops_when_its_asker_goes(hub: Served) -> None:
    govern = hub.ports.govern
    govern.gate = threading.Event()  # type: ignore[attr-defined]
    with hub.client() as client, pytest.raises(httpx.ReadTimeout):
        client.post("/api/query", json={"kind": "rows"}, timeout=0.3)
    wait_for("the engine is told to stop", govern.cancelled.is_set)  # type: ignore[attr-defined]


def test_a_question_that_was_answered_is_not_cancelled_afterwards(hub: Served) -> None:
    with hub.client() as client:
        assert client.post("/api/query", json={"kind": "rows"}).status_code == 200
    assert not hub.ports.govern.cancelled.is_set()  # type: ignore[attr-defined]


def test_too_many_questions_of_one_organisation_are_turned_away_and_others_answered(hub: Served) -> None:
    room: Room = hub.app.state[KEY]
    room.workers._engine = work.Pool("engine", 4, 64, share=5)
    gate = threading.Event()
    hub.ports.govern.gate = gate  # type: ignore[attr-defined]
    with hub.client() as client, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(client.post, "/api/query", json={"kind": "rows"}) for _ in range(8)]
        wait_for("three are turned away", lambda: sum(a.done() for a in asked) == 3)
        with httpx.Client(base_url=hub.url, trust_env=False, headers=OURS) as other:
            other.post("/api/session", json={"link": "link-bo"})
            mine = pool.submit(other.get, "/api/session")
            assert mine.result(5).json()["org"]["org"] == "birch"
        gate.set()
        statuses = sorted(a.result(5).status_code for a in asked)
    assert statuses == [200] * 5 + [429] * 3
    refused = next(a.result() for a in asked if a.result().status_code == 429)
    assert refused.headers["retry-after"] == "2"


def test_a_question_that_takes_too_long_is_ended_and_says_so(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "PATIENCE", 0.2)
    hub.ports.govern.gate = threading.Event()  # type: ignore[attr-defined]
    with hub.client() as client:
        answer = client.post("/api/query", json={"kind": "rows"})
    assert (answer.status_code, answer.json()["title"]) == (429, "overloaded")
    wait_for("the engine is told to stop", hub.ports.govern.cancelled.is_set)  # type: ignore[attr-defined]


def test_a_stream_that_fails_midway_ends_without_telling_the_log_what_it_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Failing(doubles.Notices):
        async def watch(self, principal: object):  # type: ignore[no-untyped-def]
            yield "hello", {}
            raise RuntimeError("CANARY")

    with (
        served(doubles.ports(notices=Failing()), tmp_path) as made,
        made.client() as client,
        client.stream("GET", "/api/stream") as answer,
    ):
        text = "".join(answer.iter_text())
    out, err = capfd.readouterr()
    assert "event: bye" in text
    assert "CANARY" not in text + out + err
    assert "a stream ended: RuntimeError" in err
