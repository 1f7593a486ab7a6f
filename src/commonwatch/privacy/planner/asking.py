"""What the planner is asked and what it answers: the same shapes for API, command and page. Rates are exact texts."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

import msgspec

from commonwatch.errors import InvalidInput
from commonwatch.privacy.planner.accuracy import Expected
from commonwatch.privacy.planner.community import Community
from commonwatch.privacy.planner.power import Where
from commonwatch.privacy.release.profiles import ProfileName, Step

Part = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Rate = Annotated[str, msgspec.Meta(max_length=40, description="an exact fraction or decimal, such as 1/10 or 0.1")]
#: A rate above this promises so little that the planner does not propose it; the highest that is taken at all.
USUAL_MOST, MOST = Fraction(1), Fraction(10)


class Outbreak(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="outbreak"):
    """An outbreak among so many members must be noticed. `days`: it reaches all within so many; absent: as is usual."""

    members: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    days: Annotated[int, msgspec.Meta(ge=1, le=14)] | None = None
    where: Where = "region"
    chance: Part = 0.95


class Exact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="view"):
    """A number must be exact: the mean error of a cell of this view is at most this share of the mean count."""

    step: Step
    by: tuple[str, ...] = ()
    within: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.3


Wanted = Outbreak | Exact


class AskPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What must be seen, or what may be spent. `alerts`: the part of a budget that goes to the alert table."""

    community: Community
    wanted: Annotated[tuple[Wanted, ...], msgspec.Meta(max_length=20)] = ()
    budget: Rate | None = None
    alerts: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    profile: ProfileName | None = None
    delta: Annotated[float, msgspec.Meta(ge=1e-12, le=1e-3)] = 1e-6


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a window of eight weeks costs each owner. Texts are exact fractions."""

    rho: str
    cube: str
    alerts: str
    epsilon: float
    delta: float
    guess_rate: float
    year_rho: float
    year_epsilon: float


class Visible(msgspec.Struct, frozen=True, kw_only=True):
    """The size (members hit) from which an outbreak is seen with a chance of 50, 80 and 95 in 100.

    `days`: within so many it reaches all; None: half of them within two days, as is usual.
    """

    where: Where
    days: int | None
    half: int
    most: int
    nearly_all: int
    #: (members hit, chance), rising.
    curve: tuple[tuple[int, float], ...]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the plan, its part of the cube's rate and the spread of its noise."""

    view: str
    share: str
    sd: float


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner does not promise, why, and what can be had instead."""

    what: str
    why: str
    todo: str


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """The plan: what it costs and what it shows. Without a cost nothing useful can be promised; see `refused`."""

    cost: Cost | None = None
    profile: ProfileName | None = None
    tables: tuple[Table, ...] = ()
    views: tuple[Expected, ...] = ()
    outbreaks: tuple[Visible, ...] = ()
    refused: tuple[Refused, ...] = ()
    words: tuple[str, ...] = ()


def rate(text: str, where: str = "budget") -> Fraction:
    """A rate from its text. Raises InvalidInput unless it is a positive fraction of at most 10."""
    try:
        found = Fraction(text)
    except (ValueError, ZeroDivisionError):
        found = Fraction(0)
    if not 0 < found <= MOST:
        todo = "write a fraction or decimal above 0 and at most 10, such as 1/10; nothing was spent"
        raise InvalidInput(f"{text[:40]!r} is no budget", where=where, todo=todo)
    return found
