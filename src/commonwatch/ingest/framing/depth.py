"""How deep JSON records nest: a cheap sieve for many records, an exact count for the few it keeps.

Rules held here: a record nested deeper than `MAX_DEPTH` is refused whether or not the deep part is used, so that the
fast and the slow way of parsing agree. The sieve looks only at how many brackets open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import numpy as np

from commonwatch.ingest.outcome import MAX_DEPTH

_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[{}\[\]]', re.DOTALL)
#: `{` is 0x7B and `[` is 0x5B: one bit apart.
_CASE_BIT: Final = np.uint8(0xDF)
_OPEN: Final = np.uint8(0x5B)


def too_deep(records: Sequence[bytes]) -> frozenset[int]:
    """Indexes of the records that nest deeper than `MAX_DEPTH`."""
    if not records:
        return frozenset()
    data = np.frombuffer(b"".join(records), np.uint8)
    opens = np.flatnonzero((data & _CASE_BIT) == _OPEN)
    ends = np.fromiter(accumulate(map(len, records)), np.int64, len(records))
    owner = np.searchsorted(ends, opens, "right")
    crowded = owner[MAX_DEPTH:][owner[MAX_DEPTH:] == owner[:-MAX_DEPTH]]
    if not crowded.size:
        return frozenset()
    return frozenset(i for i in np.unique(crowded).tolist() if nesting(records[i]) > MAX_DEPTH)


def nesting(record: bytes) -> int:
    """How deep brackets nest outside strings."""
    depth = deepest = 0
    for token in _TOKENS.finditer(record):
        first = token[0][:1]
        if first in (b"{", b"["):
            depth += 1
            deepest = max(deepest, depth)
        elif first in (b"}", b"]"):
            depth -= 1
    return deepest
