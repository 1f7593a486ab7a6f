"""A canary planted in withheld fields appears in no answer, header, log line or stream of those who may not see it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import get

from commonwatch.hub.compose import Hub
from commonwatch.web.app import create
from commonwatch.web.rooms import Closing
from commonwatch.web.routes.gateway import LINES
from commonwatch.web.routes.live import events
from commonwatch.web.streams import Held, begin
from commonwatch.wire.auth import sign_request
from doubles.asking import CALLS, STREAMS, Asker, Given, routes
from doubles.town import HOUR, MINUTE, NOW, Town

WORD = "canaryword"
ADDRESS, NETWORK = "198.51.100.177", "198.51.100."
HASH = b"\xca\xfe\xba\xbe" * 8
PORT = 47_177
#: How the canary could show: words, addresses, hex and base64 of the hash, the port, the exact minute.
SIGNS = [WORD, WORD.upper(), ADDRESS, NETWORK, HASH.hex(), "yv66vsr+ur7K", str(PORT), "07:17:17", "1795331837"]


def canaries() -> list[dict[str, object]]:
    """Rows that birch and cedar see in part, every withheld field full of canaries; and rows they do not see at all."""
    minute = NOW - 5 * HOUR + 17 * MINUTE + 17_000_000
    withheld = {
        "dst_ip": ADDRESS, "src_host": f"{WORD}-host", "dst_host": f"{WORD}-dst", "src_user": f"{WORD}-user",
        "dst_user": f"{WORD}-dst-user", "sensor_uid": f"{WORD}-sensor", "message": f"{WORD} says", "dst_country": "KY",
        "process_cmd": f"/bin/{WORD} -x", "process_name": WORD, "file_name": f"{WORD}.exe", "file_path": f"/{WORD}",
        "file_sha256": HASH, "mail_from": f"{WORD}@{WORD}.example", "mail_to": [f"{WORD}@x.example"],
        "mail_subject": f"about {WORD}", "user_agent": f"{WORD}/1.0", "tls_fingerprint": WORD, "src_port": PORT,
        "community_id": f"1:{WORD}", "attack_techniques": [f"{WORD}-T1"], "cve_uids": [f"CVE-{WORD}"],
        "app_proto": WORD, "site_uid": "canaryword-site",
    }  # fmt: skip
    seen = {
        "time": minute, "event_class": 1, "src_ip": "203.0.113.77", "dst_port": 443, "rule_name": "Trojan seen",
        "malware_names": ["Emotet.A"], "malware_family": "Emotet", "domain": "bad.example",
        "url": f"https://bad.example/{WORD}?{WORD}", "count": 3, "severity_id": 4,
    }  # fmt: skip
    rows = [{**seen, **withheld, "uid": n} for n in range(40)]
    hidden = {**withheld, "event_class": 9, "rule_name": f"{WORD} rule", "malware_family": WORD, "domain": f"{WORD}.x"}
    return rows + [{**hidden, "uid": 100 + n, "src_ip": ADDRESS, "time": minute} for n in range(10)]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


@pytest.fixture(scope="module")
def hub(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with canaries of alder and dune."""
    made = town.copy(tmp_path_factory.mktemp("hub") / "data")
    made.core.intake.accept(town.batch("alder", canaries()))
    made.core.intake.accept(town.batch("dune", [{**row, "uid": f"dune {i}"} for i, row in enumerate(canaries())]))
    yield made
    made.close()


def written(caplog: pytest.LogCaptureFixture) -> str:
    """What the hub logged; the test's own client is not the hub."""
    return "".join(f"{r.name} {r.getMessage()} {r.exc_text or ''}" for r in caplog.records if r.name != "httpx")


def signs_in(text: str) -> list[str]:
    return [sign for sign in SIGNS if sign in text]


def birds(given: list[Given]) -> list[tuple[object, list[str]]]:
    """Requests whose answer shows a sign of the canary."""
    found = []
    for one in given:
        text = one.body.decode("latin-1") + str(one.headers)
        if seen := signs_in(text) or (["raw hash"] if HASH[:4] in one.body else []):
            found.append((one.call, seen))
    return found


def test_every_route_is_swept(hub: Hub) -> None:
    """A new route fails here until requests for it stand in `doubles.asking.CALLS`."""
    assert routes(hub.app()) == CALLS.keys() | STREAMS


def test_a_new_route_without_requests_would_be_noticed(hub: Hub) -> None:
    @get("/api/planted")
    async def planted() -> str:
        return WORD

    app = create(hub.ports(), mounts=[planted])
    assert routes(app) - (CALLS.keys() | STREAMS) == {"GET /api/planted"}


