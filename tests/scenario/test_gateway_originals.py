"""Original records stay at the gateway, sealed and bounded; quarantined ones are read again when they can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from commonwatch.cli import main
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.keeping.originals import Original, Originals
from doubles.hub import TinyHub, agreement
from doubles.site import CANARY, Site

ROW = {"When": "18.11.2026 10:00:00", "From": "203.0.113.9", "To": "10.0.0.1", "Port": 22, "Note": CANARY}
MAPPING = """
mapping = "1"
name = "router"
class = "firewall"
layout = "json"
product = "Border router"
time = {column = "When", form = "%d.%m.%Y %H:%M:%S", zone = "Europe/Berlin"}
[columns]
src_ip = "From"
dst_ip = "To"
dst_port = "Port"
message = "Note"
"""


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    with TinyHub() as made:
        made.publish(agreement(made.owner, made.reader))
        yield made


@pytest.fixture
def site(hub: TinyHub, tmp_path: Path) -> Site:
    made = Site(tmp_path, hub, records=0)
    settings(made, "keep_originals_mb = 1\n")
    return made


def settings(site: Site, text: str) -> None:
    (site.folder.path / "settings.toml").write_text(text)


def command(site: Site, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["gateway", words[0], "--state", str(site.folder.path), *words[1:]]) == 0
    return capsys.readouterr().out


def test_an_event_leads_back_to_its_record_which_is_sealed_on_disk(
    site: Site, hub: TinyHub, capsys: pytest.CaptureFixture[str]
) -> None:
    site.write(3)
    site.once()
    line = site.log.read_text().splitlines()[0]
    for uid in hub.events():
        assert command(site, capsys, "original", uid.hex()).strip() == line
    listed = command(site, capsys, "original", "--contains", CANARY).splitlines()
    assert sorted(row.partition("\t")[0] for row in listed) == sorted(uid.hex() for uid in hub.events())
    assert len(listed) == 3
    kept = b"".join(path.read_bytes() for path in site.folder.path.glob("originals.db*"))
    assert kept
    assert CANARY.encode() not in kept
    assert (site.folder.path / "originals.key").stat().st_mode & 0o077 == 0
    assert CANARY.encode() not in site.sent()


def test_without_the_setting_nothing_is_kept(site: Site) -> None:
    settings(site, "")
    site.write(3)
    site.once()
    assert not list(site.folder.path.glob("originals*"))


def test_the_ring_keeps_the_newest_within_its_bound_and_a_changed_block_opens_to_nothing(tmp_path: Path) -> None:
    ring = Originals(tmp_path / "originals.db", bytes(32), 40_000)
    for n in range(20):
        ring.keep({bytes([n, m]) * 8: Original(bytes([n, m]) * 20) for m in range(100)})
    assert ring.find(bytes([19, 5]) * 8) == Original(bytes([19, 5]) * 20)
    assert ring.find(bytes([0, 5]) * 8) is None
    assert 2 <= len({uid[0] for uid, _ in ring.containing(b"")}) < 8
    ring._db.execute("UPDATE blocks SET sealed = (SELECT sealed FROM blocks ORDER BY no LIMIT 1)")
    assert ring.find(bytes([19, 5]) * 8) is None
    ring.close()
    other = Originals(tmp_path / "originals.db", bytes([1]) * 32, 40_000)
    assert list(other.containing(b"")) == []
    other.close()


def test_quarantined_records_are_read_again_once_a_mapping_says_what_they_mean(
    site: Site, hub: TinyHub, capsys: pytest.CaptureFixture[str]
) -> None:
    site.log.write_text((json.dumps(ROW) + "\n") * 5)
    assert site.once()["quarantined"] == {"unknown_format": 5}
    listed = json.loads(command(site, capsys, "quarantine", "list", "--json"))
    assert [row["reason"] for row in listed] == ["unknown_format"] * 5
    assert command(site, capsys, "original", listed[0]["event"]).strip() == json.dumps(ROW)
    (site.folder.path / "router.toml").write_text(MAPPING)
    settings(site, f'keep_originals_mb = 1\n[mappings]\n"{site.log}" = "router.toml"\n')
    for _ in range(2):
        command(site, capsys, "quarantine", "replay", "--wait", "0")
        site.once()
    assert sorted(uid.hex() for uid in hub.events()) == sorted(row["event"] for row in listed)
    assert command(site, capsys, "quarantine", "list") == ""
    journal = Journal(site.folder.path / "gateway.db")
    counts = journal.counts()
    journal.close()
    assert (counts["read"], counts["mapped"], counts["quarantined:unknown_format"], counts["stored"]) == (5, 5, 0, 5)


def test_what_still_cannot_be_read_stays_in_quarantine(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.write(2)
    with site.log.open("a") as log:
        log.write("{not json\n")
    site.once()
    command(site, capsys, "quarantine", "replay", "--wait", "0")
    site.once()
    assert len(command(site, capsys, "quarantine", "list").splitlines()) == 1
    journal = Journal(site.folder.path / "gateway.db")
    assert json.loads(journal.note("replayed") or b"") == {"read": 0, "still": 1, "gone": 0}
    journal.close()
