"""What detection needs from whoever composes it: governed sightings and activity of distinguishable organisations.

Owners are texts as this reader is shown them: a name or a token. Rows whose owner is withheld are not given at all, for
they cannot be counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from commonwatch.agreements.reader import Reader
from commonwatch.detect.alert import Alert


class Sighting(NamedTuple):
    """An organisation saw a malware family in the bin that starts at `time` (microseconds)."""

    owner: str
    family: str
    time: int


class Active(NamedTuple):
    """An organisation had any visible event in the bin that starts at `time`."""

    owner: str
    time: int


class Standing(Protocol):
    """Policy epoch, how far the store has come, until when the view cannot change by the clock alone."""

    @property
    def epoch(self) -> int: ...
    @property
    def watermark(self) -> int: ...
    @property
    def good_until(self) -> int: ...


class Governed(Protocol):
    """Govern, as far as detection needs it; raises `Unavailable` when the policy cannot be known."""

    def standing(self, reader: Reader) -> Standing: ...
    def sightings(self, reader: Reader, start: int, end: int) -> Sequence[Sighting]: ...
    def active(self, reader: Reader, start: int, end: int) -> Sequence[Active]: ...
    def members(self, reader: Reader) -> int: ...


class AlertStore(Protocol):
    """Keeps alerts and the standing they were computed at, per audience."""

    def alerts(self, audience: str) -> Mapping[str, Alert]: ...
    def standing(self, audience: str) -> tuple[int, int, int] | None: ...
    def put(self, audience: str, alerts: Sequence[Alert], standing: tuple[int, int, int]) -> None: ...
