"""A gateway whose disk is full stops reading before it loses anything, says so, and goes on by itself."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from commonwatch.gateway.journal import Bad, Journal, Spooled
from commonwatch.gateway.keeping.room import Room, is_full
from commonwatch.gateway.listening.http import Sink
from commonwatch.gateway.listening.intake import Intake
from commonwatch.gateway.listening.segments import Segments
from commonwatch.gateway.reading import opened
from doubles.hub import TinyHub, agreement
from doubles.site import Site, until

PAGE = 4096


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    with TinyHub() as made:
        made.publish(agreement(made.owner, made.reader))
        yield made


def batch(seq: int, size: int = 1000) -> Spooled:
    return Spooled(seq, 1000 + seq, 10, "digest", bytes(size))


def cap(journal: Journal, more: int) -> None:
    """Let the journal's file grow by so many pages only: SQLite then answers as on a full disk."""
    pages = journal._all("PRAGMA page_count")[0][0]
    journal._all(f"PRAGMA max_page_count={pages + more}")


def test_a_full_disk_is_said_in_the_heartbeat_and_reading_goes_on_by_itself(hub: TinyHub, tmp_path: Path) -> None:
    site, free = Site(tmp_path, hub, records=0), 0
    with site.running() as runtime:
        until(lambda: runtime._keeper.policy() is not None)
        runtime._room._free = lambda _: free
        until(lambda: any("disk is full" in said for said in site.said))
        site.write(10)
        assert runtime._status()["state"] == "disk-full"
        asyncio.run_coroutine_threadsafe(runtime._beat(), loop_of(runtime)).result(10)
        assert hub.heartbeats[-1]["state"] == "disk-full"
        assert not hub.stored
        free = 1 << 40
        until(lambda: len(hub.events()) == 10)
        assert runtime._status()["state"] == "running"


def loop_of(runtime: object) -> asyncio.AbstractEventLoop:
    return runtime._stream.get_loop()  # type: ignore[attr-defined,no-any-return]


def test_a_journal_without_room_loses_nothing_and_recovers(hub: TinyHub, tmp_path: Path) -> None:
    site = Site(tmp_path, hub, records=0)
    with site.running() as runtime:
        until(lambda: runtime._keeper.policy() is not None)
        cap(runtime.journal, 0)
        site.write(30_000)
        until(lambda: any("failed, trying again" in said or "DISK IS FULL" in said for said in site.said))
        runtime.journal._all("PRAGMA max_page_count=1073741823")
        until(lambda: len(hub.events()) >= 30_000, 30)
    assert len(hub.events()) == len(set(hub.events())) == 30_000


def test_a_transaction_that_finds_no_room_leaves_the_journal_usable(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "gateway.db")
    cap(journal, 2)
    with pytest.raises(sqlite3.OperationalError) as caught:
        journal.commit([], [batch(1, 100 * PAGE)], {"read": 10}, [Bad("a", "b", 0, "malformed", b"x")], 1)
    assert is_full(caught.value)
    assert journal.counts() == {}
    journal._all("PRAGMA max_page_count=1073741823")
    journal.commit([], [batch(1, 100 * PAGE)], {"read": 10}, [], 1)
    assert journal.counts() == {"read": 10}
    journal.close()


def test_what_could_not_be_synced_is_not_acknowledged_to_the_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def post(sink: Sink) -> int:
        found: list[int] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b'{"a": 1}\n', "more_body": False}

        async def send(message: object) -> None:
            found.append(message.get("status", 0))  # type: ignore[attr-defined]

        await sink({"type": "http", "method": "POST", "headers": []}, receive, send)
        return found[0]

    async def scene() -> list[int]:
        room = Room(tmp_path, 0)
        intake = Intake(Segments(tmp_path / "received", 1 << 20), lambda _: None, room)
        syncing = asyncio.create_task(intake.sync_always())
        sink = Sink("http", intake, "")
        with monkeypatch.context() as patched:
            patched.setattr("commonwatch.gateway.listening.segments.os.fsync", no_room)
            refused = [await post(sink), await post(sink)]
        room._until = 0.0
        taken = await post(sink)
        syncing.cancel()
        await asyncio.gather(syncing, return_exceptions=True)
        intake.segments.close()
        return [*refused, taken]

    assert asyncio.run(scene()) == [503, 503, 200]


def test_what_was_read_is_on_disk_before_the_journal_says_so(
    hub: TinyHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, synced = Site(tmp_path, hub), list[int]()
    monkeypatch.setattr(opened.os, "fdatasync", synced.append)
    site.once()
    assert synced


def test_acknowledged_batches_are_kept_within_their_bound_and_offered_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "gateway.db")
    journal.commit([], [batch(n) for n in range(1, 6)], {"spooled": 50}, [], 1)
    for n in range(1, 6):
        journal.acknowledge(1000 + n, {"sent": 10, "acknowledged": 10, "stored": 10}, keep=3000, stored=10)
    assert journal.depth()[0] == 0
    assert journal.last_kept() == 5
    assert journal.offer_again(3) == 2
    assert journal.offer_again(0) == 1  # 3; the older ones are beyond the bound
    assert [uid for uid, _ in journal.waiting(9)] == [1003, 1004, 1005]
    assert journal.counts() == {
        "spooled": 50, "sent": 20, "acknowledged": 20, "stored": 20, "offered_again": 30,
    }  # fmt: skip
    journal.close()


def test_a_receipt_that_comes_twice_is_counted_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "gateway.db")
    journal.commit([], [batch(1)], {}, [], 1)
    for _ in range(2):
        journal.acknowledge(1001, {"acknowledged": 10})
    assert journal.counts() == {"acknowledged": 10}
    journal.close()
