"""Fetching partners' intelligence in the background, source by source, each in its own time.

Rules held here: every page is kept with the cursor behind it; a source that fails is asked again later and later, a day
at most, and its error is shown to its organisation; one that fails never keeps others waiting for good.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

import msgspec

from commonwatch.errors import CommonwatchError
from commonwatch.hub.intelligence.asking import Auth, client
from commonwatch.hub.intelligence.fetching import fetch
from commonwatch.hub.intelligence.table import Intelligence, Source
from commonwatch.hub.jobs.loop import Loop
from commonwatch.hub.meta.keys import KeyFile, unwrap, wrap

log = logging.getLogger("commonwatch.hub")
#: Seconds between looks for sources that are due.
IDLE = 10.0
_KEY = "intelligence"


def sealed(keys: KeyFile, auth: Auth) -> bytes:
    """Credentials as they are kept."""
    return wrap(keys.ensure("hub", _KEY), "source", "auth", msgspec.json.encode(auth))


def opened(keys: KeyFile, source: Source) -> Auth:
    """Credentials of a source."""
    if not source.auth:
        return Auth()
    return msgspec.json.decode(unwrap(keys.ensure("hub", _KEY), "source", "auth", source.auth), type=Auth)


def pull(table: Intelligence, source: Source, auth: Auth, now: Callable[[], int]) -> tuple[int, str]:
    """Fetch what is new at a source; how many values it gave, and the error that ended it, if any."""
    kept, error, wait, refused = 0, "", 0, Counter[str]()
    try:
        with client(source.url, auth, inside=source.inside) as http:
            for step in fetch(source.kind, source.url, http, source.cursor):
                refused += step.given.refused
                given = msgspec.structs.replace(step.given, refused=refused)
                kept += table.take(source, given, now(), step.cursor).kept
    except CommonwatchError as failed:
        error, wait = str(failed), getattr(failed, "retry_after", 0)
    table.went(source, now(), error, wait)
    return kept, error


class Fetching(Loop):
    """The loop. `changed` is told after something may have changed."""

    def __init__(self, table: Intelligence, keys: KeyFile, now: Callable[[], int], changed: Callable[[], None]) -> None:
        super().__init__("fetching", idle=IDLE)
        self._table, self._keys, self._now, self._changed = table, keys, now, changed

    def turn(self) -> None:
        """Fetch from every source that is due. Whatever fails is shown at the source and tried again."""
        try:
            before = self._table.version()
            for source in self._table.due(self._now()):
                if self._over.is_set():
                    return
                pull(self._table, source, opened(self._keys, source), self._now)
            if self._table.version() != before:
                self._changed()
        except Exception as error:
            log.warning("fetching intelligence failed and will be tried again: %s", type(error).__name__)
