"""Exact releases: one finished cube per reader that can be explored without asking again (`explore.md` 2 and 3).

Rules held here: one Arrow record batch, uncompressed, with one JSON document in its schema metadata; codes are given
to disclosed values only, in sorted or public order; a dimension is `derived` only where the map is single-valued over
disclosed values; rows whose time is withheld or coarser than the bin stay out and are counted; the id is a function of
what is shown; cached by policy, table and arrival, in a bounded number of bytes, and good until the clock alone
changes a decision.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from commonwatch.agreements.reader import Reader
from commonwatch.events.fields import FieldName
from commonwatch.events.rungs import DAY, HOUR, MINUTE
from commonwatch.govern.answer.asking import BINS, Asking, instant_text
from commonwatch.govern.answer.dims import ABSENT_TEXT, CLASSES, DIMS, SEVERITIES, WITHHELD_TEXT
from commonwatch.govern.answer.filters import Predicates
from commonwatch.govern.decide.describe import FieldShown
from commonwatch.govern.query import Hidden
from commonwatch.govern.relation import Window
from commonwatch.govern.taken import Part

CONTRACT = 1
CUBE = ("org", "sector", "region", "class", "severity", "family", "category")
#: The clause fields a release shows.
RELEASED: frozenset[FieldName] = frozenset({"time", *(f for key in CUBE if (f := DIMS[key].field))})
_FROM_ORG = ("sector", "region")
MOST_CELLS, MOST_EDGES = 1_500_000, 2_400
_DISCLOSED = {15 * MINUTE: "minute", HOUR: "hour", 6 * HOUR: "hour", DAY: "day", 7 * DAY: "week"}
_ORDERS = {"class": list(CLASSES.values()), "severity": list(SEVERITIES.values())}
Codes = npt.NDArray[np.int64]


class ReleaseInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader is told about a release before opening it. Times are RFC 3339. `about`: of some kinds only."""

    id: str
    kind: str
    window: dict[str, str]
    bin: str
    cells: int
    bytes: int
    dims: list[str]
    measures: list[str]
    good_until: str
    about: dict[str, Any] | None = None


class Release(NamedTuple):
    """A release: id, Arrow IPC stream, until when (microseconds) it is good, the contract's metadata, and its info.

    `parts` is what it took in of whom: for their record, never for the reader.
    """

    id: str
    body: bytes
    good_until: int
    meta: dict[str, Any]
    info: ReleaseInfo
    parts: tuple[Part, ...] = ()


class Made(NamedTuple):
    """The instant and policy a release is made under."""

    reader: Reader
    epoch: int
    watermark: int
    made_at: int
    good_until: int


def build(asking: Asking, made: Made, fields: Callable[[], Sequence[FieldShown]]) -> Release:
    """Make the exact cube of a reader's relation. `fields` says, when asked, why a field is not shown."""
    name, cells = _cells(asking)
    timed = [(key, n) for key, n in cells if key[0] is not None]
    meta, columns = _coded(asking, timed, name)
    meta["withheld"] = _withheld(meta["dims"], meta["derived"], fields)
    meta |= _about(made, untimed=sum(n for key, n in cells if key[0] is None))
    content = hashlib.sha256(json.dumps([meta["dims"], meta["derived"], meta["withheld"]]).encode())
    for column in columns.values():
        content.update(column.tobytes())
    identity = repr((CONTRACT, made.reader, made.epoch, made.watermark, made.good_until, name, content.hexdigest()))
    meta["release"] = hashlib.sha256(identity.encode()).hexdigest()[:32]
    body = stream(columns, meta)
    return Release(meta["release"], body, made.good_until, meta, _info(meta, name, len(timed), len(body)))


def _cells(asking: Asking) -> tuple[str, list[tuple[tuple[Any, ...], int]]]:
    """The finest bin that time precision and size allow, and the cells."""
    finest = asking.bin("15m", Predicates([], [], [], Window()))
    by = [DIMS[key] for key in CUBE]
    names = list(BINS)[list(BINS).index(finest) :]
    for name in names:
        cells = asking.cube(by, Predicates([], [], [], Window()), BINS[name])
        starts = [key[0] for key, _ in cells if key[0] is not None]
        edges = (max(starts) - min(starts)) // BINS[name] if starts else 0
        if name == names[-1] or (len(cells) <= MOST_CELLS and edges <= MOST_EDGES):
            break
    return name, cells


