"""Organisations, communities, people: making and changing them. What `commonwatch hub` and a founding call.

Rules: names of organisations, communities and people are slugs; a change of roles or membership is a change of policy
and raises the epoch in the same transaction; a person's purposes stay within what the organisation's roles allow;
every change leaves an audit entry. Nothing here reads an event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Row, delete, select
from sqlalchemy.orm import Session

from commonwatch.agreements.reader import ROLES, Purpose, allowed_purposes
from commonwatch.errors import Conflict, InvalidInput, NotFound
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.meta import epoch
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.meta.credentials import hashed, random_secret
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.keys import KeyFile
from commonwatch.hub.meta.models import Community, Link, Login, Membership, Organisation, OrgKey, Person, Token
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.notifications import notify
from commonwatch.hub.registry.telling import partners
from commonwatch.wire.enrolment import raw_key, thumbprint

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,62}\Z")
SIZES = ("", "micro", "small", "medium", "large")


def slug(text: str, where: str) -> str:
    """The name itself when it is a slug, else InvalidInput."""
    if not SLUG.match(text):
        todo = "use 2 to 63 of a-z, 0-9 and -, not starting with -"
        raise InvalidInput("this is not a valid name", where=where, todo=todo)
    return text


def checked_roles(roles: Sequence[str]) -> list[str]:
    """Known roles, sorted, at least one."""
    if unknown := sorted(set(roles) - set(ROLES)):
        raise InvalidInput(f"unknown role {unknown[0]!r}", where="roles", todo=f"choose from {', '.join(ROLES)}")
    if not roles:
        raise InvalidInput("an organisation has at least one role", where="roles", todo="name one")
    return sorted(set(roles))


class Members:
    """Who is there. Every method is one transaction."""

    def __init__(self, database: Database, keys: KeyFile, clock: Clock) -> None:
        self.database, self.keys, self.clock = database, keys, clock

    def add_org(self, info: OrgInfo, *, by: str = "operator") -> None:
        """A new organisation (its communities are joined separately), with its pseudonym key."""
        row = Organisation(
            id=slug(info.org, "org"), name=info.name, roles=checked_roles(info.roles), created=self.clock.now(),
            sector=info.sector, region=info.region, size=self._size(info.size),
        )  # fmt: skip
        with self.database.write() as session:
            if session.get(Organisation, info.org) is not None:
                raise Conflict(f"organisation {info.org} exists", todo="choose another name")
            session.add(row)
            self._changed(session, by, "org-added", org=info.org, roles=row.roles)
        self.keys.ensure("pseudonym", info.org)

    def set_roles(self, org: str, roles: Sequence[str], *, by: str = "operator") -> None:
        """Give an organisation these roles instead of what it had."""
        with self.database.write() as session:
            row = need_org(session, org)
            row.roles = checked_roles(roles)
            self._changed(session, by, "roles-changed", org=org, roles=row.roles)

    def add_community(self, community: str, name: str, steward: str, *, by: str = "operator") -> None:
        """A new community, with its steward as first member."""
        with self.database.write() as session:
            need_org(session, steward)
            if session.get(Community, slug(community, "community")) is not None:
                raise Conflict(f"community {community} exists", todo="choose another name")
            now = self.clock.now()
            session.add(Community(id=community, name=name, steward=steward, created=now))
            session.flush()
            session.add(Membership(community=community, org=steward, joined=now))
            self._changed(session, by, "community-added", org=steward, community=community)

    def is_steward(self, org: str) -> bool:
        """Whether an organisation is the steward of any community."""
        with self.database.read() as session:
            return session.scalar(select(Community.id).where(Community.steward == org).limit(1)) is not None

    def join(self, community: str, org: str, *, by: str = "operator") -> None:
        """An organisation joins a community; joining twice changes nothing."""
        with self.database.write() as session:
            need_org(session, org)
            if session.get(Community, community) is None:
                raise NotFound(f"no community {community}", todo="see: commonwatch hub community list")
            if session.get(Membership, (community, org)) is None:
                session.add(Membership(community=community, org=org, joined=self.clock.now()))
                self._changed(session, by, "community-joined", community=community, org=org)

    def leave(self, community: str, org: str, *, by: str = "operator") -> None:
        """An organisation leaves a community, and stops seeing what that membership showed it."""
        with self.database.write() as session:
            session.execute(delete(Membership).where(Membership.community == community, Membership.org == org))
            self._changed(session, by, "community-left", community=community, org=org)

    def add_person(
        self, person: str, name: str, org: str, purposes: Sequence[Purpose] = (), *, admin: bool = False,
        operator: bool = False, by: str = "operator",
    ) -> None:  # fmt: skip
        """A new person; without purposes every purpose the organisation's roles allow."""
        with self.database.write() as session:
            allowed = allowed_purposes(need_org(session, org).roles)
            if unknown := sorted(set(purposes) - set(allowed)):
                todo = f"choose from {', '.join(allowed)}"
                raise InvalidInput(f"the roles of {org} do not allow {unknown[0]!r}", where="purposes", todo=todo)
            if session.get(Person, slug(person, "person")) is not None:
                raise Conflict(f"person {person} exists", todo="choose another name")
            mine = [p for p in allowed if p in purposes or not purposes]
            made = {"admin": admin, "operator": operator, "created": self.clock.now()}
            session.add(Person(id=person, name=name, org=org, purposes=mine, **made))
            record(session, self.clock.now(), by, "person-added", person=person, org=org, admin=admin)

    def drop_person(self, person: str, *, by: str = "operator") -> None:
        """A person may no longer act: sessions, tokens and links end at once."""
        with self.database.write() as session:
            if (row := session.get(Person, person)) is None:
                raise NotFound(f"no person {person}")
            row.active, row.passphrase = False, None
            for table in (Login, Token, Link):
                session.execute(delete(table).where(table.person == person))
            self._changed(session, by, "person-dropped", person=person, org=row.org)

    def hold_key(self, org: str, *, by: str = "operator") -> str:
        """Make (or find) a signing key of the organisation that the hub holds as a convenience; its thumbprint."""
        seed = self.keys.ensure("signing", org)
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
        return self.add_key(org, public, held=True, by=by)

    def add_key(self, org: str, public: Ed25519PublicKey, *, held: bool = False, by: str = "operator") -> str:
        """Register a public signing key of an organisation; its thumbprint. Twice changes nothing."""
        name, now = thumbprint(public), self.clock.now()
        with self.database.write() as session:
            need_org(session, org)
            if (row := session.get(OrgKey, name)) is not None:
                if row.org != org:
                    raise Conflict("this key belongs to another organisation", where="key", todo="make a new one")
                return name
            session.add(
                OrgKey(thumbprint=name, org=org, public=raw_key(public).hex(), held=held, added=now, ended=None)
            )
            self._changed(session, by, "key-added", org=org, key=name, held=held)
            where = " which this hub holds for it" if held else ""
            notify(session, now, partners(session, org), "key-added", org, by=org, key=name, where=where)
        return name

    def add_public_key(self, org: str, text: str, *, by: str = "operator") -> str:
        """Register a key kept elsewhere by its 32 public bytes in hex; its thumbprint."""
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
        except ValueError as error:
            raise InvalidInput("this is not a public Ed25519 key", where="key", todo="give 64 hex digits") from error
        return self.add_key(org, public, by=by)

    def key_of(self, org: str) -> OrgKey:
        """The organisation's newest signing key in force. Raises NotFound."""
        with self.database.read() as session:
            query = select(OrgKey).where(OrgKey.org == org, OrgKey.ended.is_(None)).order_by(OrgKey.added.desc())
            if (row := session.scalar(query.limit(1))) is None:
                todo = "hold one here with: commonwatch hub org key ORG, or register the public half of its own"
                raise NotFound(f"organisation {org} has no signing key", todo=todo)
            return row

    def make_link(self, person: str, *, uses: int = 1, hours: float = 72, by: str = "operator") -> str:
        """The secret of a new setup link. It stands nowhere in clear."""
        if not (1 <= uses <= 1000 and 0 < hours <= 24 * 90):
            raise InvalidInput(
                "a link has 1 to 1000 uses and at most 90 days", where="uses, hours", todo="ask for less"
            )
        secret, now = random_secret(), self.clock.now()
        with self.database.write() as session:
            row = session.get(Person, person)
            if row is None or not row.active:
                raise NotFound(f"no person {person}", todo="see: commonwatch hub person list")
            expires = now + int(hours * 3600 * MICROS)
            session.add(Link(hash=hashed(secret), person=person, uses=uses, expires=expires, created=now))
            record(session, now, by, "link-made", person=person, org=row.org, uses=uses)
        return secret

    def orgs(self) -> list[OrgInfo]:
        """Every organisation, by name of its id."""
        with self.database.read() as session:
            return sorted(read_orgs(session).values(), key=lambda org: org.org)

    def communities(self) -> list[Community]:
        """Every community."""
        with self.database.read() as session:
            return list(session.scalars(select(Community).order_by(Community.id)))

    def people(self, org: str | None = None) -> list[Person]:
        """Every active person, or those of one organisation."""
        with self.database.read() as session:
            query = select(Person).where(Person.active).order_by(Person.id)
            return list(session.scalars(query if org is None else query.where(Person.org == org)))

    def _size(self, size: str) -> str:
        if size not in SIZES:
            raise InvalidInput("unknown size", where="size", todo=f"choose from {', '.join(SIZES[1:])}")
        return size

    def _changed(self, session: Session, by: str, kind: str, **detail: Any) -> None:
        now = self.clock.now()
        record(session, now, by, kind, epoch=epoch.rise(session, now), **detail)


def need_org(session: Session, org: str) -> Organisation:
    """The organisation's row. Raises NotFound."""
    if (row := session.get(Organisation, org)) is None:
        raise NotFound(f"no organisation {org}", todo="see: commonwatch hub org list")
    return row


def org_info(row: Organisation | Row[Any], communities: Iterable[str]) -> OrgInfo:
    """The public attributes of an organisation; roles and communities sorted."""
    return OrgInfo(
        org=row.id, name=row.name, roles=tuple(sorted(row.roles)), communities=tuple(sorted(communities)),
        sector=row.sector, region=row.region, size=row.size,
    )  # fmt: skip


def read_orgs(session: Session) -> dict[str, OrgInfo]:
    """Every organisation with its communities."""
    joined: dict[str, list[str]] = {}
    for org, community in session.execute(select(Membership.org, Membership.community)):
        joined.setdefault(org, []).append(community)
    columns = select(*Organisation.__table__.columns)
    return {row.id: org_info(row, joined.get(row.id, ())) for row in session.execute(columns)}
