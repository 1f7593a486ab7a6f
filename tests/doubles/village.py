"""A hub for the walk of a new member: a dental practice that has signed nothing yet, among a provider, a peer, a CERT.

Maple Dental has its own gateway and some days of events, so that a preview has something to show; its provider's
agreement with another member is in force, so that there is something to read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.bootstrap import CommunitySpec, PersonSpec, Spec
from doubles.town import HOUR, Town, now_wall

KINDS = {
    "maple-dental": ("Maple Dental", "sme"), "oak-law": ("Oak Law", "sme"),
    "harbour-mss": ("Harbour Managed Security", "mssp"), "valley-cert": ("Valley CERT", "cert"),
}  # fmt: skip
FAMILIES = ("GrayWeasel", "Emotet", "Qakbot")


def oak() -> dict[str, Any]:
    """What Oak Law signed with its provider: enough to act on."""
    share = {
        "kind": "share", "id": "operate", "to": {"organisations": ["harbour-mss"]},
        "purposes": ["operate", "detect", "respond"], "rows": {"events": ["malware", "intrusion"], "tlp": "amber"},
        "fields": {
            "time": "minute", "owner": "exact", "severity": "exact", "signature": "exact", "src_ip": "exact",
            "malware": "exact", "domain": "exact",
        },
    }  # fmt: skip
    parties = [{"id": "oak-law", "role": "owner"}, {"id": "harbour-mss", "role": "operator"}]
    head = {"dsa": "1", "id": "oak-service", "version": 1, "title": "Watch over Oak Law", "parties": parties}
    return {**head, "starts": "2026-01-01", "ends": "2027-12-31", "clauses": [share], "duties": {"actions": "internal"}}


def spec() -> Spec:
    """The village."""
    communities = (CommunitySpec("sme-shield", "SME Shield", "valley-cert", ("maple-dental", "oak-law")),)
    return Spec(
        organisations=tuple(
            OrgInfo(org, name, (role,), (), "Q86", "DE", "small")  # type: ignore[arg-type]
            for org, (name, role) in KINDS.items()
        ),
        communities=communities,
        people=tuple(
            PersonSpec(f"{org}-admin", f"Admin of {name}", org, admin=True, uses=9) for org, (name, _) in KINDS.items()
        ),
        documents=(oak(),),
        gateways=dict.fromkeys(KINDS, 1),
    )


def village(folder: Path) -> Town:
    """The village on this machine's own clock."""
    return Town(folder, still=False, of=spec())


def incidents(count: int = 24) -> list[dict[str, Any]]:
    """Events of the last two days, of two classes, with people and hosts in them."""
    now = now_wall()
    return [
        {
            "uid": f"m{n}", "time": now - (2 + 2 * n) * HOUR, "event_class": 1 + n % 2, "tlp": 1 + n % 2,
            "severity_id": 3 + n % 3, "src_ip": f"203.0.113.{60 + n}", "dst_ip": f"192.168.4.{20 + n % 4}",
            "malware_family": FAMILIES[n % 3], "malware_names": [FAMILIES[n % 3]],
            "rule_name": f"{FAMILIES[n % 3]} command channel", "domain": f"cdn{n % 5}.bad.example",
            "dst_host": f"xray-pc-{n % 3}", "dst_user": "anna.berg",
        }
        for n in range(count)
    ]  # fmt: skip
