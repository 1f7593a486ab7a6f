"""What a simulation is asked for. Everything else follows from these numbers and the seed."""

from __future__ import annotations

from typing import Final

import msgspec

from commonwatch.errors import InvalidInput

MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
#: Default end of the simulated time: Friday 2026-11-20T00:00Z. Fixed, so that a seed alone decides every byte.
UNTIL: Final = 1_795_132_800_000_000


class Outbreak(msgspec.Struct, frozen=True, kw_only=True):
    """The planted outbreak.

    Attributes:
        family: malware family; None lets the seed choose.
        starts_before: hours before the end at which the first case begins.
        spread: hours over which new cases appear (logistic).
        seeds: members hit at once.
        share: share of the SMEs that are hit in the end, 0 to 1.
        focus: sector section (first letter) hit three times as likely; None lets the seed choose.
    """

    family: str | None = None
    starts_before: float = 36.0
    spread: float = 24.0
    seeds: int = 2
    share: float = 0.6
    focus: str | None = None


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """A simulation. Times are microseconds since 1970 UTC.

    `events_per_day` is what a middling small SME's sensor writes on a working day; others follow by size and chance.
    """

    members: int = 12
    mssps: int = 1
    certs: int = 1
    isps: int = 1
    days: float = 7.0
    seed: int = 1
    until: int = UNTIL
    events_per_day: int = 1_500
    outbreak: Outbreak | None = Outbreak()

    @property
    def begins(self) -> int:
        """The first simulated moment."""
        return self.until - int(self.days * DAY)


def check(params: Params) -> None:
    """Refuse what cannot be simulated. Raises InvalidInput."""
    if not (1 <= params.members <= 5_000 and 0 < params.days <= 1_000 and params.seed >= 0):
        raise InvalidInput("between 1 and 5000 members, up to 1000 days, a seed of 0 or more", where="simulate")
    if min(params.mssps, params.certs, params.isps) < 0 or params.mssps + params.certs + params.isps > 100:
        raise InvalidInput("between 0 and 100 providers, CERTs and ISPs together", where="simulate")
    out = params.outbreak
    if out is not None and not (0 < out.share <= 1 and out.seeds >= 1 and out.spread >= 0 and out.starts_before > 0):
        raise InvalidInput(
            "an outbreak needs a share above 0, a seed member and a start before the end", where="outbreak"
        )
