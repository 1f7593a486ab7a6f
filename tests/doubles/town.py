"""A whole hub in this process, founded once and copied: a member, a stranger, a provider, a CERT; events by batch.

Town: `alder` (an SME) shares with `birch` (its provider) coarsely and with `cedar` (a CERT) as pseudonyms; `dune` (an
SME) shares a day of malware with birch. The clock stands still, so that two copies of a hub that are asked the same
answer the same.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.agreements.lattice import TOP, point_name
from commonwatch.events.address import parse, scope_of
from commonwatch.events.fields import FIELDS
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.bootstrap import CommunitySpec, PersonSpec, Spec, found_in
from commonwatch.hub.compose import Hub
from commonwatch.hub.core import Office
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.settings import Settings, save
from commonwatch.wire.batch import BatchHeader, batch_uid, seal
from commonwatch.wire.enrolment import EnrolCode, EnrolReply, EnrolRequest, open_reply, seal_request

NOW = 1_795_348_800_000_000  # 2026-11-22T12:00:00Z
HOUR, MINUTE = 3_600_000_000, 60_000_000
SCOPES = ("read", "indicators", "taxii", "agreements", "gateways", "audit")
PROFILE = {name: point_name(field.family, TOP(field.family)) for name, field in FIELDS.items()}
DAYS = {"starts": "2026-01-01", "ends": "2027-12-31"}
DUTIES = {"actions": "internal", "onward": "same-community", "delete_after_days": 90, "breach_notice_hours": 24}


def agreement() -> dict[str, Any]:
    """What alder signed with birch: hours, networks, signatures, nothing of who or where inside; tokens to CERTs."""
    birch = {
        "kind": "share", "id": "operate", "to": {"organisations": ["birch"]},
        "purposes": ["operate", "detect", "respond"],
        "rows": {"events": ["malware", "intrusion"], "tlp": "amber", "severity": "low"},
        "fields": {
            "time": "hour", "owner": "exact", "severity": "exact", "signature": "exact", "src_ip": "network",
            "malware": "exact", "dst_port": "range", "url": "site", "volume": "magnitude", "domain": "exact",
        },
    }  # fmt: skip
    cedar = {
        "kind": "share", "id": "warn", "to": {"roles": ["cert"]}, "purposes": ["detect", "respond"],
        "rows": {"events": ["malware"], "tlp": "amber"},
        "fields": {"time": "day", "owner": "pseudonym", "src_ip": "pseudonym", "malware": "family"},
    }  # fmt: skip
    parties = [{"id": "alder", "role": "owner"}, {"id": "birch", "role": "operator"}]
    head = {"dsa": "1", "id": "alder-service", "version": 1, "title": "Watch over alder", "parties": parties}
    return {**head, **DAYS, "clauses": [birch, cedar], "duties": DUTIES, "community": "valley"}


def brief() -> dict[str, Any]:
    """What dune signed with birch: malware of the last day, no older."""
    share = {
        "kind": "share", "id": "fresh", "to": {"organisations": ["birch"]}, "purposes": ["operate", "detect"],
        "rows": {"events": ["malware"], "tlp": "amber", "until": 24}, "fields": {"time": "hour", "malware": "exact"},
    }  # fmt: skip
    parties = [{"id": "dune", "role": "owner"}, {"id": "birch", "role": "operator"}]
    head = {"dsa": "1", "id": "dune-brief", "version": 1, "title": "A day of dune", "parties": parties}
    return {**head, **DAYS, "clauses": [share], "duties": DUTIES}


def spec() -> Spec:
    """The town."""
    kinds = {"alder": "sme", "birch": "mssp", "cedar": "cert", "dune": "sme"}
    return Spec(
        organisations=tuple(
            OrgInfo(org, org.title(), (role,), (), "Q86", "DE", "small")  # type: ignore[arg-type]
            for org, role in kinds.items()
        ),
        communities=(CommunitySpec("valley", "Valley", "cedar", ("alder", "birch", "dune")),),
        people=tuple(PersonSpec(f"{org}-admin", f"Admin of {org}", org, admin=True, uses=9) for org in kinds),
        documents=(agreement(), brief()),
        gateways=dict.fromkeys(kinds, 1),
    )


class Town:
    """A founded hub's folder with a session, a token and an enrolled gateway for every organisation."""

    def __init__(self, folder: Path, *, still: bool = True, of: Spec | None = None) -> None:
        self.folder = folder
        clock = still_clock() if still else Clock()
        self.now = clock.now
        self.settings = Settings(data=folder, name="town", store_memory="256MB", store_threads=1)
        save(self.settings)
        office = Office(self.settings, clock)
        founded = found_in(office, of or spec())
        self.links = {person.removesuffix("-admin"): link for person, link in founded.links.items()}
        self.sessions: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.gateways: dict[str, EnrolReply] = {}
        self.keys: dict[str, Ed25519PrivateKey] = {}
        for person, link in founded.links.items():
            org = person.removesuffix("-admin")
            opened = office.accounts.open_with_link(link.partition("#link=")[2], None)
            self.sessions[org] = opened.secret
            self.tokens[org] = office.accounts.make_token(opened.principal, "feed", "detect", SCOPES, 30)[1]
            self.keys[org] = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(org.encode()).digest())
            self.gateways[org] = enrol(office, EnrolCode.parse(founded.codes[org][0]), self.keys[org])
        office.close()

    def copy(self, folder: Path) -> Hub:
        """The same hub once more, in another folder; not started."""
        shutil.copytree(self.folder, folder)
        return Hub(msgspec.structs.replace(self.settings, data=folder), still_clock())

    def batch(self, org: str, events: Sequence[Mapping[str, Any]], seq: int = 1) -> bytes:
        """A sealed batch of the organisation's gateway."""
        columns = columns_of(events)
        header = BatchHeader(
            batch_uid=batch_uid(self.gateways[org].gateway, columns["event_uid"]), gateway=self.gateways[org].gateway,
            org=org, seq=seq, snapshot=0, rows=len(events), profiles=[PROFILE], rules_version=1,
            made_at=self.now() - MINUTE,
        )  # fmt: skip
        return seal(header, columns, self.keys[org])


