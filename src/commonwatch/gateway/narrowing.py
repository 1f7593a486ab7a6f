"""The owner narrows at its own gateway: revoke or suspend an agreement here, whether or not the hub can be reached.

Rules held here (`agreements.md` 11): the statement is signed with the owner's key, is kept before anything else is
done, counts at this gateway from then on, and goes to the hub until it has it. Widening is never said here.
"""

from __future__ import annotations

from typing import Literal

from commonwatch.agreements.document import Agreement
from commonwatch.agreements.signing import SigningKey, envelope_bytes
from commonwatch.agreements.snapshot import VerifiedSnapshot
from commonwatch.agreements.statement import SignedStatement, Statement, sign_statement, verify_statement
from commonwatch.errors import NotFound, NotPermitted
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.downlink.policy import PolicyKeeper
from commonwatch.gateway.journal import Journal


def narrow(
    keeper: PolicyKeeper, journal: Journal, clock: Clock, *, kind: Literal["revoke", "suspend"], agreement: str,
    key: SigningKey, reason: str | None = None,
) -> SignedStatement:  # fmt: skip
    """Say it, signed with the owner's `key`. Raises NotFound (no such agreement here), NotPermitted (another key)."""
    if key.thumbprint not in keeper.owner_keys():
        todo = "use the key your organisation's agreements are signed with"
        raise NotPermitted("this key is not your organisation's", where="--key", todo=todo)
    document, digest = _newest(keeper.held(), agreement)
    said = Statement(
        kind=kind, id=agreement, by=document.owner, at=clock.now(), version=document.version, hash=digest, reason=reason
    )
    envelope = sign_statement(said, key)
    signed = verify_statement(envelope, key.public)
    journal.save_statement(signed.digest, envelope_bytes(envelope))
    return signed


def _newest(held: VerifiedSnapshot | None, name: str) -> tuple[Agreement, str]:
    """The agreement's newest version here, and its digest."""
    documents = held.documents if held else ()
    found = [(d.document, d.digest) for d in documents if isinstance(d.document, Agreement) and d.document.id == name]
    if not found:
        todo = "see `gateway status`; an agreement this gateway never heard of lets nothing leave"
        raise NotFound(f"this gateway holds no agreement {name}", where="agreement", todo=todo)
    return max(found, key=lambda pair: pair[0].version)
