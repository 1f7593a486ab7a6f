"""From a verified batch to rows of the store: physical types, clamped times, stored rungs, the true network.

Rules held here: event times are cut to the hub's receive time (quality 3), so that no age is negative; rungs come from
`events.rungs` alone, computed once per distinct value; a mailbox held as its domain is its own domain rung.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from commonwatch.errors import InvalidInput
from commonwatch.events import rungs
from commonwatch.events.columns import COLUMNS
from commonwatch.events.fields import family_of
from commonwatch.store import layout
from commonwatch.store.handling import Profile

_ARROW: dict[str, pa.DataType] = {
    "INTEGER": pa.int32(), "BIGINT": pa.int64(), "BOOLEAN": pa.bool_(), "TIMESTAMP": pa.timestamp("us"),
    "VARCHAR": pa.string(), "VARCHAR[]": pa.list_(pa.string()), "BLOB": pa.binary(),
}  # fmt: skip
SCHEMA: dict[str, pa.DataType] = {name: _ARROW[kind] for name, kind in layout.PHYSICAL.items()}
_RANGE_CODES = {text: code for code, text in layout.PORT_CODES.items()}
_TIME_OF_RECEIPT = 3
Columns = Mapping[str, Sequence[Any] | pa.Array | npt.NDArray[Any]]


class StoredBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as the hub's intake hands it over, already verified.

    `columns`: wire column name -> one cell per row (lists, numpy or Arrow); required are event_uid, time, event_class,
    tlp, severity_id; `profile` indexes `profiles` (default 0), `site_uid` "" or null is an unknown site. `received` is
    the hub's receive time in microseconds. `batch_uid` is below 2**64. `shared`: another gateway of the owner may have
    sent some of these events; each is stored once.
    """

    batch_uid: int
    gateway: str
    org: str
    received: int
    columns: Columns
    profiles: tuple[Profile, ...]
    seq: int = 0
    rules_version: int = 0
    policy_no: int = 0
    shared: bool = False

    @property
    def rows(self) -> int:
        """How many events."""
        return len(self.columns["event_uid"])


def signed(batch_uid: int) -> int:
    """A 64-bit number as the store keeps it."""
    return batch_uid - (1 << 64) if batch_uid >> 63 else batch_uid


def fold(value: str) -> str:
    """The form of a name that tokens are made of: NFC, case folded, no outer blanks or trailing dots, to a fixpoint."""
    while True:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold()).strip().rstrip(".")
        if folded == value:
            return value
        value = folded


def labels(batch: StoredBatch) -> tuple[list[tuple[int, int, int, str, int]], npt.NDArray[np.int64]]:
    """The distinct (class, tlp, severity, site, profile) of a batch, and for each row the index of its own."""
    rows = batch.rows
    profile = batch.columns.get("profile")
    keys = np.stack([_ints(batch, name) for name in ("event_class", "tlp", "severity_id")], axis=1)
    which = np.zeros(rows, np.int64) if profile is None else np.asarray(profile, np.int64)
    sites = pc.fill_null(_array(batch.columns.get("site_uid"), rows, pa.string()), "").dictionary_encode()
    site_codes = sites.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    packed = ((keys[:, 0] * 8 + keys[:, 1]) * 8 + keys[:, 2]) * 2**20 + which * 2**36 + site_codes
    _, first, index = np.unique(packed, return_index=True, return_inverse=True)
    names = sites.dictionary.to_pylist()
    found = [(*map(int, keys[i]), names[site_codes[i]], int(which[i])) for i in first]
    return found, index.astype(np.int64)


def table(batch: StoredBatch, handling: npt.NDArray[np.int32], arrival: int) -> pa.Table:
    """The rows of a batch in the physical layout."""
    rows = batch.rows
    made = {name: _array(batch.columns.get(name), rows, kind) for name, kind in SCHEMA.items()}
    made |= _times(batch, made)
    made |= {
        "handling": pa.array(handling, pa.int32()),
        "arrival": pa.array(np.full(rows, arrival, np.int64)),
        "shuffle": _shuffle(made["event_uid"]),
        "batch_uid": pa.array(np.full(rows, signed(batch.batch_uid), np.int64)),
        "rules_version": pa.array(np.full(rows, batch.rules_version, np.int32)),
        "policy_no": pa.array(np.full(rows, batch.policy_no, np.int64)),
    }
    for side in ("src", "dst"):
        made |= _network(side, made)
    for rung in layout.RUNGS:
        made[rung.name] = _rung(rung, made[rung.column], batch)
    return pa.table(made, schema=pa.schema(list(SCHEMA.items())))


def digest(batch: StoredBatch) -> bytes:
    """What identifies a batch's events: SHA-256 over their ids."""
    return hashlib.sha256(_ids(_array(batch.columns["event_uid"], 0, pa.binary())).tobytes()).digest()


def _ids(uids: pa.Array) -> npt.NDArray[np.uint8]:
    """The ids, 16 bytes each, one after the other; shorter ones are filled up with zeros."""
    data = uids.cast(pa.binary()).buffers()[2] if len(uids) else None
    if data is not None and uids.null_count == 0 and data.size == 16 * len(uids) and uids.offset == 0:
        return np.frombuffer(data, np.uint8)
    return np.frombuffer(b"".join(u[:16].ljust(16, b"\0") for u in uids.to_pylist()), np.uint8)


