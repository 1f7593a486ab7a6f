"""The gateway as the container file runs it: not root, no capability, everything read-only but its state and /tmp."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doubles.hub import TinyHub, agreement
from doubles.site import Site

UID = "10001"
BWRAP = shutil.which("bwrap")


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    with TinyHub() as made:
        yield made


def boxed(state: Path, logs: Path, *args: str) -> list[str]:
    """`podman run --read-only --tmpfs /tmp -v state -v logs:ro --user 10001`, with bubblewrap."""
    assert BWRAP
    return [
        BWRAP, "--unshare-user", "--uid", UID, "--gid", UID, "--unshare-pid", "--unshare-ipc", "--cap-drop", "ALL",
        "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp",
        "--ro-bind", str(logs), "/tmp/logs", "--bind", str(state), "/tmp/state",
        "--setenv", "COMMONWATCH_GATEWAY", "/tmp/state", "--setenv", "HOME", "/nonexistent", "--chdir", "/", *args,
    ]  # fmt: skip


def test_a_gateway_that_is_not_root_over_a_read_only_system_does_its_whole_work(tmp_path: Path, hub: TinyHub) -> None:
    site = Site(tmp_path, hub)
    hub.publish(agreement(hub.owner, hub.reader))
    logs = site.log.parent / "only-logs"
    logs.mkdir()
    shutil.copy(site.log, logs / "eve.json")
    box = lambda *a: boxed(site.folder.path, logs, *a)  # noqa: E731
    if BWRAP is None or subprocess.run(box("true"), capture_output=True, check=False).returncode:
        pytest.skip("bubblewrap is not installed, or this system does not let it make a namespace")
    tried = subprocess.run(box("sh", "-c", "id -u; touch /var/x || echo refused"), capture_output=True, check=False)
    assert tried.stdout.decode().split() == [UID, "refused"]
    command = [sys.executable, "-m", "commonwatch", "gateway"]
    run = box(*command, "run", "--once", "/tmp/logs/eve.json")
    done = subprocess.run(run, capture_output=True, check=False, timeout=120, env=os.environ)
    assert done.returncode == 0, done.stderr.decode()
    shown = subprocess.run(box(*command, "status", "--json"), capture_output=True, check=True, timeout=60)
    counts = json.loads(shown.stdout)["counts"]
    assert counts["read"] == counts["stored"] == 10
    assert len(set(hub.events())) == 10
    for path in site.folder.path.iterdir():
        if path.is_file() and not path.name.endswith(("-wal", "-shm")):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path.name
