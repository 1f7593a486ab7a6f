"""Revoking takes back: derived tables, releases, snapshots, publications are gone from memory and files; the certificate."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commonwatch.agreements.reader import Reader
from commonwatch.agreements.signing import envelope_from, unb64
from commonwatch.agreements.terms import certificate
from commonwatch.audit.verify import verify_inclusion
from commonwatch.cli import main
from commonwatch.errors import NotFound, SignatureError
from commonwatch.hub.compose import Hub
from commonwatch.share.ports import Ask
from commonwatch.web.ports import Principal
from commonwatch.wire.messages import Counts, Heartbeat
from doubles.town import NOW, Town, agreement

BIRCH = Reader("birch", ("mssp",), ("valley",), "detect")
ALDER = Principal("person", "alder-admin", "A", Reader("alder", ("sme",), ("valley",), "operate"), admin=True)
EVIL = "planted-for-the-scan.example"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


def kept(hub: Hub) -> set[str]:
    """Every table of the engine beside the store's own: decision tables, snapshots, edges."""
    rows = hub.store._con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name IN ('memory', 'snap')")
    return {name for (name,) in rows.fetchall()}


def gone_soon(hub: Hub, before: set[str]) -> bool:
    """Whether none of these tables is left within a second: a question under way lets go of its own when it ends."""
    end = time.monotonic() + 1
    while kept(hub) & before and time.monotonic() < end:
        time.sleep(0.02)
    return not kept(hub) & before


def published(hub: Hub) -> set[bool]:
    """Of every object version kept for birch about an indicator: whether it says revoked."""
    query = "SELECT body FROM version WHERE audience = 'birch detect' AND of != ''"
    rows = hub.publications._store._read(query, ())
    return {json.loads(body).get("revoked", False) for (body,) in rows}


def beat(snapshot: int, withdrawn: int) -> bytes:
    made = Heartbeat(at=NOW, version="1", snapshot=snapshot, spool_batches=0, spool_events=0, checkpoint=0,
                     counts=Counts(), withdrawn=withdrawn)  # fmt: skip
    return msgspec.json.encode(made)


