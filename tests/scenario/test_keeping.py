"""Duties that act on the hub: rows go when their time is up, owners leave without a byte, backups end."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from commonwatch.agreements.reader import Reader
from commonwatch.agreements.signing import unb64
from commonwatch.cli import main
from commonwatch.errors import Conflict
from commonwatch.govern.query import Top
from commonwatch.hub.compose import Hub
from commonwatch.hub.keeping import backups
from commonwatch.hub.keeping.leaving import Receipt, forget
from commonwatch.hub.keeping.retention import DAY, Retention, days_of
from commonwatch.share.ports import Ask
from doubles.town import NOW, Town

BIRCH = Reader("birch", ("mssp",), ("valley",), "detect")
OLD, YOUNG, DUNES = "old-evil.example", "young-evil.example", "dunes-own.example"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


@pytest.fixture
def hub(town: Town, tmp_path: Path):
    made = town.copy(tmp_path / "data")
    events = [
        {"uid": n, "event_class": 1, "domain": domain, "message": f"about {domain}", "time": at}
        for n, (domain, at) in enumerate([(OLD, NOW - 100 * DAY), (YOUNG, NOW - DAY)] * 20)
    ]
    made.core.intake.accept(town.batch("alder", events))
    own = [{"uid": 900 + n, "event_class": 1, "domain": DUNES, "time": NOW - DAY // 12} for n in range(5)]
    made.core.intake.accept(town.batch("dune", own))
    assert made.publications.page(BIRCH, Ask(types=("indicator",)))
    yield made
    made.close()


def found(folder: Path, word: str) -> int:
    """How often the word stands in any file of the hub."""
    return sum(path.read_bytes().count(word.encode()) for path in folder.rglob("*") if path.is_file())


def total(hub: Hub) -> int:
    return hub.govern.ask(BIRCH, Top(by="class")).total or 0


def test_rows_go_when_their_agreements_say_so_and_the_owner_is_told(hub: Hub, tmp_path: Path) -> None:
    release, before = hub.govern.release(BIRCH), total(hub)
    assert found(tmp_path, OLD) > 0, "the control of the scan"
    assert Retention(hub.core, hub.store).run() == 20
    assert before - total(hub) == 20
    assert hub.govern.release(BIRCH).id != release.id
    assert found(tmp_path / "data" / "store", OLD) == 0
    assert found(tmp_path / "data" / "store", YOUNG) > 0
    shown = [json.loads(v.body) for v in hub.publications.page(BIRCH, Ask(types=("indicator",)))]
    assert [i["name"] for i in shown if not i.get("revoked")] == [YOUNG]
    hub.core.drain.run()
    (entry,) = [e for _, e in hub.audit.entries("alder", 0, 1_000) if b'"rows-deleted"' in e]
    assert msgspec.json.decode(entry)["detail"]["rows"] == 20
    assert Retention(hub.core, hub.store).run() == 0


def test_rows_are_kept_as_long_as_any_living_agreement_needs_them(hub: Hub) -> None:
    (live,) = hub.core.policy.view().owners["alder"].documents.own
    forever = msgspec.structs.replace(live.document, duties=msgspec.structs.replace(live.document.duties, delete_after_days=None))  # fmt: skip
    longer = msgspec.structs.replace(live.document, duties=msgspec.structs.replace(live.document.duties, delete_after_days=400))  # fmt: skip
    also = [msgspec.structs.replace(live, document=d) for d in (longer, forever)]
    assert days_of([live]) == 90
    assert days_of([live, also[0]]) == 400
    assert days_of([live, *also]) is None
    ended = [msgspec.structs.replace(a, state="revoked") for a in also]
    assert days_of([live, *ended]) == 90
    assert days_of([ended[1]]) == 7
    assert days_of([]) is None


def test_an_owner_that_leaves_leaves_no_byte(hub: Hub, town: Town, tmp_path: Path) -> None:
    assert min(found(tmp_path, OLD), found(tmp_path, YOUNG), found(tmp_path, DUNES)) > 0, "the control of the scan"
    receipt = msgspec.json.decode(unb64(forget(hub, "alder").payload, "payload"), type=Receipt)
    assert (receipt.owner, receipt.rows, receipt.backups_until) == ("alder", 40, None)
    assert (found(tmp_path, OLD), found(tmp_path, YOUNG)) == (0, 0)
    assert found(tmp_path, DUNES) > 0, "the others' events are as they were"
    assert hub.core.keys.get("pseudonym", "alder") is None
    assert hub.govern.ask(BIRCH, Top(by="class")).total == 5
    with pytest.raises(Exception, match="not enrolled"):
        hub.core.intake.accept(town.batch("alder", [{"uid": 7000, "time": NOW}], seq=9))


def test_an_owner_whose_agreements_live_elsewhere_revokes_them_itself_first(hub: Hub) -> None:
    hub.core.keys.destroy("dune")
    with pytest.raises(Conflict, match="dune-brief lives"):
        forget(hub, "dune")


def test_a_backup_carries_the_day_it_ends_and_is_pruned_then(hub: Hub, town: Town, tmp_path: Path) -> None:
    settings = hub.core.settings
    folder = backups.back_up(settings, hub.store, hub.core.policy.view())
    made = msgspec.json.decode((folder / backups.MANIFEST).read_bytes(), type=backups.Manifest)
    assert made.expires == NOW + 90 * DAY
    assert made.days == {"alder": 90, "dune": 90}
    assert {"meta.sqlite", "store/events.duckdb"} <= made.files.keys()
    assert not [name for name in made.files if "key" in name or "kek" in name]
    assert backups.kept_until(settings) == made.expires
    assert backups.prune(settings, NOW + 89 * DAY) == []
    assert backups.prune(settings, NOW + 90 * DAY) == [folder]
    assert not folder.exists()


def test_what_erases_asks_first_and_leaves_a_serving_hub_alone(hub: Hub, tmp_path: Path, capsys) -> None:
    args = ["hub", "org", "forget", "alder", "--data", str(tmp_path / "data")]
    assert main(args) == 2
    assert main([*args, "--yes"]) != 0
    assert "another hub serves this folder" in capsys.readouterr().err
