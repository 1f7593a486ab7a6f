"""Tailing real files: rotation, copies, truncation, archives, half lines. Every record once, whatever it lies in."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.gateway.clock import Clock
from commonwatch.gateway.downlink.policy import Policy
from commonwatch.gateway.edge import Edge, edge_keys
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.reading.collect import Collector, Sealer
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.rules import default_rules
from commonwatch.ingest.source import Source
from commonwatch.wire.batch import unseal

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
FIELDS = {"time": "exact", "src_port": "exact", "signature": "exact"}
POLICY = Policy(1, 2**62, "digest", Edge(lambda _: FIELDS, edge_keys(bytes(32), "baker")))  # type: ignore[arg-type,return-value]


class Site:
    """A gateway's reading side over a folder of logs. Time is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.logs = folder / "logs"
        self.logs.mkdir(exist_ok=True)
        self.file = self.logs / "eve.json"
        self.now = 1_000.0
        self.journal = Journal(folder / "gateway.db")
        self.inputs = [self.logs]
        self.next = 0
        self.collector: Collector | None = None
        self.restart()

    def restart(self) -> None:
        """As after a kill: what was not committed is forgotten."""
        if self.collector is not None:
            self.collector.close()
        clock = Clock(wall=lambda: 1_780_000_000_000_000, tick=lambda: self.now)
        self.collector = Collector(
            self.inputs, self.journal, sealer=Sealer("gw-1", "baker", KEY, 1), labeller=Labeller(default_rules()),
            source=lambda m: Source(id=m.source, generation=m.generation, key=bytes(32), clock=clock.now), clock=clock,
        )  # fmt: skip

    def write(self, count: int, *, to: Path | None = None, whole: bool = True) -> bytes:
        """Append records with new numbers; without `whole` the last one lacks its end."""
        data = b"".join(self.record() for _ in range(count))
        data = data if whole else data[:-20]
        with (to or self.file).open("ab") as out:
            out.write(data)
        return data

    def record(self) -> bytes:
        """One alert; its number is the source port."""
        self.next += 1
        record = {
            "timestamp": "2026-01-02T03:04:05.000000+0000", "event_type": "alert", "src_ip": "203.0.113.7",
            "src_port": self.next, "dest_ip": "192.0.2.10", "dest_port": 443, "proto": "TCP",
            "alert": {"gid": 1, "signature_id": 7, "rev": 1, "signature": "ET SCAN", "severity": 2},
        }  # fmt: skip
        return json.dumps(record).encode() + b"\n"

    def run(self, seconds: float = 5.0, *, once: bool = False) -> None:
        """Read what is there, time passing."""
        until = self.now + seconds
        while self.now < until:
            while self.collector.step(POLICY, once=once):
                pass
            self.now += 0.6
        self.collector.flush(POLICY)

    def seen(self) -> list[int]:
        """The numbers of all events in the spool, sorted."""
        numbers: list[int] = []
        uids: list[bytes] = []
        for uid, _ in self.journal.waiting(1_000):
            batch = self.journal.batch(uid)
            assert batch is not None
            columns = unseal(batch.body, KEY.public_key())[1]
            numbers += columns["src_port"]
            uids += columns["event_uid"]
        assert len(uids) == len(set(uids))
        return sorted(numbers)

    def expect_all(self) -> None:
        """Every record written so far was read once."""
        assert self.seen() == list(range(1, self.next + 1))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.collector.close()
    made.journal.close()


def test_lines_are_read_as_they_come_and_again_after_a_restart_only_what_is_new(site: Site) -> None:
    for _ in range(4):
        site.write(30)
        site.run()
        site.expect_all()
        site.restart()
    site.run()
    site.expect_all()
    assert site.journal.counts()["read"] == site.next


def test_what_was_read_but_not_committed_is_read_again(site: Site) -> None:
    site.write(50)
    site.collector.step(POLICY)
    site.restart()
    site.run()
    site.expect_all()


def test_a_half_line_waits_for_its_end(site: Site) -> None:
    data = site.write(10, whole=False)
    site.run()
    assert len(site.seen()) == 9
    with site.file.open("ab") as out:
        out.write((data + b'verity": 2}}\n')[len(data) :])
    site.write(5)
    site.run()
    assert site.journal.counts().get("quarantined:malformed", 0) + len(site.seen()) == 15


