"""A founded community for the hub's tests: an SME, its operator, a CERT, a peer; held keys; a movable clock."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.bootstrap import CommunitySpec, PersonSpec, Spec
from commonwatch.hub.core import Office
from commonwatch.hub.meta.clock import MICROS, Clock
from commonwatch.hub.settings import Settings, save

NOW = int(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC).timestamp()) * MICROS
DAY = 86_400 * MICROS


class Wall:
    """A wall clock that tests move."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> int:
        return self.at


def clock(wall: Wall) -> Clock:
    """A hub clock that follows only this wall."""
    return Clock(wall, lambda: 0.0)


def settings(url: str, folder: Path) -> Settings:
    """Settings of a hub in this folder, on this database."""
    made = Settings(data=folder, database=url)
    save(made)
    return made


def office(url: str, folder: Path, wall: Wall) -> Office:
    """An open hub without HTTP."""
    return Office(settings(url, folder), clock(wall))


def agreement(name: str = "acme-service", **changes: Any) -> dict[str, Any]:
    """A small agreement of acme with its operator: peers see sources, the operator sees more."""
    plain: dict[str, Any] = {
        "dsa": "1", "id": name, "version": 1, "title": "Managed security for acme", "community": "shield",
        "parties": [{"id": "acme", "role": "owner"}, {"id": "msp", "role": "operator"}],
        "starts": "2026-11-01", "ends": "2026-11-30",
        "clauses": [
            {"kind": "share", "id": "operate-for-us", "to": {"organisations": ["msp"]}, "purposes": ["operate"],
             "rows": {"events": ["malware"], "tlp": "amber"}, "fields": {"time": "exact", "src_ip": "exact"}},
            {"kind": "share", "id": "warn-peers", "to": {"communities": ["shield"], "roles": ["cert"]},
             "purposes": ["detect"], "rows": {"events": ["malware"], "tlp": "green"}, "fields": {"src_ip": "exact"}},
        ],
    }  # fmt: skip
    return plain | changes


def charter(version: int = 1, previous: str | None = None) -> dict[str, Any]:
    """Acme's charter: never its addresses."""
    plain: dict[str, Any] = {
        "charter": "1", "id": "acme-charter", "version": version, "title": "What acme never shows",
        "owner": {"id": "acme"},
        "clauses": [{"kind": "limit", "id": "own-addresses", "fields": {"dst_ip": "withheld"}}],
    }  # fmt: skip
    return plain | ({"previous": previous} if previous else {})


def spec(*documents: dict[str, Any], accept: bool = True) -> Spec:
    """The community with these documents (by default the small agreement)."""
    orgs = (("acme", "sme"), ("msp", "mssp"), ("peer", "sme"), ("cert", "cert"), ("outsider", "isp"))
    return Spec(
        organisations=tuple(OrgInfo(org, org.title(), roles=(role,)) for org, role in orgs),
        communities=(CommunitySpec("shield", "SME Shield", "msp", ("acme", "peer")),),
        people=tuple(PersonSpec(f"{org}-admin", f"{org} admin", org, admin=True, uses=9) for org, _ in orgs),
        documents=documents or (agreement(),),
        gateways={"acme": 2},
        accept=accept,
    )  # fmt: skip
