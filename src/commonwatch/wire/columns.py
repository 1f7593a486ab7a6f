"""The columns of a batch on the wire: names, types and bounds, made from the canonical table.

Rules held here: a wire column is a canonical column under its own name, except that an address is two signed 64-bit
halves (`src_ip_hi`, `src_ip_lo`; null together), that `src_net_*` / `dst_net_*` carry the true network beside a token,
and that `profile` points into the header's held profiles. What the hub adds by itself (owner, batch, policy, handling,
arrival) is no wire column. An absent column is null in every row. Bounds are checked by the decoder, not by hand.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from commonwatch.events.columns import COLUMNS, Column
from commonwatch.events.event import MAX_LONG_TEXT, MAX_TEXT

#: Most rows of one batch; gateways close a batch at 5,000.
MAX_ROWS = 20_000
#: Times are microseconds. Floored times may lie up to one window (56 days) before 2000-01-01.
EARLIEST = (946_684_800 - 56 * 86_400) * 1_000_000
LATEST = 7_258_118_400_000_000
DAY = 86_400_000_000
#: Most items of a list column in one row, and their length.
MAX_LIST = 256

_HUB_ADDS = frozenset(
    {"org_uid", "batch_uid", "policy_no", "dsa_uid", "dsa_version", "rules_version", "handling", "ingest_time"}
)
_LONG = frozenset({"process_cmd", "message"})
_BYTES = {"event_uid": 16, "file_sha256": 32, "file_sha1": 20, "file_md5": 16}
_BOUNDS = {"event_class": (1, 14), "tlp": (0, 4), "severity_id": (0, 6), "confidence_score": (0, 100)}
_TOP = {"u8": 2**8 - 1, "u16": 2**16 - 1, "u32": 2**32 - 1, "u64": 2**63 - 1}
_HALF = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
#: Columns every row has; a batch without one of them is refused.
REQUIRED = ("event_uid", "time", "event_class", "tlp", "severity_id", "profile")
#: Address columns and the network columns beside them.
ADDRESSES = ("src_ip", "dst_ip", "src_net", "dst_net")


def _text(name: str) -> Any:
    return Annotated[str, msgspec.Meta(max_length=MAX_LONG_TEXT if name in _LONG else MAX_TEXT)]


def _list(item: Any, most: int) -> Any:
    return Annotated[list.__class_getitem__(item), msgspec.Meta(max_length=most)]


def _cell(column: Column) -> Any:
    """The type of one non-null cell."""
    if column.kind == "bool":
        return bool
    if column.kind == "ts":
        return Annotated[int, msgspec.Meta(ge=EARLIEST, le=LATEST)]
    if column.kind == "bytes":
        return Annotated[bytes, msgspec.Meta(min_length=_BYTES[column.name], max_length=_BYTES[column.name])]
    if column.kind == "list":
        return _list(_text(column.name), MAX_LIST)
    if column.kind in _TOP:
        low, high = _BOUNDS.get(column.name, (0, _TOP[column.kind]))
        return Annotated[int, msgspec.Meta(ge=low, le=high)]
    return _text(column.name)


def _cells() -> dict[str, Any]:
    """Wire column name -> type of a non-null cell, in table order."""
    cells: dict[str, Any] = {}
    for column in COLUMNS.values():
        if column.kind == "addr":
            cells |= {f"{column.name}_hi": _HALF, f"{column.name}_lo": _HALF}
        elif column.name not in _HUB_ADDS:
            cells[column.name] = _cell(column)
    for name in ("src_net", "dst_net"):
        cells |= {f"{name}_hi": _HALF, f"{name}_lo": _HALF}
    cells["profile"] = Annotated[int, msgspec.Meta(ge=0, le=2**16 - 1)]
    return cells


def _struct(cells: dict[str, Any]) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any, Any]] = []
    for name, cell in cells.items():
        fields.append((name, _list(cell if name in REQUIRED else cell | None, MAX_ROWS) | None, None))
    return msgspec.defstruct("WireColumns", fields, omit_defaults=True, forbid_unknown_fields=True, gc=False)


CELLS = _cells()
#: Every wire column name, in table order.
WIRE_COLUMNS: tuple[str, ...] = tuple(CELLS)
#: Text columns (single strings), for the check of control characters.
TEXT_COLUMNS: tuple[str, ...] = tuple(c.name for c in COLUMNS.values() if c.kind in {"txt", "dict"} and c.name in CELLS)
#: Columns of lists of text.
LIST_COLUMNS: tuple[str, ...] = tuple(c.name for c in COLUMNS.values() if c.kind == "list")
#: The typed decoder's Struct: one optional list per wire column.
WireColumns: Any = _struct(CELLS)