def _coded(
    asking: Asking, cells: Sequence[tuple[tuple[Any, ...], int]], name: str
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Codes for the cells in order of the dims, the dims that say what they mean, and what is derived."""
    time, starts = _time_dim(asking, cells, name)
    dims, codes = [time], [starts]
    for at, key in enumerate(CUBE):
        dim, found = _coded_dim(key, [str(cell[0][at + 1]) for cell in cells])
        dims.append(dim)
        codes.append(found)
    dims, codes, derived = _derived(dims, codes)
    order = np.lexsort(codes[::-1]) if len(cells) else np.array([], np.int64)
    columns: dict[str, npt.NDArray[Any]] = {
        d["key"]: c[order].astype(np.uint8 if d["n"] <= 256 else np.uint16) for d, c in zip(dims, codes, strict=True)
    }
    columns["w0"] = np.array([n for _, n in cells], np.uint32)[order]
    return {"dims": dims, "derived": derived}, columns


def _time_dim(asking: Asking, cells: Sequence[tuple[tuple[Any, ...], int]], name: str) -> tuple[dict[str, Any], Codes]:
    size = BINS[name]
    starts = np.array([key[0] for key, _ in cells], np.int64)
    first = int(starts.min()) if len(starts) else asking.table.now // size * size
    n = (int(starts.max()) - first) // size + 1 if len(starts) else 0
    edges = [instant_text(first + i * size) for i in range(n + 1)]
    dim = {"key": "t", "label": "time", "kind": "time", "n": n, "edges": edges, "disclosed": _DISCLOSED.get(size, name)}
    return dim, (starts - first) // size


def _coded_dim(key: str, shown: list[str]) -> tuple[dict[str, Any], Codes]:
    """A dimension with a code per disclosed value; "not shown to you" and "empty" come last."""
    found = set(shown)
    order = _ORDERS.get(key)
    plain = found - {WITHHELD_TEXT, ABSENT_TEXT}
    values = [v for v in order if v in plain] if order else []
    values += sorted(plain - set(values)) + [v for v in (ABSENT_TEXT, WITHHELD_TEXT) if v in found]
    numbers = {v: i for i, v in enumerate(values)}
    dim = {
        "key": key, "label": DIMS[key].label, "kind": DIMS[key].kind, "n": len(values), "values": values,
        "parent": None, "withheld": numbers.get(WITHHELD_TEXT),
    }  # fmt: skip
    return dim, np.array([numbers[v] for v in shown], np.int64)


def _derived(dims: list[dict[str, Any]], codes: list[Codes]) -> tuple[list[dict[str, Any]], list[Codes], list[Any]]:
    """Take out sector and region where the organisation as shown decides them; drop those nobody is shown."""
    org = next(i for i, d in enumerate(dims) if d["key"] == "org")
    derived, gone = [], set()
    for at, dim in enumerate(dims):
        if dim["key"] not in _FROM_ORG:
            continue
        pairs = np.unique(np.stack([codes[org], codes[at]]), axis=1)
        if len(np.unique(pairs[0])) == pairs.shape[1]:
            gone.add(at)
            described = {k: v for k, v in dim.items() if k != "parent"}
            derived.append({"dim": described, "from": "org", "map": pairs[1].tolist()})
            if dim["key"] == "sector":
                dims[org]["parent"] = "sector"
    kept = [i for i in range(len(dims)) if i not in gone]
    return [dims[i] for i in kept], [codes[i] for i in kept], derived


def _withheld(
    dims: Sequence[dict[str, Any]], derived: Sequence[dict[str, Any]], fields: Callable[[], Sequence[FieldShown]]
) -> list[dict[str, Any]]:
    """Dimensions that no cell shows, with the reason the documents give."""
    described = [*dims[1:], *(d["dim"] for d in derived)]
    bare = [d["key"] for d in described if d["values"] == [WITHHELD_TEXT]]
    why = {f.field: f.withheld for f in fields()} if bare else {}
    found = []
    for key in bare:
        hidden = why.get(DIMS[key].field or "") or Hidden("field-not-granted")
        about = {"reason": hidden.reason, "ask": hidden.ask, "clause": hidden.clause, "request": None}
        found.append({"dim": key, "label": DIMS[key].label, **about})
    return found


def _about(made: Made, *, untimed: int) -> dict[str, Any]:
    provenance = {
        "policy_epoch": made.epoch, "watermark": instant_text(made.watermark), "made_at": instant_text(made.made_at),
        "good_until": instant_text(made.good_until), "reader": msgspec.to_builtins(made.reader),
        "agreements": None, "members": None, "untimed": untimed,
    }  # fmt: skip
    events = {"column": "w0", "key": "events", "label": "events", "unit": "events", "per": None}
    return {
        "contract": CONTRACT, "version": 1, "kind": "exact", "measures": [events], "variance": None,
        "threshold": None, "privacy": None, "provenance": provenance,
    }  # fmt: skip


def stream(columns: dict[str, npt.NDArray[Any]], meta: dict[str, Any]) -> bytes:
    """One record batch and one JSON document: the wire form of every release."""
    arrays = {name: pa.array(column) for name, column in columns.items()}
    fields = [pa.field(name, array.type, nullable=False) for name, array in arrays.items()]
    schema = pa.schema(fields, metadata={"commonwatch": json.dumps(meta, separators=(",", ":"))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(arrays.values()), schema=schema))
    body: bytes = sink.getvalue().to_pybytes()
    return body


def _info(meta: dict[str, Any], name: str, cells: int, size: int) -> ReleaseInfo:
    edges = meta["dims"][0]["edges"]
    window = {"from": edges[0], "to": edges[-1]}
    return ReleaseInfo(
        id=meta["release"], kind="exact", window=window, bin=name, cells=cells, bytes=size,
        dims=[d["key"] for d in meta["dims"]] + [d["dim"]["key"] for d in meta["derived"]],
        measures=["events"], good_until=meta["provenance"]["good_until"],
    )  # fmt: skip


class Shelf:
    """Releases made so far, bounded by bytes: by what they were made from, and by id."""

    def __init__(self, most: int = 256 * 1024 * 1024) -> None:
        self._most, self._bytes = most, 0
        self._kept: OrderedDict[str, tuple[Reader, int, Release]] = OrderedDict()
        self._stale: OrderedDict[str, Reader] = OrderedDict()
        self._late: list[Reader] = []  # whose releases a question found stale before `withdraw` came
        self._lock = threading.RLock()

    def put(self, reader: Reader, epoch: int, release: Release) -> None:
        """Keep a release; the least recently used go when there are too many bytes."""
        with self._lock:
            self._drop(release.id)
            self._bytes += len(release.body)
            self._kept[release.id] = (reader, epoch, release)
            while self._bytes > self._most and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))

    def find(self, reader: Reader, epoch: int, now: int, name: str) -> Release | None:
        """A release of this reader that the policy and the clock still allow."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept[0] != reader:
                return None
            if kept[1] != epoch or now >= kept[2].good_until:
                self._drop(name)
                self._late += [reader] if kept[1] != epoch else []
                return None
            self._kept.move_to_end(name)
            return kept[2]

    def withdraw(self, epoch: int) -> list[Reader]:
        """Releases made under an older policy go; whose they were."""
        with self._lock:
            old = {name: kept[0] for name, kept in self._kept.items() if kept[1] < epoch}
            for name in old:
                self._drop(name)
            late, self._late = self._late, []
        return [*late, *old.values()]

    def was(self, reader: Reader, name: str) -> bool:
        """Whether this reader once had a release of that id."""
        with self._lock:
            return self._stale.get(name) == reader or (name in self._kept and self._kept[name][0] == reader)

    def _drop(self, name: str) -> None:
        """Take a release off the shelf, and remember whose it was."""
        gone = self._kept.pop(name, None)
        if gone is None:
            return
        self._bytes -= len(gone[2].body)
        self._stale[name] = gone[0]
        while len(self._stale) > 4_096:
            self._stale.popitem(last=False)
