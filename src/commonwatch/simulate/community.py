"""A simulated community: its members, what their sensors write in any window, and the truth about its outbreak.

Rules held here: `records` gives the same lines for the same window whether it is asked for at once, in pieces or out of
order; lines come in order of time; nothing begins before the simulated time and nothing reaches beyond what was asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from commonwatch.simulate import infection, noise, outbreak
from commonwatch.simulate.eve import Line
from commonwatch.simulate.members import Member, make_members
from commonwatch.simulate.params import DAY, HOUR, Params, check

_KEPT_HOURS: Final = 64


class Community:
    """A community that follows from its parameters alone."""

    def __init__(self, params: Params) -> None:
        check(params)
        self.params = params
        self.members = make_members(params)
        self.outbreak = outbreak.plan(params, self.members)
        self._hours: dict[tuple[int, int], list[Line]] = {}

    def records(self, member: Member, start: int, end: int) -> Iterator[Line]:
        """(microseconds, EVE line with its newline) of a member's sensor with start <= time < end, in order of time."""
        for hour in range(start // HOUR, -(-end // HOUR)):
            for made in self._remembered(member, hour):
                if start <= made[0] < end:
                    yield made

    def _remembered(self, member: Member, hour: int) -> list[Line]:
        """An hour's records; the last ones are kept, because a live replay asks for the same hour many times."""
        key = (member.index, hour)
        if key not in self._hours:
            while len(self._hours) >= _KEPT_HOURS:
                del self._hours[next(iter(self._hours))]
            self._hours[key] = self._hour(member, hour)
        return self._hours[key]

    def _hour(self, member: Member, hour: int) -> list[Line]:
        """Every record of an hour, sorted; a chain that runs over the hour's end keeps its last records within it."""
        found = list(noise.records_of(member, self.params.seed, hour))
        for case in self._cases(member, hour):
            found.extend(infection.records_of(case, member, self.params.seed, hour))
        last = (hour + 1) * HOUR - 1
        return sorted((min(time, last), text) for time, text in found)

    def _cases(self, member: Member, hour: int) -> Iterator[infection.Case]:
        """Infections that may show in an hour: those of today and yesterday, and the outbreak's."""
        today = hour * HOUR // DAY
        for day in (today - 1, today, today + 1):
            yield from infection.background(member, self.params.seed, day)
        if self.outbreak is not None and member.index in self.outbreak.cases:
            yield self.outbreak.cases[member.index]

    def truth(self) -> dict[str, Any]:
        """Members, parameters and the outbreak as plain data."""
        params = self.params
        return {
            "seed": params.seed,
            "from": moment(params.begins),
            "until": moment(params.until),
            "members": [_describe(m) for m in self.members],
            "outbreak": outbreak.truth(self.outbreak, params.seed, self.members) if self.outbreak else None,
        }

    def write(self, folder: Path) -> dict[str, int]:
        """Write `<member>/eve.json` for each member and `community.json`; gives the number of lines by member."""
        counts = {}
        for member in self.members:
            place = folder / member.id
            place.mkdir(parents=True, exist_ok=True)
            counts[member.id] = 0
            with (place / "eve.json").open("wb") as file:
                for _, text in self.records(member, self.params.begins, self.params.until):
                    file.write(text)
                    counts[member.id] += 1
        (folder / "community.json").write_text(json.dumps(self.truth(), indent=2) + "\n", "utf-8")
        return counts


def community(params: Params | None = None) -> Community:
    """The community that follows from these parameters."""
    return Community(params or Params())


def moment(micros: int) -> str:
    """RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(micros // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _describe(member: Member) -> dict[str, Any]:
    return {
        "id": member.id, "name": member.name, "roles": list(member.roles), "sector": member.sector,
        "region": member.region, "size": member.size, "networks": list(member.networks), "sensor": member.sensor,
        "log": f"{member.id}/eve.json",
    }  # fmt: skip
