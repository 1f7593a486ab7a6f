"""The decision log: every answer and release is an audit entry before it is given. Implements `govern.DecisionLog`.

Rules held here: the entry is on disk before the answer leaves (entries written at once share a flush); no log, no
answer. An entry is read whole by the organisation it names: `disclosed` tells the owner who reads under which of its
agreements, everything else tells the reader; govern has seen to it that neither names what the other may not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from commonwatch.agreements.reader import Reader
from commonwatch.audit.log import Entry

Append = Callable[[Sequence[Entry]], object]
#: The one kind that is for the owner of the events.
DISCLOSED = "disclosed"


class Decisions:
    """The log govern and sharing write to. Thread-safe."""

    def __init__(self, append: Append) -> None:
        self._append = append

    def decided(self, reader: Reader, kind: str, detail: Mapping[str, Any]) -> None:
        """Write one entry; returns when it is on disk. Raises Unavailable."""
        org = str(detail["owner"]) if kind == DISCLOSED else reader.org
        self._append([Entry(kind=kind, actor=reader.org, org=org, purpose=reader.purpose, detail=dict(detail))])
