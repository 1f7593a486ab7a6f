"""Which format is this? By content, never by file name.

Rules held here: every format scores the first bytes; the highest score wins if it reaches `ENOUGH`; equal scores are
broken by the format's number, so that the answer never depends on the order of files.
"""

from __future__ import annotations

from typing import Final

from commonwatch.ingest.formats import Format, formats

ENOUGH: Final = 0.5
HEAD_BYTES: Final = 64 * 1024


def recognise(head: bytes) -> Format | None:
    """The format of a source from its first bytes (up to `HEAD_BYTES`), or None."""
    scored = [(f.recognise(head[:HEAD_BYTES]), -f.number, f) for f in formats().values()]
    score, _, best = max(scored, key=lambda s: s[:2])
    return best if score >= ENOUGH else None
