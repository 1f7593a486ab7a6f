"""From the live policy to a reader's decision table, kept in the store's memory and in a bounded cache.

Rules held here: owners that did not change are not compiled again (their documents' digest is the key); a table is
used only for the policy it was made from and only until its `good_until`; membership is the policy's word, never the
caller's; an owner whose documents cannot be compiled is withheld alone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple

import numpy as np

from commonwatch.agreements.compile import Compiled as CompiledDocuments
from commonwatch.agreements.compile import Piece
from commonwatch.agreements.document import Share
from commonwatch.agreements.effective import OwnerDocuments, ref_of
from commonwatch.agreements.lattice import WITHHELD
from commonwatch.agreements.reader import Reader
from commonwatch.errors import NotPermitted
from commonwatch.events.fields import FIELDS
from commonwatch.events.labels import Label
from commonwatch.events.rungs import HOUR
from commonwatch.govern.changes import Scope
from commonwatch.govern.decide.decisions import Aged, Decision, held_levels, lowered, own_decision
from commonwatch.govern.decide.table import Band, Book, Builder, Lot, Table, ranged
from commonwatch.govern.policy import KeySource, OwnerPolicy, PolicyView
from commonwatch.govern.relation import Kept, keep
from commonwatch.store import Handling, Store

#: Tables that are kept in any case, and the rows all of them may have beyond that.
_TABLES, _ROWS = 4, 2_000_000
_OWNERS = 50_000
#: Names of kept tables are given once in a process: several compilers can share a store.
_SERIAL = count()


class Compiled:
    """A table, its bands as the store keeps them, and how many requests use them now."""

    def __init__(self, table: Table, store: Store, name: str) -> None:
        self.table = table
        self._store, self._name = store, name
        self._names: list[str] = []
        self._users, self._stale = 0, False
        self._kept: tuple[Kept, ...] | None = None
        self._ranged: tuple[Kept, ...] | None = None
        self._lock = threading.Lock()

    @property
    def kept(self) -> tuple[Kept, ...]:
        """The bands in the store, put there when they are first asked for."""
        with self._lock:
            if self._kept is None:
                self._kept = tuple(self._keep(band, str(no)) for no, band in enumerate(self.table.bands))
            return self._kept

    def ranged(self) -> tuple[Kept, ...]:
        """The same table as one band with a range per row: for short stretches of time across several bands."""
        if len(self.table.bands) < 2:
            return self.kept
        with self._lock:
            if self._ranged is None:
                self._ranged = (self._keep(ranged(self.table.bands), "r"),)
            return self._ranged

    def _keep(self, band: Band, suffix: str) -> Kept:
        name = f"{self._name}_{suffix}"
        self._names.append(name)
        return keep(self._store, band, name)

    def retire(self) -> None:
        """No longer in the cache: its tables go as soon as nobody uses them."""
        self._stale = True
        self.release(0)

    def use(self) -> None:
        """One more request uses it."""
        self._users += 1

    def release(self, users: int = 1) -> None:
        """One request fewer uses it."""
        self._users -= users
        if self._stale and self._users == 0:
            for name in self._names:
                self._store.drop(name)


class _Plan(NamedTuple):
    """One reader's handlings in lots, and what they were put together from."""

    state: tuple[int, int, int]
    owners: dict[str, _Owner | None]
    lots: Sequence[Lot]


