"""A sheet: the entries of one answer (or of one folding), bound by a single entry of the audit log.

Rules held here: the log gets one hash, whatever was shown and to how many owners' loss; an entry is proven by its text,
its salt and sixteen hashes, which say nothing of the other entries, neither what nor how many there are (places are
masked, missing neighbours are random); a sheet without entries looks like any other.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from commonwatch.agreements.reader import Reader
from commonwatch.audit.log import Entry
from commonwatch.audit.verify import SHEET_DEPTH, leaf_hash, node_hash
from commonwatch.govern.taken import Taken

#: The kind of the audit entry; it names nobody.
LOGGED = "accessed"
MOST = 1 << SHEET_DEPTH
Grain = Literal["answer", "hour", "day"]


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What left of one owner under one set of clauses: in one answer, or in all alike between `at` and `until`.

    Times in microseconds; `count` is events (explore, release), rows, indicators or alerts; `query` names one answer.
    """

    owner: str
    at: int
    until: int
    reader: str
    purpose: str
    by: str
    surface: str
    clauses: tuple[str, ...]
    fields: dict[str, str]
    count: int
    uses: int = 1
    query: str = ""


class Sheet(msgspec.Struct, frozen=True):
    """Entries in order and the secret their salts, places and fillers come from."""

    entries: tuple[Access, ...]
    seed: bytes
    grain: Grain = "answer"

    def logged(self) -> Entry:
        """The audit entry that binds this sheet."""
        return Entry(kind=LOGGED, actor="hub", org="", detail={"sheet": root(self.entries, self.seed).hex()})


def sheet_of(taken: Taken, reader: Reader, now: int) -> Sheet:
    """The sheet of one answer."""
    entries = tuple(
        Access(
            owner=part.owner, at=now, until=now, reader=reader.org, purpose=reader.purpose, by=taken.by,
            surface=taken.surface, clauses=part.clauses, fields=part.fields, count=part.count, query=taken.query,
        )
        for part in taken.parts
        if part.owner != reader.org
    )  # fmt: skip
    return Sheet(entries, secrets.token_bytes(32))


def text(entry: Access, seed: bytes, number: int) -> str:
    """What is hashed for an entry: its salt, and its canonical JSON on the next line."""
    return f"{_secret(seed, 'salt', number).hex()}\n{msgspec.json.encode(entry, order='sorted').decode()}"


def root(entries: Iterable[Access], seed: bytes) -> bytes:
    """The hash over all entries of a sheet."""
    return _rows(entries, seed)[-1][0]


def proof(entries: Sequence[Access], seed: bytes, number: int) -> dict[str, Any]:
    """That entry `number` is in the sheet: its text, masked place and the neighbours' hashes, lowest first."""
    rows = _rows(entries, seed)
    path = [rows[level][(number >> level) ^ 1].hex() for level in range(SHEET_DEPTH)]
    return {"text": text(entries[number], seed, number), "place": place(seed, number), "path": path}


def place(seed: bytes, number: int) -> int:
    """Where entry `number` stands for all to see: any place is as likely as any other."""
    return number ^ int.from_bytes(_secret(seed, "places", 0)[:4], "big") % MOST


def _rows(entries: Iterable[Access], seed: bytes) -> list[list[bytes]]:
    """The hashes of each level, in the entries' own order, with random neighbours where there are none."""
    rows = [[leaf_hash(text(entry, seed, number).encode()) for number, entry in enumerate(entries)]]
    mask = place(seed, 0)
    for level in range(SHEET_DEPTH):
        row = rows[-1]
        if len(row) % 2 or not row:
            row += [_secret(seed, f"filler {level}", len(row) + i) for i in range(2 - len(row) % 2)]
        swapped = mask >> level & 1
        rows.append([node_hash(row[i + swapped], row[i + 1 - swapped]) for i in range(0, len(row), 2)])
    return rows


def _secret(seed: bytes, use: str, number: int) -> bytes:
    return hmac.digest(seed, f"{use} {number}".encode(), hashlib.sha256)
