"""From stored events to indicators and alerts through the real store and the real enforcement point."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from commonwatch.agreements.decode import decode
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments
from commonwatch.agreements.reader import Reader
from commonwatch.detect.watch import Watch
from commonwatch.events.address import parse
from commonwatch.events.fields import FIELDS, family_of
from commonwatch.govern.policy import Decided, OrgInfo, OwnerPolicy, PolicyView
from commonwatch.govern.service import Govern
from commonwatch.hub import alerts
from commonwatch.hub.alerts import AlertTable, GovernedSightings
from commonwatch.hub.publications import PublicationTable
from commonwatch.hub.seen.handing import Handing
from commonwatch.share import promulgate
from commonwatch.share.ports import Ask
from commonwatch.share.publication import Publications
from commonwatch.store import Store
from commonwatch.store.batch import StoredBatch
from commonwatch.wire.messages import AlertMessage, IndicatorItem, Withdraw

HOUR = 3_600_000_000
MEMBERS = ("alpha", "bravo", "carl", "delta")
CERT = Reader("cert-nord", ("cert",), ("sme-shield",), "detect")
HELD = {name: family_of(name).precisions[-1] for name in FIELDS}
OLD = tuple(24 * days for days in (40, 30, 20, 10, 2))
FIELDS_SHOWN = {"time": "exact", "owner": "pseudonym", "src_ip": "exact", "malware": "exact", "volume": "exact"}


def agreement(owner: str, fields: Mapping[str, str]) -> OwnerDocuments:
    parties = [
        {"id": owner, "name": owner.title(), "key": "a" * 43, "role": "owner"},
        {"id": CERT.org, "name": "CERT Nord", "key": "b" * 43, "role": "member"},
    ]
    share = {
        "kind": "share", "id": "warn", "to": {"organisations": [CERT.org]}, "purposes": ["detect"],
        "rows": {"events": ["malware", "intrusion"], "tlp": "amber"}, "fields": dict(fields),
    }  # fmt: skip
    document = decode(json.dumps({
        "dsa": "1", "id": f"{owner}-dsa", "version": 1, "title": "Early warning", "parties": parties,
        "starts": "2020-01-01", "ends": "2099-01-01", "clauses": [share],
    }))  # fmt: skip
    return OwnerDocuments(owner, (LiveAgreement(document, "d" * 64, frozenset()),))  # type: ignore[arg-type]


class World:
    """A policy a test changes, over a real store."""

    def __init__(self, store: Store) -> None:
        self.store, self.epoch, self.batches = store, 1, 0
        self.documents = {owner: agreement(owner, FIELDS_SHOWN) for owner in MEMBERS}
        self.log: list[tuple[str, Mapping[str, Any]]] = []

    def view(self) -> PolicyView:
        owners = {o: OwnerPolicy(o, d, f"{o}{self.epoch}".encode().ljust(32, b".")) for o, d in self.documents.items()}
        orgs = {o: OrgInfo(o, o.title(), ("sme",), ("sme-shield",)) for o in MEMBERS}
        orgs[CERT.org] = OrgInfo(CERT.org, "CERT Nord", CERT.roles, CERT.communities)
        return PolicyView(self.epoch, time.time_ns() // 1_000, owners, orgs)

    def revoke(self, owner: str) -> None:
        self.documents[owner] = OwnerDocuments(owner, ())
        self.epoch += 1

    def pseudonym_key(self, owner: str) -> bytes:
        return owner.encode().ljust(32, b"k")

    def decided(self, reader: Reader, kind: str, detail: Mapping[str, Any], taken: Any = None) -> None:
        self.log.append((kind, detail))

    def decided_all(self, decisions: Iterable[Decided]) -> None:
        for each in decisions:
            self.decided(*each)

    def sees(self, owner: str, address: str, family: str, *hours_ago: float) -> None:
        """Events of one member in one batch, so many hours ago each (now without)."""
        self.batches += 1
        now, seen, ago = time.time_ns() // 1_000, parse(address), hours_ago or (0.0,)
        row = {
            "event_class": 1, "tlp": 1, "severity_id": 4, "src_ip_hi": seen.hi, "src_ip_lo": seen.lo, "src_scope": 2,
            "count": 2, "malware_family": family, "malware_names": [family],
        }  # fmt: skip
        columns: dict[str, list[Any]] = {name: [value] * len(ago) for name, value in row.items()}
        columns["event_uid"] = [(self.batches * 1_000 + n).to_bytes(16, "big") for n in range(len(ago))]
        columns["time"] = [now - int(hours * HOUR) for hours in ago]
        batch = StoredBatch(
            batch_uid=self.batches, gateway="gw", org=owner, received=now, columns=columns, profiles=(HELD,)
        )
        assert self.store.append(batch) == len(ago)


class Sharing:
    """Publications and alerts over the real enforcement point, with somebody of every organisation listening."""

    def __init__(self, world: World, folder: Path) -> None:
        govern = Govern(world.store, world, world, world, secret=b"s" * 32)
        self.tables = PublicationTable(folder / "publications.sqlite"), AlertTable(folder / "alerts.sqlite")
        self.publications = Publications(self.tables[0], govern, "Nordic Shield")
        self.watch = Watch(GovernedSightings(govern, world.view), self.tables[1])
        self.record = Handing(world, govern.took_in).alert
        readers = [Reader(o, ("sme",), ("sme-shield",), "detect") for o in MEMBERS[3:]]
        self.listeners = [promulgate.Listener(r.org, r) for r in [*readers, CERT]]
        self.items: list[tuple[str, IndicatorItem]] = []
        self.withdrawn: list[tuple[str, str]] = []
        self.told: list[tuple[str, AlertMessage]] = []

    def step(self) -> None:
        promulgate.step(self.publications, self.listeners, self._hand)
        readers = [one.reader for one in self.listeners]
        alerts.step(self.watch, readers, lambda *told: self.told.append(told), self.record)

    def _hand(self, messages: Iterable[tuple[str, promulgate.Message]]) -> tuple[()]:
        for org, message in messages:
            if isinstance(message, Withdraw):
                self.withdrawn += [(org, name) for name in message.ids]
            else:
                self.items += [(org, item) for item in message.items]
        return ()

    def alerts(self) -> list[dict[str, Any]]:
        return [alerts.listed(alert) for alert in self.watch.alerts(CERT)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store.open(tmp_path / "store", memory_limit="256MB", threads=1)
    yield World(store)
    store.close()


@pytest.fixture
def sharing(world: World, tmp_path: Path) -> Iterator[Sharing]:
    made = Sharing(world, tmp_path)
    yield made
    for table in made.tables:
        table.close()


def shown(sharing: Sharing) -> list[str]:
    rows = sharing.publications.page(CERT, Ask(types=("indicator",)))
    return sorted(o["name"] for row in rows if not (o := json.loads(row.body)).get("revoked"))


def test_an_attacker_stored_at_one_member_is_an_indicator_for_the_reader_its_agreement_names(
    world: World, sharing: Sharing
):
    world.sees("alpha", "198.51.100.7", "emotet")
    sharing.step()
    assert shown(sharing) == ["198.51.100.7"]
    assert [(org, item.value, item.sources) for org, item in sharing.items if org == CERT.org] == [
        (CERT.org, "198.51.100.7", 1)
    ]
    others = {org for org, item in sharing.items} - {CERT.org, "alpha"}
    assert others == set()
    assert sharing.publications.indicators(CERT)[0]["sightings"] == 2


def test_a_private_address_a_pseudonym_and_a_network_never_become_indicators(world: World, sharing: Sharing):
    world.sees("alpha", "10.0.0.7", "emotet")
    for level in ("pseudonym", "network", "country"):
        world.documents["bravo"] = agreement("bravo", FIELDS_SHOWN | {"src_ip": level})
        world.epoch += 1
        world.sees("bravo", "198.51.100.9", "emotet")
        assert shown(sharing) == []


def test_a_revocation_is_obeyed_on_the_next_page_and_told_to_gateways(world: World, sharing: Sharing):
    world.sees("alpha", "198.51.100.7", "emotet")
    world.sees("bravo", "203.0.113.9", "emotet")
    sharing.step()
    world.revoke("alpha")
    assert shown(sharing) == ["203.0.113.9"]
    sharing.step()
    (item,) = [i for org, i in sharing.items if org == CERT.org and i.value == "198.51.100.7"]
    assert sharing.withdrawn == [(CERT.org, item.id)]


def test_the_count_behind_an_indicator_moves_only_with_what_the_reader_may_see(world: World, sharing: Sharing):
    world.sees("alpha", "198.51.100.7", "emotet")
    before = sharing.publications.page(CERT, Ask())
    world.documents["bravo"] = OwnerDocuments("bravo", ())
    world.sees("bravo", "198.51.100.7", "emotet")
    assert sharing.publications.page(CERT, Ask()) == before


def test_three_members_newly_hit_within_a_day_alert_the_reader_and_a_revocation_withdraws_it(
    world: World, sharing: Sharing
):
    for owner in MEMBERS:
        world.sees(owner, "198.51.100.1", "oldbot", *OLD)
    assert sharing.alerts() == []
    for hours, owner in enumerate(MEMBERS[:3]):
        world.sees(owner, "198.51.100.7", "emotet", hours)
    (alert,) = sharing.alerts()
    assert (alert["key"], alert["organisations"], alert["uncalibrated"]) == (["malware", "emotet"], 3, True)
    world.revoke("bravo")
    assert sharing.alerts() == []


def test_a_reader_who_cannot_tell_owners_apart_gets_no_alert(world: World, sharing: Sharing):
    hidden = {k: v for k, v in FIELDS_SHOWN.items() if k != "owner"}
    world.documents = {owner: agreement(owner, hidden) for owner in MEMBERS}
    for owner in MEMBERS:
        world.sees(owner, "198.51.100.1", "oldbot", *OLD)
        world.sees(owner, "198.51.100.7", "emotet")
    assert sharing.alerts() == []
    sharing.step()
    assert sharing.told == []
    assert [i["sources"] for i in sharing.publications.indicators(CERT)] == [None, None]


def test_alerts_are_told_once_and_logged_without_values(world: World, sharing: Sharing):
    for owner in MEMBERS:
        world.sees(owner, "198.51.100.1", "oldbot", *OLD)
        world.sees(owner, "198.51.100.7", "emotet")
    sharing.step()
    sharing.step()
    assert [(org, m.detail["organisations"]) for org, m in sharing.told] == [(CERT.org, 4)]
    logged = json.dumps(world.log, default=str)
    assert '"alert"' in logged
    assert "emotet" not in logged
    assert "198.51.100.7" not in logged
