"""Faults, one test each: whatever breaks closes, nothing opens. (A database that is gone: `contract/test_hub_streams.py`.)"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from commonwatch.audit.log import AuditLog
from commonwatch.errors import Conflict, SignatureError, Unavailable
from commonwatch.govern.policy import PolicyView
from commonwatch.govern.query import Top
from commonwatch.hub.core import Core, Office, audit_key
from commonwatch.hub.keeping.recovery import recover
from commonwatch.hub.meta.models import Document, Epoch, Login, Statement
from doubles import govern as doubles
from hub_house import DAY, Wall, agreement, clock, settings


@pytest.fixture
def folder(founded_sqlite, tmp_path: Path) -> Path:
    shutil.copytree(founded_sqlite.folder, tmp_path / "hub")
    return tmp_path / "hub"


def office(folder: Path, wall: Wall | None = None) -> Office:
    return Office(settings(f"sqlite:///{folder}/meta.sqlite", folder), clock(wall or Wall()))


def states(here: Office, owner: str = "acme") -> list[str]:
    return [a.state for a in here.policy.view().owners[owner].documents.agreements]


def second(here: Office) -> None:
    parties = [{"id": "peer", "role": "owner"}, {"id": "msp", "role": "operator"}]
    import msgspec

    here.documents.sign_for(msgspec.json.encode(agreement("peer-service", parties=parties)))


def changed(here: Office) -> None:
    with here.database.write() as session:
        session.execute(update(Epoch).values(epoch=Epoch.epoch + 1))
    here.policy.changed()


def test_an_unreadable_revocation_closes_its_owner_and_never_revives_the_agreement(folder: Path) -> None:
    here = office(folder)
    second(here)
    here.documents.state_for("acme", "acme-service", "revoke")
    assert states(here) == ["revoked"]
    with here.database.write() as session:
        session.execute(update(Statement).where(Statement.kind == "revoke").values(envelope=b"{}"))
    here.close()
    again = office(folder)
    assert states(again) == [], "closed, not active again"
    assert states(again, "peer") == ["active"], "another owner goes on"
    again.close()


def test_an_unreadable_newest_version_never_revives_the_one_before(folder: Path) -> None:
    here = office(folder)
    standing = here.documents.standing("acme-service")
    import msgspec

    narrower = agreement(version=2, previous=standing.hash, clauses=agreement()["clauses"][:1])
    here.documents.sign_for(msgspec.json.encode(narrower))
    with here.database.write() as session:
        session.execute(update(Document).where(Document.version == 2).values(envelope=b"garbage"))
    here.close()
    again = office(folder)
    assert states(again) == []
    again.close()


def test_a_missing_epoch_row_closes_everything(folder: Path) -> None:
    here = office(folder)
    assert states(here) == ["active"]
    with here.database.write() as session:
        session.execute(delete(Epoch))
    with pytest.raises(Unavailable):
        here.policy.view()
    assert not here.policy.alive()
    here.close()


def test_a_clock_set_back_revives_nothing_and_one_set_forward_only_closes(folder: Path) -> None:
    wall = Wall()
    here = office(folder, wall)
    wall.at += 40 * DAY
    assert states(here) == ["expired"]
    wall.at -= 40 * DAY
    assert states(here) == ["expired"], "time never runs backwards"
    here.close()
    again = office(folder, wall)
    assert states(again) == ["expired"], "not after a restart either"
    again.close()


def test_a_rotated_key_signs_nothing_new_and_opens_nothing(folder: Path) -> None:
    here = office(folder)
    here.documents.state_for("acme", "acme-service", "suspend")
    with here.database.read() as session:
        suspended = session.scalar(select(Statement).where(Statement.kind == "suspend"))
    assert suspended is not None
    here.keys.destroy("acme")
    here.members.hold_key("acme")
    assert states(here) == ["suspended"]
    with pytest.raises((SignatureError, Conflict)):
        here.documents.state(suspended.envelope)
    assert states(here) == ["suspended"]
    here.close()


class Moving(doubles.Policy):
    """A policy that is replaced after it was asked once: a revocation in the middle of whatever is asked."""

    meanwhile: object = None

    def view(self) -> PolicyView:
        found = super().view()
        if self.meanwhile is not None:
            documents, self.meanwhile = self.meanwhile, None
            self.replace(documents)  # type: ignore[arg-type]
        return found


@pytest.mark.parametrize("what", ["a question", "a release", "observables"])
def test_a_revocation_in_the_middle_is_obeyed_by_that_very_answer(tmp_path: Path, what: str) -> None:
    share = doubles.share("all", doubles.to("mssp"), doubles.EXACT)
    owners = [doubles.documents(o, share) for o in ("acme", "bolt")]
    policy = Moving(owners, [doubles.org("acme"), doubles.org("bolt"), doubles.org("mssp", "mssp")])
    batches = [
        doubles.batch(o, doubles.events(40, seed=i, event_class=2, tlp=1), uid=i)
        for i, o in enumerate(("acme", "bolt"))
    ]
    here, reader = doubles.govern(tmp_path, policy, *batches), doubles.reader("mssp")
    revoked = doubles.documents("acme", share, state="revoked")
    policy.meanwhile = revoked
    if what == "a question":
        assert here.ask(reader, Top(by="class")).total == 40
    elif what == "a release":
        assert here.release(reader).meta["provenance"]["policy_epoch"] == 2
    else:
        assert all(o.sources == 1 for o in here.observables(reader))


def test_a_hub_restored_from_before_a_revocation_serves_again_only_closed(folder: Path) -> None:
    backup = (folder / "meta.sqlite").read_bytes()
    made = settings(f"sqlite:///{folder}/meta.sqlite", folder)

    def serve() -> Core:
        audit = AuditLog(folder / "audit", audit_key(made), "test-hub")
        try:
            core = Core(made, lambda batch: batch.rows, audit, clock=clock(Wall()))
            core.start()
        except BaseException:
            audit.close()
            raise
        return core

    core = serve()
    second(core)
    core.documents.state_for("acme", "acme-service", "revoke")
    with core.database.read() as session:
        lost = [row.envelope for row in session.scalars(select(Statement).where(Statement.kind == "revoke"))]
        documents = [row.envelope for row in session.scalars(select(Document).where(Document.name == "peer-service"))]
    core.close()
    assert core.audit is not None
    core.audit.close()
    for name in ("meta.sqlite-wal", "meta.sqlite-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "meta.sqlite").write_bytes(backup)
    with pytest.raises(Conflict, match="hub recover"):
        serve()

    here = office(folder)
    said = list(recover(here))
    assert any("acme is closed" in line for line in said)
    assert any("peer is closed" in line for line in said)
    assert states(here) == [], "not active again: the hub lacks what ended it"
    with here.database.read() as session:
        assert session.scalar(select(Login)) is None
    here.close()
    core = serve()
    assert states(core) == []
    core.close()
    assert core.audit is not None
    core.audit.close()

    here = office(folder)
    list(recover(here, [*lost, *documents]))
    assert states(here) == ["revoked"]
    assert states(here, "peer") == ["active"]
    here.close()
