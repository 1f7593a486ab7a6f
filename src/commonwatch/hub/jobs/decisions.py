"""The decision log: every answer and release is an audit entry before it is given. Implements `govern.DecisionLog`.

Rules held here: the entry is on disk before the answer leaves (entries written at once share a flush); no log, no
answer. An entry is read whole by the organisation it names, so the reader's entry names only agreements it is a party
to, and each owner learns of a reader by an entry of its own, once per policy epoch. Both are told by the documents
alone: what govern found in stored labels (which agreements were met, the table's digest) would tell a reader when rows
arrive that it is not shown. What an answer took in of whom is in no entry that names anybody: the log binds it by one
hash, the same for every answer, and `Keep` has it on disk before the answer leaves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from commonwatch.agreements.document import Count, Share
from commonwatch.agreements.effective import LiveAgreement, accepted, addresses
from commonwatch.agreements.reader import Reader
from commonwatch.audit.log import Entry
from commonwatch.govern.policy import Decided, PolicyView
from commonwatch.govern.taken import Taken
from commonwatch.hub.seen.sheet import Sheet, sheet_of

#: Writes entries in one flush; gives the number of the first.
Append = Callable[[Sequence[Entry]], int]
#: Keeps sheets, each bound by the audit entry of that number, at that time.
Keep = Callable[[Sequence[tuple[Sheet, int]], int], None]
#: Kinds that are for the owner of the events: written here, from documents.
DISCLOSED = "disclosed"
#: Details that depend on rows the reader may not see.
UNTOLD = frozenset({"table", "agreements", "others"})
MOST_KNOWN = 10_000


class Reached(NamedTuple):
    """Agreements (`id@version`) that reach a reader: those it is a party to, how many others, and all by owner."""

    named: list[str]
    others: int
    by_owner: dict[str, list[str]]


class Decisions:
    """The log govern and the hub's jobs write to. Thread-safe."""

    def __init__(self, append: Append, view: Callable[[], PolicyView], keep: Keep | None = None) -> None:
        self._append, self._view, self._keep = append, view, keep
        self._known: dict[tuple[int, Reader], Reached] = {}
        self._lock = threading.Lock()

    def decided(self, reader: Reader, kind: str, detail: Mapping[str, Any], taken: Taken | None = None) -> None:
        """Write what was decided, for each owner that this reader reads, and what was taken in; on disk afterwards."""
        self.decided_all([Decided(reader, kind, detail, taken)])

    def decided_all(self, decisions: Sequence[Decided]) -> None:
        """The same for several decisions at once: one flush, one transaction."""
        view, entries, bound = self._view(), list[Entry](), list[tuple[Sheet, int]]()
        for reader, kind, detail, taken in decisions:
            if kind == DISCLOSED:
                continue
            entries += self._entries(view, reader, kind, detail)
            if taken is not None and self._keep is not None:
                sheet = sheet_of(taken, reader, view.now)
                bound.append((sheet, len(entries)))
                entries.append(sheet.logged())
        if not entries:
            return
        first = self._append(entries)
        if self._keep is not None and bound:
            self._keep([(sheet, first + place) for sheet, place in bound], view.now)

    def _entries(self, view: PolicyView, reader: Reader, kind: str, detail: Mapping[str, Any]) -> list[Entry]:
        reached, first = self._reached(view, reader)
        told = {name: value for name, value in detail.items() if name not in UNTOLD}
        told |= {"agreements": reached.named, "others": reached.others}
        entries = [Entry(kind=kind, actor=reader.org, org=reader.org, purpose=reader.purpose, detail=told)]
        if first:
            entries += [_disclosed(view, reader, owner, names) for owner, names in reached.by_owner.items()]
        return entries

    def _reached(self, view: PolicyView, reader: Reader) -> tuple[Reached, bool]:
        """What reaches a reader, and whether this was asked for the first time in this epoch."""
        key = (view.epoch, reader)
        with self._lock:
            if (known := self._known.get(key)) is not None:
                return known, False
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = made = reaching(view, reader)
            return made, True


def reaching(view: PolicyView, reader: Reader) -> Reached:
    """The live agreements that share with or count for a reader."""
    named: list[str] = []
    others, by_owner = 0, dict[str, list[str]]()
    for owner, policy in sorted(view.owners.items()):
        for live in policy.documents.agreements:
            if owner == reader.org or not _reaches(live, reader):
                continue
            name = f"{live.document.id}@{live.document.version}"
            by_owner.setdefault(owner, []).append(name)
            if reader.org in live.document.party_ids:
                named.append(name)
            else:
                others += 1
    return Reached(named, others, by_owner)


def _reaches(live: LiveAgreement, reader: Reader) -> bool:
    clauses = [c for c in live.document.clauses if isinstance(c, Share | Count)]
    meant = any(addresses(c.to, reader) and reader.purpose in c.purposes for c in clauses)
    return meant and live.state == "active" and accepted(live, reader)


def _disclosed(view: PolicyView, reader: Reader, owner: str, names: list[str]) -> Entry:
    detail = {"reader": reader.org, "epoch": view.epoch, "agreements": names}
    return Entry(kind=DISCLOSED, actor=reader.org, org=owner, purpose=reader.purpose, detail=detail)
