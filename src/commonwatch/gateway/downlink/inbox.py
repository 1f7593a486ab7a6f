"""What the hub sends down: indicators kept and written out for other tools, alerts kept.

Rules held here: arrival times are the gateway's corrected time, so that the way from a sighting at the hub to this
gateway can be measured; the files `indicators.json` and `indicators.txt` in the state folder are always whole; a value
that its agreements permit no action on is never in `indicators.txt`, which tools block by.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from commonwatch.gateway.journal import Journal
from commonwatch.gateway.lookback import Index, Lookback
from commonwatch.gateway.state import StateFolder
from commonwatch.wire.messages import AlertMessage, IndicatorItem, Indicators, Withdraw

#: The note under which the moment of the newest withdrawal obeyed is kept.
WITHDRAWN = "withdrawn"
#: The file of the look-back's index in the state folder, and how many of its matches are marked.
OBSERVED, MOST_MARKS = "observed.db", 10_000


class Inbox:
    """Indicators and alerts of one gateway."""

    def __init__(self, journal: Journal, folder: StateFolder, lookback: Lookback | None = None) -> None:
        self._journal, self._lookback = journal, lookback
        self._folder = folder
        self._changed = False

    def take(self, message: Indicators | Withdraw | AlertMessage, at: int) -> int:
        """Keep a message; `at` is the corrected time in microseconds. Gives how many matches it makes with the past."""
        matches = 0
        if isinstance(message, AlertMessage):
            self._journal.save_alert(message.id, msgspec.json.encode(message), at)
            return 0
        if isinstance(message, Withdraw):
            self._journal.withdraw_indicators(message.ids)
            if self._lookback is not None:
                self._lookback.withdrawn(message.ids)
            self._journal.remember(WITHDRAWN, str(max(message.at, self.withdrawn)).encode())
        else:
            self._journal.save_indicators([(i.id, msgspec.json.encode(i)) for i in message.items], at)
            if self._lookback is not None:
                matches = self._lookback.arrived(message.items, at)
        self._changed = True
        return matches

    def _tell_matches(self) -> None:
        """A local alert for what indicators name and was seen here; it says how many values and no more."""
        new = self._lookback.news() if self._lookback is not None else 0
        if new:
            at = time.time_ns() // 1_000
            title = f"Seen here, and named by an indicator: {new}"
            alert = AlertMessage(id=f"look-back:{at}", title=title, at=at, severity=3, detail={"matches": new})
            self._journal.save_alert(alert.id, msgspec.json.encode(alert), at)
            self._journal.add_counts({"matches": new})
            self._changed = True

    @property
    def withdrawn(self) -> int:
        """Up to which withdrawal (the hub's microseconds) this gateway has obeyed."""
        return int(self._journal.note(WITHDRAWN) or 0)

    def write_out(self) -> None:
        """Write the files if something changed since."""
        self._tell_matches()
        if not self._changed:
            return
        self._changed = False
        listed = listing(self._journal, self._folder)
        self._folder.write("indicators.json", msgspec.json.format(msgspec.json.encode(listed)))
        values = sorted({str(item["value"]) for item in listed if item.get("may_block", True)})
        self._folder.write("indicators.txt", "".join(f"{v}\n" for v in values).encode())


def listing(journal: Journal, folder: StateFolder) -> list[dict[str, Any]]:
    """Every indicator held, newest arrival first: when it came, the seconds it took, and whether it was seen here."""
    rows, seen = [], seen_here(folder)
    for body, received in journal.indicators():
        item = msgspec.json.decode(body, type=IndicatorItem)
        took = round((received - item.sighted_at_hub) / 1e6, 3) if item.sighted_at_hub else None
        more = {"seen_here": seen[item.value]} if item.value in seen else {}
        rows.append({**msgspec.to_builtins(item), "received": received, "seconds": took, **more})
    return rows


def seen_here(folder: StateFolder) -> dict[str, dict[str, int]]:
    """Values of indicators that were seen at this gateway: first and last time, how often."""
    path = folder.path / OBSERVED
    if not path.exists():
        return {}
    index, found = Index(path), dict[str, dict[str, int]]()
    for match in index.matches(MOST_MARKS):
        known = found.setdefault(match.value, {"first": match.first, "last": match.last, "count": 0})
        known["first"], known["last"] = min(known["first"], match.first), max(known["last"], match.last)
        known["count"] = max(known["count"], match.count)
    index.close()
    return found
