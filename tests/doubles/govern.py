"""A small community for tests of store and govern: owners with agreements, events, a policy one can change, keys."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from commonwatch.agreements.document import Agreement, Fields, Limit, LimitRows, Party, Share, ShareRows, To
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments
from commonwatch.agreements.reader import Reader
from commonwatch.errors import Unavailable
from commonwatch.events.address import V4_BASE, parse
from commonwatch.events.fields import FIELDS
from commonwatch.govern.policy import Decided, OrgInfo, OwnerPolicy, PolicyView
from commonwatch.govern.service import Govern
from commonwatch.store import Store, StoredBatch

HOUR = 3_600_000_000
DAY = 24 * HOUR
NOW = 1_763_600_040_000_000
EXACT = dict.fromkeys(FIELDS, "exact")
EVERYBODY = frozenset(
    {"mssp", "cert", "peer", "isp", "acme", "bolt", "alpha-dental", "bravo-bakery", "coast-cert", "delta-mss"}
)
ADDRESSES = ("src_ip", "dst_ip", "src_net", "dst_net")


class Policy:
    """A policy source one can change: documents, memberships, clock; `broken` raises."""

    def __init__(self, owners: Iterable[OwnerDocuments], orgs: Iterable[OrgInfo], now: int = NOW) -> None:
        self.owners, self.orgs = {d.owner: d for d in owners}, {o.org: o for o in orgs}
        self.epoch, self.now, self.broken = 1, now, None
        self._known: dict[str, OwnerPolicy] = {}

    def view(self) -> PolicyView:
        if self.broken:
            raise self.broken
        return PolicyView(
            self.epoch, self.now, {name: self._owner(docs) for name, docs in self.owners.items()}, self.orgs
        )

    def _owner(self, docs: OwnerDocuments) -> OwnerPolicy:
        """The owner's policy; digested once for the same documents, as a hub does."""
        known = self._known.get(docs.owner)
        if known is None or known.documents is not docs:
            known = OwnerPolicy(docs.owner, docs, hashlib.sha256(repr(docs).encode()).digest())
            self._known[docs.owner] = known
        return known

    def replace(self, *documents: OwnerDocuments) -> None:
        self.owners |= {d.owner: d for d in documents}
        self.epoch += 1

    def fail(self) -> None:
        self.broken = Unavailable("the agreements cannot be read now")


class Keys:
    """A key per owner; owners in `gone` have none."""

    def __init__(self, gone: Iterable[str] = ()) -> None:
        self.gone = set(gone)

    def pseudonym_key(self, owner: str) -> bytes | None:
        return None if owner in self.gone else hashlib.sha256(owner.encode()).digest()


class Log:
    """Remembers decisions."""

    def __init__(self) -> None:
        self.seen: list[tuple[Reader, str, dict[str, Any]]] = []

    def decided(self, reader: Reader, kind: str, detail: Mapping[str, Any], taken: Any = None) -> None:
        self.seen.append((reader, kind, dict(detail)))

    def decided_all(self, decisions: Iterable[Decided]) -> None:
        for reader, kind, detail, _ in decisions:
            self.decided(reader, kind, detail)


def org(name: str, *roles: str, communities: tuple[str, ...] = ("ring",), sector: str = "Q86", **more: str) -> OrgInfo:
    return OrgInfo(name, name.title(), roles or ("sme",), communities, sector, more.get("region", "GB-LND"), "small")


def share(
    ident: str, to: To, fields: dict[str, str], events=("intrusion", "malware"), purposes=("detect",), **rows: Any
) -> Share:
    rows.setdefault("tlp", "amber+strict")
    return Share(id=ident, to=to, purposes=purposes, rows=ShareRows(events=events, **rows), fields=Fields(**fields))


def limit(ident: str, fields: dict[str, str], outside: To = To(), **rows: Any) -> Limit:
    return Limit(id=ident, fields=Fields(**fields), outside=outside, rows=LimitRows(**rows))


def documents(
    owner: str, *clauses: Share | Limit, state: str = "active", community: str | None = None
) -> OwnerDocuments:
    agreement = Agreement(
        dsa="1", id=f"{owner}-dsa", version=1, title=f"Agreement of {owner}", starts=dt.date(2025, 1, 1),
        ends=dt.date(2027, 1, 1), clauses=tuple(clauses), community=community,
        parties=(Party(id=owner, name=owner, role="owner", key="x" * 43),),
    )  # fmt: skip
    return OwnerDocuments(owner, (LiveAgreement(agreement, "0" * 64, EVERYBODY, state),))  # type: ignore[arg-type]


def to(*organisations: str, roles: tuple[str, ...] = (), communities: tuple[str, ...] = ()) -> To:
    return To(organisations=organisations, roles=roles, communities=communities)  # type: ignore[arg-type]


