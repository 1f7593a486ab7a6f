"""People, sessions and tokens: who asks, for which organisation and purpose. Implements `web.ports.Accounts`.

Rules: a token only narrows what its person may do, and ends with the person; sessions end when idle and absolutely;
roles and communities come from the database at every request, never from the credential; secrets are looked up by
their hash; failed logins slow down per person and over all; every login, failure and change is an audit entry.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from commonwatch.agreements.reader import PURPOSES, Purpose, Reader, Role
from commonwatch.errors import InvalidInput, NotAuthenticated, NotFound, NotPermitted
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.live.standing import Live, narrowed, of_session, of_token, reader_as, standing
from commonwatch.hub.members import need_org, org_info
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.meta.credentials import Throttle, hashed, opens, random_secret, seal_passphrase
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.models import Community, Link, Login, Membership, Organisation, Person, Token
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.settings import Settings
from commonwatch.web.ports import CommunityInfo, Directory, PersonInfo, Principal, ServiceInfo, SessionInfo, TokenInfo

#: What a token may be narrowed to. `read` covers queries and releases; nothing a token may do lies outside these.
#: `sign` hands in what was signed elsewhere, and drafts, if its person is an administrator; never a key the hub holds.
SCOPES = ("read", "indicators", "intelligence", "taxii", "agreements", "gateways", "audit", "sign")
#: Roles that offer a service to members, who may therefore find them by name.
SERVICES: tuple[Role, ...] = ("mssp", "cert", "isp")
MINUTE = 60 * MICROS
DAY = 86_400 * MICROS
LONGEST_TOKEN_DAYS = 366
LOGIN_TODO = "open your setup link, or log in with your passphrase"


class Accounts:
    """The port. Thread-safe. `generation` rises whenever a session or token was changed or ended here."""

    def __init__(self, database: Database, clock: Clock, settings: Settings, throttle: Throttle | None = None) -> None:
        self.database, self.clock = database, clock
        self.idle, self.longest = settings.session_idle_minutes * MINUTE, settings.session_days * DAY
        self.throttle = throttle or Throttle()
        self.generation = 0

    def open_with_link(self, link: str, passphrase: str | None) -> SessionInfo:
        """Spend one use of a setup link; sets the passphrase when one is given."""
        self.throttle.admit()
        sealed = seal_passphrase(passphrase) if passphrase is not None else None
        now = self.clock.now()
        with self.database.write() as session:
            row = session.get(Link, hashed(link), with_for_update=True)
            person = session.get(Person, row.person) if row else None
            if row is not None and person is not None and row.uses > 0 and row.expires > now and person.active:
                row.uses -= 1
                person.passphrase = sealed or person.passphrase
                return self._open(session, person, "link")
            record(session, now, "nobody", "login-failed", how="link")
        self.throttle.failed()
        todo = "ask an administrator of your organisation for a new link"
        raise NotAuthenticated("this setup link is unknown, used up or expired", todo=todo)

    def open_with_passphrase(self, person: str, passphrase: str) -> SessionInfo:
        """Log in by name. Unknown person and wrong passphrase are never told apart."""
        self.throttle.admit(person)
        with self.database.read() as session:
            row = session.get(Person, person)
        if not (opens(row.passphrase if row else None, passphrase) and row is not None and row.active):
            self.throttle.failed(person)
            with self.database.write() as session:
                known = {"person": row.id, "org": row.org} if row else {}
                record(session, self.clock.now(), "nobody", "login-failed", how="passphrase", **known)
            raise NotAuthenticated("name or passphrase is wrong", todo=LOGIN_TODO)
        self.throttle.forget(person)
        with self.database.write() as session:
            return self._open(session, self._active(session, person), "passphrase")

    def session(self, secret: str) -> Principal:
        """Who a session's cookie stands for. Raises NotAuthenticated when it ended."""
        now = self.clock.now()
        with self.database.read() as session:
            row = session.scalar(select(Login).where(Login.hash == hashed(secret)))
            if row is None or not self._fresh(row, now):
                raise NotAuthenticated("the session has ended", todo=LOGIN_TODO)
            principal = self._of_session(session, row)
        if now - row.used > MINUTE:
            with self.database.write() as session:
                session.execute(update(Login).where(Login.id == row.id, Login.used < now).values(used=now))
        return principal

    def switch_purpose(self, secret: str, purpose: Purpose) -> Principal:
        """Act for another of the person's purposes from now on."""
        with self.database.write() as session:
            row = session.scalar(select(Login).where(Login.hash == hashed(secret)).with_for_update())
            if row is None or not self._fresh(row, self.clock.now()):
                raise NotAuthenticated("the session has ended", todo=LOGIN_TODO)
            person = self._active(session, row.person)
            if purpose not in self._purposes(session, person):
                raise NotPermitted(
                    "you may not act for this purpose", where="purpose", todo="choose one of your purposes"
                )
            row.purpose = purpose
            record(session, self.clock.now(), person.id, "purpose-switched", org=person.org, purpose=purpose)
            principal = self._of_session(session, row)
        self.generation += 1
        return principal

    def close(self, secret: str) -> None:
        """Log out; what the session holds open ends."""
        with self.database.write() as session:
            row = session.scalar(select(Login).where(Login.hash == hashed(secret)))
            if row is not None:
                session.delete(row)
                org = self._active(session, row.person).org
                record(session, self.clock.now(), row.person, "logout", org=org)
        self.generation += 1

    def purposes(self, principal: Principal) -> tuple[Purpose, ...]:
        """What this principal may switch to: a token and a gateway only to what they are."""
        if principal.kind != "person":
            return (principal.reader.purpose,)
        with self.database.read() as session:
            return self._purposes(session, self._active(session, principal.id))

    def bearer(self, secret: str) -> Principal:
        """Who an API token stands for."""
        now = self.clock.now()
        with self.database.read() as session:
            row = session.scalar(select(Token).where(Token.hash == hashed(secret)))
            if row is None:
                raise NotAuthenticated("the token is unknown or was revoked", todo="make a new one under Tokens")
            if row.expires <= now:
                raise NotAuthenticated("the token has expired", todo="make a new one under Tokens and use it instead")
            principal = self._of_token(session, row)
        if row.used is None or now - row.used > MINUTE:
            with self.database.write() as session:
                session.execute(update(Token).where(Token.id == row.id).values(used=now))
        return principal

    def standing(self, principals: Collection[Principal]) -> set[Principal]:
        """Those whose credential still yields the very same principal: all at once, for what is held open."""
        now = self.clock.now()
        live = Live((Login.expires > now) & (Login.used > now - self.idle), Token.expires > now)
        with self.database.read() as session:
            return standing(session, principals, live)

    def tokens(self, principal: Principal) -> Sequence[TokenInfo]:
        """The person's own tokens."""
        self._person_only(principal)
        with self.database.read() as session:
            rows = session.scalars(select(Token).where(Token.person == principal.id).order_by(Token.created))
            return [token_info(row) for row in rows]

    def make_token(
        self, principal: Principal, name: str, purpose: Purpose, scopes: Sequence[str], days: int
    ) -> tuple[TokenInfo, str]:
        """A new token and its secret, which is shown once."""
        self._person_only(principal)
        return self.issue_token(principal.id, name, purpose, scopes, days, by=principal.id)

    def issue_token(
        self, person: str, name: str, purpose: Purpose, scopes: Sequence[str], days: int, *, by: str = "operator"
    ) -> tuple[TokenInfo, str]:
        """A new token of this person; never more than the person may."""
        check_token(name, scopes, days)
        secret, now = f"cwt_{random_secret()}", self.clock.now()
        with self.database.write() as session:
            row = self._active(session, person)
            if purpose not in self._purposes(session, row):
                raise NotPermitted("a token cannot act for a purpose you may not", where="purpose", todo="choose yours")
            token = Token(
                id=random_secret(12), hash=hashed(secret), person=person, name=name, purpose=purpose,
                scopes=sorted(set(scopes)), created=now, expires=now + days * DAY, used=None,
            )  # fmt: skip
            session.add(token)
            record(session, now, by, "token-made", org=row.org, token=token.id, purpose=purpose)
        return token_info(token), secret

    def drop_token(self, principal: Principal, token: str) -> None:
        """Revoke one of the person's tokens."""
        self._person_only(principal)
        with self.database.write() as session:
            row = session.get(Token, token)
            if row is None or row.person != principal.id:
                raise NotFound("no such token", todo="look at your list of tokens")
            session.delete(row)
            record(session, self.clock.now(), principal.id, "token-dropped", org=principal.reader.org, token=token)
        self.generation += 1

    def people(self, principal: Principal) -> Sequence[PersonInfo]:
        """The people of the principal's organisation."""
        with self.database.read() as session:
            roles = need_org(session, principal.reader.org).roles
            query = select(Person).where(Person.org == principal.reader.org, Person.active).order_by(Person.id)
            return [
                PersonInfo(id=p.id, name=p.name, org=p.org, purposes=narrowed(p.purposes, roles), admin=p.admin)
                for p in session.scalars(query)
            ]

    def directory(self, principal: Principal) -> Directory:
        """Who offers a service, and my communities; whoever is also an SME is left out."""
        mine = select(Community).where(Community.id.in_(principal.reader.communities)).order_by(Community.id)
        with self.database.read() as session:
            services = [
                ServiceInfo(row.id, row.name, tuple(role for role in SERVICES if role in row.roles))
                for row in session.scalars(select(Organisation).order_by(Organisation.name, Organisation.id))
                if "sme" not in row.roles and set(SERVICES) & set(row.roles)
            ]
            communities = [
                CommunityInfo(row.id, row.name, row.steward == principal.reader.org) for row in session.scalars(mine)
            ]
        return Directory(services=tuple(services), communities=tuple(communities))

    def org(self, org: str) -> OrgInfo:
        """The public attributes of an organisation."""
        with self.database.read() as session:
            return org_info(need_org(session, org), communities_of(session, org))

    def _open(self, session: Session, person: Person, how: str) -> SessionInfo:
        secret, now = random_secret(), self.clock.now()
        session.execute(delete(Login).where(Login.expires <= now))
        purposes = self._purposes(session, person)
        if not purposes:
            raise NotPermitted(
                "your organisation's roles leave you no purpose to act for", todo="ask its administrator"
            )
        row = Login(
            id=random_secret(12), hash=hashed(secret), person=person.id, purpose=first_purpose(purposes),
            created=now, used=now, expires=now + self.longest,
        )  # fmt: skip
        session.add(row)
        record(session, now, person.id, "login", org=person.org, how=how)
        return SessionInfo(secret=secret, expires=row.expires // MICROS, principal=self._of_session(session, row))

    def _fresh(self, row: Login, now: int) -> bool:
        return row.expires > now and now - row.used < self.idle

    def _of_session(self, session: Session, row: Login) -> Principal:
        person = self._active(session, row.person)
        return of_session(person, self._reader(session, person, row.purpose), row.id)

    def _of_token(self, session: Session, row: Token) -> Principal:
        person = self._active(session, row.person)
        return of_token(row, person, self._reader(session, person, row.purpose))

    def _reader(self, session: Session, person: Person, purpose: str) -> Reader:
        if purpose not in self._purposes(session, person):
            raise NotAuthenticated("this purpose was withdrawn from you", todo="log in again, or make a new token")
        return reader_of(session, need_org(session, person.org), purpose)

    def _active(self, session: Session, person: str) -> Person:
        row = session.get(Person, person)
        if row is None or not row.active:
            raise NotAuthenticated("this person no longer has access", todo="ask an administrator of your organisation")
        return row

    def _purposes(self, session: Session, person: Person) -> tuple[Purpose, ...]:
        org = session.get(Organisation, person.org)
        return narrowed(person.purposes, org.roles if org else ())

    def _person_only(self, principal: Principal) -> None:
        if principal.kind != "person":
            raise NotPermitted("tokens are made and listed by people only", todo="log in in a browser")


def check_token(name: str, scopes: Sequence[str], days: int) -> None:
    """Refuse a token without a name, with unknown or no scopes, or that lives too long."""
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise InvalidInput(f"unknown scope {unknown[0]!r}", where="scopes", todo=f"choose from {', '.join(SCOPES)}")
    if not scopes or not 1 <= len(name) <= 100 or not 1 <= days <= LONGEST_TOKEN_DAYS:
        todo = f"give a name, one or more scopes, and 1 to {LONGEST_TOKEN_DAYS} days"
        raise InvalidInput("a token needs a name, scopes and an end", where="name, scopes, days", todo=todo)


def first_purpose(purposes: tuple[Purpose, ...]) -> Purpose:
    """What a new session acts for: to detect, if that is allowed."""
    return next(p for p in PURPOSES if p in purposes)


def reader_of(session: Session, org: Organisation, purpose: str) -> Reader:
    """An organisation with its roles and communities as they are now, acting for a purpose."""
    return reader_as(org_info(org, communities_of(session, org.id)), purpose)


def communities_of(session: Session, org: str) -> list[str]:
    """The communities an organisation is in."""
    return list(session.scalars(select(Membership.community).where(Membership.org == org)))


def token_info(row: Token) -> TokenInfo:
    """A token without its secret; times in seconds."""
    return TokenInfo(
        id=row.id, name=row.name, purpose=cast("Purpose", row.purpose), scopes=tuple(row.scopes),
        created=row.created // MICROS, expires=row.expires // MICROS,
        last_used=row.used // MICROS if row.used is not None else None,
    )  # fmt: skip