@pytest.mark.parametrize(("org", "token"), [("birch", False), ("birch", True), ("cedar", False), (None, False)])
def test_the_canary_appears_in_no_answer_and_no_log_line(
    hub: Hub, town: Town, org: str | None, token: bool, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    whole = org is not None and not token
    with caplog.at_level(logging.DEBUG):
        given = Asker(hub.app(), town, org, token=token).sweep(most=1_000 if whole else 6)
    assert birds(given) == []
    assert signs_in(written(caplog) + "".join(capfd.readouterr())) == []
    if whole:
        assert sum(one.status == 200 for one in given) > 90, "the sweep must reach answers, not only refusals"


def test_the_canary_is_there_to_be_found_by_its_owner(hub: Hub, town: Town) -> None:
    """The sweep would notice: asked as the owner, the same requests are full of it."""
    shown = {sign for _, seen in birds(Asker(hub.app(), town, "alder").sweep(most=12)) for sign in seen}
    assert {WORD, ADDRESS, str(PORT), HASH.hex()} <= shown


def test_the_owners_neighbour_does_not_find_it(hub: Hub, town: Town) -> None:
    """dune holds canaries of its own; of alder's it has no trace: what it is shown says dune alone."""
    given = Asker(hub.app(), town, "dune").sweep(most=6)
    rows = next(g for g in given if g.call.body and g.call.body.get("kind") == "rows")
    assert rows.status == 200
    assert b"alder" not in rows.body


def test_engine_errors_do_not_print_the_canary(
    hub: Hub, town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever breaks below, with the canary in its message, says nothing above."""

    def broken(*_: object, **__: object) -> object:
        raise RuntimeError(f"Conversion Error: could not convert '{WORD} {ADDRESS}' to INT32")

    for name in ("ask", "describe", "releases", "release", "standing", "observables"):
        monkeypatch.setattr(hub.govern, name, broken)
    with caplog.at_level(logging.DEBUG):
        given = Asker(hub.app(), town, "birch").sweep()
    assert birds(given) == []
    assert signs_in(written(caplog)) == []
    assert {one.body for one in given if one.call.path == "/api/query" and one.status == 500}.__len__() == 1


def test_no_stream_says_the_canary(hub: Hub, town: Town) -> None:
    """Browsers' notices and the gateway's downlink of birch, with the push that the canaries' batch brought."""
    hub.telling.turn()
    said = asyncio.run(_said(hub, town))
    assert b"event: hello" in said
    assert b"event: watermark" in said
    assert b'"kind":"snapshot"' in said
    assert b'"kind":"indicators"' in said
    assert signs_in(said.decode()) == []


async def _said(hub: Hub, town: Town) -> bytes:
    """Everything both streams say in a second."""
    closing = Closing()
    person = hub.core.accounts.session(town.sessions["birch"])
    path = "/gateway/stream?last_snapshot=0&checkpoint=0"
    signed = sign_request("GET", path, b"", NOW, town.gateways["birch"].gateway, town.keys["birch"])
    gateway = hub.core.gateways.authenticate("GET", path, signed, b"")

    notices = events(await begin(hub.core.notices.watch(person)), closing)
    downlink = Held(await begin(hub.core.gateways.stream(gateway, 0, 0)), LINES, closing, media_type="", headers={})
    both = asyncio.gather(_heard(notices), _heard(downlink))
    await asyncio.sleep(0.5)
    hub.core.push.watermark(hub.watermark())
    await asyncio.sleep(0.5)
    closing.tell()
    return b"".join(await both)


async def _heard(answer: Held) -> bytes:
    """All that a client who stays until the end hears."""
    heard, over = list[bytes](), asyncio.Event()

    async def send(message: Any) -> None:
        heard.append(message["body"])
        if not message["more_body"]:
            over.set()

    async def receive() -> Any:
        await over.wait()
        return {"type": "http.disconnect"}

    await answer._stream.run(send, receive)
    return b"".join(heard)


def test_the_store_on_disk_is_where_the_canary_lives(hub: Hub, town: Town) -> None:
    """Beside the event store (and what alder itself was given) nothing in the hub's folder knows it: log, metadata."""
    folder = hub.core.settings.data
    holders = {
        path.relative_to(folder).parts[0].partition(".")[0]
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and (WORD.encode() in (data := path.read_bytes()) or ADDRESS.encode() in data)
    }
    assert holders <= {"store", "publications"}
