"""The planted outbreak: who is hit, when, by what. This is the truth that detection is measured against.

Rules held here: members of the focus sector are three times as likely to be hit; onsets follow a logistic curve after
the seed members; a case lasts until it is cleaned up, 6 to 48 hours later. Only SMEs are hit.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from commonwatch.simulate import world
from commonwatch.simulate.draws import Draws
from commonwatch.simulate.infection import Case
from commonwatch.simulate.members import Member
from commonwatch.simulate.params import HOUR, Params

_STREAM: Final = 5
_FOCUS_WEIGHT: Final = 3.0
_MAY_SPREAD: Final = 0.02


class Plan(msgspec.Struct, frozen=True):
    """The outbreak of a community: its family, focus and the case of each member that is hit (by member index)."""

    family: str
    begins: int
    focus: str
    seeds: tuple[int, ...]
    cases: dict[int, Case]


def plan(params: Params, members: tuple[Member, ...]) -> Plan | None:
    """Who is hit when; None without an outbreak or without SMEs."""
    wanted = params.outbreak
    smes = [m for m in members if "sme" in m.roles]
    if wanted is None or not smes:
        return None
    draws = Draws(params.seed, _STREAM)
    family = draws.pick(world.OUTBREAK_FAMILIES)
    sections = sorted(m.sector[0] for m in smes)
    focus = draws.pick(sections)
    family, focus = wanted.family or family, wanted.focus or focus
    hit = _order(smes, focus, draws)[: max(1, round(wanted.share * len(smes)))]
    begins = params.until - int(wanted.starts_before * HOUR)
    seeds = min(wanted.seeds, len(hit))
    cases = {}
    for place, member in enumerate(hit):
        late = 0.0 if place < seeds else _onset((place - seeds + 1) / (len(hit) - seeds + 1)) * wanted.spread
        onset = begins + int((late + draws.between(0.0, 0.05) * wanted.spread) * HOUR)
        cases[member.index] = Case(family, onset, onset + int(draws.between(6, 48) * HOUR), draws.chance(0.8))
    return Plan(family, begins, focus, tuple(m.index for m in hit[:seeds]), cases)


def _order(smes: list[Member], focus: str, draws: Draws) -> list[Member]:
    """A random order in which members of the focus come earlier (weighted sampling by exponential keys)."""
    keyed = [(draws.waiting(1.0 / (_FOCUS_WEIGHT if m.sector[0] == focus else 1.0)), m.index, m) for m in smes]
    return [m for _, _, m in sorted(keyed, key=lambda k: k[:2])]


def _onset(quantile: float) -> float:
    """When this share of the cases has begun, as a share of the spread: a logistic curve from 2 % to 98 %."""
    q = min(max(quantile, _MAY_SPREAD), 1 - _MAY_SPREAD)
    edge = math.log((1 - _MAY_SPREAD) / _MAY_SPREAD)
    return (math.log(q / (1 - q)) + edge) / (2 * edge)


def truth(found: Plan, seed: int, members: tuple[Member, ...]) -> dict[str, Any]:
    """The outbreak as plain data: infrastructure, seed members, onset and end by member (RFC 3339)."""
    from commonwatch.simulate.community import moment

    kin = world.family(seed, found.family)
    return {
        "family": found.family, "spelling": kin.spelling, "begins": moment(found.begins), "focus_sector": found.focus,
        "addresses": list(kin.addresses), "domains": list(kin.domains), "sha256": list(kin.sha256), "ja3": kin.ja3,
        "sender": kin.sender, "signature_ids": [kin.sid + step for step in (1, 2, 3)],
        "seed_members": [members[i].id for i in found.seeds],
        "cases": [
            {"member": members[i].id, "onset": moment(case.begins), "end": moment(case.ends)}
            for i, case in sorted(found.cases.items(), key=lambda c: c[1].begins)
        ],
    }  # fmt: skip
