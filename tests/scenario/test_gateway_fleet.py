"""Gateways by the hundred: prepared files, a doctor, a status page, metrics, little memory, units that hold."""

from __future__ import annotations

import configparser
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from commonwatch.cli import main
from commonwatch.gateway.state import StateFolder
from doubles.hub import TinyHub, agreement
from doubles.site import CANARY, Site, until


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    with TinyHub() as made:
        made.publish(agreement(made.owner, made.reader))
        yield made


@pytest.fixture
def site(tmp_path: Path, hub: TinyHub) -> Site:
    return Site(tmp_path, hub)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_gateway_enrols_from_a_prepared_file(
    tmp_path: Path, hub: TinyHub, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared, state = tmp_path / "gateway.toml", tmp_path / "gw"
    prepared.write_text(f'url = "{hub.url}"\ncode = "{hub.code()}"\nname = "branch 17"\n')
    assert main(["gateway", "enrol", "--file", str(prepared), "--state", str(state)]) == 0
    assert StateFolder(state).identity.name == "branch 17"
    prepared.write_text('url = "x"\npassword = "y"')
    assert main(["gateway", "enrol", "--file", str(prepared), "--state", str(tmp_path / "other")]) == 2
    assert main(["gateway", "enrol", "--state", str(tmp_path / "other")]) == 2
    assert "unknown key 'password'" in (said := capsys.readouterr().err)
    assert "address and code are needed" in said


def findings(site: Site, capsys: pytest.CaptureFixture[str], *inputs: Path) -> tuple[int, dict[str, str]]:
    status = main(["doctor", *map(str, inputs), "--json", "--state", str(site.folder.path)])
    return status, {f["what"]: f["verdict"] for f in json.loads(capsys.readouterr().out)}


def test_the_doctor_finds_a_healthy_gateway_well(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.once()
    status, found = findings(site, capsys, site.log)
    assert status == 0
    assert {v for k, v in found.items() if k not in {"hub", "disk"}} == {"ok"}


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lambda s: (s.folder.path / "root.key").chmod(0o644), "secrets"),
        (lambda s: s.hub.close(), "hub"),
        (lambda s: s.folder.write("settings.toml", b'labels = "gone.json"'), "labelling rules"),
        (lambda s: s.folder.write("settings.toml", b'own_networks = ["10.0.0.0/99"]'), "own networks"),
        (lambda s: s.folder.write("settings.toml", b"unheard = 1"), "state folder"),
        (lambda s: s.log.unlink(), "input"),
    ],
    ids=["open secrets", "no hub", "lost rules", "bad networks", "bad settings", "lost log"],
)
def test_the_doctor_finds_what_is_wrong(harm, what: str, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.once()
    harm(site)
    status, found = findings(site, capsys, site.log)
    assert status == 1
    assert next(k for k, v in found.items() if v == "failure").startswith(what)


def test_the_status_page_shows_numbers_and_no_values(site: Site, hub: TinyHub) -> None:
    port = free_port()
    site.folder.write("settings.toml", f'status = "127.0.0.1:{port}"'.encode())
    url = f"http://127.0.0.1:{port}"
    with site.running():
        until(lambda: len(hub.events()) == 10)
        until(lambda: httpx.get(f"{url}/status.json").json()["counts"]["acknowledged"] == 10)
        page, metrics, health = (httpx.get(f"{url}{path}") for path in ("/", "/metrics", "/healthz"))
        assert httpx.post(url).status_code == 405
    assert (health.status_code, health.text) == (200, "running\n")
    assert "commonwatch_gateway_events_acknowledged_total 10" in metrics.text
    assert 'commonwatch_gateway_up{state="running"} 1' in metrics.text
    assert all(re.fullmatch(r"(# TYPE \S+ \w+|\S+?(\{.*\})? -?\d+)", line) for line in metrics.text.splitlines())
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for text in (page.text, metrics.text):
        assert CANARY not in text


def test_an_idle_gateway_takes_little_memory(site: Site, hub: TinyHub) -> None:
    """Fifty megabytes and what the machine's own libraries vary by; a library that slips in takes more."""
    site.log.write_bytes(b"")
    run = [sys.executable, "-m", "commonwatch", "gateway", "run", str(site.log), "--state", str(site.folder.path)]
    process = subprocess.Popen(run, stderr=subprocess.DEVNULL)
    try:
        until(lambda: bool(hub.heartbeats), 30)
        time.sleep(0.5)
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.terminate()
        process.wait()
    assert int(re.search(r"VmRSS:\s+(\d+)", status)[1]) < 60 * 1024  # type: ignore[index]


def test_units_and_image_run_without_root_and_write_only_their_state(root: Path) -> None:
    for name in ("gateway", "hub"):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read(root / "deploy" / f"commonwatch-{name}.service")
        service = unit["Service"]
        assert service["User"] == "commonwatch"
        assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")
    image = (root / "deploy" / "Containerfile").read_text()
    assert image.index("USER 10001") > image.rindex("RUN")
