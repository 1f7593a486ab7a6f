"""Warning: alerts are brought up to date beside the telling of indicators, never in its way.

Rules held here: one look at a time, at least `REST` seconds apart and never more than a quarter of the time; what
changed is in the audit log and is told to the organisation's gateways and browsers; a failure is tried again and never
stops the loop.
"""

from __future__ import annotations

import logging

from commonwatch.detect.watch import Watch
from commonwatch.hub import alerts
from commonwatch.hub.jobs.loop import Loop
from commonwatch.hub.jobs.tell import Audience
from commonwatch.hub.push import Broadcaster

log = logging.getLogger("commonwatch.hub")
#: Seconds between two looks, and the longest time without one.
REST, IDLE = 5.0, 60.0


class Warn(Loop):
    """The loop. `wake` it after a batch was stored or the policy changed; `stop` ends it."""

    def __init__(self, watch: Watch, push: Broadcaster, audience: Audience, record: alerts.Recorded) -> None:
        super().__init__("warning", idle=IDLE)
        self._watch, self._push, self._audience, self._record = watch, push, audience, record

    def turn(self) -> None:
        """Bring everybody's alerts up to date. Whatever fails is logged by type and tried again."""
        try:
            alerts.step(self._watch, self._audience().values(), self._push.alert, self._record, self._breathe)
        except Exception as error:
            log.warning("looking for alerts failed and will be tried again: %s", type(error).__name__)
            self.wake()

    def rest(self, took: float) -> float:  # noqa: ARG002 - it rested in between
        """Seconds until the next look."""
        return REST

    def _breathe(self, took: float) -> None:
        """Rest three times as long as a reader took: what comes in and is asked meanwhile goes first."""
        self._over.wait(3 * took)
