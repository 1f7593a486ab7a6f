"""Principals as a session or token yields them, and which of ten thousand of them still stand, looked up together.

Rules held here: a principal stands when its credential would yield the very same one now; what is asked for many is a
handful of questions for plain columns, since it runs while streams are told that the policy changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from commonwatch.agreements.reader import Purpose, Reader, Role, allowed_purposes
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.members import read_orgs
from commonwatch.hub.meta.models import Gateway, Login, Person, Token
from commonwatch.web.ports import Principal

#: Credentials named in one question.
LOT = 500


class Someone(Protocol):
    """A person's columns."""

    id: Any
    name: Any
    org: Any
    purposes: Any
    admin: Any
    operator: Any


def narrowed(purposes: Sequence[str], roles: Sequence[str]) -> tuple[Purpose, ...]:
    """The person's purposes that the organisation's roles (still) allow."""
    return tuple(p for p in allowed_purposes(roles) if p in purposes)


def reader_as(info: OrgInfo, purpose: str) -> Reader:
    """An organisation with its roles and communities, acting for a purpose."""
    return Reader(info.org, cast("tuple[Role, ...]", info.roles), info.communities, cast("Purpose", purpose))


def of_session(person: Someone, reader: Reader, grant: str) -> Principal:
    """Who a session of this person stands for."""
    return Principal(
        kind="person", id=person.id, name=person.name, reader=reader, admin=person.admin, operator=person.operator,
        grant=grant,
    )  # fmt: skip


def of_token(token: Any, person: Someone, reader: Reader) -> Principal:
    """Who a token of this person stands for: it only narrows what the person may do."""
    scopes = tuple(token.scopes)
    admin = person.admin and "sign" in scopes
    return Principal(
        kind="token", id=token.id, name=token.name, reader=reader, admin=admin, scopes=scopes, grant=token.id
    )


class Live(NamedTuple):
    """Conditions under which a session and a token have not ended."""

    login: ColumnElement[bool]
    token: ColumnElement[bool]


def standing(session: Session, principals: Collection[Principal], live: Live) -> set[Principal]:
    """Those whose credential still yields the very same principal."""
    roll = Roll(session)
    found = {p for p in principals if p.kind == "gateway"}
    active = {row.id for row in _rows(session, (Gateway.id,), found, Gateway.active)}
    kept = {p for p in found if p.grant in active}
    people = {p for p in principals if p.kind == "person"}
    for row in _rows(session, (Login.id, Login.person, Login.purpose), people, live.login):
        if (known := roll.acting(row.person, row.purpose)) is not None:
            kept.add(of_session(*known, row.id))
    tokens = {p for p in principals if p.kind == "token"}
    columns = (Token.id, Token.person, Token.purpose, Token.name, Token.scopes)
    for row in _rows(session, columns, tokens, live.token):
        if (known := roll.acting(row.person, row.purpose)) is not None:
            kept.add(of_token(row, *known))
    return kept.intersection(principals)


class Roll:
    """People and organisations at one instant, read once for all who are looked up."""

    def __init__(self, session: Session) -> None:
        self._orgs: Mapping[str, OrgInfo] = read_orgs(session)
        columns = (Person.id, Person.name, Person.org, Person.purposes, Person.admin, Person.operator)
        self._people = {row.id: row for row in session.execute(select(*columns).where(Person.active))}
        self._known: dict[tuple[str, str], tuple[Someone, Reader] | None] = {}

    def acting(self, person: str, purpose: str) -> tuple[Someone, Reader] | None:
        """The person and as which reader; None for who may not act so (any more)."""
        key = (person, purpose)
        if key not in self._known:
            self._known[key] = self._acting(person, purpose)
        return self._known[key]

    def _acting(self, person: str, purpose: str) -> tuple[Someone, Reader] | None:
        row = self._people.get(person)
        info = self._orgs.get(row.org) if row is not None else None
        if row is None or info is None or purpose not in narrowed(row.purposes, info.roles):
            return None
        return row, reader_as(info, purpose)


def _rows(
    session: Session, columns: tuple[InstrumentedAttribute[Any], ...], asked: Collection[Principal],
    live: ColumnElement[bool] | InstrumentedAttribute[bool],
) -> Iterator[Row[Any]]:  # fmt: skip
    """Rows of the credentials behind these principals; the first column is the credential's name."""
    grants = sorted({p.grant for p in asked})
    for start in range(0, len(grants), LOT):
        part = grants[start : start + LOT]
        yield from session.execute(select(*columns).where(columns[0].in_(part), live))