def certified(hub: Hub, number: int) -> dict[str, Any]:
    """The certificate, once it has this number."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = hub.ports().withdrawals.of(ALDER, "alder-service")
        if found and found[0]["document"]["number"] >= number:
            return dict(found[0])
        time.sleep(0.05)
    raise AssertionError("no certificate")


def test_a_revocation_leaves_nothing_derived_and_is_certified(town: Town, tmp_path: Path, capsys: Any) -> None:
    hub = town.copy(tmp_path / "data")
    hub.start()
    try:
        events = [
            {"uid": n, "event_class": 1, "domain": EVIL if n else "shared.example", "time": NOW} for n in range(3)
        ]
        hub.core.intake.accept(town.batch("alder", events))
        assert hub.publications.page(BIRCH, Ask(types=("indicator",)))
        assert any(hub.govern.warm(BIRCH) for _ in range(9)), "the jobs beside it may be in the way once"
        release = hub.govern.release(BIRCH)
        before = kept(hub)
        assert before
        assert published(hub) == {False}

        person = hub.core.accounts.session(town.sessions["birch"])
        took = asyncio.run(revoke_while_streaming(hub, person))
        assert took < 1
        assert gone_soon(hub, before), "no table of the old policy is left once whoever was reading has ended"
        assert not hub.govern._shelf._kept
        assert not hub.govern._snapshots._kept
        first = certified(hub, 1)
        assert published(hub) == {True}, "what was handed over is revoked, nothing else is left"
        check_certificate(hub, first, release.id)
        complete(hub, town, first)
        done = certified(hub, 2)
        assert done["document"]["complete"]
        path = tmp_path / "certificate.json"
        path.write_text(json.dumps([done]))
        assert main(["agreement", "certificate", str(path), "--key", done["hub_key"]["thumbprint"]]) == 0
        assert "from birch: 2 indicators" in capsys.readouterr().out
    finally:
        hub.close()


async def revoke_while_streaming(hub: Hub, person: Principal) -> float:
    async with aclosing(hub.core.notices.watch(person)) as notices:
        await anext(notices)
        at = time.monotonic()
        await asyncio.to_thread(hub.core.documents.state_for, "alder", "alder-service", "revoke")
        while (notice := await anext(notices))[0] != "bye":
            pass
        assert notice[1] == {"reason": "policy-changed"}
        return time.monotonic() - at


def check_certificate(hub: Hub, shown: dict[str, Any], release: str) -> None:
    envelope = envelope_from(json.dumps(shown["envelope"]))
    found = certificate.verify(envelope, unb64(shown["hub_key"]["public"], "key"))
    assert (found.agreement, found.version, found.kind, found.by) == ("alder-service", 1, "revoke", "alder")
    assert not found.complete
    (birch,) = [r for r in found.readers if r.org == "birch"]
    assert (len(birch.indicators), birch.taxii, birch.releases, birch.snapshots, birch.streams) == (2, 4, 1, 1, 1)
    assert birch.tables >= 1
    assert all(i.served for i in birch.indicators)
    assert {g.side for g in found.gateways} == {"owner", "reader"}
    assert found.audit is not None
    proof = [bytes.fromhex(step) for step in found.audit.path]
    head = hub.audit.checkpoint() if found.audit.size == len(hub.audit) else None
    root = hub.audit._tree.root(found.audit.size) if head is None else bytes.fromhex(head.root)
    assert verify_inclusion(bytes.fromhex(found.audit.leaf), found.audit.entry, found.audit.size, proof, root)
    assert EVIL not in json.dumps(shown)
    tampered = shown["envelope"] | {"payload": shown["envelope"]["payload"][:-4] + "AAAA"}
    with pytest.raises(SignatureError):
        certificate.verify(envelope_from(json.dumps(tampered)))
    with pytest.raises(NotFound):
        hub.ports().withdrawals.of(msgspec.structs.replace(ALDER, reader=BIRCH), "alder-service")


def complete(hub: Hub, town: Town, first: dict[str, Any]) -> None:
    """Gateways tell that they obey: the owner's by its snapshot, the reader's by the moment of the withdrawal."""
    number = hub.core.snapshots.current("alder").number
    for org, body in (("alder", beat(number, 0)), ("birch", beat(0, 2**53))):
        name = town.gateways[org].gateway
        gateway = Principal("gateway", name, name, Reader(org, (), (), "detect"), grant=name)
        hub.core.gateways.heartbeat(gateway, body)


def amend(hub: Hub, **fields: str | None) -> str:
    """The next version of what alder signed with birch: these fields are shown otherwise. Its hash."""
    document = agreement()
    shown = document["clauses"][0]["fields"]
    document["clauses"][0]["fields"] = {name: level for name, level in {**shown, **fields}.items() if level}
    newest = hub.core.documents.standing("alder-service")
    document |= {"version": newest.version + 1, "previous": newest.hash}
    return hub.core.documents.sign_for(json.dumps(document).encode()).hash


def test_a_version_that_narrows_is_certified_like_a_revocation_and_one_that_widens_is_not(
    town: Town, tmp_path: Path
) -> None:
    hub = town.copy(tmp_path / "data")
    hub.start()
    try:
        events = [{"uid": n, "event_class": 1, "domain": f"{n}.{EVIL}", "time": NOW} for n in range(3)]
        hub.core.intake.accept(town.batch("alder", events))
        assert len(hub.publications.page(BIRCH, Ask(types=("indicator",)))) == 3
        first = hub.core.documents.standing("alder-service").hash
        wider = amend(hub, message="exact")
        narrower = amend(hub, message="exact", domain=None)
        (shown,) = [certified(hub, 1)]
        found = certificate.verify(envelope_from(json.dumps(shown["envelope"])))
        assert (found.kind, found.version, found.document, found.statement) == ("amend", 2, wider, narrower)
        assert len(shown["document"]["readers"][0]["indicators"]) == 3
        assert found.readers[0].org == "birch"
        assert found.audit is not None, "the log holds the version that narrowed"
        assert published(hub) == {True}
        assert len(hub.ports().withdrawals.of(ALDER, "alder-service")) == 1, "the wider version took nothing back"
        assert "narrowed by alder" in certificate.told(found, "k")[0]
        assert first != wider
    finally:
        hub.close()
