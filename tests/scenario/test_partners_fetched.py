"""Partners' intelligence over real sockets: a TAXII server (our own), a MISP feed and server, a list; into publications."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from litestar import Litestar

from commonwatch.agreements.reader import ClauseRef, Reader
from commonwatch.agreements.terms.iep import Terms
from commonwatch.errors import InvalidInput
from commonwatch.hub.intelligence.asking import Auth, client
from commonwatch.hub.intelligence.fetching import fetch
from commonwatch.hub.intelligence.table import Intelligence, Source
from commonwatch.hub.jobs.fetch import opened, pull, sealed
from commonwatch.hub.meta.keys import KeyFile
from commonwatch.hub.publications import PublicationTable
from commonwatch.ingest.intel import read_intelligence
from commonwatch.share.indicators import DAY
from commonwatch.share.ports import EVER, Ask, Held, State
from commonwatch.share.publication import Publications
from commonwatch.share.taxii import collection_id, routes

NOW = time.time_ns() // 1_000
UUIDS = [f"0000000{n}-0000-4000-8000-000000000000" for n in range(4)]
BIRCH, ALDER = (Reader(org, (), ("valley",), "detect") for org in ("birch", "alder"))


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a member saw of a value, as a reader may see it."""

    kind: str = "domain"
    value: str = "both.example"
    first_seen: int | None = NOW - DAY
    last_seen: int | None = NOW
    count: int | None = 3
    sources: int | None = 2
    tlp: int = 1
    severity: int | None = 4
    malware: str | None = None
    clauses: tuple[ClauseRef, ...] = (ClauseRef("dsa-1", 1, "attackers"),)
    terms: Terms | None = None


class Nothing:
    """A hub without events: everything comes from partners."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.epoch = 1

    def standing(self, reader: Reader) -> State:
        return State(self.epoch, 1, EVER)

    def observables(self, reader: Reader, since: int | None, *, origins: Any = None) -> list[Any]:
        return self.seen


class Given:
    """What a partner's own hub holds."""

    def __init__(self, values: list[str]) -> None:
        self.values, self.n = values, 1

    def version(self) -> int:
        return self.n

    def held(self, now: int) -> list[Any]:
        said: dict[str, Any] = {
            "receiver": "birch",
            "source": "s",
            "weight": 100,
            "community": False,
            "attribute": True,
        }
        life: dict[str, Any] = {"valid_from": NOW - DAY, "valid_until": NOW + DAY, "confidence": 70, "may_act": True}
        return [Held(kind="domain", value=v, external_id=v, tlp=1, **said, **life) for v in self.values]

    def communities(self, org: str) -> frozenset[str]:
        return frozenset({"valley"})

    def clients(self, org: str) -> frozenset[str]:
        return frozenset()


@pytest.fixture
def partner(tmp_path: Path) -> Iterator[tuple[str, Given, list[str]]]:
    """A partner's TAXII collection: its address, what it holds, and the credentials that were shown."""
    given, shown = Given([f"d{n}.example" for n in range(12)]), list[str]()
    table = PublicationTable(tmp_path / "partner.sqlite")

    def authenticate(request: Any) -> Reader:
        shown.append(request.headers.get("authorization", ""))
        return BIRCH

    publications = Publications(table, Nothing(), "Partner", partners=given)  # type: ignore[arg-type]
    app = Litestar(list(routes(authenticate, publications)))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/taxii2/hub/collections/{collection_id('Partner')}/", given, shown
    server.should_exit = True
    thread.join()
    table.close()


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Intelligence]:
    made = Intelligence(tmp_path / "i.sqlite", lambda _: frozenset({"valley"}))
    yield made
    made.close()


def values(table: Intelligence) -> set[str]:
    return {h.value for h in table.held(NOW)}


def pulled(table: Intelligence, name: str, auth: Auth | None = None) -> tuple[int, str]:
    return pull(table, table.source("birch", name), auth or Auth(), lambda: NOW)