class Compiler:
    """Decision tables by (policy epoch, reader), compiled owner by owner; `only` keeps to one owner's events."""

    def __init__(self, store: Store, keys: KeySource, only: str | None = None) -> None:
        self._store, self._keys, self._only = store, keys, only
        self._lock = threading.RLock()
        self._tables: OrderedDict[tuple[int, Reader], tuple[int, Compiled]] = OrderedDict()
        self._books: dict[tuple[int, Reader], Book] = {}
        self._plans: dict[Reader, _Plan] = {}
        self._owners: OrderedDict[tuple[str, Reader], _Owner] = OrderedDict()
        self._late: list[Reader] = []  # whose tables a question replaced before `withdraw` came

    @contextmanager
    def table(self, view: PolicyView, reader: Reader) -> Iterator[Compiled]:
        """The reader's table, for as long as the block runs."""
        with self._lock:
            found = self._find(view, reader)
            found.use()
        try:
            yield found
        finally:
            with self._lock:
                found.release()

    def close(self) -> None:
        """Forget every table: at once, or when whoever uses it is done."""
        with self._lock:
            while self._tables:
                self._tables.popitem()[1][1].retire()

    def handlings(self) -> Sequence[Handling]:
        """The handlings in question."""
        found = self._store.handlings
        return found if self._only is None else [h for h in found if h.owner == self._only]

    def aged(self, view: PolicyView, reader: Reader, handling: Handling) -> Sequence[Aged]:
        """The decisions about one handling by age, those that show nothing included."""
        with self._lock:
            owner = self._owner(view, reader, handling.owner)
            return owner.aged(handling.label, handling.held) if owner else []

    def _find(self, view: PolicyView, reader: Reader) -> Compiled:
        handlings = self.handlings()
        key = (view.epoch, reader)
        known = self._tables.get(key)
        if known and known[0] == len(handlings) and known[1].table.now <= view.now < known[1].table.good_until:
            self._tables.move_to_end(key)
            return known[1]
        made = self._make(view, reader, handlings)
        for old in [k for k in self._tables if k[0] != view.epoch or k == key]:
            self._tables.pop(old)[1].retire()
            self._late += [old[1]] if old[0] != view.epoch else []
        self._tables[key] = (len(handlings), made)
        while len(self._tables) > _TABLES and sum(t.table.rows for _, t in self._tables.values()) > _ROWS:
            self._tables.popitem(last=False)[1][1].retire()
        return made

    def withdraw(self, scope: Scope) -> list[Reader]:
        """Tables of older policies go, and what was compiled from owners that changed; whose tables went."""
        with self._lock:
            old = [key for key in self._tables if key[0] < scope.epoch]
            for key in old:
                self._tables.pop(key)[1].retire()
            for pair in [pair for pair in self._owners if pair[0] in scope.owners]:
                del self._owners[pair]
            late, self._late = self._late, []
        return [*late, *(reader for _, reader in old)]

    def _make(self, view: PolicyView, reader: Reader, handlings: Sequence[Handling]) -> Compiled:
        builder = Builder(reader, view.now, self._book(view, reader))
        for lot in self._lots(view, reader, handlings):
            builder.add(lot)
        return Compiled(builder.table(), self._store, f"d{next(_SERIAL)}")

    def _lots(self, view: PolicyView, reader: Reader, handlings: Sequence[Handling]) -> Sequence[Lot]:
        """The handlings in lots; known ones while policy, handlings and every owner's compiled part are the same."""
        owners = {name: self._owner(view, reader, name) for name in dict.fromkeys(h.owner for h in handlings)}
        state = view.epoch, len(handlings), self._store.removals
        known = self._plans.get(reader)
        if known and known.state == state and _same(known.owners, owners):
            return known.lots
        alike: dict[int, tuple[_Owner, Sequence[Aged], list[tuple[int, int]]]] = {}
        for handling in handlings:
            if owner := owners[handling.owner]:
                pieces = owner.aged(handling.label, handling.held)
                lot = alike.setdefault(id(pieces), (owner, pieces, []))
                lot[2].append((handling.no, int(handling.label.tlp)))
        lots = [_lot(rows, pieces, owner.communities) for owner, pieces, rows in alike.values()]
        self._plans = {r: p for r, p in self._plans.items() if p.state[0] == view.epoch}
        self._plans[reader] = _Plan(state, owners, lots)
        return lots

    def _book(self, view: PolicyView, reader: Reader) -> Book:
        """The reader's numbers under this epoch; those of older epochs are forgotten."""
        if any(epoch != view.epoch for epoch, _ in self._books):
            self._books = {k: v for k, v in self._books.items() if k[0] == view.epoch}
        return self._books.setdefault((view.epoch, reader), Book(reader, view.orgs))

    def _owner(self, view: PolicyView, reader: Reader, owner: str) -> _Owner | None:
        """One owner's part, compiled again only when its documents changed."""
        policy = view.owners.get(owner) or _without_documents(owner, reader)
        if policy is None:
            return None
        keyed = self._keys.pseudonym_key(owner) is not None
        known = self._owners.get((owner, reader))
        if known is None or known.digest != (policy.digest, keyed):
            known = self._owners[owner, reader] = _Owner(policy, reader, keyed=keyed)
            if len(self._owners) > _OWNERS:
                self._owners.popitem(last=False)
        return known


