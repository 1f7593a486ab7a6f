"""When people work: a factor on the rate of human events by local hour and weekday, and a floor for machines."""

from __future__ import annotations

from typing import Final

from commonwatch.simulate.params import DAY, HOUR

#: Working-day curve by local hour; the mean over a day is 1.
_CURVE: Final = (
    0.10, 0.08, 0.08, 0.08, 0.10, 0.20, 0.50, 1.10, 2.00, 2.50, 2.50, 2.30,
    1.70, 2.10, 2.40, 2.30, 1.90, 1.20, 0.70, 0.50, 0.40, 0.30, 0.25, 0.15,
)  # fmt: skip
_MEAN: Final = sum(_CURVE) / 24
_WEEKEND: Final = 0.25
_NIGHT_FLOOR: Final = 0.35
#: 1970-01-01 was a Thursday; Monday is 0.
_THURSDAY: Final = 3


def human(time: int, zone_minutes: int) -> float:
    """Rate factor of what people cause at this moment (microseconds UTC), 1 on average over a working day."""
    local = time + zone_minutes * 60_000_000
    hour = local % DAY // HOUR
    weekday = (local // DAY + _THURSDAY) % 7
    return _CURVE[hour] / _MEAN * (_WEEKEND if weekday >= 5 else 1.0)


def machine(time: int, zone_minutes: int) -> float:
    """Rate factor of what machines cause: the same curve, flattened."""
    return _NIGHT_FLOOR + (1 - _NIGHT_FLOOR) * human(time, zone_minutes)
