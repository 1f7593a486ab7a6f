"""The demo community's agreements: four grades of strictness, so that the same pool looks different to each reader.

Every SME has a service agreement with the MSSP; most also have a community agreement. Grades:

    open      everything an operator needs, attackers exactly to peers, incidents to CERTs, sector counts to ISPs
    guarded   the same, but own addresses only as pseudonyms and no region to anyone outside the operator
    private   the operator sees pseudonyms only; peers get attackers' side and nothing of the member
    quiet     the operator alone, nothing to anyone else, and a charter that keeps it so
"""

from __future__ import annotations

from typing import Any, Literal

Grade = Literal["open", "guarded", "private", "quiet"]
GRADES: tuple[Grade, ...] = ("open", "guarded", "open", "private", "guarded", "open", "quiet", "guarded", "private")
COMMUNITY = "sme-shield"
#: The members alone, without CERT and ISP: whom `warn-peers` addresses.
PEERS = "sme-shield-members"
_ALL = ["malware", "intrusion", "firewall", "web", "dns", "flow", "auth", "mail", "system"]
_ATTACKER = {"signature": "exact", "malware": "exact", "file_hash": "exact", "domain": "exact", "severity": "exact"}
Document = dict[str, Any]


def grade_of(index: int) -> Grade:
    """The grade of the index-th SME."""
    return GRADES[index % len(GRADES)]


def _operator_fields(grade: Grade) -> dict[str, str]:
    fields = {
        "time": "exact", "owner": "exact", "owner_sector": "exact", "owner_region": "exact", "owner_size": "exact",
        "sensor": "exact", "src_ip": "exact", "dst_ip": "exact", "src_port": "exact", "dst_port": "exact",
        "action": "exact", "protocol": "exact", "volume": "exact", "attack": "exact", "vulnerability": "exact",
        "host": "exact", "user": "pseudonym", "url": "path", "fingerprint": "exact", **_ATTACKER,
    }  # fmt: skip
    if grade == "guarded":
        fields |= {"host": "pseudonym", "url": "site"}
    if grade in {"private", "quiet"}:
        fields |= {"owner_region": "country", "dst_ip": "pseudonym+network", "host": "pseudonym", "time": "minute"}
        del fields["url"]
    return fields


def service(owner: str, operator: str, parties: list[dict[str, str]], grade: Grade, days: tuple[str, str]) -> Document:
    """The agreement with the managed security provider: rows to operate and respond."""
    share = {
        "kind": "share", "id": "operate-for-us", "to": {"organisations": [operator]},
        "purposes": ["operate", "detect", "respond"],
        "rows": {"events": _ALL, "tlp": "amber+strict", "until": 2160}, "fields": _operator_fields(grade),
    }  # fmt: skip
    limit = {
        "kind": "limit", "id": "people",
        "fields": {"user": "pseudonym", "mail_from": "domain", "mail_to": "withheld", "message": "withheld"},
    }  # fmt: skip
    return _agreement(f"{owner}-service", f"Managed security for {parties[0]['name']}", parties, [share, limit], days)


def pooled(owner: str, parties: list[dict[str, str]], grade: Grade, days: tuple[str, str]) -> Document | None:
    """The agreement with the community: attackers to peers, incidents to CERTs, a picture to ISPs. None if quiet."""
    if grade == "quiet":
        return None
    peers: Document = {
        "kind": "share", "id": "warn-peers", "to": {"communities": [PEERS]}, "purposes": ["detect"],
        "rows": {"events": ["intrusion", "malware"], "tlp": "amber", "until": 2160},
        "fields": {"time": "minute", "owner": "one-time-pseudonym", "src_ip": "exact", **_ATTACKER},
    }  # fmt: skip
    if grade != "private":
        peers["fields"] |= {"owner": "pseudonym", "owner_sector": "section", "dst_ip": "shared-pseudonym"}
    clauses: list[Document] = [peers]
    if grade != "private":
        clauses += [_cert(grade), _isp()]
    return _agreement(f"{owner}-community", f"Early warning by {parties[0]['name']}", parties, clauses, days) | {
        "community": COMMUNITY
    }


def _cert(grade: Grade) -> Document:
    fields = {
        "time": "hour", "owner": "pseudonym", "owner_sector": "section", "src_ip": "exact", "attack": "exact",
        "dst_ip": "pseudonym+network" if grade == "open" else "pseudonym", **_ATTACKER,
    }  # fmt: skip
    if grade == "open":
        fields["owner_region"] = "country"
    return {
        "kind": "share", "id": "cert-incidents", "to": {"roles": ["cert"]}, "purposes": ["detect", "respond"],
        "rows": {"events": ["malware", "intrusion"], "tlp": "amber", "severity": "medium"}, "fields": fields,
    }  # fmt: skip


def _isp() -> Document:
    return {
        "kind": "share", "id": "isp-picture", "to": {"roles": ["isp"]}, "purposes": ["detect"],
        "rows": {"events": ["malware", "intrusion"], "tlp": "amber"},
        "fields": {"time": "day", "owner_sector": "section", "malware": "family", "src_ip": "network"},
    }  # fmt: skip


def charter(owner: str, operator: str, signer: dict[str, str]) -> Document:
    """The standing ceiling of a quiet member: outside its operator nobody is ever shown an address or a name."""
    sealed = ("src_ip", "dst_ip", "host", "user", "owner")
    return {
        "charter": "1", "id": f"{owner}-charter", "version": 1, "title": f"Standing ceiling of {signer['name']}",
        "owner": signer,
        "clauses": [{
            "kind": "limit", "id": "sealed", "outside": {"organisations": [operator]},
            "fields": dict.fromkeys(sealed, "withheld"),
        }],
    }  # fmt: skip


def _agreement(
    name: str, title: str, parties: list[dict[str, str]], clauses: list[Document], days: tuple[str, str]
) -> Document:
    duties = {"actions": "internal", "onward": "same-community", "delete_after_days": 90, "breach_notice_hours": 24}
    return {
        "dsa": "1", "id": name, "version": 1, "title": title, "parties": parties, "starts": days[0], "ends": days[1],
        "clauses": clauses, "duties": duties,
    }  # fmt: skip
