"""Found a whole community in one call: organisations, communities, people, keys, agreements, codes. For demo and tests.

Rules: everything goes the same way as by hand (the same checks, the same audit entries); documents are signed with keys
this hub holds, which is the labelled convenience and no other path; nothing here touches an event.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from commonwatch.agreements.reader import Purpose
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.core import Office
from commonwatch.hub.members import Members
from commonwatch.hub.settings import Settings, save


class PersonSpec(msgspec.Struct, frozen=True):
    """A person; without purposes every purpose the organisation's roles allow. `uses` of the setup link."""

    id: str
    name: str
    org: str
    purposes: tuple[Purpose, ...] = ()
    admin: bool = False
    operator: bool = False
    uses: int = 1


class CommunitySpec(msgspec.Struct, frozen=True):
    """A community, its steward and its further members."""

    id: str
    name: str
    steward: str
    members: tuple[str, ...] = ()


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What to found. A document's parties may leave out `name` and `key`: they are filled in with the held keys.

    `gateways` counts the enrolment codes per organisation. With `accept`, every organisation that a document's clauses
    reach and that is no party accepts its duties.
    """

    organisations: tuple[OrgInfo, ...] = ()
    communities: tuple[CommunitySpec, ...] = ()
    people: tuple[PersonSpec, ...] = ()
    documents: tuple[dict[str, Any], ...] = ()
    gateways: dict[str, int] = {}
    accept: bool = True


class Founded(msgspec.Struct, frozen=True):
    """What came of it: person -> setup URL, organisation -> enrolment codes, names of documents, the policy epoch."""

    links: dict[str, str]
    codes: dict[str, list[str]]
    documents: list[str]
    epoch: int


def found(settings: Settings, spec: Spec) -> Founded:
    """Make the hub's folder and everything in the spec. Raises what the single steps raise."""
    save(settings)
    office = Office(settings)
    try:
        return found_in(office, spec)
    finally:
        office.close()


def found_in(office: Office, spec: Spec) -> Founded:
    """The same in a hub that is open already."""
    office.keys.ensure("hub", "hub")
    office.keys.ensure("audit", "hub")
    members = office.members
    _found_members(members, spec)
    names = [office.documents.sign_for(msgspec.json.encode(document)).name for document in spec.documents]
    if spec.accept:
        _accept(office, names)
    for person in spec.people:
        members.add_person(
            person.id, person.name, person.org, person.purposes, admin=person.admin, operator=person.operator
        )
    links = {p.id: f"{office.settings.url}/#link={members.make_link(p.id, uses=p.uses)}" for p in spec.people}
    codes = {
        org: [str(office.enrolments.make_code(org, f"{org}-{i + 1}")) for i in range(count)]
        for org, count in spec.gateways.items()
    }
    return Founded(links, codes, names, office.policy.view().epoch)


def _found_members(members: Members, spec: Spec) -> None:
    for info in spec.organisations:
        members.add_org(info)
        members.hold_key(info.org)
    for community in spec.communities:
        members.add_community(community.id, community.name, community.steward)
        for org in community.members:
            members.join(community.id, org)


def _accept(office: Office, names: Iterable[str]) -> None:
    """Every organisation an agreement reaches, and that signed nothing, accepts its duties."""
    reached = office.documents.reached()
    for name in names:
        for org in sorted(reached.get(name, ())):
            office.documents.state_for(org, name, "accept-duties")
