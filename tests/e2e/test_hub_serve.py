"""A real hub process: it says its URL, answers, streams, obeys a revocation, ends in order, and is the only one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from commonwatch.audit.verify import verify_checkpoint
from commonwatch.wire.auth import sign_request
from doubles.town import HOUR, Town, now_wall

OURS = {"X-Commonwatch": "1"}


class Process:
    """A served hub."""

    def __init__(self, town: Town, log: Path) -> None:
        self.town, self.log = town, log
        command = [sys.executable, "-m", "commonwatch", "hub", "serve", "--data", str(town.folder), "--port", "0"]
        with log.open("ab") as err:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True)
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.url = self.line.split()[3] if self.line else ""

    def client(self, org: str) -> httpx.Client:
        cookies = {"cw_session": self.town.sessions[org]}
        return httpx.Client(base_url=self.url, headers=OURS, cookies=cookies, trust_env=False, timeout=20)

    def end(self) -> int:
        """Ask it to stop; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def serving(town: Town, log: Path) -> Iterator[Process]:
    made = Process(town, log)
    try:
        assert made.url.startswith("http://127.0.0.1:"), log.read_text()
        yield made
    finally:
        if made.process.poll() is None and made.end() != 0:
            made.process.kill()
        assert made.process.stdout is not None
        made.process.stdout.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "data", still=False)


