"""The decision log: every answer and release is an audit entry before it is given. Implements `govern.DecisionLog`.

Rules held here: the reader's entry is on disk before the answer leaves (entries written at once share a flush); no log,
no answer. It names only agreements the reader's organisation is a party to, and says how many others were behind it;
each owner gets entries of its own (who looked, how often, under which of its agreements), gathered for some seconds,
because an entry is read whole by everyone it names.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from commonwatch.agreements.document import Agreement
from commonwatch.agreements.reader import Reader
from commonwatch.audit.log import Entry
from commonwatch.govern.policy import PolicyView

Append = Callable[[Sequence[Entry]], object]


class Cited(NamedTuple):
    """Who answers for an agreement, and who may know of it."""

    owner: str
    parties: frozenset[str]


class Look(NamedTuple):
    """Who looked at whose events, for what, by what kind of question, under which agreement."""

    owner: str
    reader: str
    purpose: str
    kind: str
    agreement: str


class Decisions:
    """The log govern writes to. Thread-safe; call `flush` every few seconds and before the audit log closes."""

    def __init__(self, append: Append, view: Callable[[], PolicyView]) -> None:
        self._append, self._view = append, view
        self._looks: Counter[Look] = Counter()
        self._lock = threading.Lock()
        self._known: tuple[int, dict[str, Cited]] = (-1, {})

    def decided(self, reader: Reader, kind: str, detail: Mapping[str, Any]) -> None:
        """Write the reader's entry now; remember the owners' for the next flush."""
        cited = self._cited()
        named = [str(name) for name in detail.get("agreements", ())]
        shown = [name for name in named if reader.org in cited.get(_bare(name), _NOBODY).parties]
        told = {**detail, "agreements": shown, "others": len(named) - len(shown)}
        self._append([Entry(kind=kind, actor=reader.org, org=reader.org, purpose=reader.purpose, detail=told)])
        owners = [(cited[_bare(name)].owner, name) for name in named if _bare(name) in cited]
        with self._lock:
            for owner, name in owners:
                if owner != reader.org:
                    self._looks[Look(owner, reader.org, reader.purpose, kind, name)] += 1

    def flush(self) -> None:
        """Write one entry for each owner, reader, purpose and kind of question since the last flush."""
        with self._lock:
            looks, self._looks = self._looks, Counter()
        gathered: dict[tuple[str, str, str, str], dict[str, int]] = {}
        for look, times in looks.items():
            gathered.setdefault(look[:4], {})[look.agreement] = times
        entries = [
            Entry(
                kind="looked", actor=reader, org=owner, purpose=purpose,
                detail={"reader": reader, "kind": kind, "agreements": dict(sorted(times.items()))},
            )
            for (owner, reader, purpose, kind), times in sorted(gathered.items())
        ]  # fmt: skip
        if entries:
            self._append(entries)

    def _cited(self) -> dict[str, Cited]:
        view = self._view()
        epoch, known = self._known
        if epoch != view.epoch:
            known = {}
            for owner, policy in view.owners.items():
                for live in policy.documents.agreements:
                    known[live.document.id] = Cited(owner, _parties(owner, live.document))
            self._known = (view.epoch, known)
        return known


_NOBODY = Cited("", frozenset())


def _bare(name: str) -> str:
    return name.partition("@")[0]


def _parties(owner: str, document: Agreement) -> frozenset[str]:
    return frozenset({owner, *(party.id for party in document.parties)})
