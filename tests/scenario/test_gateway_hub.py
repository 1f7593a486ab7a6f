"""A gateway and a hub that misbehaves: policy, revocation, clocks, refusals, indicators, broken logs. Real sockets."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.agreements.signing import SigningKey, envelope_from
from commonwatch.agreements.statement import verify_statement
from commonwatch.audit.checkpoint import sign
from commonwatch.audit.merkle import Tree
from commonwatch.cli import main
from commonwatch.errors import Conflict, NotFound, NotPermitted, SignatureError, Unavailable
from commonwatch.gateway.downlink.witness import reconcile
from commonwatch.gateway.enrol import enrol
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.report import status
from commonwatch.gateway.state import StateFolder
from commonwatch.wire.messages import Checkpoint, IndicatorItem, Indicators, SnapshotMessage, Withdraw, encode_line
from doubles.hub import TinyHub, agreement, charter, now_us, revocation
from doubles.site import CANARY, Site, until

YEAR = 365 * 86_400_000_000


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    with TinyHub() as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, hub: TinyHub) -> Site:
    return Site(tmp_path, hub)


def test_what_is_agreed_arrives_once_and_a_second_run_sends_nothing(site: Site, hub: TinyHub) -> None:
    hub.publish(agreement(hub.owner, hub.reader))
    first, second = site.once(), site.once()
    assert first["stored"] == first["read"] == len(set(hub.events())) == 10
    assert second["read"] == second["sent"] == 0
    assert len(hub.stored) == 1


def test_nothing_the_agreements_do_not_name_leaves_the_gateway(site: Site, hub: TinyHub) -> None:
    hub.publish(agreement(hub.owner, hub.reader))
    site.once()
    (_, columns), *_ = hub.opened.values()
    assert CANARY.encode() not in site.sent()
    assert columns["url"] == ["http://www.example.org"] * 10
    assert columns["dst_port"] == [0] * 10
    assert "user_agent" not in columns
    assert set(columns["dst_ip_lo"]) != {(0xFFFF << 32) | 0x0A010203}
    assert columns["dst_net_lo"] == [(0xFFFF << 32) | 0x0A010200] * 10


def test_the_root_key_stays_and_the_hub_gets_a_derived_one(site: Site, hub: TinyHub, tmp_path: Path) -> None:
    second = StateFolder(tmp_path / "second")
    enrol(hub.url, hub.code(), second, name="annex", root=site.folder.path / "root.key")
    assert second.root == site.folder.root
    assert hub.pseudonym_keys[0] == hub.pseudonym_keys[1] != site.folder.root
    for name in ("root.key", "signing.key", "events.key", "gateway.json"):
        assert stat.S_IMODE((site.folder.path / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(site.folder.path.stat().st_mode) == 0o700


def test_enrolling_again_or_with_a_hub_in_the_middle_is_refused(site: Site, hub: TinyHub, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        enrol(hub.url, hub.code(), site.folder, name="x")
    code, real = hub.code(), hub.key
    hub.key = Ed25519PrivateKey.generate()
    fresh = StateFolder(tmp_path / "fresh")
    with pytest.raises(SignatureError):
        enrol(hub.url, code, fresh, name="x")
    hub.key = real
    with pytest.raises(NotFound):
        _ = fresh.identity
    with pytest.raises((NotPermitted, Unavailable)):
        enrol(hub.url + "/nowhere", code, fresh, name="x")


def test_only_one_run_holds_a_state_folder(site: Site) -> None:
    with site.folder.locked(), pytest.raises(Conflict), site.folder.locked():
        pass


def test_without_a_snapshot_nothing_is_read_and_nothing_is_sent(site: Site, hub: TinyHub) -> None:
    summary = site.once(patience=1.5)
    assert summary["read"] == 0
    assert hub.stored == {}


def test_nothing_agreed_nothing_leaves(site: Site, hub: TinyHub) -> None:
    hub.publish()
    summary = site.once()
    assert summary["not_agreed"] == 10
    assert summary["sent"] == summary["spooled"] == 0
    assert hub.stored == {}


@pytest.mark.parametrize("forged_by", ["hub", "owner"])
def test_a_snapshot_or_agreement_with_a_foreign_signature_is_refused(site: Site, hub: TinyHub, forged_by: str) -> None:
    real_hub, real_owner = hub.key, hub.owner
    if forged_by == "hub":
        hub.key = Ed25519PrivateKey.generate()
    else:
        hub.owner = SigningKey.generate()
    hub.publish(agreement(hub.owner, hub.reader))
    hub.key, hub.owner = real_hub, real_owner
    assert site.once(patience=1.5)["sent"] == 0
    assert hub.stored == {}
    assert any("refused a snapshot" in line for line in site.said)


def test_an_older_snapshot_is_refused(site: Site, hub: TinyHub) -> None:
    open_one = agreement(hub.owner, hub.reader)
    old = hub.publish(open_one)
    hub.publish(open_one, statements=(revocation(open_one, hub.owner),))
    assert site.once()["not_agreed"] == 10
    site.write(10)
    hub.say(encode_line(SnapshotMessage(1, old)))
    with site.running():
        until(lambda: any("rollback" in line for line in site.said))
        time.sleep(0.5)
    assert hub.stored == {}


def test_an_expired_snapshot_stops_reading_and_sending(site: Site, hub: TinyHub) -> None:
    hub.publish(agreement(hub.owner, hub.reader), valid=2_500_000)
    with site.running() as runtime:
        until(lambda: len(hub.events()) == 10)
        until(lambda: runtime._keeper.policy() is None)
        site.write(5)
        time.sleep(1.0)
        assert len(hub.events()) == 10
        hub.publish(agreement(hub.owner, hub.reader))
        until(lambda: len(hub.events()) == 15)
    assert len(set(hub.events())) == 15


def test_what_waits_in_the_spool_is_not_sent_once_the_agreement_is_revoked(site: Site, hub: TinyHub) -> None:
    open_one = agreement(hub.owner, hub.reader)
    hub.publish(open_one)
    hub.answer = lambda _: 503
    assert site.once(patience=2.5)["spool"]["events"] == 10
    hub.publish(open_one, statements=(revocation(open_one, hub.owner),))
    with site.running() as runtime:
        until(lambda: runtime._keeper.number == 2)
        hub.answer = lambda _: 200
        until(lambda: runtime.journal.depth()[0] == 0)
    assert hub.stored == {}
    assert status(site.folder)["counts"]["not_agreed"] == 10


def test_the_owner_revokes_at_its_own_gateway_whatever_the_hub_does(site: Site, hub: TinyHub, tmp_path: Path) -> None:
    open_one, key = agreement(hub.owner, hub.reader), tmp_path / "owner.json"
    key.write_text(json.dumps(hub.owner.private_jwk()))
    hub.publish(open_one)
    state = ["--state", str(site.folder.path)]
    with site.running():
        until(lambda: len(hub.events()) == 10)
        assert main(["gateway", "revoke", "watch", "--key", str(key), "--reason", "enough", *state]) == 0
        until(lambda: len(hub.statements) == 1)
        site.write(10)
        until(lambda: status(site.folder)["counts"]["not_agreed"] == 10)
        hub.publish(open_one)
        site.write(10)
        until(lambda: status(site.folder)["counts"]["not_agreed"] == 20)
    assert len(hub.events()) == 10
    said = verify_statement(envelope_from(hub.statements[0]), hub.owner.public).statement
    assert (said.kind, said.id, said.by, said.reason) == ("revoke", "watch", "baker", "enough")
    assert site.once()["sent"] == 0
    assert len(hub.statements) == 1


@pytest.mark.parametrize(("name", "mine"), [("watch", False), ("unheard", True)])
def test_nobody_else_and_nothing_else_is_revoked_at_a_gateway(
    site: Site, hub: TinyHub, tmp_path: Path, name: str, mine: bool
) -> None:
    hub.publish(agreement(hub.owner, hub.reader))
    site.once()
    key = tmp_path / "key.json"
    key.write_text(json.dumps((hub.owner if mine else hub.reader).private_jwk()))
    assert main(["gateway", "revoke", name, "--key", str(key), "--state", str(site.folder.path)]) != 0
    site.write(5)
    assert site.once()["stored"] == 5
    assert hub.statements == []


def test_what_waits_in_the_spool_leaves_no_more_precisely_than_a_newer_charter_allows(site: Site, hub: TinyHub) -> None:
    open_one = agreement(hub.owner, hub.reader)
    hub.publish(open_one)
    hub.answer = lambda _: 503
    assert site.once(patience=2.5)["spool"]["events"] == 10
    hub.publish(open_one, charter(hub.owner, {"src_ip": "country", "time": "day", "dst_ip": "network"}))
    with site.running() as runtime:
        until(lambda: runtime._keeper.number == 2)
        hub.answer = lambda _: 200
        until(lambda: len(hub.events()) == 10)
    ((header, columns),) = hub.opened.values()
    assert header.snapshot == 2
    assert "src_ip_lo" not in columns
    assert set(columns["time"]) == {1_767_312_000_000_000}
    (profile,) = header.profiles
    assert profile["src_ip"] == "country"
    assert profile["time"] == "day"
    assert profile.get("dst_ip") in {None, "network"}
    assert columns["src_port"] == [50_123] * 10


@pytest.mark.parametrize("years", [-3, 12])
def test_a_clock_years_off_is_corrected_by_the_hub(site: Site, hub: TinyHub, years: int) -> None:
    hub.clock_ahead = years * YEAR
    if years < 0:
        site.log.write_text(site.log.read_text().replace("2026-01-02", "2021-01-02"))
    hub.publish(agreement(hub.owner, hub.reader))
    assert site.once()["stored"] == 10


def test_a_lost_receipt_stores_nothing_twice(site: Site, hub: TinyHub) -> None:
    hub.publish(agreement(hub.owner, hub.reader))
    hub.cut_answers = 2
    summary = site.once()
    assert summary["acknowledged"] == len(hub.events()) == 10
    assert summary["duplicate_batches"] == 1
    assert hub.duplicates == 2


def test_a_refused_batch_is_set_aside_with_its_reason_and_the_rest_lands(site: Site, hub: TinyHub) -> None:
    hub.publish(agreement(hub.owner, hub.reader))
    hub.answer = lambda _: 400
    assert site.once()["refused"] == 10
    hub.answer = lambda _: 200
    site.write(10)
    assert site.once()["stored"] == 10
    found = status(site.folder)
    assert found["set_aside"] == [{"rows": 10, "reason": "no"}]
    assert found["spool"]["events"] == 0


def item(ident: str, value: str) -> IndicatorItem:
    """An indicator the hub saw just now."""
    return IndicatorItem(
        id=ident, type="ipv4-addr", value=value, pattern=f"[ipv4-addr:value = '{value}']", valid_from=now_us(),
        sighted_at_hub=now_us(),
    )  # fmt: skip


def test_indicators_arrive_in_seconds_are_written_out_and_go_when_withdrawn(site: Site, hub: TinyHub) -> None:
    hub.publish(agreement(hub.owner, hub.reader))
    out = site.folder.path / "indicators.txt"
    with site.running():
        hub.say(encode_line(Indicators([item("a", "203.0.113.9"), item("b", "203.0.113.8")])))
        until(lambda: out.exists() and out.read_text() == "203.0.113.8\n203.0.113.9\n")
        listed = json.loads((site.folder.path / "indicators.json").read_text())
        assert all(0 <= i["seconds"] < 10 for i in listed)
        hub.say(encode_line(Withdraw(["a"])))
        until(lambda: out.read_text() == "203.0.113.8\n")
    assert status(site.folder)["indicators"] == 1


def head(hub: TinyHub, tree: Tree, known: int, *, key: Ed25519PrivateKey | None = None) -> bytes:
    """A stream line with the head of a log and its proof."""
    size = len(tree)
    made = sign(key or hub.audit, "hub", size, tree.root(), now_us())
    proof = [p.hex() for p in tree.consistency(known, size)] if known <= size else []
    return encode_line(
        Checkpoint(size=size, root=made.root, time=made.time, signature=made.signature, key=made.key, origin="hub",
                   proof_from=known, proof=proof)
    )  # fmt: skip


def test_a_log_that_grows_is_followed_and_a_broken_one_stops_the_sending(site: Site, hub: TinyHub) -> None:
    tree, forged = Tree(), Tree()
    for n in range(40):
        tree.append(b"entry %d" % n)
        forged.append(b"entry %d" % (n if n != 3 else 99))
    honest = Tree()
    for n in range(5):
        honest.append(b"entry %d" % n)
    hub.publish(agreement(hub.owner, hub.reader))
    with site.running() as runtime:
        hub.say(head(hub, honest, 0))
        until(lambda: runtime._witness.size == 5)
        hub.say(head(hub, tree, 5, key=Ed25519PrivateKey.generate()))
        until(lambda: any("did not sign" in line for line in site.said))
        hub.say(head(hub, tree, 5))
        until(lambda: runtime._witness.size == 40)
        assert not runtime._witness.distrusts
        until(lambda: len(hub.events()) == 10)
        forged.append(b"entry 40")
        hub.say(head(hub, forged, 40))
        time.sleep(0.5)
        same_size = Tree()
        for n in range(40):
            same_size.append(b"other %d" % n)
        hub.say(head(hub, same_size, 40))
        until(lambda: runtime._witness.distrusts)
        site.write(10)
        time.sleep(1.5)
        assert len(hub.events()) == 10
        assert runtime._witness.size == 40
    found = status(site.folder)
    assert found["distrusts_hub"]
    assert found["evidence"]
    journal = Journal(site.folder.path / "gateway.db")
    reconcile(journal)
    journal.close()
    hub._lines[:] = [line for line in hub._lines if b'"checkpoint"' not in line]
    assert site.once()["stored"] == 10
    assert status(site.folder)["evidence"]


def test_heartbeats_tell_counts_and_state(site: Site, hub: TinyHub) -> None:
    hub.publish(agreement(hub.owner, hub.reader))
    site.once()
    site.write(1)
    with site.running():
        until(lambda: len(hub.heartbeats) >= 2)
    beat = hub.heartbeats[-1]
    assert beat["counts"]["acknowledged"] >= 10
    assert beat["state"] == "running"
    assert CANARY not in json.dumps(hub.heartbeats)


def test_a_full_spool_stops_reading_until_there_is_room(site: Site, hub: TinyHub) -> None:
    site.folder.write("settings.toml", b"spool_mb = 0\n")
    hub.publish(agreement(hub.owner, hub.reader))
    hub.answer = lambda _: 503
    with site.running() as runtime:
        until(lambda: runtime.journal.depth()[1] == 10)
        site.write(10)
        time.sleep(1.5)
        assert runtime.journal.depth()[1] == 10
        hub.answer = lambda _: 200
        until(lambda: len(set(hub.events())) == 20)


def test_real_logs_balance_and_a_second_run_stores_nothing(tmp_path: Path, hub: TinyHub, samples: Path) -> None:
    site = Site(tmp_path, hub)
    site.log = samples / "suricata"
    hub.publish(agreement(hub.owner, hub.reader))
    first = site.once(60.0)
    assert first["stored"] + sum(first["skipped"].values()) + sum(first["quarantined"].values()) == first["read"]
    assert first["read"] >= 19_657
    assert len(hub.events()) == len(set(hub.events())) == first["stored"]
    assert site.once()["read"] == 0