def _ints(batch: StoredBatch, name: str) -> npt.NDArray[np.int64]:
    return np.asarray(batch.columns[name], np.int64)


def _array(cells: Sequence[Any] | pa.Array | npt.NDArray[Any] | None, rows: int, kind: pa.DataType) -> pa.Array:
    if cells is None:
        return pa.nulls(rows, kind)
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    array = cells if isinstance(cells, pa.Array) else pa.array(cells, from_pandas=False)
    if array.type == kind:
        return array
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), kind)
    return array.cast(pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else array.cast(kind)


def _times(batch: StoredBatch, made: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Times cut to the receive time; a cut time has quality 3."""
    time = made["time"].cast(pa.int64())
    if time.null_count or (len(time) and pc.min(time).as_py() < rungs.EARLY_ANCHOR):
        raise InvalidInput("a batch holds a time that cannot be stored", where="columns.time", todo="set it aside")
    late = pc.greater(time, batch.received)
    cut = pc.if_else(late, pa.scalar(batch.received, pa.int64()), time)
    quality = pc.if_else(late, pa.scalar(_TIME_OF_RECEIPT, pa.int32()), made["time_quality"])
    end = pc.min_element_wise(made["end_time"].cast(pa.int64()), pa.scalar(batch.received), skip_nulls=False)
    stamp = pa.timestamp("us")
    received = pa.array(np.full(batch.rows, batch.received, np.int64)).cast(stamp)
    return {"time": cut.cast(stamp), "end_time": end.cast(stamp), "time_quality": quality, "ingest_time": received}


def _shuffle(uids: pa.Array) -> pa.Array:
    words = _ids(uids).reshape(-1, 16)[:, :8].copy().view(">i8").reshape(-1)
    return pa.array(words.astype(np.int64))


def _network(side: str, made: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """The /24 or /48 of the address where the gateway did not send the true one beside a token."""
    hi, lo, null = _halves(made, f"{side}_ip")
    net_hi, net_lo, absent = _halves(made, f"{side}_net")
    v4 = (hi == 0) & ((lo >> 32) == 0xFFFF)
    own_hi, own_lo = np.where(v4, 0, hi & ~0xFFFF), np.where(v4, lo & ~0xFF, 0)
    out_null = absent & null
    return {
        f"{side}_net_hi": pa.array(np.where(absent, own_hi, net_hi), pa.int64(), mask=out_null),
        f"{side}_net_lo": pa.array(np.where(absent, own_lo, net_lo), pa.int64(), mask=out_null),
    }


def _halves(
    made: dict[str, pa.Array], name: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    hi, lo = made[f"{name}_hi"], made[f"{name}_lo"]
    null = pc.is_null(hi).to_numpy(zero_copy_only=False)
    return pc.fill_null(hi, 0).to_numpy(), pc.fill_null(lo, 0).to_numpy(), null


def _rung(rung: layout.Rung, values: pa.Array, batch: StoredBatch) -> pa.Array:
    """A rung column: the pure function over the distinct values only."""
    kind = SCHEMA[rung.name]
    if values.null_count == len(values):
        return pa.nulls(len(values), kind)
    if pa.types.is_list(kind):
        return _list_rung(rung, values, batch)
    if rung.rung == "range" and 0 <= pc.min(values).as_py() <= pc.max(values).as_py() < 1 << 16:
        return _ranges().take(values)
    encoded = values.dictionary_encode()
    step = _step(rung)
    shown = pa.array([None if v is None else step(v) for v in encoded.dictionary.to_pylist()], kind)
    made = shown.take(encoded.indices)
    return pc.if_else(_held_as(rung, batch), values, made) if rung.rung == "domain" else made


@cache
def _ranges() -> pa.Array:
    """The range of every port, by port."""
    step = _step(next(rung for rung in layout.RUNGS if rung.rung == "range"))
    return pa.array([step(port) for port in range(1 << 16)], pa.int32())


def _list_rung(rung: layout.Rung, values: pa.Array, batch: StoredBatch) -> pa.Array:
    step, seen = _step(rung, many=True), dict[tuple[str, ...], tuple[str, ...]]()
    whole = _held_as(rung, batch).to_pylist() if rung.rung == "domain" else [False] * len(values)
    out: list[tuple[str, ...] | None] = []
    for cell, keep in zip(values.to_pylist(), whole, strict=True):
        key = None if cell is None else tuple(cell)
        out.append(key if key is None or keep else seen.setdefault(key, step(key)))
    return pa.array(out, pa.list_(pa.string()))


def _step(rung: layout.Rung, *, many: bool = False) -> Callable[[Any], Any]:
    if rung.rung == "folded":
        return (lambda v: tuple(dict.fromkeys(fold(x) for x in v))) if many else fold
    field = COLUMNS[rung.column].field
    assert field is not None
    family = family_of(field).name

    def shown(value: Any) -> Any:
        made = rungs.rung(family, rung.rung, rung.column, value)
        return _RANGE_CODES.get(str(made)) if rung.rung == "range" else made

    return shown


def _held_as(rung: layout.Rung, batch: StoredBatch) -> pa.Array:
    """Which rows hold the field at exactly this rung already."""
    field = COLUMNS[rung.column].field
    held = np.array([field is not None and p.get(field) == rung.rung for p in batch.profiles] or [False])
    profile = batch.columns.get("profile")
    which = np.zeros(batch.rows, np.int64) if profile is None else np.asarray(profile, np.int64)
    return pa.array(held[which])
