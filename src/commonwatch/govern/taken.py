"""What is said of data that leaves: through which surface, for what kind of principal, of whom, under which clauses.

Rules held here: no identity but the reader's organisation, purpose and the kind of its principal; no value of any
event. Whoever asks says through which surface the answer goes out; one who says nothing is recorded all the same.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Literal

import msgspec

Surface = Literal[
    "explore", "rows", "release", "indicators", "taxii", "gateway", "alert", "export", "lookup", "counted"
]
Kind = Literal["person", "token", "gateway", "hub"]


class Use(msgspec.Struct, frozen=True):
    """Through which surface data leaves and what kind of principal asks. `surface` "": chosen by the question.

    `inside`: nothing leaves with this answer.
    """

    surface: Surface | Literal[""] = ""
    by: Kind = "hub"
    inside: bool = False


#: Said by whoever computes inside the hub and hands nothing out: what leaves in the end is recorded where it leaves.
INSIDE = Use(inside=True)


class Part(msgspec.Struct, frozen=True):
    """What an answer shows of one owner under one set of clauses (`agreement@version#clause`).

    `fields` gives the highest level of each clause field in question that was shown; `count` is events or objects.
    """

    owner: str
    clauses: tuple[str, ...]
    fields: dict[str, str]
    count: int


#: (kind, value) of something that may be handed out later -> its parts, encoded: to be kept, not read, on the way.
Origins = MutableMapping[tuple[str, str], bytes]


class Taken(msgspec.Struct, frozen=True):
    """What one answer took in, through which surface, for which question (an id as in the reader's own log entry)."""

    surface: Surface
    by: Kind
    query: str
    parts: tuple[Part, ...]
