"""How deep JSON records nest: a cheap sieve for many records, an exact count for the few it keeps.

Rules held here: a record nested deeper than `MAX_DEPTH` is refused whether or not the deep part is used, so that the
fast and the slow way of parsing agree. The sieve looks only at how many brackets open, in all records at once; the
count takes a few passes over the bytes, none of them in steps of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from commonwatch.ingest.outcome import MAX_DEPTH

#: An opening bracket is a step of +1, a closing one of -1, as signed bytes; quotes stay, all else goes.
_STEPS: Final = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
_ELSE: Final = bytes(set(range(256)) - set(b'{}[]"'))
_NOT_OPENING: Final = bytes(set(range(256)) - set(b"{[\n"))


def too_deep(records: Sequence[bytes]) -> frozenset[int]:
    """Indexes of the records that nest deeper than `MAX_DEPTH`."""
    opening = b"\n".join(records).translate(None, _NOT_OPENING).split(b"\n")
    if len(opening) != len(records):  # records over several lines
        opening = [r.translate(None, _NOT_OPENING) for r in records]
    crowded = [n for n, brackets in enumerate(map(len, opening)) if brackets > MAX_DEPTH]
    return frozenset(n for n in crowded if nesting(records[n]) > MAX_DEPTH)


def nesting(record: bytes) -> int:
    """How deep brackets nest outside strings."""
    if b"\\" in record:
        record = record.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = record.translate(_STEPS, _ELSE).replace(b'""', b"")  # two quotes side by side change nothing around them
    outside = b"".join(marks.split(b'"')[::2])
    return max(accumulate(memoryview(outside).cast("b"), initial=0))
