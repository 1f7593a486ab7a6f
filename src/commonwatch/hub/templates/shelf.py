"""The templates an organisation may use, and what it makes of them. Implements `web.ports.Templates`.

Rules: a template of a community is seen by its members alone; absent and not visible are never told apart. Publishing
and withdrawing is for an administrator of the steward, and is an audit entry; versions follow each other
and are never changed. Names and keys are filled in only of organisations that the asking one knows anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from commonwatch.agreements.decode import canonical
from commonwatch.agreements.diagnose import Fault
from commonwatch.agreements.document import Agreement
from commonwatch.agreements.templates import Template, check_template, decode_template
from commonwatch.agreements.templates.effects import Effects, effects
from commonwatch.agreements.templates.fleet import Batch, batch
from commonwatch.agreements.templates.instantiate import Draft, Exceptions, attempt
from commonwatch.agreements.templates.renewal import Renewal, outdated, renew
from commonwatch.agreements.templates.template import PARTIES
from commonwatch.errors import Conflict, InvalidInput, NotFound, NotPermitted
from commonwatch.hub.members import read_orgs
from commonwatch.hub.meta import models
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.registry.live import Policy
from commonwatch.hub.registry.parties import sees
from commonwatch.hub.registry.rights import must_bind
from commonwatch.hub.templates.shipped import shipped
from commonwatch.web.ports import Principal, TemplateInfo


class Shelf:
    """The port. Every method that changes is one transaction."""

    def __init__(self, database: Database, clock: Clock, policy: Policy) -> None:
        self.database, self.clock, self.policy = database, clock, policy

    def of(self, principal: Principal) -> Sequence[TemplateInfo]:
        """What the organisation may use: shipped ones first, then those of its communities, by id."""
        with self.database.read() as session:
            rows = _newest(session, principal)
        return [TemplateInfo(template) for template in shipped().values()] + [_info(row) for row in rows]

    def one(self, principal: Principal, template: str) -> TemplateInfo:
        """The newest version of one of them. Raises NotFound."""
        if template in shipped():
            return TemplateInfo(shipped()[template])
        with self.database.read() as session:
            for row in _newest(session, principal):
                if row.id == template:
                    return _info(row)
        raise NotFound("no such template", todo="look at the list of templates")

    def publish(self, principal: Principal, document: str | dict[str, Any]) -> TemplateInfo:
        """Publish a template, or its next version, in the community it names, as its steward."""
        must_bind(principal)
        template = decode_template(document)
        check_template(template)
        if template.community is None:
            raise InvalidInput("the template names no community", where="$.community", todo="name your community")
        if template.id in shipped():
            raise Conflict("a template that comes with the program has this id", where="$.id", todo="choose another id")
        with self.database.write() as session:
            _check_steward(session, principal, template.community)
            _check_version(session, template)
            return _info(self._insert(session, principal, template))

    def _insert(self, session: Session, principal: Principal, template: Template) -> models.Template:
        payload, now = canonical(template), self.clock.now()
        community = template.community or ""
        row = models.Template(
            id=template.id, version=template.version, community=community, publisher=principal.reader.org,
            by=principal.id, document=payload, hash=hashlib.sha256(payload).hexdigest(), published=now, withdrawn=None,
        )  # fmt: skip
        session.add(row)
        session.flush()
        record(
            session, now, principal.id, "template-published", org=principal.reader.org,
            concerns=_members(session, community), id=template.id, version=template.version, hash=row.hash,
            community=community,
        )  # fmt: skip
        return row

    def withdraw(self, principal: Principal, template: str) -> None:
        """Take every version off the shelf. What was signed from it stays."""
        must_bind(principal)
        with self.database.write() as session:
            row = next((row for row in _newest(session, principal) if row.id == template), None)
            if row is None:
                raise NotFound("no such template", todo="look at the list of templates")
            _check_steward(session, principal, row.community)
            now = self.clock.now()
            gone = update(models.Template).where(models.Template.id == template, models.Template.withdrawn.is_(None))
            session.execute(gone.values(withdrawn=now))
            concerned = _members(session, row.community)
            record(
                session, now, principal.id, "template-withdrawn", org=principal.reader.org, concerns=concerned,
                id=template, version=row.version, community=row.community,
            )  # fmt: skip

    def draft(
        self, principal: Principal, template: str, level: int, parameters: Mapping[str, Any], exceptions: Exceptions
    ) -> tuple[Draft | None, list[Fault], Effects]:
        """A draft and what its exceptions do, or what is wrong with what was given."""
        found = self.one(principal, template).template
        values = self._completed(principal, found, parameters)
        draft, faults = attempt(found, level, values, exceptions)
        if draft is None or exceptions == Exceptions():
            return draft, faults, ()
        plain, _ = attempt(found, level, values)
        return draft, faults, effects(draft.agreement, plain.agreement) if plain else ()

    def batch(
        self, principal: Principal, template: str, text: str, level: int | None, parameters: Mapping[str, Any]
    ) -> Batch:
        """A draft for each row of a CSV; bad rows with their reasons; exceptions by what they do."""
        found = self.one(principal, template).template
        known = self._known(principal)
        common = {name: _filled(value, known) for name, value in parameters.items()}
        return batch(found, text, level, common, complete=lambda party: _filled(party, known))

    def renewals(self, principal: Principal, template: str) -> list[Renewal]:
        """Agreements of mine that were made from an older version, each with the draft that would renew it."""
        found = self.one(principal, template).template
        made = []
        for standing in self.policy.resolved().standings():
            document = standing.document
            if isinstance(document, Agreement) and sees(standing, principal) and outdated(found, document):
                old = self._version(template, document.origin.version) if document.origin else None
                made.append(renew(found, document, standing.hash, old))
        return made

    def _version(self, template: str, version: int) -> Template | None:
        with self.database.read() as session:
            row = session.get(models.Template, (template, version))
            return decode_template(row.document) if row is not None else None

    def _completed(self, principal: Principal, template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values with names and keys of parties filled in where they are missing and known."""
        known = self._known(principal)
        parties = {p.name for p in template.parameters if p.kind in PARTIES}
        return {name: _filled(value, known) if name in parties else value for name, value in given.items()}

    def _known(self, principal: Principal) -> dict[str, dict[str, str]]:
        """Name and newest key of every organisation this one knows: itself, its communities', its parties."""
        mine = set(principal.reader.communities)
        signed = {
            party.id
            for standing in self.policy.resolved().standings()
            if isinstance(standing.document, Agreement) and sees(standing, principal)
            for party in standing.document.parties
        }
        with self.database.read() as session:
            orgs = {
                org: {"name": info.name}
                for org, info in read_orgs(session).items()
                if org == principal.reader.org or org in signed or mine & set(info.communities)
            }
            keys = select(models.OrgKey).where(models.OrgKey.ended.is_(None), models.OrgKey.org.in_(orgs))
            for key in session.scalars(keys.order_by(models.OrgKey.added)):
                orgs[key.org]["key"] = key.thumbprint
        return orgs


