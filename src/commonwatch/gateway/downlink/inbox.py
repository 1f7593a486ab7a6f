"""What the hub sends down: indicators kept and written out for other tools, alerts kept.

Rules held here: arrival times are the gateway's corrected time, so that the way from a sighting at the hub to this
gateway can be measured; the files `indicators.json` and `indicators.txt` in the state folder are always whole; a value
that its agreements permit no action on is never in `indicators.txt`, which tools block by.
"""

from __future__ import annotations

from typing import Any

import msgspec

from commonwatch.gateway.journal import Journal
from commonwatch.gateway.state import StateFolder
from commonwatch.wire.messages import AlertMessage, IndicatorItem, Indicators, Withdraw

#: The note under which the moment of the newest withdrawal obeyed is kept.
WITHDRAWN = "withdrawn"


class Inbox:
    """Indicators and alerts of one gateway."""

    def __init__(self, journal: Journal, folder: StateFolder) -> None:
        self._journal = journal
        self._folder = folder
        self._changed = False

    def take(self, message: Indicators | Withdraw | AlertMessage, at: int) -> None:
        """Keep a message; `at` is the corrected time in microseconds."""
        if isinstance(message, AlertMessage):
            self._journal.save_alert(message.id, msgspec.json.encode(message), at)
            return
        if isinstance(message, Withdraw):
            self._journal.withdraw_indicators(message.ids)
            self._journal.remember(WITHDRAWN, str(max(message.at, self.withdrawn)).encode())
        else:
            self._journal.save_indicators([(i.id, msgspec.json.encode(i)) for i in message.items], at)
        self._changed = True

    @property
    def withdrawn(self) -> int:
        """Up to which withdrawal (the hub's microseconds) this gateway has obeyed."""
        return int(self._journal.note(WITHDRAWN) or 0)

    def write_out(self) -> None:
        """Write the files if something changed since."""
        if not self._changed:
            return
        self._changed = False
        listed = listing(self._journal)
        self._folder.write("indicators.json", msgspec.json.format(msgspec.json.encode(listed)))
        values = sorted({str(item["value"]) for item in listed if item.get("may_block", True)})
        self._folder.write("indicators.txt", "".join(f"{v}\n" for v in values).encode())


def listing(journal: Journal) -> list[dict[str, Any]]:
    """Every indicator held, newest arrival first, with when it arrived and the seconds it took from the hub."""
    rows = []
    for body, received in journal.indicators():
        item = msgspec.json.decode(body, type=IndicatorItem)
        took = round((received - item.sighted_at_hub) / 1e6, 3) if item.sighted_at_hub else None
        rows.append({**msgspec.to_builtins(item), "received": received, "seconds": took})
    return rows
