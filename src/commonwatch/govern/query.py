"""The closed, typed vocabulary of questions: Filter, Query, and the shape of an Answer.

Readers filter on what they are *shown*, never on the value behind it. Unknown fields are refused by msgspec with a
path. `Filter` is the one state object of the explorer (`explore.md` 5): charts, rows, exports, links and notes read it.
Times are half-open UTC instants in RFC 3339 text.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from commonwatch.agreements.reader import Purpose

Scalar = str | int | float | bool


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """Either [start, end), RFC 3339 instants (`from`, `to`), or `last`, back from the watermark: `7d`, `24h`, `30m`.

    One Struct, because msgspec cannot tell two untagged ones apart.
    """

    start: str = ""
    end: str = ""
    last: str = ""

    def __post_init__(self) -> None:
        if bool(self.last) == bool(self.start or self.end) or bool(self.start) != bool(self.end):
            raise ValueError("either from and to, or last")


class Constraint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"within": "in", "outside": "not"}):
    """Values of one dimension as shown to this reader: `in` (OR) or `not` (none of). Never both, never empty."""

    within: tuple[str, ...] | None = None
    outside: tuple[str, ...] | None = None


class Area(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows whose shown source or destination address lies in the network."""

    net: str


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """AND between dimensions, OR inside one. An absent dimension is no constraint."""

    v: Literal[1] = 1
    basis: Literal["exact", "thresholded", "private"] = "exact"
    measure: str = "events"
    time: Interval | None = None
    base: Interval | Literal["prev4w", "rest"] | None = None
    dims: dict[str, Constraint] = {}
    area: Area | None = None
    alert: str | None = None
    compare: bool = False


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By one shown column; ties are broken by the reader's own shuffle, never by arrival."""

    column: str = "time"
    descending: bool = True


class Rows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="rows", kw_only=True):
    """A page of events. `limit` <= 200; `after` is the paging token of the page before."""

    filter: Filter = msgspec.field(default_factory=Filter)
    columns: tuple[str, ...] = ()
    order: Order = Order()
    limit: int = 50
    after: str | None = None


class Top(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="top", kw_only=True):
    """The k most frequent shown values of a dimension, and an exact `other`. `limit` <= 100."""

    by: str
    filter: Filter = msgspec.field(default_factory=Filter)
    measure: str = "events"
    limit: int = 20


class Distinct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="distinct", kw_only=True):
    """How many different shown values a dimension has under the filter."""

    by: str
    filter: Filter = msgspec.field(default_factory=Filter)


class Histogram(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="histogram", kw_only=True
):
    """Counts per time bin. Never finer than the coarsest time precision behind it; the answer names its bin."""

    filter: Filter = msgspec.field(default_factory=Filter)
    bin: Literal["15m", "1h", "6h", "1d", "1w"] = "1h"


class Cube(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="cube", kw_only=True):
    """Counts over several dimensions at once, by default with time binned; the exact basis of a release."""

    by: tuple[str, ...]
    filter: Filter = msgspec.field(default_factory=Filter)
    bin: Literal["15m", "1h", "6h", "1d", "1w"] | None = "1h"


class Compare(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A selection beside a baseline: what another filter finds and the selection does not, or what `filter.base` says.

    Without either: of a selection in time the same hours and weekdays of the four weeks before (`prev4w`), where there
    were any events; else the rest (`rest`): other times under the same dimensions, or everything that is not selected.
    """

    filter: Filter = msgspec.field(default_factory=Filter)
    baseline: Filter | None = None


Query = Rows | Top | Distinct | Histogram | Cube


class Hidden(msgspec.Struct, frozen=True, rename={"reason": "withheld"}):
    """A withheld cell: `{"withheld": reason, "ask": organisation or null, "clause": text or null}`."""

    reason: str
    ask: str | None = None
    clause: str | None = None


Cell = Scalar | list[str] | Hidden | None


class ColumnInfo(msgspec.Struct, frozen=True):
    """A column of an answer: its name, the clause field behind it, its label, and how it is shown if uniform."""

    name: str
    label: str
    kind: str
    field: str | None = None
    disclosure: str | None = None


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row: the reader's own reference to it (rows only), its cells, and indices into `Answer.clauses`."""

    cells: list[Cell]
    ref: str | None = None
    clauses: list[int] = []


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a query returns, with everything needed to say under which agreements and as of when."""

    query: str
    epoch: int
    watermark: str
    org: str
    purpose: Purpose
    columns: list[ColumnInfo]
    rows: list[Row]
    clauses: list[str] = []
    other: int | None = None
    total: int | None = None
    bin: str | None = None
    after: str | None = None
    notes: list[str] = []