def _filled(party: Any, known: Mapping[str, Mapping[str, str]]) -> Any:
    """A party, given by its id or as an object, with name and key where they are known and left out."""
    plain = {"id": party} if isinstance(party, str) else party
    if not isinstance(plain, dict) or not isinstance(plain.get("id"), str) or plain["id"] not in known:
        return party
    return {**known[plain["id"]], **{name: value for name, value in plain.items() if value not in (None, "")}}


def _newest(session: Session, principal: Principal) -> list[models.Template]:
    """The newest version of each template on the shelf of one of the principal's communities."""
    table = models.Template
    query = select(table).where(table.community.in_(principal.reader.communities), table.withdrawn.is_(None))
    newest = {row.id: row for row in session.scalars(query.order_by(table.id, table.version))}
    return list(newest.values())


def _info(row: models.Template) -> TemplateInfo:
    return TemplateInfo(decode_template(row.document), row.community, row.publisher, row.published)


def _members(session: Session, community: str) -> list[str]:
    return list(session.scalars(select(models.Membership.org).where(models.Membership.community == community)))


def _check_steward(session: Session, principal: Principal, community: str) -> None:
    row = session.get(models.Community, community)
    if row is None or community not in principal.reader.communities:
        raise NotFound("no such community", where="$.community", todo="name a community of yours")
    if row.steward != principal.reader.org:
        raise NotPermitted("only the steward of a community publishes its templates", todo="ask the steward")


def _check_version(session: Session, template: Template) -> None:
    """The version continues the newest one of the same community."""
    table = models.Template
    last = session.scalar(select(table).where(table.id == template.id).order_by(table.version.desc()).limit(1))
    if last is not None and last.community != template.community:
        raise Conflict("this id is taken", where="$.id", todo="choose another id")
    wanted = last.version + 1 if last is not None else 1
    if template.version != wanted:
        raise Conflict(f"the next version is {wanted}", where="$.version", todo=f"write `version: {wanted}`")
