"""The decision table of one reader: one row per handling and age band, its parameters as data.

Rules held here: what a row says is a function of agreements, memberships, clock and what left the gateway, never of a
stored value; owners' attributes are text in the table, as shown; equal decisions share one number (`dno`), by which
reasons and clauses are found for rows that leave. Up to twelve age bands are tables of their own (each a range of raw
event time); more than that are one table with a range per row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from commonwatch.agreements.lattice import TRUE, top_of
from commonwatch.agreements.reader import Reader
from commonwatch.events import rungs
from commonwatch.events.fields import FAMILIES, FieldName, family_of
from commonwatch.govern.decide.decisions import FOREVER, Aged, Cut, Decision, both, cuts, stretches
from commonwatch.govern.decide.shown import FIELD_NO, SCOPE, SUBNET, TOKEN_FIELDS, WORDS, fields_word, words
from commonwatch.govern.policy import OrgInfo
from commonwatch.privacy.pseudonym import READER_EPOCH, epoch_of

MAX_BANDS = 12
ORG_DIMS = ("org", "sector", "region", "size")
_ATTRIBUTES: dict[str, FieldName] = {"sector": "owner_sector", "region": "owner_region", "size": "owner_size"}
Ints = npt.NDArray[np.int64]
Buckets = tuple[tuple[int, int], ...]
Numbered = tuple[tuple[int, int, int], ...]


class Token(NamedTuple):
    """How the held value of a field becomes a token: whose key, for whom, in which form.

    `recipient` "" is the answer itself (one-time); `form` is det, pfx, name, mail, mail+domain, or held-det, held-pfx,
    held where an owner reads back a token its own gateway made.
    """

    owner: str
    field: FieldName
    recipient: str
    form: str


class Band(NamedTuple):
    """Rows of the table for event times in [start, end); `ranged` where each row carries its own range."""

    start: int
    end: int
    rows: pa.Table
    ranged: bool = False


class Table(msgspec.Struct, frozen=True):
    """A compiled decision table. `texts`: per organisation dimension, the shown text (or token) behind each code.

    `coarsest` is the coarsest disclosed time grain (microseconds, at least 1), `present` the values some parameters of
    addresses take in it: both only save work.
    """

    reader: Reader
    now: int
    good_until: int
    epoch_no: int
    bands: tuple[Band, ...]
    decisions: tuple[Decision, ...]
    tokens: tuple[Token, ...]
    texts: Mapping[str, tuple[str | Token, ...]]
    codes: tuple[dict[str, int | None], ...]
    cuts: frozenset[Cut]
    numbers: Book
    digest: str
    coarsest: int
    present: Mapping[str, frozenset[int | None]]

    @property
    def rows(self) -> int:
        """How many rows all its bands have."""
        return sum(band.rows.num_rows for band in self.bands)


#: Parameters of a decision, in the order of the table's columns after `handling`.
WORD_NAMES = tuple(f"w{no}" for no in range(WORDS))
KEY_NAMES: dict[FieldName, str] = {field: f"k_{field}" for field in TOKEN_FIELDS}
PARAMETERS = ("tlp", "dno", "grain", *WORD_NAMES, "fields", "src_rung", "dst_rung", *KEY_NAMES.values(), *ORG_DIMS)


class Book:
    """Numbers of one reader under one policy epoch: decisions, tokens and texts keep theirs from table to table."""

    def __init__(self, reader: Reader, orgs: Mapping[str, OrgInfo]) -> None:
        self._reader, self._orgs = reader, orgs
        self._communities: Mapping[str, str] = {}
        self._numbers: dict[int, int] = {}
        self._merged: dict[tuple[int, ...], tuple[Decision, Sequence[Decision]]] = {}
        self._laid: dict[int, tuple[Sequence[Aged], Buckets, Numbered]] = {}
        self.decisions: list[Decision] = []
        self.tokens: dict[Token, int] = {}
        self.texts: dict[str, dict[str | Token, int]] = {dim: {} for dim in ORG_DIMS}
        self.codes: list[dict[str, int | None]] = []

    def number(self, decision: Decision, communities: Mapping[str, str]) -> int:
        """The number of a decision (the same object, the same number)."""
        no = self._numbers.get(id(decision))
        if no is None:
            self._communities = communities
            no = self._numbers[id(decision)] = len(self.decisions)
            self.decisions.append(decision)
            self.codes.append(self._row(decision, no))
        return no

    def no(self, decision: Decision) -> int:
        """The number of a decision that has one."""
        return self._numbers[id(decision)]

    def merge(self, decisions: Sequence[Decision]) -> Decision:
        """The meet of several decisions; the same several, the same object. (Their originals are kept alive by it.)"""
        key = tuple(id(d) for d in decisions)
        if key not in self._merged:
            self._merged[key] = both(decisions), tuple(decisions)
        return self._merged[key][0]

    def laid(self, pieces: Sequence[Aged], now: int, communities: Mapping[str, str]) -> Numbered:
        """(start, end, number) of each stretch of event times at `now`: worked out anew only where a cut moved."""
        buckets = tuple(cut.bucket(now) for cut in cuts(pieces) if cut) if len(pieces) > 1 else ()
        known = self._laid.get(id(pieces))
        if known is None or known[1] != buckets:
            found = stretches(pieces, now, self.merge)
            numbered = tuple((s.start, s.end, self.number(s.decision, communities)) for s in found)
            known = self._laid[id(pieces)] = pieces, buckets, numbered
        return known[2]

    def _row(self, decision: Decision, no: int) -> dict[str, int | None]:
        levels = decision.levels
        row: dict[str, int | None] = {"dno": no, "grain": decision.grain or None, "fields": fields_word(levels)}
        row |= dict(zip(WORD_NAMES, words(levels), strict=True))
        for side in ("src", "dst"):
            point = levels[FIELD_NO["src_ip" if side == "src" else "dst_ip"]]
            row[f"{side}_rung"] = SCOPE if point.precision == SUBNET and not point.linkage else point.precision
        for field, name in KEY_NAMES.items():
            row[name] = self._token(decision, field)
        return row | {dim: self._text(dim, decision) for dim in ORG_DIMS}

    def _token(self, decision: Decision, field: FieldName) -> int | None:
        point = decision.levels[FIELD_NO[field]]
        if not 0 < point.linkage < TRUE:
            return None
        form = _form(field, point.precision)
        if decision.own:
            token = Token(decision.owner, field, "", f"held-{form}" if form in {"det", "pfx"} else "held")
        else:
            token = Token(decision.owner, field, self._recipient(decision, field, point.linkage), form)
        return self.tokens.setdefault(token, len(self.tokens))

    def _recipient(self, decision: Decision, field: FieldName, linkage: int) -> str:
        """One-time tokens are for the answer, shared ones for the community whose agreement raised them."""
        if linkage == 1:
            return ""
        if linkage == 3:
            found = {c for ref in decision.allowed.get(field, ()) if (c := self._communities.get(str(ref)))}
            if found:
                return f"community {min(found)}"
        return f"reader {self._reader.org}"

    def _text(self, dim: str, decision: Decision) -> int | None:
        shown: str | Token | None = self._owner(decision) if dim == "org" else self._attribute(dim, decision)
        return None if not shown else self.texts[dim].setdefault(shown, len(self.texts[dim]))

    def _owner(self, decision: Decision) -> str | Token | None:
        point = decision.levels[FIELD_NO["owner"]]
        if point == top_of("owner"):
            return decision.owner
        if not point.linkage:
            return None
        return Token(decision.owner, "owner", self._recipient(decision, "owner", point.linkage), "name")

    def _attribute(self, dim: str, decision: Decision) -> str | None:
        field = _ATTRIBUTES[dim]
        family = family_of(field).name
        org = self._orgs.get(decision.owner)
        value = getattr(org, dim) if org else ""
        precision = FAMILIES[family].precisions[decision.levels[FIELD_NO[field]].precision]
        shown = rungs.rung(family, precision, field, value or None)
        return str(shown) if shown else None

    def parameters(self) -> dict[str, pa.Array]:
        """Every parameter column but `tlp`, one row per decision number."""
        wide = {"grain", "fields", *WORD_NAMES}
        return {
            name: pa.array([row[name] for row in self.codes], pa.int64() if name in wide else pa.int32())
            for name in PARAMETERS
            if name != "tlp"
        }


class Lot(NamedTuple):
    """Handlings of one owner to which the same pieces apply; `communities`: clause -> that of its shared pseudonyms."""

    handlings: Ints
    tlps: Ints
    pieces: Sequence[Aged]
    communities: Mapping[str, str]


class Builder:
    """Lays the decisions of one reader out on handlings and event times, at one instant."""

    def __init__(self, reader: Reader, now: int, book: Book) -> None:
        self._reader, self._now, self._book = reader, now, book
        self._rows: list[Ints] = []
        self._cuts: set[Cut] = set()

    def add(self, lot: Lot) -> None:
        """The pieces of handlings that are alike: laid out once."""
        if len(lot.pieces) > 1:
            self._cuts.update(cut for cut in cuts(lot.pieces) if cut)
        for start, end, dno in self._book.laid(lot.pieces, self._now, lot.communities):
            rows = np.empty((5, len(lot.handlings)), np.int64)
            rows[0], rows[1], rows[2], rows[3], rows[4] = start, end, lot.handlings, lot.tlps, dno
            self._rows.append(rows)

    def table(self) -> Table:
        """The finished table."""
        book, epoch = self._book, epoch_of(self._now)
        ends = [rungs.ANCHOR + (epoch + 1) * READER_EPOCH, *(c.bucket(self._now)[1] + c.age for c in self._cuts)]
        bands = tuple(_bands(self._rows, book.parameters()))
        texts = {dim: tuple(found) for dim, found in book.texts.items()}
        named = ("src_rung", "dst_rung", "k_src_ip", "k_dst_ip")
        present = {name: frozenset(code[name] for code in book.codes) for name in named}
        coarsest = max((d.grain for d in book.decisions), default=1) or 1
        return Table(
            reader=self._reader, now=self._now, good_until=min(ends), epoch_no=epoch, bands=bands,
            decisions=tuple(book.decisions), tokens=tuple(book.tokens), texts=texts, codes=tuple(book.codes),
            cuts=frozenset(self._cuts), numbers=book, digest=_digest(bands, tuple(book.tokens), texts, epoch),
            coarsest=coarsest, present=present,
        )  # fmt: skip


def _form(field: FieldName, precision: int) -> str:
    family = family_of(field).name
    if family == "address":
        return "pfx" if precision >= SUBNET else "det"
    if family == "mailbox":
        return "mail+domain" if precision else "mail"
    return "name"


def _bands(rows: list[Ints], parameters: dict[str, pa.Array]) -> list[Band]:
    if not rows:
        return []
    together = np.concatenate(rows, axis=1)
    start, end, handling, tlp, dno = together[:, np.argsort(together[2], kind="stable")]
    cuts = np.unique(np.concatenate((start, end)))
    if len(cuts) - 1 > MAX_BANDS:
        ranged = _rows(handling, tlp, dno, parameters)
        ranged = ranged.append_column("start", pa.array(start)).append_column("end", pa.array(end))
        return [Band(-FOREVER, FOREVER, ranged, ranged=True)]
    made = []
    for low, high in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        inside = (start <= low) & (end >= high)
        if inside.any():
            made.append(Band(low, high, _rows(handling[inside], tlp[inside], dno[inside], parameters)))
    return made


def ranged(bands: Sequence[Band]) -> Band:
    """Several bands as one, with a range per row."""
    parts = []
    for band in bands:
        start, end = (pa.array(np.full(band.rows.num_rows, bound, np.int64)) for bound in (band.start, band.end))
        parts.append(band.rows.append_column("start", start).append_column("end", end))
    return Band(-FOREVER, FOREVER, pa.concat_tables(parts), ranged=True)


def _rows(handling: Ints, tlp: Ints, dno: Ints, parameters: dict[str, pa.Array]) -> pa.Table:
    taken = pa.array(dno)
    columns = {name: array.take(taken) for name, array in parameters.items()}
    return pa.table({"handling": pa.array(handling, pa.int32()), "tlp": pa.array(tlp, pa.int32()), **columns})


def _digest(
    bands: Sequence[Band], tokens: Sequence[Token], texts: Mapping[str, Sequence[str | Token]], epoch: int
) -> str:
    state = hashlib.sha256(repr((epoch, tokens, sorted(texts.items()))).encode())
    for band in bands:
        state.update(repr((band.start, band.end, band.ranged)).encode())
        for column in band.rows.combine_chunks().columns:
            for chunk in column.chunks:
                for buffer in chunk.buffers():
                    state.update(buffer or b"-")
    return state.hexdigest()
