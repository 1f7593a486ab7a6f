"""Who asks, and why a value is withheld: the two small vocabularies every surface shares.

A reader is an organisation acting for one purpose. Reasons are functions of agreements and reader, never of stored
rows (`agreements.md` 15): saying "14 rows hidden" would itself disclose.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Purpose = Literal["operate", "detect", "respond", "research"]
PURPOSES: tuple[Purpose, ...] = ("operate", "detect", "respond", "research")
Role = Literal["sme", "mssp", "cert", "isp", "researcher"]
ROLES: tuple[Role, ...] = ("sme", "mssp", "cert", "isp", "researcher")

#: What people of an organisation may act for, by role. `operate` is the owner's own view and its operator's.
ROLE_PURPOSES: dict[str, tuple[Purpose, ...]] = {
    "sme": ("operate", "detect", "respond"),
    "mssp": ("operate", "detect", "respond", "research"),
    "cert": ("detect", "respond", "research"),
    "isp": ("detect", "respond", "research"),
    "researcher": ("research",),
}

Reason = Literal[
    "not-agreed", "not-to-you", "purpose", "class", "tlp", "severity", "site", "too-young", "too-old",
    "field-not-granted", "limited-by", "charter", "community-charter", "not-yet-active", "suspended", "revoked",
    "expired", "duties-not-accepted", "contributors", "budget", "plan-stricter", "policy-unavailable", "not-held",
]  # fmt: skip


class Reader(msgspec.Struct, frozen=True, order=True):
    """An organisation with its roles and communities (both sorted), acting for one purpose."""

    org: str
    roles: tuple[Role, ...]
    communities: tuple[str, ...]
    purpose: Purpose


class ClauseRef(msgspec.Struct, frozen=True, order=True):
    """Names one clause of one signed version of one agreement (or charter)."""

    agreement: str
    version: int
    clause: str

    def __str__(self) -> str:
        return f"{self.agreement}@{self.version}#{self.clause}"


class Withheld(msgspec.Struct, frozen=True, tag="withheld"):
    """Not shown, why, by which clause (only where one cut it), and whom to ask."""

    reason: Reason
    clause: ClauseRef | None = None
    ask: str | None = None


class Granted(msgspec.Struct, frozen=True, tag="granted"):
    """Shown at a named point of the field's family, and the clauses that raised it there."""

    point: str
    clauses: tuple[ClauseRef, ...] = ()


Decision = Granted | Withheld


def allowed_purposes(roles: Iterable[str]) -> tuple[Purpose, ...]:
    """Every purpose that at least one of the roles allows, in the fixed order."""
    allowed = {purpose for role in roles for purpose in ROLE_PURPOSES[role]}
    return tuple(p for p in PURPOSES if p in allowed)
