"""How deep JSON records nest: a cheap sieve for many records, an exact count for the few it keeps.

Rules held here: a record nested deeper than `MAX_DEPTH` is refused whether or not the deep part is used, so that the
fast and the slow way of parsing agree. The sieve looks only at how many brackets open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from commonwatch.ingest.outcome import MAX_DEPTH

_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[{}\[\]]', re.DOTALL)


def too_deep(records: Sequence[bytes]) -> frozenset[int]:
    """Indexes of the records that nest deeper than `MAX_DEPTH`."""
    crowded = [n for n, r in enumerate(records) if r.count(b"{") + r.count(b"[") > MAX_DEPTH]
    return frozenset(n for n in crowded if nesting(records[n]) > MAX_DEPTH)


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
