"""Handling numbers: the small integer that stands for (owner, class, TLP, severity, site, what left the gateway).

Numbers are given inside the transaction that stores the first row that needs them; the copy in memory changes only
after the commit, so that a failed append leaves no number behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import duckdb
import pyarrow as pa

from commonwatch.events.fields import FieldName
from commonwatch.events.labels import EventClass, Label, Severity, Tlp

Profile = Mapping[FieldName, str]


class Handling(NamedTuple):
    """One handling: number, owner, labels, and the named point at which each field left the gateway (absent: not)."""

    no: int
    owner: str
    label: Label
    held: tuple[tuple[FieldName, str], ...]


class Key(NamedTuple):
    """What a handling number stands for; `held` is the profile's number."""

    owner: str
    event_class: int
    tlp: int
    severity: int
    site: str
    held: int


def canonical(profile: Profile) -> str:
    """One spelling per held profile."""
    return json.dumps(dict(sorted(profile.items())), separators=(",", ":"))


class Dictionary:
    """The handling numbers in memory, with what a running append adds to them."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.held: dict[str, int] = dict(con.execute("SELECT profile, no FROM store.main.held").fetchall())
        rows = con.execute("SELECT * FROM store.main.handling ORDER BY no").fetchall()
        self.numbers: dict[Key, int] = {Key(*row[1:]): row[0] for row in rows}
        self._profiles = {no: _profile(text) for text, no in self.held.items()}
        self.all: list[Handling] = [self._handling(no, key) for key, no in self.numbers.items()]
        self.highest = max(self.numbers.values(), default=0)

    def plan(self, owner: str, labels: Iterable[tuple[int, int, int, str, int]], profiles: list[Profile]) -> Plan:
        """Numbers for the given (class, tlp, severity, site, profile index) combinations, old and new."""
        return Plan(self, owner, list(labels), [canonical(p) for p in profiles])

    def adopt(self, plan: Plan) -> None:
        """Keep what a committed plan added."""
        for text, no in plan.new_held.items():
            self.held[text] = no
            self._profiles[no] = _profile(text)
        added = [self._handling(no, key) for key, no in plan.new_numbers.items()]
        self.numbers.update(plan.new_numbers)
        self.highest = max(self.highest, *plan.new_numbers.values(), 0)
        self.all = self.all + added

    def _handling(self, no: int, key: Key) -> Handling:
        label = Label(EventClass(key.event_class), Tlp(key.tlp), Severity(key.severity), key.site)
        return Handling(no, key.owner, label, self._profiles[key.held])


class Plan:
    """What one append needs: a number per label combination, and the rows that are new."""

    def __init__(
        self, known: Dictionary, owner: str, labels: list[tuple[int, int, int, str, int]], profiles: list[str]
    ) -> None:
        self.new_held: dict[str, int] = {}
        self.new_numbers: dict[Key, int] = {}
        self.numbers: list[int] = []
        for event_class, tlp, severity, site, profile in labels:
            held = self._held(known, profiles[profile])
            self.numbers.append(self._number(known, Key(owner, event_class, tlp, severity, site, held)))

    @property
    def adds(self) -> bool:
        """Whether it needs numbers that are not there yet."""
        return bool(self.new_held or self.new_numbers)

    def write(self, con: duckdb.DuckDBPyConnection) -> None:
        """Insert the new numbers, inside the caller's transaction."""
        if self.new_held:
            con.executemany("INSERT INTO store.main.held VALUES (?, ?)", [(no, t) for t, no in self.new_held.items()])
        if self.new_numbers:
            rows = [(no, *key) for key, no in self.new_numbers.items()]
            con.register(
                "incoming_handlings", pa.table(dict(zip("abcdefg", map(list, zip(*rows, strict=True)), strict=True)))
            )
            con.execute("INSERT INTO store.main.handling SELECT * FROM incoming_handlings")
            con.unregister("incoming_handlings")

    def _held(self, known: Dictionary, text: str) -> int:
        no = known.held.get(text)
        if no is None:
            no = self.new_held.setdefault(text, max(known.held.values(), default=0) + len(self.new_held) + 1)
        return no

    def _number(self, known: Dictionary, key: Key) -> int:
        no = known.numbers.get(key)
        if no is None:
            no = self.new_numbers.setdefault(key, known.highest + len(self.new_numbers) + 1)
        return no


def _profile(text: str) -> tuple[tuple[FieldName, str], ...]:
    return tuple(sorted(json.loads(text).items()))
