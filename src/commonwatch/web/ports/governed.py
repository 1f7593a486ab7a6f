"""What comes of events, through `govern` alone. Ports only."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

from commonwatch.agreements.reader import Reader
from commonwatch.detect.explain.asking import Explained
from commonwatch.govern.query import Answer, Compare, Query
from commonwatch.govern.taken import Use


class Opened(Protocol):
    """A release: its id, which is also its ETag, and the Arrow IPC stream."""

    @property
    def id(self) -> str: ...
    @property
    def body(self) -> bytes: ...


class Governed(Protocol):
    """The enforcement point. The only port from which anything of an event comes.

    `cancel` is set when whoever asked is gone: the engine's work for them should stop. `release` raises `Gone` for an
    id of the reader's own class that was replaced, `NotFound` for every other id. `use` says for the owners' record
    through which surface the answer leaves, and to what kind of principal.
    """

    def describe(self, reader: Reader) -> Any: ...
    def ask(
        self, reader: Reader, query: Query, *, cancel: threading.Event | None = None, use: Use = Use()
    ) -> Answer: ...
    def releases(self, reader: Reader, *, use: Use = Use()) -> Sequence[Any]: ...
    def release(
        self, reader: Reader, release: str, *, cancel: threading.Event | None = None, use: Use = Use()
    ) -> Opened: ...


class Explainer(Protocol):
    """What stands out in a selection of what a reader is shown, through `govern` alone."""

    def explain(
        self, reader: Reader, asked: Compare, *, cancel: threading.Event | None = None, use: Use = Use()
    ) -> Explained: ...