def test_a_half_line_at_the_end_of_a_single_run_is_counted_and_read_whole_later(site: Site) -> None:
    whole = site.write(10)
    site.file.write_bytes(whole[:-30])
    site.run(once=True)
    site.run(once=True)
    counts = site.journal.counts()
    assert len(site.seen()) == 9
    assert counts["read"] == 10
    assert sum(v for k, v in counts.items() if k.startswith("quarantined:")) == 1
    site.file.write_bytes(whole)
    site.restart()
    site.run(once=True)
    site.expect_all()


def test_a_last_line_without_a_newline_is_read_by_a_single_run_and_never_twice(site: Site) -> None:
    whole = site.write(10)
    site.file.write_bytes(whole[:-1])
    site.run(once=True)
    site.expect_all()
    site.restart()
    site.file.write_bytes(whole)
    site.write(3)
    site.run(once=True)
    site.expect_all()
    assert not [k for k in site.journal.counts() if k.startswith("quarantined:")]


@pytest.mark.parametrize("named", ["folder", "file"])
def test_a_renamed_log_is_read_to_its_end_and_the_new_one_from_its_start(site: Site, named: str) -> None:
    site.inputs = [site.logs] if named == "folder" else [site.file]
    site.restart()
    site.write(20)
    site.run()
    site.write(20)
    site.file.rename(site.logs / "eve.json.1")
    site.write(20)
    site.run()
    site.write(5, to=site.logs / "eve.json.1")
    site.run()
    site.expect_all()


@pytest.mark.parametrize("named", ["folder", "file"])
def test_a_log_renamed_while_the_gateway_was_down_is_read_to_its_end(site: Site, named: str) -> None:
    site.inputs = [site.logs] if named == "folder" else [site.file]
    site.restart()
    site.write(20)
    site.run()
    site.collector.close()
    site.write(20)
    site.file.rename(site.logs / "eve.json.1")
    site.write(20)
    site.restart()
    site.run()
    site.expect_all()


def test_a_log_copied_and_truncated_is_read_once_and_its_rest_from_the_copy(site: Site) -> None:
    site.write(20)
    site.run()
    site.write(7)
    shutil.copy(site.file, site.logs / "eve.json.1")
    site.run(1.0)
    site.write(6, to=site.logs / "scratch")
    late = (site.logs / "scratch").read_bytes()
    (site.logs / "scratch").unlink()
    with site.file.open("r+b") as out:
        out.truncate(0)
    site.run()
    with site.file.open("ab") as out:
        out.write(late)
    site.run()
    site.expect_all()


def test_a_log_truncated_and_refilled_beyond_where_we_were_is_a_new_log(site: Site) -> None:
    site.write(5)
    site.run()
    site.restart()
    record = json.loads(site.record()) | {"timestamp": "2026-01-03T00:00:00.000000+0000"}
    rest = b"".join(site.record() for _ in range(40))
    site.file.write_bytes(json.dumps(record).encode() + b"\n" + rest)
    site.run()
    site.expect_all()


def test_a_log_compressed_by_rotation_is_not_read_again(site: Site) -> None:
    site.write(30)
    site.run()
    site.write(10)
    site.file.rename(site.logs / "eve.json.1")
    site.write(10)
    site.run()
    packed = site.logs / "eve.json.1.gz"
    packed.write_bytes(gzip.compress((site.logs / "eve.json.1").read_bytes()))
    (site.logs / "eve.json.1").unlink()
    site.run()
    site.restart()
    site.run(once=True)
    site.expect_all()


def test_a_log_compressed_while_the_gateway_was_down_is_read_on_from_where_it_was(site: Site) -> None:
    site.write(30)
    site.run()
    site.collector.close()
    site.write(12)
    (site.logs / "eve.json.1.gz").write_bytes(gzip.compress(site.file.read_bytes()))
    site.file.unlink()
    site.write(3)
    site.restart()
    site.run()
    site.expect_all()


