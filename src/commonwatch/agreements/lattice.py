"""The lattice of disclosure: (precision, linkage), both chains, order and bounds component-wise.

Prefixes every table in code. Rules held here: `exact` is (top, true) and true occurs with exact only; families without
tokens have linkage none below exact; every family is closed under meet and join, so each effective level has exactly
one name (`agreements.md` 2).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from commonwatch.events.fields import FAMILIES, LINKAGES, FamilyName, FieldName, family_of

TRUE = len(LINKAGES) - 1
#: Names of the linkages that tokens have; `none` and `true` have none.
TOKENS: dict[int, str] = {1: "one-time-pseudonym", 2: "pseudonym", 3: "shared-pseudonym"}


class Point(NamedTuple):
    """A disclosure: indices into the family's precision chain and into the linkage chain."""

    precision: int
    linkage: int


WITHHELD = Point(0, 0)


@cache
def TOP(family: FamilyName) -> Point:  # noqa: N802 - the top of the family's lattice, read as a constant
    """`exact` in this family."""
    return Point(len(FAMILIES[family].precisions) - 1, TRUE)


@cache
def points(family: FamilyName) -> dict[str, Point]:
    """Every named point of a family, by name, lowest precision and linkage first. Do not change the dict."""
    chain, tokens = FAMILIES[family].precisions, FAMILIES[family].tokens
    named: dict[str, Point] = {}
    for p, precision in enumerate(chain[:-1]):
        named[precision] = Point(p, 0)
        for linkage, token in TOKENS.items() if tokens else ():
            named[f"{token}+{precision}" if p else token] = Point(p, linkage)
    named["exact"] = TOP(family)
    return named


@cache
def _names(family: FamilyName) -> dict[Point, str]:
    return {point: name for name, point in points(family).items()}


def parse_point(family: FamilyName, name: str) -> Point:
    """The point called `name`; KeyError if the family has none of that name."""
    return points(family)[name]


def point_name(family: FamilyName, point: Point) -> str:
    """The one spelling of a point, such as `pseudonym+network`."""
    return _names(family)[point]


def meet(a: Point, b: Point) -> Point:
    """The most that both show."""
    return Point(min(a[0], b[0]), min(a[1], b[1]))


def join(a: Point, b: Point) -> Point:
    """The least that shows what either shows."""
    return Point(max(a[0], b[0]), max(a[1], b[1]))


def leq(a: Point, b: Point) -> bool:
    """Whether `b` shows everything `a` shows."""
    return a[0] <= b[0] and a[1] <= b[1]


def precision_point(family: FamilyName, precision: int) -> Point:
    """The point with this precision and no token (exact at the top)."""
    return TOP(family) if precision == len(FAMILIES[family].precisions) - 1 else Point(precision, 0)


def top_of(field: FieldName) -> Point:
    """`exact` for a clause field."""
    return TOP(family_of(field).name)
