"""A new version of a template, and the agreements made from an older one: a draft of the next version for each.

Rules held here: level, parties, days and exceptions are kept as they were signed; whoever does not sign stays as it
is. Clauses that were rewritten by hand are found by making the old version again, where it is still known, and named.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from commonwatch.agreements.diagnose.faults import Fault
from commonwatch.agreements.document import Agreement, Clause, Limit, Party
from commonwatch.agreements.templates.instantiate import Draft, Exceptions, attempt
from commonwatch.agreements.templates.template import PARTIES, Template


class Renewal(msgspec.Struct, frozen=True):
    """An agreement on an older version: the draft that renews it, or why there is none; clauses rewritten by hand."""

    agreement: str
    owner: str
    version: int
    from_version: int
    level: int
    draft: Draft | None = None
    faults: tuple[Fault, ...] = ()
    by_hand: tuple[str, ...] = ()


def outdated(template: Template, agreement: Agreement) -> bool:
    """Whether it was made from an older version of this template."""
    origin = agreement.origin
    return origin is not None and origin.template == template.id and origin.version < template.version


def renew(template: Template, agreement: Agreement, digest: str, old: Template | None = None) -> Renewal:
    """A draft of the next version of `agreement` (whose signed bytes have this digest) from the newer template."""
    origin = agreement.origin
    if origin is None:
        raise AssertionError("ask `outdated` first")
    values, exceptions = recover(template, agreement), _exceptions(agreement)
    draft, faults = attempt(template, origin.level, values, exceptions)
    if draft is not None:
        draft = Draft(msgspec.structs.replace(draft.agreement, version=agreement.version + 1, previous=digest))
    by_hand = _by_hand(old, agreement, origin.level, exceptions) if old else ()
    return Renewal(
        agreement.id, agreement.owner, agreement.version, origin.version, origin.level, draft, tuple(faults), by_hand
    )


def recover(template: Template, agreement: Agreement) -> dict[str, Any]:
    """The values of the parameters, as far as the agreement says them."""
    law = agreement.law
    found: dict[str, Any] = {
        "id": agreement.id, "title": agreement.title, "starts": agreement.starts.isoformat(),
        "ends": agreement.ends.isoformat(),
        **{name: getattr(law, name) for name in ("purpose", "basis", "jurisdiction", "roles") if law},
    }  # fmt: skip
    found = {name: value for name, value in found.items() if value is not None}
    parties: dict[str, Party] = {party.role: party for party in reversed(agreement.parties)}
    for parameter in template.parameters:
        if parameter.kind in PARTIES and (party := parties.get(parameter.kind)):
            plain = msgspec.to_builtins(party)
            found[parameter.name] = {name: plain[name] for name in ("id", "name", "key", "contacts") if name in plain}
        elif parameter.kind == "community" and agreement.community:
            found[parameter.name] = agreement.community
        elif values := _marked(template, parameter.mark, agreement.clauses):
            found[parameter.name] = values
    return found


def _marked(template: Template, mark: str, clauses: Iterable[Clause]) -> list[str]:
    """What stands in the agreement where the template's clause of the same name has the mark."""
    signed = {clause.id: clause for clause in clauses}
    for tagged in template.clauses:
        if there := signed.get(tagged.clause.id):
            for ours, theirs in zip(_names(tagged.clause), _names(there), strict=True):
                if mark in ours:
                    return sorted(set(theirs) - set(ours))
    return []


def _names(clause: Clause) -> list[tuple[str, ...]]:
    to = clause.outside if isinstance(clause, Limit) else clause.to
    return [to.organisations, to.communities, clause.rows.sites]


def _exceptions(agreement: Agreement) -> Exceptions:
    """What was left out and what was added, as the origin says."""
    changed = agreement.origin.changed if agreement.origin else ()
    kept = {clause.id for clause in agreement.clauses}
    limits = tuple(c for c in agreement.clauses if isinstance(c, Limit) and c.id in changed)
    return Exceptions(without=tuple(name for name in changed if name not in kept), limits=limits)


def _by_hand(old: Template, agreement: Agreement, level: int, exceptions: Exceptions) -> tuple[str, ...]:
    """Clauses that are not as the old version makes them."""
    made, _ = attempt(old, level, recover(old, agreement), exceptions)
    was = {clause.id: clause for clause in made.agreement.clauses} if made else {}
    signed = {clause.id: clause for clause in agreement.clauses}
    return tuple(sorted(name for name in {*was, *signed} if was.get(name) != signed.get(name)))