def still_clock() -> Clock:
    """A clock that stands at NOW."""
    return Clock(lambda: NOW, lambda: 0.0)


def now_wall() -> int:
    """The time of day, for hubs that are served by a process of their own."""
    return time.time_ns() // 1000


def enrol(office: Office, code: EnrolCode, key: Ed25519PrivateKey) -> EnrolReply:
    """Enrol a gateway as it would itself."""
    public = key.public_key().public_bytes_raw()
    asked = EnrolRequest(secret=code.secret, name="edge", key=public, pseudonym_key=b"p" * 32, at=office.clock.now())
    return open_reply(office.enrolments.enrol(seal_request(asked, key)), code)


def columns_of(events: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Wire columns of events given as plain dicts; addresses as text under src_ip and dst_ip."""
    rows = [_row(number, event) for number, event in enumerate(events)]
    names = sorted({name for row in rows for name in row})
    return {name: [row.get(name) for row in rows] for name in names}


def _row(number: int, event: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "event_uid": hashlib.sha256(f"{event.get('uid', number)}".encode()).digest()[:16], "time": NOW - 5 * HOUR,
        "event_class": 2, "tlp": 1, "severity_id": 4, "profile": 0, "class_uid": 2004, "is_alert": True,
    }  # fmt: skip
    row |= {name: value for name, value in event.items() if name not in {"uid", "src_ip", "dst_ip"}}
    for side in ("src_ip", "dst_ip"):
        if side in event:
            address = parse(event[side])
            row[f"{side}_hi"], row[f"{side}_lo"] = address.hi, address.lo
            row.setdefault(f"{side[:3]}_scope", int(scope_of(address)))
    return row
