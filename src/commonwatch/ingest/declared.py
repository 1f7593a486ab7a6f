"""A declared mapping: how an owner says what the columns of a CSV, JSON or Parquet file of its own mean.

Rules held here: a closed, typed, versioned document (TOML), every fault with its path; a column that is not declared
stays at the gateway; nothing in it is executed.
"""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from commonwatch.errors import InvalidInput
from commonwatch.events.columns import COLUMNS
from commonwatch.ingest.rules import ClassWord, SeverityWord
from commonwatch.ingest.values.times import zone_of

#: Columns that a mapping cannot fill by themselves.
_DERIVED = frozenset(
    {"time", "time_quality", "class_uid", "source_format", "malware_family", "src_scope", "dst_scope", "severity_id",
     "severity_raw", "direction_id", "action_id", "disposition_id"}
)  # fmt: skip
FILLABLE: tuple[str, ...] = (
    *(name for name, c in COLUMNS.items() if c.role == "value" and name not in _DERIVED and name != "org_uid"),
    *("verdict", "severity", "file_hash"),
)


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of every part of the document."""


class TimeColumn(_Document, frozen=True):
    """Where the time stands: `iso` text, `epoch`, `epoch-ms`, or a `strptime` pattern; `zone` where it has none."""

    column: str
    form: str = "iso"
    zone: str = "UTC"


class Declared(_Document, frozen=True, rename={"event_class": "class"}):
    """One mapping. `columns`: canonical column -> source column; `severity`: source word -> severity."""

    mapping: Literal["1"]
    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    time: TimeColumn
    event_class: ClassWord
    columns: dict[str, str]
    layout: Literal["csv", "json"] = "csv"
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    header: tuple[str, ...] = ()
    severity: dict[str, SeverityWord] = {}
    activity: Annotated[int, Meta(ge=0, le=99)] | None = None
    product: str | None = None


def read_declared(data: bytes | str) -> Declared:
    """A mapping from TOML, checked. Raises InvalidInput with the path of the fault."""
    try:
        plain = tomllib.loads(data if isinstance(data, str) else data.decode())
        found = msgspec.convert(plain, type=Declared)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        raise InvalidInput(what, where=where.rstrip("`") or "$", todo="see the guide on formats") from None
    except (RecursionError, ValueError) as error:
        raise InvalidInput(f"the mapping is not TOML: {error}", where="$", todo="see the guide on formats") from None
    _check(found)
    return found


def _check(found: Declared) -> None:
    for column in found.columns:
        if column not in FILLABLE:
            raise InvalidInput(
                f"no column {column!r} can be filled", where=f"$.columns.{column}", todo="see columns.md"
            )
    zone_of(found.time.zone)