def test_a_truncated_archive_gives_what_is_readable_and_says_so(site: Site) -> None:
    data = site.write(2_000)
    site.file.unlink()
    packed = gzip.compress(data)
    archive = site.logs / "old.gz"
    archive.write_bytes(packed[: len(packed) // 2])
    site.run(once=True)
    some = len(site.seen())
    counts = site.journal.counts()
    assert 0 < some < 2_000
    assert counts["damage:archive_truncated"] == 1
    assert counts["read"] - some == sum(v for k, v in counts.items() if k.startswith("quarantined:")) <= 1
    archive.write_bytes(packed)
    site.restart()
    site.run(once=True)
    site.expect_all()


def test_an_archive_still_being_written_is_waited_for(site: Site) -> None:
    data = site.write(2_000)
    site.file.unlink()
    packed, archive = gzip.compress(data), site.logs / "old.gz"
    archive.write_bytes(packed[: len(packed) // 2])
    site.run(10.0)
    archive.write_bytes(packed)
    site.run(130.0)
    site.expect_all()


def test_quiet_files_are_closed_and_opened_again_when_they_grow(site: Site) -> None:
    site.write(5)
    site.run(90.0)
    assert not site.collector._tail.opened
    site.write(5)
    site.run()
    site.expect_all()


def test_many_files_are_all_read_with_few_open_at_a_time(site: Site) -> None:
    for n in range(150):
        site.write(2, to=site.logs / f"sensor-{n}.json")
    site.run(1.0, once=True)
    site.expect_all()


def test_a_hundred_megabyte_line_is_passed_over_and_the_rest_lands(site: Site) -> None:
    site.write(3)
    with site.file.open("ab") as out:
        out.write(b'{"event_type":"alert","payload":"')
        for _ in range(100):
            out.write(b"A" * 1_048_576)
        out.write(b'"}\n')
    site.write(3)
    site.run(once=True)
    site.expect_all()
    assert site.journal.counts()["quarantined:too_large"] == 1


def test_stopping_inside_an_over_long_line_counts_it_once(site: Site) -> None:
    site.write(3)
    with site.file.open("ab") as out:
        out.write(b"{" + b"A" * 5_000_000)
    site.run()
    site.restart()
    with site.file.open("ab") as out:
        out.write(b"A" * 3_000_000 + b"}\n")
    site.write(3)
    site.run()
    site.expect_all()
    counts = site.journal.counts()
    assert counts["read"] == 7
    assert counts["quarantined:too_large"] == 1


def test_bad_records_are_quarantined_with_their_reason_and_the_rest_lands(site: Site) -> None:
    bad = [
        b"{not json}\n", b'{"event_type":"alert"}\n', b"\xff\xfe\xfa garbage\n",
        b'{"timestamp":"x","event_type":"alert"}\n',
        b"[" * 100 + b"\n", b'{"timestamp":"1999-01-01T00:00:00+0000","event_type":"alert"}\n',
        b'{"timestamp":"2066-01-01T00:00:00+0000","event_type":"alert"}\n', b'"text"\n', b"\x00\x00\x00\n",
    ]  # fmt: skip
    site.write(2)
    for line in bad:
        with site.file.open("ab") as out:
            out.write(line)
        site.write(2)
    site.run(once=True)
    site.expect_all()
    counts = site.journal.counts()
    quarantined = {k: v for k, v in counts.items() if k.startswith("quarantined:")}
    assert counts["read"] == counts["mapped"] + sum(quarantined.values())
    assert 7 <= sum(quarantined.values()) <= 8
    assert quarantined["quarantined:bad_time"] >= 2
    kept = site.journal.quarantined()
    assert len(kept) == sum(quarantined.values())
    assert all(len(b.head) <= 200 for b in kept)


def test_json_arrays_are_read_and_not_read_again(site: Site) -> None:
    records = [json.loads(site.record()) for _ in range(40)]
    (site.logs / "export.json").write_text(json.dumps(records, indent=2))
    for _ in range(3):
        site.run(once=True)
        site.restart()
    site.expect_all()


def test_a_label_nothing_is_agreed_for_is_counted_and_not_spooled(site: Site) -> None:
    site.write(4)
    nothing = Policy(1, 2**62, "d", Edge(lambda _: None, edge_keys(bytes(32), "baker")))
    site.collector.step(nothing, once=True)
    site.collector.flush(nothing)
    assert site.seen() == []
    assert site.journal.counts()["not_agreed"] == 4


def test_logs_that_came_and_were_rotated_while_nobody_read_are_read(site: Site) -> None:
    site.inputs = [site.file]
    old = site.file.with_name("eve.json.7")
    site.write(3, to=old)
    site.next = 0
    site.restart()
    site.write(2)
    site.run()
    for day in range(3):
        site.file.rename(site.file.with_name(f"eve.json.{3 - day}"))
        site.write(4)
    third = site.file.with_name("eve.json.1")
    third.with_name("eve.json.1.gz").write_bytes(gzip.compress(third.read_bytes()))
    third.unlink()
    site.write(1, to=site.file.with_name("eve.json.mapping"))
    site.next -= 1
    site.restart()
    site.run()
    site.expect_all()
