"""What a hub does by itself: upkeep goes on after a failure, the decision log tells each side only what it may know."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from commonwatch.agreements.reader import Reader
from commonwatch.audit.log import Entry
from commonwatch.errors import Conflict, Unavailable
from commonwatch.hub import compose
from commonwatch.hub.jobs.decisions import Decisions
from commonwatch.hub.jobs.upkeep import Job, Upkeep
from commonwatch.hub.serve import listen
from commonwatch.store import StoredBatch
from doubles.govern import batch, events
from doubles.town import Town

BIRCH = Reader("birch", ("mssp",), ("valley",), "detect")
CEDAR = Reader("cedar", ("cert",), ("valley",), "detect")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


def test_a_job_that_fails_is_tried_again_and_says_only_what_kind_of_failure(caplog: pytest.LogCaptureFixture) -> None:
    tried, others = threading.Semaphore(0), threading.Semaphore(0)

    def failing() -> None:
        tried.release()
        raise ValueError("CANARY")

    upkeep = Upkeep([Job("failing", 0.05, failing), Job("other", 0.05, others.release)])
    with caplog.at_level(logging.WARNING):
        upkeep.start()
        assert all(tried.acquire(timeout=5) for _ in range(2))
        assert all(others.acquire(timeout=5) for _ in range(2))
        upkeep.stop()
    assert "failing failed and will be tried again: ValueError" in caplog.text
    assert "CANARY" not in caplog.text


def test_upkeep_stops_at_once_though_its_next_beat_is_far(caplog: pytest.LogCaptureFixture) -> None:
    upkeep = Upkeep([Job("rare", 3600, lambda: None)])
    upkeep.start()
    upkeep.stop()
    assert not upkeep.is_alive()


def test_each_owner_learns_once_per_epoch_who_reads_and_the_reader_never_sees_that_entry(
    town: Town, tmp_path: Path
) -> None:
    hub = town.copy(tmp_path / "data")
    written: list[Entry] = []
    log = Decisions(written.extend, hub.core.policy.view)
    for reader in (BIRCH, BIRCH, CEDAR):
        log.decided(reader, "query", {"query": "q", "rows": 3, "table": "t", "agreements": ["x@1"], "others": 5})
    log.decided(BIRCH, "disclosed", {"owner": "alder"})
    hub.close()
    by_org = {
        org: [(e.kind, e.actor, e.detail.get("agreements")) for e in written if e.org == org]
        for org in ("birch", "cedar", "alder", "dune")
    }
    assert by_org["birch"] == [("query", "birch", ["alder-service@1", "dune-brief@1"])] * 2
    assert by_org["cedar"] == [("query", "cedar", [])]
    assert by_org["alder"] == [("disclosed", who, ["alder-service@1"]) for who in ("birch", "cedar")]
    assert by_org["dune"] == [("disclosed", "birch", ["dune-brief@1"])]
    assert all("table" not in e.detail and not e.concerns for e in written)


def test_without_a_log_there_is_no_answer(town: Town, tmp_path: Path) -> None:
    hub = town.copy(tmp_path / "data")

    def full(_: Sequence[Entry]) -> None:
        raise Unavailable("the audit log cannot be written", todo="free disk space")

    log = Decisions(full, hub.core.policy.view)
    with pytest.raises(Unavailable):
        log.decided(BIRCH, "query", {"rows": 3})
    hub.close()


def test_one_folder_is_served_by_one_hub(town: Town, tmp_path: Path) -> None:
    hub = town.copy(tmp_path / "data")
    with pytest.raises(Conflict, match="another hub serves this folder"):
        compose.Hub(hub.core.settings)
    hub.close()
    compose.Hub(hub.core.settings).close()


def test_a_hub_that_cannot_open_lets_go_of_its_folder(town: Town, tmp_path: Path) -> None:
    hub = town.copy(tmp_path / "data")
    settings = hub.core.settings
    hub.close()
    head = settings.audit / "checkpoint.json"
    good = head.read_bytes() if head.exists() else None
    head.write_bytes(b"{}")
    for _ in range(2):
        with pytest.raises(Exception, match="checkpoint"):
            compose.Hub(settings)
    head.unlink() if good is None else head.write_bytes(good)
    compose.Hub(settings).close()


def test_an_address_that_is_taken_is_said_so() -> None:
    first = listen("127.0.0.1", 0)
    first.listen()
    with pytest.raises(Conflict, match="cannot listen on"):
        listen("127.0.0.1", first.getsockname()[1])
    first.close()


def without(made: StoredBatch, columns: set[str]) -> StoredBatch:
    """The batch without some columns."""
    return msgspec.structs.replace(made, columns={k: v for k, v in made.columns.items() if k not in columns})


def test_telling_rests_only_where_batches_keep_coming_and_flows_alone_wake_nobody(town: Town, tmp_path: Path) -> None:
    hub = town.copy(tmp_path / "data")
    telling, warning = hub.telling, hub.warning
    telling._news.clear()
    flows, verdict = events(5, event_class=10), events(1, seed=2, event_class=1)
    nameless = {"malware_family"}
    hub._stored(without(batch("ash", flows), nameless))
    assert not telling._news.is_set()
    assert telling.rest(0.5) == 0, "one batch alone is told of at once"
    hub._stored(without(batch("ash", flows + verdict, uid=2), nameless))
    assert telling._news.is_set()
    assert not warning._news.is_set(), "no family is named"
    assert telling.rest(0.5) == 3 * 0.5
    assert telling.rest(60) == 2.0
    hub._stored(batch("ash", verdict, uid=3))
    assert warning._news.is_set()
    hub.close()