def columns(events: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows as wire columns; addresses given as text or Address are split into halves."""
    names = dict.fromkeys(name for event in events for name in event)
    made: dict[str, list[Any]] = {}
    for name in names:
        cells = [event.get(name) for event in events]
        if name in ADDRESSES:
            found = [parse(c) if isinstance(c, str) else c for c in cells]
            made[f"{name}_hi"] = [None if a is None else a.hi for a in found]
            made[f"{name}_lo"] = [None if a is None else a.lo for a in found]
        else:
            made[name] = cells
    return made


def batch(
    owner: str, events: list[dict[str, Any]], uid: int = 1, profiles=(EXACT,), received: int = NOW
) -> StoredBatch:
    return StoredBatch(
        batch_uid=uid, gateway=f"gw-{owner}", org=owner, received=received, columns=columns(events), profiles=profiles
    )


def event(rng: random.Random, **fixed: Any) -> dict[str, Any]:
    """One random event with every kind of value in it."""
    made = {
        "event_uid": rng.randbytes(16), "time": NOW - rng.randrange(90 * DAY), "event_class": rng.choice((1, 2, 3, 9)),
        "tlp": rng.randrange(5), "severity_id": rng.randrange(7), "site_uid": rng.choice(("", "branch", "head-office")),
        "src_ip": f"203.0.{rng.randrange(3)}.{rng.randrange(8)}", "src_scope": 2, "src_country": rng.choice(("DE", "FR")),
        "dst_ip": rng.choice(("10.1.2.3", "10.1.2.4", "2001:db8::7", "198.51.100.9")), "dst_scope": 1,
        "src_port": rng.choice((0, 80, 1023, 1024, 40_000, 65_535)), "dst_port": rng.choice((22, 443, 51_000)),
        "src_user": rng.choice(("Bob", "bob", "Eve", None)), "dst_user": rng.choice(("eve@acme", None)),
        "src_host": rng.choice(("ws-1", "ws-2", None)), "sensor_uid": "ids-1", "count": rng.randrange(2_000),
        "rule_name": rng.choice(("ET SCAN x", "ET MALWARE y", None)), "rule_uid": rng.choice(("1:1", "1:2")),
        "rule_category": rng.choice(("scan", "trojan")), "malware_family": rng.choice(("emotet", "qakbot", None)),
        "malware_names": rng.choice((["Emotet.A"], [], ["Qakbot", "Qbot"])), "proto": rng.choice((6, 17, 250)),
        "attack_techniques": rng.choice((["T1110"], ["T1110", "T1059"], [])), "attack_tactics": ["TA0006"],
        "cve_uids": rng.choice((["CVE-2024-3094"], [], ["CVE-2023-1", "CVE-2024-2"])), "action_id": rng.choice((1, 2, None)),
        "domain": rng.choice(("www.evil.co.uk", "evil.co.uk", "bad.example", None)), "url": rng.choice(("http://u:p@h.test/a?q=1", None)),
        "file_sha256": rng.choice((bytes(32), bytes([7] * 32), None)), "file_md5": rng.choice((bytes(16), None)),
        "mail_from": rng.choice(("Bob@Acme.Test", "eve@evil.test", "root", None)), "mail_to": rng.choice((["a@b.test", "A@b.test"], [])),
        "message": rng.choice(("login of bob from 10.0.0.1", "ok", None)), "process_cmd": rng.choice(("C:\\Users\\bob\\x.exe /s", None)),
        "user_agent": rng.choice(("curl/8", None)), "app_proto": rng.choice(("http", "tls")), "bytes_in": rng.choice((0, 9, 12_345)),
        "direction_id": rng.choice((1, 2)), "class_uid": 2004, "confidence_score": rng.choice((None, 90)), "is_alert": True,
        "community_id": "1:abc", "tls_fingerprint": rng.choice(("ja3", None)), "mail_subject": rng.choice(("Hi Bob", None)),
    }  # fmt: skip
    return made | fixed


def events(count: int, seed: int = 1, **fixed: Any) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [event(rng, **fixed) for _ in range(count)]


def v4(number: int) -> int:
    return V4_BASE | number


def govern(
    folder: Path, policy: Policy, *batches: StoredBatch, keys: Keys | None = None, log: Log | None = None
) -> Govern:
    """A store in `folder` with the batches, and govern over it."""
    store = Store.open(folder, memory_limit="512MB", threads=1)
    for number, each in enumerate(batches):
        store.append(
            each
            if each.batch_uid > 1
            else StoredBatch(**{f: getattr(each, f) for f in each.__struct_fields__} | {"batch_uid": number + 10})
        )
    return Govern(store, policy, keys or Keys(), log or Log(), secret=b"s" * 32)


def reader(name: str = "mssp", purpose: str = "detect") -> Reader:
    return Reader(name, (), (), purpose)  # type: ignore[arg-type]