def test_a_collection_is_polled_in_pages_and_then_only_for_what_is_new(
    partner: tuple[str, Given, list[str]], table: Intelligence, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, given, shown = partner
    monkeypatch.setattr("commonwatch.hub.intelligence.taxii.PAGE", 5)
    table.add(Source(org="birch", inside=True, name="t", kind="taxii", url=url))
    assert pulled(table, "t", Auth(user="me", password="secret"))[1] == ""
    assert values(table) == set(given.values)
    assert {h.tlp for h in table.held(NOW)} == {1}
    asked = len(shown)
    assert asked > 3
    assert all(s.startswith("Basic ") for s in shown)
    given.values.append("new.example")
    given.n += 1
    assert pulled(table, "t", Auth(bearer="tok")) == (1, "")
    assert len(shown) == asked + 1
    assert shown[-1] == "Bearer tok"
    assert "new.example" in values(table)


def test_what_the_partner_revokes_is_withdrawn_here(partner: tuple[str, Given, list[str]], table: Intelligence) -> None:
    url, given, _ = partner
    table.add(Source(org="birch", inside=True, name="t", kind="taxii", url=url))
    pulled(table, "t")
    given.values.remove("d3.example")
    given.n += 1
    assert pulled(table, "t")[1] == ""
    assert values(table) == set(given.values)


def test_polling_goes_on_after_a_stop_in_the_middle(
    partner: tuple[str, Given, list[str]], table: Intelligence, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, given, _ = partner
    monkeypatch.setattr("commonwatch.hub.intelligence.taxii.PAGE", 4)
    table.add(source := Source(org="birch", inside=True, name="t", kind="taxii", url=url))
    with client(url, Auth()) as http:
        for step, _ in zip(fetch("taxii", url, http, ""), range(4), strict=False):
            table.take(source, step.given, NOW, step.cursor)
    assert values(table) < set(given.values)
    pulled(table, "t")
    assert values(table) == set(given.values)


class Files(BaseHTTPRequestHandler):
    """Answers from `server.answers`: path -> (status, body)."""

    def do_GET(self) -> None:
        asked = self.server.asked  # type: ignore[attr-defined]
        asked.append(self.path)
        status, body = self.server.answers.get(self.path, (404, b""))  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.path = f"{self.path}?{asked.get('page')}&{asked.get('publish_timestamp', '')}"
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def files() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.answers, server.asked = {}, []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def event(n: int, *domains: str) -> bytes:
    stamp = str(NOW // 1_000_000)
    listed = [{"uuid": f"{n}{d}", "type": "domain", "value": d, "to_ids": True, "timestamp": stamp} for d in domains]
    made = {"uuid": UUIDS[n], "publish_timestamp": "99", "Attribute": listed, "Tag": [{"name": "tlp:green"}]}
    return json.dumps({"Event": made}).encode()


def manifest(**stamps: str) -> tuple[int, bytes]:
    return 200, json.dumps({UUIDS[int(n[1:])]: {"timestamp": s, "Orgc": {}} for n, s in stamps.items()}).encode()


def test_a_misp_feed_is_followed_by_its_manifest(files: Any, table: Intelligence) -> None:
    table.add(
        Source(org="birch", inside=True, name="f", kind="misp-feed", url=f"http://127.0.0.1:{files.server_port}/feed")
    )
    files.answers |= {f"/feed/{UUIDS[n]}.json": (200, event(n, f"a{n}.example", f"b{n}.example")) for n in (0, 1)}
    files.answers["/feed/manifest.json"] = manifest(n0="1", n1="1")
    assert pulled(table, "f") == (4, "")
    files.answers["/feed/manifest.json"] = manifest(n1="2")
    files.answers[f"/feed/{UUIDS[1]}.json"] = (200, event(1, "a1.example"))
    files.asked.clear()
    assert pulled(table, "f") == (1, "")
    assert files.asked == ["/feed/manifest.json", f"/feed/{UUIDS[1]}.json"]
    assert values(table) == {"a1.example"}


def test_a_misp_server_is_asked_for_what_was_published_since(files: Any, table: Intelligence) -> None:
    table.add(Source(org="birch", inside=True, name="m", kind="misp", url=f"http://127.0.0.1:{files.server_port}"))
    answer = json.dumps({"response": [json.loads(event(2, "m.example"))]}).encode()
    files.answers |= {"/events/restSearch?1&": (200, answer), "/events/restSearch?1&99": (200, b'{"response":[]}')}
    assert pulled(table, "m", Auth(key="k")) == (1, "")
    assert pulled(table, "m", Auth(key="k")) == (0, "")
    assert values(table) == {"m.example"}


def test_errors_are_told_and_leave_what_is_held(files: Any, table: Intelligence) -> None:
    url = f"http://127.0.0.1:{files.server_port}/list.txt"
    table.add(Source(org="birch", inside=True, name="l", kind="list", url=url))
    files.answers["/list.txt"] = (200, b"a.example\n")
    assert pulled(table, "l") == (1, "")
    for status, body in ((500, b""), (302, b""), (200, b"x" * ((16 << 20) + 1))):
        files.answers["/list.txt"] = (status, body)
        assert pulled(table, "l")[1]
    assert "/elsewhere" not in files.asked
    assert values(table) == {"a.example"}
    assert table.source("birch", "l").failures == 3


def test_only_https_or_this_machine_is_asked_and_credentials_are_kept_encrypted(tmp_path: Path) -> None:
    for url in ("http://partner.example/", "ftp://x/", "https://u:p@x.example/"):
        with pytest.raises(InvalidInput):
            client(url, Auth())
    keys = KeyFile(tmp_path)
    source = Source(org="b", name="n", kind="list", auth=sealed(keys, Auth(bearer="canary-secret")))
    assert b"canary" not in source.auth
    assert opened(keys, source) == Auth(bearer="canary-secret")
    keys.close()


def names(publications: Publications, reader: Reader) -> dict[str, dict[str, Any]]:
    found = [json.loads(v.body) for v in publications.page(reader, Ask(limit=1_000))]
    return {o["name"]: o for o in found if o["type"] == "indicator" and not o.get("revoked")}


def test_each_reader_gets_what_the_markings_allow_and_it_goes_when_it_is_withdrawn(
    table: Intelligence, tmp_path: Path
) -> None:
    table.add(up := Source(org="birch", name="up", kind="upload"))
    csv = b"value,tlp\nred.example,red\ngreen.example,green\n"
    table.take(up, read_intelligence(csv), NOW)
    publications = Publications(PublicationTable(tmp_path / "p.sqlite"), Nothing(), "Hub", partners=table)  # type: ignore[arg-type]
    assert set(names(publications, BIRCH)) == {"red.example", "green.example"}
    shown = names(publications, ALDER)
    assert set(shown) == {"green.example"}
    green = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
    assert shown["green.example"]["object_marking_refs"] == [green]
    assert not list(publications.page(ALDER, Ask(types=("sighting",))))
    table.take(up, read_intelligence(b"value,tlp\nred.example,red\n"), NOW)
    assert names(publications, ALDER) == {}
    last = [json.loads(v.body) for v in publications.page(ALDER, Ask(types=("indicator",)))]
    assert [(o["name"], o["revoked"]) for o in last] == [("green.example", True)]


def test_a_sighting_that_may_not_be_told_any_more_is_revoked_though_a_partner_still_gives_the_value(
    table: Intelligence, tmp_path: Path
) -> None:
    from commonwatch.ingest.intel import read_intelligence

    table.add(up := Source(org="birch", name="up", kind="upload"))
    table.take(up, read_intelligence(b"value,tlp\nboth.example,green\n"), NOW)
    world = Nothing()
    publications = Publications(PublicationTable(tmp_path / "p.sqlite"), world, "Hub", partners=table)  # type: ignore[arg-type]
    ids = []
    for seen in (True, False, True):
        world.seen, world.epoch = [Seen()] if seen else [], world.epoch + 1
        (indicator,) = names(publications, ALDER).values()
        sightings = [json.loads(v.body) for v in publications.page(ALDER, Ask(types=("sighting",)))]
        live = [s for s in sightings if not s.get("revoked")]
        assert len(live) == int(seen), sightings
        ids += [s["id"] for s in live]
        assert len({indicator["id"]}) == 1
    assert len(set(ids)) == 2
