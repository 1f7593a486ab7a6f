"""The job that makes certificates of withdrawal, and completes them as gateways tell that they obey.

Rules held here: what older policies made is taken down in the moment the policy rises, before anything is written about
it; a certificate is made once per statement or narrower version, in one transaction with its audit entry, and signed
anew only when a gateway has told something; a failure is logged by type and tried again, and never keeps anything open.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from typing import Any

import msgspec
from sqlalchemy import select

from commonwatch.agreements.decode import digest
from commonwatch.agreements.signing import SigningKey, envelope_bytes, unb64
from commonwatch.agreements.terms.certificate import Certificate, Leaf, sign
from commonwatch.audit.log import AuditLog
from commonwatch.govern.changes import Scope
from commonwatch.govern.service import Govern
from commonwatch.hub.core import Core
from commonwatch.hub.jobs.loop import Loop
from commonwatch.hub.meta.models import Withdrawal
from commonwatch.hub.meta.outbox import record
from commonwatch.hub.withdrawal.cases import Case, Cases
from commonwatch.hub.withdrawal.gather import Gathering, Happened
from commonwatch.share.publication import Publications
from commonwatch.wire.messages import Heartbeat

log = logging.getLogger("commonwatch.hub")
#: Seconds: to let streams end and publications be withdrawn first; between looks without news.
GATHER, IDLE = 0.3, 10.0


class Withdrawing(Loop):
    """The loop. `rose` takes down what is derived; `wake` it afterwards; `stop` ends it."""

    def __init__(self, core: Core, govern: Govern, publications: Publications, audit: AuditLog) -> None:
        super().__init__("withdrawing", idle=IDLE, gather=GATHER)
        self._core, self._govern, self._audit = core, govern, audit
        self._cases, self._gathering = Cases(core), Gathering(core, govern, publications)
        self._happened: deque[Happened] = deque(maxlen=1_000)
        self._told: dict[str, tuple[int, int, int]] = {}
        self._lock = threading.Lock()
        self._news.set()  # statements from before a restart

    def rose(self, scope: Scope) -> None:
        """The policy changed: everything made under an older one goes now."""
        self._note(scope.epoch, self._govern.withdraw(scope))

    def ended(self, epoch: int, streams: Counter[str]) -> None:
        """So many streams were ended by that change, by organisation."""
        self._note(epoch, {org: Counter(streams=n) for org, n in streams.items()})

    def heard(self, gateway: str, beat: Heartbeat) -> None:
        """A gateway told which snapshot it holds and which withdrawals it has obeyed."""
        with self._lock:
            known = self._told.get(gateway, (0, 0, 0))
            if (beat.snapshot, beat.withdrawn) <= known[:2]:
                return
            self._told[gateway] = (beat.snapshot, beat.withdrawn, self._core.clock.now())
        self.wake()

    def brief(self, agreement: str) -> dict[str, Any]:
        """What is known at once after a revocation; the certificate follows."""
        with self._lock:
            last = list(self._happened)[-4:]
        epoch = self._core.policy.epoch()
        counts: Counter[str] = sum((c for h in last if h.epoch == epoch for c in h.counts.values()), Counter())
        return {**counts, "certificate": f"/api/agreements/{agreement}/withdrawals"}

    def turn(self) -> None:
        """Certify what was stated, complete what gateways told. Whatever fails is logged by type and tried again."""
        try:
            for case in self._cases.open():
                self._certify(case)
            self._cases.closed()
            self._complete()
        except Exception as error:
            log.warning("certifying a withdrawal failed and will be tried again: %s", type(error).__name__)

    def _note(self, epoch: int, counts: dict[str, Counter[str]]) -> None:
        with self._lock:
            self._happened.append(Happened(self._core.clock.now(), epoch, counts))

    def _certify(self, case: Case) -> None:
        self._core.drain.run()
        with self._lock:
            happened = list(self._happened)
        found = self._gathering.gather(case, happened)
        document = case.document
        made = Certificate(
            hub=self._core.settings.name, number=1, agreement=document.id, version=document.version,
            document=case.hash, kind=case.kind, statement=case.signed, by=case.by, stated=case.at,
            epoch=self._govern.view().epoch, issued=self._core.clock.now(), complete=not found.gateways,
            readers=found.readers, gateways=found.gateways, duties=document.duties,
            audit=self._leaf(document.owner, case.signed),
        )  # fmt: skip
        self._store(made, document.owner, dict(found.needs))

    def _leaf(self, owner: str, statement: str) -> Leaf | None:
        """Where the audit log holds the statement."""
        found = self._audit.search(owner, statement.encode())
        return Leaf(**self._audit.inclusion(found[0][0], len(self._audit))) if found else None

    def _complete(self) -> None:
        """Note what gateways told since; sign anew what changed by it."""
        with self._lock:
            told = dict(self._told)
        with self._core.database.read() as session:
            rows = list(session.scalars(select(Withdrawal).where(Withdrawal.complete.is_(False))))
        for row in rows:
            known = msgspec.json.decode(row.body, type=Certificate)
            gateways = [g if g.acknowledged else _acknowledged(g, row.needs, told) for g in known.gateways]
            if gateways == known.gateways:
                continue
            done = all(g.acknowledged for g in gateways)
            more = {"number": known.number + 1, "issued": self._core.clock.now(), "complete": done}
            self._store(msgspec.structs.replace(known, gateways=gateways, **more), row.owner, row.needs)

    def _store(self, made: Certificate, owner: str, needs: dict[str, Any]) -> None:
        """Sign it and keep it, with its audit entry."""
        envelope = sign(made, SigningKey.from_seed(self._core.keys.need("hub", "hub")))
        with self._core.database.write() as session:
            row = session.get(Withdrawal, made.statement)
            if row is None:
                row = Withdrawal(statement=made.statement, agreement=made.agreement, owner=owner)
                session.add(row)
            row.issued, row.complete, row.needs = made.issued, made.complete, needs
            row.body, row.signed = msgspec.json.encode(made), envelope_bytes(envelope)
            record(
                session, made.issued, "hub", "withdrawal-certified", org=owner, id=made.agreement, version=made.version,
                statement=made.statement, number=made.number, complete=made.complete,
                certificate=digest(unb64(envelope.payload, "payload")),
            )  # fmt: skip


def _acknowledged(gateway: Any, needs: dict[str, Any], told: dict[str, tuple[int, int, int]]) -> Any:
    """The same, with when it told that it obeys, if it did."""
    snapshot, withdrawn, at = told.get(gateway.gateway, (0, 0, 0))
    want = needs.get(gateway.gateway, [0, 0])
    if snapshot >= want[0] and withdrawn >= want[1] and at:
        return msgspec.structs.replace(gateway, acknowledged=at)
    return gateway
