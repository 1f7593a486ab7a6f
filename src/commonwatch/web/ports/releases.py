"""Releases and what they cost: what a reader may open and ask, what an owner's budget was spent on. Ports only."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from commonwatch.agreements.reader import Reader
from commonwatch.govern.taken import Use
from commonwatch.privacy.release.saying import Said
from commonwatch.web.ports.governed import Opened

_Name = Annotated[str, Meta(min_length=1, max_length=100)]
_Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class AskBox(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A question to a release: these values of these dimensions, these days (`until` not included), broken down `by`.

    `by` is `day`, `week` or a dimension.
    """

    where: dict[_Name, Annotated[tuple[_Name, ...], Meta(max_length=200)]] = {}
    since: _Day | None = None
    until: _Day | None = None
    by: _Name | None = None


class BoxInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the whole box, and its parts. Intervals are privacy intervals at 95 %. `note`: how to look at it."""

    release: str
    version: int
    measure: str
    by: str | None
    total: Said
    rows: list[Said]
    note: str = ""


class AskCost(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a release of this community costs my organisation at a tier; by default the highest it can have."""

    community: _Name
    tier: Annotated[str, Meta(max_length=20)] | None = None


class Expects(msgspec.Struct, frozen=True):
    """How exact a view will be: the standard deviation of one of its numbers, and half its 95 % interval."""

    view: str
    sd: float
    half: float


class CostInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A cost before it is spent. Rates are exact fractions. `left_out`: reason -> how many members."""

    community: str
    tier: str
    profile: str
    members: int
    owners: int
    needed: int
    paid_already: int
    left_out: dict[str, int]
    rho: str
    epsilon: float
    delta: float
    expected: list[Expects]
    words: str


class SpentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an owner's account. Times are RFC 3339."""

    at: str
    reader: str
    release: str
    what: str
    window: str
    rho: str
    epsilon: float


class AllowedInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What my agreements allow one reader in this window, what is spent and left, and when it renews."""

    reader: str
    allowed: str
    spent: str
    left: str
    epsilon: float
    life_left: str | None
    renews: str


class BudgetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An owner's privacy budget: by reader, line by line, and what all readers together would have."""

    window: dict[str, str]
    unit: str
    delta: float
    readers: list[AllowedInfo]
    spent: list[SpentInfo]
    pooled: str
    pooled_epsilon: float
    words: str


class Released(Protocol):
    """Everything a reader may open: exact, thresholded and private releases alike.

    `release` and `box` raise `Gone` for an id of the reader's own that was replaced, `NotFound` for every other.
    """

    def releases(self, reader: Reader, *, use: Use = Use()) -> Sequence[Any]: ...
    def release(
        self, reader: Reader, release: str, *, version: int | None = None, cancel: threading.Event | None = None,
        use: Use = Use(),
    ) -> Opened: ...  # fmt: skip
    def box(self, reader: Reader, release: str, asked: AskBox, *, use: Use = Use()) -> BoxInfo: ...
    def cost(self, reader: Reader, asked: AskCost) -> CostInfo: ...
    def budget(self, owner: str) -> BudgetInfo: ...