def _lot(rows: Sequence[tuple[int, int]], pieces: Sequence[Aged], communities: Mapping[str, str]) -> Lot:
    """A lot of (handling, TLP) rows."""
    handlings, tlps = np.array(rows, np.int64).T
    return Lot(handlings, tlps, pieces, communities)


def _same(before: Mapping[str, _Owner | None], now: Mapping[str, _Owner | None]) -> bool:
    """Whether every owner's compiled part is still the very same."""
    return before.keys() == now.keys() and all(before[name] is owner for name, owner in now.items())


def standing(view: PolicyView, reader: Reader) -> Reader:
    """The reader as the policy knows it: roles and communities are the policy's word."""
    info = view.orgs.get(reader.org)
    if info is None:
        raise NotPermitted("this organisation is not a member here", todo="ask the steward of your community")
    return Reader(reader.org, tuple(sorted(info.roles)), tuple(sorted(info.communities)), reader.purpose)  # type: ignore[arg-type]


def _without_documents(owner: str, reader: Reader) -> OwnerPolicy | None:
    """An owner without agreements still sees its own events."""
    return OwnerPolicy(owner, OwnerDocuments(owner, ()), b"") if owner == reader.org else None


class _Owner:
    """One owner's documents compiled for one reader."""

    def __init__(self, policy: OwnerPolicy, reader: Reader, *, keyed: bool) -> None:
        self.digest = (policy.digest, keyed)
        self.communities = _communities(policy.documents, reader)
        self._documents, self._keyed = policy.documents, keyed
        self._clauses = CompiledDocuments(policy.documents, reader)
        self._own = policy.owner == reader.org
        self._done: dict[tuple[int, tuple[tuple[str, str], ...]], tuple[list[Piece], list[Aged]]] = {}
        self._same: dict[str, Decision] = {}

    def aged(self, label: Label, held: tuple[tuple[str, str], ...]) -> list[Aged]:
        """The decisions by age for a label and held profile. The list is shared: equal questions, same object."""
        if self._own:
            return self._own_events(held)
        found = self._clauses.pieces(label)
        key = (id(found), held)
        if key not in self._done:
            levels = held_levels(held)  # type: ignore[arg-type]
            self._done[key] = (
                found,
                [
                    Aged(
                        _micros(p.from_hours),
                        None if p.until_hours is None else _micros(p.until_hours),
                        self._decide(p, levels),
                    )
                    for p in found
                ],
            )
        return self._done[key][1]

    def _own_events(self, held: tuple[tuple[str, str], ...]) -> list[Aged]:
        key = (0, held)
        if key not in self._done:
            decision = own_decision(self._documents.owner, held_levels(held))  # type: ignore[arg-type]
            self._done[key] = [], [Aged(0, None, decision)]
        return self._done[key][1]

    def _decide(self, piece: Piece, held: tuple[object, ...]) -> Decision:
        levels = tuple(piece.levels.get(field, WITHHELD) for field in FIELDS)
        whole = Decision(self._documents.owner, levels, piece.allowed, piece.reasons, piece.clauses)
        decision = lowered(whole, held, keyless=not self._keyed)  # type: ignore[arg-type]
        return self._same.setdefault(repr(decision), decision)


def _communities(documents: OwnerDocuments, reader: Reader) -> dict[str, str]:
    """Clause -> the community its shared pseudonyms are for, where the reader is a member of it."""
    found: dict[str, str] = {}
    for live in documents.agreements:
        for clause in live.document.clauses:
            if not isinstance(clause, Share):
                continue
            named = {*clause.to.communities, live.document.community or ""}
            for community in sorted(named & set(reader.communities)):
                found.setdefault(str(ref_of(live.document, clause.id)), community)
    return found


def _micros(hours: float) -> int:
    return round(hours * HOUR)
