"""An owner leaves: its rows, what was made from them, its keys and its people's access go, without a byte left.

Rules held here: only when none of its agreements lives: those whose key this hub holds are revoked here, others by the
owner's own signed statement first. Its name, its agreements and the audit log stay: they are evidence of others, too,
and hold no event. The receipt is signed by the hub and says until when backups still hold something.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, select

from commonwatch.agreements.decode import canonical
from commonwatch.agreements.signing import Envelope, SigningKey, sign_message
from commonwatch.errors import Conflict, NotFound
from commonwatch.hub.compose import Hub
from commonwatch.hub.keeping.backups import kept_until
from commonwatch.hub.meta.models import Gateway, Membership, Notification, Person
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.registry.resolve import Standing

TYPE = "owner-erased+json"
ENDED = ("revoked", "expired")


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased. Times are microseconds since 1970 UTC; `backups_until` is when the last backup with it ends."""

    hub: str
    owner: str
    at: int
    rows: int
    keys_destroyed: bool
    backups_until: int | None


def forget(hub: Hub, org: str) -> Envelope:
    """Erase an owner from a hub that does not serve meanwhile; the signed receipt. Raises Conflict or NotFound."""
    core = hub.core
    if org not in core.policy.view().orgs:
        raise NotFound(f"no organisation {org}", todo="see: commonwatch hub org list")
    _end_agreements(hub, org)
    _end_access(hub, org)
    core.keys.destroy(org)
    rows = sum(hub.store.erase({}, owner=org).values())
    hub.intelligence.forget(org)
    hub.kept_releases.forget(org)
    hub.publications_table.forget(org)
    hub.alerts_table.forget()
    for reader in hub.publications.audiences():
        if reader.org in core.policy.view().orgs:
            hub.publications.refresh(reader)
    hub.publications_table.forget(org)
    made = Receipt(
        hub=core.settings.name, owner=org, at=core.clock.now(), rows=rows, keys_destroyed=True,
        backups_until=kept_until(core.settings),
    )  # fmt: skip
    with core.database.write() as session:
        record(session, made.at, "operator", "owner-erased", org=org, rows=rows, backups_until=made.backups_until)
    core.drain.run()
    return sign_message(TYPE, canonical(made), SigningKey.from_seed(core.keys.need("hub", "hub")))


def _end_agreements(hub: Hub, org: str) -> None:
    """Revoke what lives with the key this hub holds; without it the owner's own statements come first."""
    found = [s for s in hub.core.policy.resolved().standings() if s.owner == org and s.kind == "agreement"]
    living: list[Standing] = [s for s in found if s.state not in ENDED]
    if living and hub.core.keys.get("signing", org) is None:
        todo = "register the owner's signed revocation first: commonwatch hub agreement state FILE"
        raise Conflict(f"agreement {living[0].name} lives, and this hub holds no key of {org}", todo=todo)
    for standing in living:
        hub.core.documents.state_for(org, standing.name, "revoke", "the owner leaves")


def _end_access(hub: Hub, org: str) -> None:
    core = hub.core
    with core.database.read() as session:
        people = list(session.scalars(select(Person.id).where(Person.org == org, Person.active)))
        gateways = list(session.scalars(select(Gateway.id).where(Gateway.org == org, Gateway.active)))
        communities = list(session.scalars(select(Membership.community).where(Membership.org == org)))
    for person in people:
        core.members.drop_person(person)
    for gateway in gateways:
        core.enrolments.drop(gateway)
    for community in communities:
        core.members.leave(community, org)
    with core.database.write() as session:
        session.execute(delete(Notification).where(Notification.org == org))
