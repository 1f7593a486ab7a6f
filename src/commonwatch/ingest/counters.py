"""Counts of what one source gave: records = mapped + skipped + quarantined, always.

Rules held here: reasons and counts only, never a value; blank and comment lines are not records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from commonwatch.ingest.outcome import Outcome, Parsed, Quarantined, Skipped


class Counters:
    """Running counts of one source."""

    def __init__(self) -> None:
        self.mapped = 0
        self.kinds: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        #: damage to the source itself rather than to one record: `archive_truncated`, `archive_corrupt`
        self.damage: Counter[str] = Counter()
        self.blank_lines = 0
        self.comment_lines = 0

    @property
    def records(self) -> int:
        """How many records were seen."""
        return self.mapped + self.skipped.total() + self.quarantined.total()

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count outcomes."""
        kinds: list[str] = []
        for outcome in outcomes:
            if type(outcome) is Parsed:
                kinds.append(outcome.kind)
                if outcome.dropped:
                    self.dropped.update(outcome.dropped)
            elif type(outcome) is Skipped:
                self.skipped[outcome.reason] += 1
            elif type(outcome) is Quarantined:
                self.quarantined[outcome.reason] += 1
        self.mapped += len(kinds)
        self.kinds.update(kinds)

    def merge(self, other: Counters) -> None:
        """Add the counts of another source."""
        self.mapped += other.mapped
        self.blank_lines += other.blank_lines
        self.comment_lines += other.comment_lines
        for name in ("kinds", "skipped", "quarantined", "dropped", "damage"):
            getattr(self, name).update(getattr(other, name))

    def as_dict(self) -> dict[str, int | dict[str, int]]:
        """Plain numbers, largest first, for reports."""
        return {
            "records": self.records,
            "mapped": self.mapped,
            "kinds": dict(self.kinds.most_common()),
            "skipped": dict(self.skipped.most_common()),
            "quarantined": dict(self.quarantined.most_common()),
            "dropped_fields": dict(self.dropped.most_common()),
            "damage": dict(self.damage),
            "blank_lines": self.blank_lines,
            "comment_lines": self.comment_lines,
        }
