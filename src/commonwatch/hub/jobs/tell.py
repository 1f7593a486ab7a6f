"""Telling: new indicators go to every entitled gateway within a third of a second of the batch that brought them.

Rules held here: where batches keep coming, telling rests between turns and takes at most a quarter of the time; one
listener per organisation that has a gateway, reading for `detect`; what it is told comes from its own publications and
nothing else; after a change of policy everybody is looked at again, so that what was withdrawn is withdrawn; what is
handed over is in the audit log, by number; a failure is tried again and never stops the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from commonwatch.agreements.reader import Reader
from commonwatch.govern.policy import Decided, DecisionLog
from commonwatch.govern.taken import Use
from commonwatch.hub.jobs.loop import Loop
from commonwatch.hub.push import Broadcaster
from commonwatch.share import promulgate
from commonwatch.share.ports import Handed, Record
from commonwatch.share.publication import Publications
from commonwatch.wire.messages import Withdraw

log = logging.getLogger("commonwatch.hub")
#: Seconds: to let batches that come together be told together; between looks without news.
GATHER, IDLE = 0.05, 3.0
#: While news keeps coming: how many times as long as a turn took it rests after it, and seconds it rests at most.
RESTS, LONGEST = 3.0, 2.0
GATEWAY = Use("gateway", "gateway")
Audience = Callable[[], Mapping[str, Reader]]


class Telling(Loop):
    """The loop. `wake` it after a batch was stored or the policy changed; `stop` ends it."""

    def __init__(
        self, publications: Publications, push: Broadcaster, audience: Audience, decisions: DecisionLog, record: Record
    ) -> None:
        super().__init__("telling", idle=IDLE, gather=GATHER)
        self._publications, self._push = publications, push
        self._audience, self._decisions, self._record = audience, decisions, record
        self._listeners: dict[str, promulgate.Listener] = {}
        self._news.set()  # after a start everything is news

    def turn(self) -> None:
        """Tell everybody what is new for them. Whatever fails is logged by type and tried again."""
        try:
            readers = self._audience()
            promulgate.step(self._publications, self._current(readers), self._send)
        except Exception as error:
            log.warning("telling failed and will be tried again: %s", type(error).__name__)

    def rest(self, took: float) -> float:
        """Seconds to rest: none where nothing came meanwhile, so that who sends one batch is told of at once."""
        return min(RESTS * took, LONGEST) if self._news.is_set() else 0.0

    def _current(self, readers: Mapping[str, Reader]) -> Iterable[promulgate.Listener]:
        """A listener per organisation; its cursor outlives a change of the organisation's roles."""
        for org, reader in readers.items():
            known = self._listeners.setdefault(org, promulgate.Listener(org, reader))
            known.reader = reader
        self._listeners = {org: known for org, known in self._listeners.items() if org in readers}
        return list(self._listeners.values())

    def _send(self, messages: Sequence[tuple[str, promulgate.Message]]) -> Collection[str]:
        """Everything is on record before anything leaves."""
        withdrawn, handed = list[Decided](), list[Handed]()
        for org, message in messages:
            reader = self._listeners[org].reader
            if isinstance(message, Withdraw):
                withdrawn.append(Decided(reader, "indicators-withdrawn", {"indicators": len(message.ids)}))
            else:
                origins = self._publications.origins(reader, [item.id for item in message.items])
                handed.append(Handed(reader, GATEWAY, origins, len(message.items)))
        self._decisions.decided_all(withdrawn)
        self._record.handed_all(handed)
        for org, message in messages:
            if isinstance(message, Withdraw):
                self._push.withdraw(org, message.ids, message.at)
            else:
                self._push.publish_indicators(org, message.items)
        return ()
