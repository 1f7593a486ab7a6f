"""Two gateways of one owner over one log, as processes that are killed: the hub keeps each event once."""

from __future__ import annotations

import json
import time
from pathlib import Path

import duckdb

from commonwatch.cli.demo.stage import run
from scenario.live import Live, simulated_member


def twin_of(live: Live) -> Path:
    """A second gateway of the same member, with the first one's root key; both say that they share."""
    state, code = live.folder / "gateway-2", live.founded.codes[live.member][1]
    root = ["--root", str(live.state / "root.key")]
    done = run(["gateway", "enrol", live.url, code, "--state", str(state), "--name", "site-1b", *root])
    assert done.returncode == 0, done.stderr
    for folder in (live.state, state):
        (folder / "settings.toml").write_text("shared = true\n")
    return state


def read_by(live: Live, state: Path, log: Path) -> dict[str, int]:
    """One whole run of a gateway; its counts since enrolment."""
    done = run(["gateway", "run", "--state", str(state), "--once", str(log)])
    assert done.returncode == 0, done.stderr
    shown = run(["gateway", "status", "--state", str(state), "--json"])
    return dict(json.loads(shown.stdout)["counts"])


def stored(live: Live) -> tuple[int, int]:
    """Rows in the store of a hub that is not running, and different events among them."""
    with duckdb.connect(str(live.settings.data / "store" / "events.duckdb"), read_only=True) as db:
        query = "SELECT event_uid FROM settled UNION ALL SELECT event_uid FROM tail"
        found = db.execute(f"SELECT count(*), count(DISTINCT event_uid) FROM ({query})").fetchone()
    assert found
    return int(found[0]), int(found[1])


def test_two_gateways_over_one_log_that_rotates_store_each_event_once(tmp_path: Path) -> None:
    lines, log = simulated_member(days=2), tmp_path / "logs" / "eve.json"
    log.parent.mkdir()
    middle = len(lines) // 2
    log.write_bytes(b"".join(lines[:middle]))
    live = Live(tmp_path)
    try:
        live.serve()
        live.enrol()
        other = twin_of(live)
        first = live.tail(log)
        deadline = time.monotonic() + 60
        while not live.status()["files"] and time.monotonic() < deadline:
            time.sleep(0.05)
        live.kill(first)  # somewhere in the middle, without a word
        log.rename(log.with_name("eve.json.1"))
        log.write_bytes(b"".join(lines[middle:]))
        one = read_by(live, live.state, log)
        log.with_name("eve.json.1").rename(log)  # as the other one finds it, from its own beginning
        read_by(live, other, log)
        log.rename(log.with_name("eve.json.1"))
        log.write_bytes(b"".join(lines[middle:]))
        two = read_by(live, other, log)
    finally:
        live.close()
    assert one["read"] == two["read"] == len(lines)
    assert one["acknowledged"] == two["acknowledged"] == two["known"] == one["stored"]
    assert stored(live) == (one["stored"], one["stored"])