@pytest.fixture(scope="module")
def hub(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(town, tmp_path_factory.mktemp("log") / "hub.log") as made:
        yield made


def events(count: int, first: int = 0) -> list[dict[str, object]]:
    at = now_wall() - 3 * HOUR
    return [
        {
            "uid": f"e{first + n}", "time": at, "event_class": 1, "src_ip": f"185.220.101.{n + 1}",
            "dst_ip": "10.0.0.1",
            "malware_family": "Emotet", "malware_names": ["Emotet"], "rule_name": "seen",
            "domain": f"d{n}.bad.example",
        }
        for n in range(count)
    ]  # fmt: skip


def rows(client: httpx.Client) -> int:
    answer = client.post("/api/query", json={"kind": "rows", "limit": 200})
    assert answer.status_code == 200, answer.text
    return len(answer.json()["rows"])


def signed(town: Town, method: str, path: str, org: str, body: bytes = b"") -> dict[str, str]:
    return sign_request(method, path, body, now_wall(), town.gateways[org].gateway, town.keys[org])


def lines_of(hub: Process, org: str, into: list[dict[str, object]], told: threading.Event) -> None:
    path = "/gateway/stream?last_snapshot=0&checkpoint=0"
    with hub.client(org) as client, client.stream("GET", path, headers=signed(hub.town, "GET", path, org)) as answer:
        for line in answer.iter_lines():
            into.append(json.loads(line))
            if into[-1]["kind"] == "indicators":
                told.set()


def test_a_batch_is_stored_once_shown_as_agreed_and_promulgated_to_gateways(hub: Process, town: Town) -> None:
    heard: list[dict[str, object]] = []
    told = threading.Event()
    listener = threading.Thread(target=lines_of, args=(hub, "birch", heard, told), daemon=True)
    listener.start()
    while not any(line["kind"] == "snapshot" for line in heard):
        time.sleep(0.05)
    body = town.batch("alder", events(5))
    with hub.client("alder") as client:
        receipts = [client.post("/gateway/batches", content=body).json() for _ in range(2)]
    begun = time.monotonic()
    assert [r["stored"] for r in receipts] == [5, 0]
    with hub.client("alder") as alder, hub.client("birch") as birch, hub.client("dune") as dune:
        assert (rows(alder), rows(birch), rows(dune)) == (5, 5, 0)
        assert told.wait(20), "no indicator reached the gateway"
        assert time.monotonic() - begun < 20
        assert {i["value"] for i in birch.get("/api/indicators").json()} >= {f"d{n}.bad.example" for n in range(5)}
    assert heard[0]["kind"] == "hello"


def test_a_release_opens_as_arrow_and_is_not_sent_twice(hub: Process) -> None:
    import pyarrow as pa

    with hub.client("birch") as client:
        info = client.get("/api/releases").json()["releases"][0]
        answer = client.get(f"/api/releases/{info['id']}")
        table = pa.ipc.open_stream(answer.content).read_all()
        assert json.loads(table.schema.metadata[b"commonwatch"])["contract"] == 1
        again = client.get(f"/api/releases/{info['id']}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
    with hub.client("cedar") as other:
        assert other.get(f"/api/releases/{info['id']}").status_code == 404


def test_the_owner_reads_who_looked_and_any_member_can_verify_the_head(hub: Process, town: Town) -> None:
    with hub.client("birch") as birch:
        rows(birch)
        mine = birch.get("/api/audit/entries?limit=1000").json()
    with hub.client("alder") as alder:
        entries = alder.get("/api/audit/entries?limit=1000").json()
        head = alder.get("/api/audit/checkpoint").json()
        number = entries[-1]["index"]
        proof = alder.get(f"/api/audit/proof?entry={number}&size={head['size']}")
    assert any(e["kind"] == "disclosed" and e["actor"] == "birch" for e in entries)
    assert not any(e["kind"] == "disclosed" for e in mine)
    assert any(e["kind"] == "query" for e in mine)
    assert verify_checkpoint(head, town.gateways["alder"].audit_key)
    assert proof.status_code == 200
    with hub.client("dune") as dune:
        assert dune.get(f"/api/audit/proof?entry={number}&size={head['size']}").status_code == 404


def test_taxii_serves_what_the_token_may_see(hub: Process, town: Town) -> None:
    accept = {"Accept": "application/taxii+json;version=2.1"}
    with httpx.Client(base_url=hub.url, trust_env=False, headers=accept, timeout=20) as nobody:
        assert nobody.get("/taxii2/").status_code == 401
        nobody.auth = ("anything", town.tokens["birch"])
        collections = nobody.get("/taxii2/hub/collections/").json()["collections"]
        assert len(collections) == 1
        objects = nobody.get(f"/taxii2/hub/collections/{collections[0]['id']}/objects/").json()["objects"]
        assert any(o["type"] == "indicator" for o in objects)


def test_nothing_a_client_asks_is_written_to_the_log(hub: Process) -> None:
    with hub.client("birch") as client:
        client.get("/api/indicators?limit=CANARY")
        client.get("/CANARY?q=CANARY")
        client.post("/api/query", content=b'{"kind":"CANARY"}')
    assert "CANARY" not in hub.log.read_text()


def test_a_second_hub_on_the_same_folder_says_so_and_ends(hub: Process, town: Town) -> None:
    command = [sys.executable, "-m", "commonwatch", "hub", "serve", "--data", str(town.folder), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "another hub serves this folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said_so(hub: Process, town: Town, tmp_path: Path) -> None:
    port = hub.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "commonwatch", "hub", "serve", "--data", str(town.folder), "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr


def test_revoking_changes_the_next_read_and_the_streams_hear_it_within_a_second(hub: Process) -> None:
    """Last of those that share the hub, because it revokes."""
    with hub.client("birch") as birch, hub.client("alder") as alder:
        assert rows(birch) > 0
        with birch.stream("GET", "/api/stream") as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: hello"
            begun = time.monotonic()
            done = alder.post("/api/agreements/alder-service/revoke", json={"reason": "enough"})
            assert done.status_code == 200, done.text
            assert rows(birch) == 0
            assert any(line in {"event: epoch", "event: bye"} for line in lines)
            assert time.monotonic() - begun < 3
        assert birch.get("/api/indicators").json() == []


def test_a_signal_ends_the_hub_in_order_and_what_it_stored_is_there_again(tmp_path: Path) -> None:
    town = Town(tmp_path / "data", still=False)
    with serving(town, tmp_path / "one.log") as first:
        with first.client("alder") as client:
            client.post("/gateway/batches", content=town.batch("alder", events(7)))
            with client.stream("GET", "/api/stream") as answer:
                next(answer.iter_lines())
                begun = time.monotonic()
                assert first.end() == 0
                assert time.monotonic() - begun < 8
        assert "Traceback" not in (tmp_path / "one.log").read_text()
    with serving(town, tmp_path / "two.log") as second, second.client("alder") as client:
        assert rows(client) == 7
        assert second.end() == 0
