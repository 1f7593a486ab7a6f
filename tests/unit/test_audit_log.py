"""The audit log keeps what it acknowledged, through threads, restarts, partial writes and kill -9."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.audit.log import AuditLog, Entry
from commonwatch.audit.verify import leaf_hash, verify_consistency, verify_inclusion
from commonwatch.errors import Conflict, NotFound, SignatureError, Unavailable

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def opened(folder: Path) -> AuditLog:
    return AuditLog(folder, KEY, "hub.example/audit")


def entry(n: int, org: str = "acme") -> Entry:
    return Entry(kind="query", actor=f"person-{n}", org=org, purpose="detect", detail={"clauses": ["a@1#c"], "n": n})


def test_an_entry_is_canonical_json_and_proven_to_be_in_the_log(tmp_path: Path):
    with opened(tmp_path) as log:
        for n in range(7):
            assert log.append(entry(n)) == n
        head = log.checkpoint()
        data = log.entry(3)
        proof = log.inclusion(3, head.size)
    assert json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode() == data
    path = [bytes.fromhex(step) for step in proof["path"]]
    assert verify_inclusion(leaf_hash(data), 3, 7, path, bytes.fromhex(head.root))
    assert not verify_inclusion(leaf_hash(data), 4, 7, path, bytes.fromhex(head.root))


def test_a_restart_continues_the_log_consistently(tmp_path: Path):
    with opened(tmp_path) as log:
        log.append_many([entry(n) for n in range(5)])
        old = log.checkpoint()
    with opened(tmp_path) as log:
        log.append_many([entry(n) for n in range(6)])
        new, path = log.checkpoint(), log.consistency(5, 11)["path"]
    assert (old.size, new.size) == (5, 11)
    assert verify_consistency(5, 11, [bytes.fromhex(p) for p in path], bytes.fromhex(old.root), bytes.fromhex(new.root))


def test_the_same_size_gives_the_same_checkpoint(tmp_path: Path):
    with opened(tmp_path) as log:
        log.append(entry(1))
        assert log.checkpoint() == log.checkpoint()


def test_an_organisation_reads_only_entries_that_name_it(tmp_path: Path):
    with opened(tmp_path) as log:
        log.append(entry(0, "acme"))
        log.append(entry(1, "bolt"))
        log.append(Entry(kind="agreement-revoked", actor="p", org="bolt", concerns=("acme",)))
    with opened(tmp_path) as log:
        assert [n for n, _ in log.entries("acme")] == [0, 2]
        assert [n for n, _ in log.entries("bolt", start=2)] == [2]
        assert log.entries("nobody") == []


def test_threads_share_flushes_and_every_entry_lands_once(tmp_path: Path):
    numbers: list[int] = []
    with opened(tmp_path) as log:

        def work(thread: int) -> None:
            numbers.extend([log.append(entry(thread * 100 + n)) for n in range(25)])

        threads = [threading.Thread(target=work, args=(t,)) for t in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(numbers) == list(range(200))
        kept = {json.loads(log.entry(n))["detail"]["n"] for n in range(200)}
    assert kept == {t * 100 + n for t in range(8) for n in range(25)}


def test_a_partial_last_line_is_cut_and_the_rest_kept(tmp_path: Path):
    with opened(tmp_path) as log:
        log.append(entry(0))
    with (tmp_path / "audit.log").open("ab") as out:
        out.write(b'{"kind":"que')
    with opened(tmp_path) as log:
        assert len(log) == 1
        assert log.append(entry(1)) == 1
    assert [json.loads(line)["detail"]["n"] for line in (tmp_path / "audit.log").read_text().splitlines()] == [0, 1]


@pytest.mark.parametrize("change", ["edit", "drop", "swap", "truncate"])
def test_a_changed_log_does_not_open(tmp_path: Path, change: str):
    with opened(tmp_path) as log:
        log.append_many([entry(n) for n in range(4)])
        log.checkpoint()
    path = tmp_path / "audit.log"
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "edit":
        lines[1] = lines[1].replace(b"person-1", b"person-9")
    elif change == "drop":
        del lines[1]
    elif change == "swap":
        lines[1], lines[2] = lines[2], lines[1]
    else:
        lines.pop()
    path.write_bytes(b"".join(lines))
    with pytest.raises(SignatureError):
        opened(tmp_path)


def test_two_processes_cannot_write_one_log(tmp_path: Path):
    with opened(tmp_path), pytest.raises(Conflict):
        opened(tmp_path)


def test_a_closed_log_refuses_instead_of_losing(tmp_path: Path):
    log = opened(tmp_path)
    log.close()
    with pytest.raises(Unavailable):
        log.append(entry(0))


def test_a_proof_beyond_the_log_is_not_found(tmp_path: Path):
    with opened(tmp_path) as log:
        log.append(entry(0))
        with pytest.raises(NotFound):
            log.inclusion(0, 2)
        with pytest.raises(NotFound):
            log.consistency(2, 1)
        with pytest.raises(NotFound):
            log.entry(-1)


def test_numbers_json_would_round_are_kept_as_text(tmp_path: Path):
    with opened(tmp_path) as log:
        log.append(Entry(kind="batch", actor="gw", org="acme", detail={"batch": 2**63 + 1}))
        assert json.loads(log.entry(0))["detail"]["batch"] == str(2**63 + 1)


WRITER = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from commonwatch.audit.log import AuditLog, Entry
log = AuditLog(Path(sys.argv[1]), Ed25519PrivateKey.from_private_bytes(bytes(range(32))), "hub.example/audit")
n = len(log)
while True:
    number = log.append(Entry(kind="query", actor="p", org="acme", detail={"n": n}))
    print(number, flush=True)
    if n % 10 == 0:
        log.checkpoint()
    n += 1
"""


def test_an_acknowledged_entry_survives_kill_9(tmp_path: Path):
    acknowledged = -1
    for attempt in range(5):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = int(process.stdout.readline())
        assert first > acknowledged
        time.sleep(0.03 * attempt)
        process.send_signal(signal.SIGKILL)
        acknowledged = max([first, *(int(line) for line in process.stdout if line.endswith("\n"))])
        process.stdout.close()
        process.wait()
        with opened(tmp_path) as log:
            assert len(log) > acknowledged
            assert [json.loads(log.entry(n))["detail"]["n"] for n in range(len(log))] == list(range(len(log)))
