"""Tools that send by themselves: syslog and HTTP into a running gateway, each record to the hub once, none lost."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from commonwatch.errors import InvalidInput, Unavailable
from commonwatch.gateway.journal import Mark
from commonwatch.gateway.listening.listeners import address_of
from commonwatch.gateway.listening.routing import Router
from commonwatch.gateway.listening.segments import Segments
from commonwatch.gateway.report import status
from doubles.hub import TinyHub, agreement
from doubles.site import Site, until

CEF = "CEF:0|Golden|Watcher|1|7|Login|5|rt=Nov 18 2026 10:00:00 UTC src=203.0.113.9 externalId={}"
LEEF = "LEEF:1.0|Golden|Watcher|1|7|devTime=2026-11-18T10:00:00Z\tsrc=203.0.113.9\tn={}"


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eve(n: int) -> dict[str, Any]:
    return {"timestamp": "2026-11-18T10:00:00.5+0000", "event_type": "alert", "src_ip": "203.0.113.9", "flow_id": n,
            "alert": {"signature_id": n, "signature": "X", "severity": 2}}  # fmt: skip


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    with TinyHub() as made:
        made.publish(agreement(made.owner, made.reader))
        yield made


@pytest.fixture
def site(tmp_path: Path, hub: TinyHub) -> Site:
    return Site(tmp_path, hub, records=0)


def listening(site: Site, **kinds: int) -> None:
    """Settings with a listener for each kind at its port."""
    lines = []
    for kind, port in kinds.items():
        lines.append(f'[[listen]]\nkind = "{kind.replace("_", "-")}"\naddress = "127.0.0.1:{port}"\n')
        lines.append('cert = "cert.pem"\nkey = "key.pem"\n' if kind == "syslog_tls" else "")
        lines.append('token_file = "token"\n' if kind == "http" else "")
    site.folder.write("settings.toml", "".join(lines).encode())
    site.folder.write("token", b"secret-token\n")


def heard(site: Site, count: int) -> None:
    until(lambda: sum("listening" in line for line in site.said) == count)


def test_datagrams_of_mixed_formats_arrive_each_as_its_own(site: Site, hub: TinyHub) -> None:
    port = free_port(socket.SOCK_DGRAM)
    listening(site, syslog_udp=port)
    with site.running(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        heard(site, 1)
        sent = [CEF.format(1), "<13>Nov 18 10:00:00 fw " + LEEF.format(1), "<13>Nov 18 10:00:00 ids suricata: " + json.dumps(eve(1)),
                json.dumps(eve(2)), CEF.format(2), "<13>something else"]  # fmt: skip
        for message in sent:
            out.sendto(message.encode(), ("127.0.0.1", port))
        until(lambda: len(hub.events()) == 5)
        until(lambda: status(site.folder)["counts"]["quarantined"] == {"unknown_format": 1})
    assert len(set(hub.events())) == 5


@pytest.mark.parametrize("framing", ["lines", "octets"])
def test_a_stream_is_framed_by_lines_or_by_counts(site: Site, hub: TinyHub, framing: str) -> None:
    port = free_port()
    listening(site, syslog_tcp=port)
    with site.running(), socket.create_connection(("127.0.0.1", port)) if heard(site, 1) is None else None as out:
        for n in range(200):
            message = CEF.format(n).encode()
            out.sendall(message + b"\n" if framing == "lines" else b"%d %s" % (len(message), message))
        until(lambda: len(hub.events()) == 200)
    assert len(set(hub.events())) == 200


def test_a_stream_can_be_encrypted(site: Site, hub: TinyHub, tmp_path: Path) -> None:
    cert, key = site.folder.path / "cert.pem", site.folder.path / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    subprocess.run([*make, "-subj", "/CN=localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    port = free_port()
    listening(site, syslog_tls=port)
    context = ssl.create_default_context(cafile=cert)
    context.check_hostname = False
    with site.running():
        heard(site, 1)
        with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as out:
            out.sendall(CEF.format(1).encode() + b"\n")
            until(lambda: len(hub.events()) == 1)


def test_posted_records_are_on_disk_when_they_are_acknowledged(site: Site, hub: TinyHub) -> None:
    port = free_port()
    listening(site, http=port)
    url, auth = f"http://127.0.0.1:{port}/", {"Authorization": "Bearer secret-token"}
    hub.answer = lambda _: 503
    with site.running():
        heard(site, 1)
        array = json.dumps([eve(1), eve(2)], indent=1).encode()
        lines = b"\n".join(json.dumps(eve(n)).encode() for n in range(3, 6))
        assert httpx.post(url, content=array, headers=auth).json() == {"taken": 2}
        zipped = {**auth, "Content-Encoding": "gzip"}
        assert httpx.post(url, content=gzip.compress(lines), headers=zipped).json() == {"taken": 3}
        assert httpx.post(url, content=json.dumps(eve(6)), headers=auth).status_code == 200
        assert httpx.post(url, content=lines).status_code == 401
        assert httpx.get(url).status_code == 405
        stored = b"".join(p.read_bytes() for p in (site.folder.path / "received").iterdir())
        assert stored.count(b'"alert"') >= 6
        hub.answer = lambda _: 200
        until(lambda: len(set(hub.events())) == 6)


def test_a_gateway_killed_after_the_acknowledgement_still_sends(site: Site, hub: TinyHub) -> None:
    port = free_port()
    listening(site, http=port)
    run = [sys.executable, "-m", "commonwatch", "gateway", "run", "--state", str(site.folder.path)]
    hub.answer = lambda _: 503
    process = subprocess.Popen(run, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "listening" not in process.stderr.readline():
        assert process.poll() is None
    answer = httpx.post(
        f"http://127.0.0.1:{port}/", content=json.dumps(eve(1)), headers={"Authorization": "Bearer secret-token"}
    )
    process.kill()
    process.communicate()
    assert answer.json() == {"taken": 1}
    hub.answer = lambda _: 200
    with site.running():
        until(lambda: len(hub.events()) == 1)


def test_without_room_senders_are_told_to_wait(site: Site, hub: TinyHub) -> None:
    port = free_port()
    listening(site, http=port)
    site.folder.write("settings.toml", b"spool_mb = 0\n" + (site.folder.path / "settings.toml").read_bytes())
    with site.running():
        heard(site, 1)
        answer = httpx.post(
            f"http://127.0.0.1:{port}/", content=b"{}", headers={"Authorization": "Bearer secret-token"}
        )
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_standard_input_is_read_to_its_end(site: Site, hub: TinyHub) -> None:
    lines = b"\n".join(json.dumps(eve(n)).encode() for n in range(50)) + b"\n"
    run = [
        sys.executable,
        "-m",
        "commonwatch",
        "gateway",
        "run",
        "-",
        "--once",
        "--patience",
        "30",
        "--state",
        str(site.folder.path),
    ]
    done = subprocess.run(run, input=lines, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stored"] == 50
    assert len(set(hub.events())) == 50


def test_a_port_that_is_taken_stops_the_gateway_with_a_word(site: Site, hub: TinyHub) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listening(site, syslog_tcp=taken.getsockname()[1])
        with pytest.raises(Unavailable, match="cannot listen"):
            site.once()


def test_segments_are_deleted_once_they_are_read_and_committed(tmp_path: Path) -> None:
    segments = Segments(tmp_path / "received", 1 << 20, each=100)
    for n in range(5):
        segments.put("cef", [b"x" * 90 + b"%d" % n])
        segments.sync()
    files = sorted((tmp_path / "received").iterdir(), key=lambda p: p.stat().st_mtime_ns)
    assert len(files) == 5

    def mark(n: int, path: Path, position: int) -> Mark:
        return Mark(n, "s", str(path), 1, 0, b"", "g", position=position, size=path.stat().st_size)

    whole = [mark(n, p, p.stat().st_size) for n, p in enumerate(files)]
    half = mark(0, files[0], 10)
    assert len(segments.drop_read([half, *whole[1:]])) == 3
    assert len(list((tmp_path / "received").iterdir())) == 2
    segments.close()


def test_addresses_that_are_none_are_refused_and_open_sinks_need_a_token() -> None:
    assert address_of("[::1]:8080") == ("::1", 8080)
    for bad in ("8080", "somewhere:80", "127.0.0.1:x"):
        with pytest.raises(InvalidInput):
            address_of(bad)


def test_a_message_goes_to_the_format_that_it_is_in() -> None:
    router = Router()
    assert router.route(CEF.format(1).encode())[0] == "cef"
    assert router.route(LEEF.format(1).encode())[0] == "leef"
    assert router.route(b"<13>x y: " + json.dumps(eve(1)).encode()) == ("suricata_eve", json.dumps(eve(1)).encode())
    assert router.route(b"<13>nothing")[0] == "other"
