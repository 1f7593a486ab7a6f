"""What the stand-in hub knows: seeded synthetic events and agreements, releases in the Arrow contract, answers.

Rules held here: everything is made from a seed, nothing is real; revoking an agreement takes an owner's events away and
raises the epoch, as a hub would.
"""

from __future__ import annotations

import json
import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

START = datetime(2026, 10, 26, tzinfo=UTC)
DAYS = 24
WATERMARK = START + timedelta(days=DAYS, hours=-5)

ORGS: list[tuple[str, str, str, str]] = [
    ("alder-dental", "Alder Dental", "Health", "DE"),
    ("birch-law", "Birch & Partners, Law", "Legal", "AT"),
    ("cedar-foods", "Cedar Foods", "Retail", "DE"),
    ("elm-logistics", "Elm Logistics", "Transport", "NL"),
    ("fir-accounting", "Fir Accounting", "Legal", "DE"),
    ("hazel-clinic", "Hazel Clinic", "Health", "AT"),
    ("juniper-tools", "Juniper Tools", "Manufacturing", "DE"),
    ("larch-hotel", "Larch Hotel", "Hospitality", "IT"),
    ("maple-school", "Maple School", "Education", "DE"),
    ("oak-energy", "Oak Energy", "Energy", "NL"),
    ("pine-print", "Pine Print", "Manufacturing", "CZ"),
    ("rowan-travel", "Rowan Travel", "Hospitality", "DE"),
]
FAMILIES = [
    "Agent Tesla",
    "AsyncRAT",
    "Cobalt Strike",
    "Emotet",
    "FormBook",
    "GrayWeasel",
    "Lumma",
    "QakBot",
    "Remcos",
    "SocGholish",
    "XMRig",
]
USUAL = [f for f in FAMILIES if f != "GrayWeasel"]
CLASSES = ["auth", "dns", "firewall", "intrusion", "malware", "web"]
SEVERITIES = ["informational", "low", "medium", "high", "critical"]
COUNTRIES = ["BR", "CN", "DE", "FR", "IN", "NL", "RU", "US", "VN"]
ACTIONS = ["allowed", "blocked", "quarantined"]


def _events(seed: int = 7) -> list[dict[str, Any]]:
    """About 7,500 events: daily and weekly rhythm, unequal volumes, one outbreak in the last days."""
    rng = random.Random(seed)
    found: list[dict[str, Any]] = []
    for n, (org, _, sector, region) in enumerate(ORGS):
        weight = 1 / (1 + n * 0.35)
        for hour in range(DAYS * 24 - 5):
            at = START + timedelta(hours=hour)
            busy = (0.35 if at.weekday() > 4 else 1) * (0.4 + (8 <= at.hour <= 18))
            n_events = int(rng.gammavariate(1.4, 2.6 * weight * busy))
            found += [_event(rng, (org, sector, region), at, rng.choice(USUAL)) for _ in range(n_events)]
        if sector in ("Legal", "Health", "Retail"):
            for _ in range(rng.randint(80, 240)):
                at = START + timedelta(hours=DAYS * 24 - 5 - min(95, int(rng.expovariate(1 / 26))) - 1)
                found.append(_event(rng, (org, sector, region), at, "GrayWeasel"))
    found.sort(key=lambda e: e["time"], reverse=True)
    return found


def _event(rng: random.Random, owner: tuple[str, str, str], at: datetime, family: str) -> dict[str, Any]:
    org, sector, region = owner
    planted = family == "GrayWeasel"
    kind = "malware" if planted else rng.choices(CLASSES, (3, 4, 9, 5, 2, 5))[0]
    third = rng.randint(1, 14) if planted else rng.randint(1, 250)
    return {
        "time": at + timedelta(seconds=rng.randint(0, 3599)),
        "org": org,
        "sector": sector,
        "region": region,
        "class": kind,
        "severity": rng.choices(SEVERITIES, (1, 1, 2, 6, 4) if planted else (8, 6, 4, 2, 0.4))[0],
        "family": family,
        "rule": f"ET {kind.upper()} {family} {rng.choice(['beacon', 'download', 'check-in'])}",
        "action": rng.choice(ACTIONS),
        "src_country": "RU" if planted else rng.choice(COUNTRIES),
        "src_ip": f"{'203.0.113' if planted else rng.choice(['198.51.100', '192.0.2'])}.{third}",
        "dst_ip": f"10.{len(org)}.{rng.randint(0, 3)}.{rng.randint(2, 60)}",
        "dst_port": rng.choice([22, 25, 80, 443, 445, 3389, 8080]),
        "domain": rng.choice([None, "update-cdn.example" if planted else f"host{rng.randint(1, 40)}.example"]),
        "user": f"user{rng.randint(1, 90)}",
    }


LABELS = {
    "org": "contributor",
    "sector": "sector",
    "region": "region",
    "class": "event class",
    "severity": "severity",
    "family": "malware family",
    "rule": "signature",
    "action": "action taken",
    "src_country": "source country",
    "src_ip": "source address",
    "dst_ip": "destination address",
    "dst_port": "destination port",
    "domain": "domain name",
    "user": "user name",
    "time": "time",
}
KINDS = {"org": "org", "region": "region", "src_country": "country", "severity": "ordinal"}

READERS: dict[str, dict[str, Any]] = {
    "mssp": {
        "org": "northwatch",
        "name": "Northwatch Managed Security",
        "roles": ["mssp"],
        "person": "Mara Northwatch",
        "hidden": {"user": "field-not-granted", "action": "not-held"},
    },
    "cert": {
        "org": "cert-eu",
        "name": "Sector CERT",
        "roles": ["cert"],
        "person": "Carl Cert",
        "hidden": {"org": "not-agreed", "user": "not-agreed", "dst_ip": "charter"},
    },
    "sme": {"org": "alder-dental", "name": "Alder Dental", "roles": ["sme"], "person": "Ada Alder", "hidden": {}},
}


class World:
    """All state of the stand-in: events, agreements, sessions, epoch."""

    def __init__(self) -> None:
        self.events = _events()
        self.epoch = 41
        self.states = {org: "active" for org, *_ in ORGS}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.changed = threading.Condition()
        self.stopping = False
        self.delay = 0.0

    def bump(self) -> None:
        """A change of agreements: a new epoch, told to every open stream."""
        with self.changed:
            self.epoch += 1
            self.changed.notify_all()

    def visible(self, role: str) -> list[dict[str, Any]]:
        """The events a reader may see, withheld fields as `{withheld}`."""
        me = READERS[role]
        rows = [
            e for e in self.events if (e["org"] == me["org"] if role == "sme" else self.states[e["org"]] == "active")
        ]
        hidden = {
            name: {"withheld": why, "ask": "Northwatch Managed Security" if role == "sme" else None, "clause": None}
            for name, why in me["hidden"].items()
        }
        return [{**e, **hidden} for e in rows]


def instant(at: datetime) -> str:
    """RFC 3339, UTC."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(row: dict[str, Any], key: str) -> str:
    """A cell as a dimension names it."""
    value = row[key]
    return "(withheld)" if isinstance(value, dict) else "(none)" if value is None else str(value)


def _keep(row: dict[str, Any], chosen: dict[str, Any], span: tuple[datetime, datetime] | None) -> bool:
    if span and not span[0] <= row["time"] < span[1]:
        return False
    for key, rule in chosen["dims"].items():
        inside = shown(row, key) in (rule.get("in") or rule.get("not") or [])
        if inside != bool(rule.get("in")):
            return False
    return True


def _span(chosen: dict[str, Any]) -> tuple[datetime, datetime] | None:
    when = chosen.get("time")
    if not when:
        return None
    if "last" in when:
        unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[when["last"][-1]]
        return WATERMARK - timedelta(**{unit: int(when["last"][:-1])}), WATERMARK
    return datetime.fromisoformat(when["from"]), datetime.fromisoformat(when["to"])


def chosen_of(rows: list[dict[str, Any]], chosen: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that a filter keeps."""
    return [row for row in rows if _keep(row, chosen, _span(chosen))]


def release(world: World, role: str) -> bytes:
    """The reader's exact release: hour bins, categorical dims, sector and region derived where owners are shown."""
    rows = world.visible(role)
    hidden = READERS[role]["hidden"]
    keys = [k for k in ("org", "sector", "region", "class", "severity", "family", "action") if k not in hidden]
    edges = [START + timedelta(hours=h) for h in range(DAYS * 24 - 5 + 1)]
    values = {k: (SEVERITIES if k == "severity" else sorted({shown(r, k) for r in rows})) for k in keys}
    codes = {k: {v: i for i, v in enumerate(values[k])} for k in keys}
    derived = [k for k in ("sector", "region") if "org" in keys]
    plain = [k for k in keys if k not in derived]
    cells: dict[tuple[int, ...], int] = {}
    for r in rows:
        cell = (int((r["time"] - START).total_seconds() // 3600), *(codes[k][shown(r, k)] for k in plain))
        cells[cell] = cells.get(cell, 0) + 1
    order = sorted(cells)
    arrays = [pa.array([c[0] for c in order], pa.uint16())]
    arrays += [pa.array([c[i + 1] for c in order], pa.uint8()) for i in range(len(plain))]
    arrays.append(pa.array([cells[c] for c in order], pa.uint32()))
    dims: list[dict[str, Any]] = [
        {
            "key": "t",
            "label": "time",
            "kind": "time",
            "n": len(edges) - 1,
            "edges": [instant(e) for e in edges],
            "disclosed": "hour",
        }
    ]
    described = {
        k: {
            "key": k,
            "label": LABELS[k],
            "kind": KINDS.get(k, "nominal"),
            "n": len(values[k]),
            "values": values[k],
            "withheld": None,
        }
        for k in keys
    }
    dims += [{**described[k], "parent": None} for k in plain]
    home = {r["org"]: r for r in rows} if derived else {}
    meta = {
        "contract": 1,
        "release": f"{role}-{world.epoch}",
        "version": 1,
        "kind": "exact",
        "measures": [{"column": "w0", "key": "events", "label": "events", "unit": "events"}],
        "dims": dims,
        "derived": [
            {"dim": described[k], "from": "org", "map": [codes[k][home[o][k]] for o in values["org"]]} for k in derived
        ],
        "variance": None,
        "threshold": None,
        "privacy": None,
        "provenance": {
            "policy_epoch": world.epoch,
            "watermark": instant(WATERMARK),
            "made_at": instant(WATERMARK),
            "good_until": None,
            "reader": {"org": READERS[role]["org"]},
            "agreements": sum(s == "active" for s in world.states.values()),
            "members": None,
        },
        "withheld": [
            {"dim": k, "label": LABELS[k], "reason": why, "ask": None, "clause": None}
            for k, why in hidden.items()
            if k != "user"
        ],
    }
    schema = pa.schema(
        [pa.field(n, a.type) for n, a in zip(["t", *plain, "w0"], arrays, strict=True)],
        {b"commonwatch": json.dumps(meta).encode()},
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as out:
        out.write_batch(pa.record_batch(arrays, schema=schema))
    return sink.getvalue().to_pybytes()


def answer(world: World, role: str, query: dict[str, Any]) -> dict[str, Any]:
    """The answer to a typed query, computed row by row."""
    chosen = query["filter"]
    rows = chosen_of(world.visible(role), chosen)
    out: dict[str, Any] = {
        "query": f"q{abs(hash(json.dumps(query, sort_keys=True))) % 10**8}",
        "epoch": world.epoch,
        "watermark": instant(WATERMARK),
        "org": READERS[role]["org"],
        "purpose": "detect",
        "clauses": [f"{org}-with-northwatch@1#s1" for org, *_ in ORGS[:2]],
        "other": None,
        "total": len(rows),
        "bin": None,
        "after": None,
        "notes": [],
    }
    if query["kind"] == "rows":
        start = int(query.get("after") or 0)
        page = rows[start : start + query["limit"]]
        names = list(LABELS)[-1:] + list(LABELS)[:-1]
        out["columns"] = [
            {"name": n, "label": LABELS[n], "kind": "time" if n == "time" else "text", "field": n, "disclosure": None}
            for n in names
        ]
        out["rows"] = [
            {
                "ref": f"row-{start + i}",
                "cells": [instant(r[n]) if n == "time" else r[n] for n in names],
                "clauses": [i % 2],
            }
            for i, r in enumerate(page)
        ]
        out["after"] = str(start + len(page)) if start + len(page) < len(rows) else None
        return out
    key = query.get("by", "time")
    hidden = READERS[role]["hidden"].get(key)
    counts: dict[str, int] = {}
    for r in rows:
        value = instant(r["time"].replace(minute=0, second=0)) if query["kind"] == "histogram" else shown(r, key)
        counts[value] = counts.get(value, 0) + 1
    ranked = (
        sorted(counts.items())
        if query["kind"] == "histogram"
        else sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))[: query.get("limit", 20)]
    )
    out["columns"] = [
        {"name": key, "label": LABELS[key], "kind": "text", "field": key, "disclosure": None},
        {"name": "events", "label": "events", "kind": "u64"},
    ]
    out["rows"] = [
        {"cells": [{"withheld": hidden, "ask": None, "clause": None} if hidden else v, n]} for v, n in ranked
    ]
    out["other"], out["bin"] = len(rows) - sum(n for _, n in ranked), "1h"
    return out


def _text(org: str, name: str) -> str:
    return f"""AGREEMENT "{org}-with-northwatch" version 1

{name} (the owner) shares with Northwatch Managed Security,
from 1 October 2026 until 30 September 2027, for operate, detect and respond.

Clause s1. Share events of the classes malware, intrusion, firewall, web, dns and auth,
  marked TLP:AMBER or wider, at every age:
  time exactly; contributor exactly; signature exactly; severity exactly;
  source address exactly; destination address at network;
  everything else is withheld.

Clause l1. Limit: user name is never shown.

The owner may revoke this agreement at any time.
"""


def agreements(world: World, role: str) -> list[dict[str, Any]]:
    """The agreements of the reader's organisation."""
    mine = [o for o in ORGS if role != "sme" or o[0] == READERS[role]["org"]]
    return [
        {
            "id": f"{org}-with-northwatch",
            "version": 1,
            "title": f"{name} with Northwatch",
            "state": world.states[org],
            "owner": org,
            "parties": [
                {"id": org, "name": name, "role": "owner"},
                {"id": "northwatch", "name": "Northwatch Managed Security", "role": "recipient"},
            ],
            "starts": "2026-10-01T00:00:00Z",
            "ends": "2027-09-30T00:00:00Z",
            "may_revoke": world.states[org] == "active",
            "text": _text(org, name),
        }
        for org, name, *_ in mine
    ]


def description(world: World, role: str) -> dict[str, Any]:
    """What `/api/view` says."""
    me = READERS[role]
    bound = [
        {
            **a,
            "owner_name": a["parties"][0]["name"],
            "clauses": [
                {
                    "id": "s1",
                    "text": "Share malware, intrusion, firewall, web, dns and auth events with exact signatures.",
                },
                {"id": "l1", "text": "Never show user names."},
            ],
        }
        for a in agreements(world, role)
        if a["state"] == "active"
    ]
    fields = [
        {
            "field": k,
            "label": v,
            "granted": None if k in me["hidden"] else "network" if k == "dst_ip" else "exact",
            "uniform": k != "domain",
            "withheld": {"reason": me["hidden"][k], "ask": None, "clause": None} if k in me["hidden"] else None,
        }
        for k, v in LABELS.items()
    ]
    return {
        "reader": {"org": me["org"], "roles": me["roles"], "communities": ["alpine"], "purpose": "detect"},
        "epoch": world.epoch,
        "watermark": instant(WATERMARK),
        "agreements": bound,
        "fields": fields,
    }


INDICATORS = [
    {
        "id": f"indicator--{n:08d}-0000-4000-8000-000000000000",
        "kind": kind,
        "value": value,
        "pattern": f"[{path} = '{value}']",
        "valid_from": "2026-11-15T09:00:00Z",
        "valid_until": "2026-12-15T09:00:00Z",
        "confidence": conf,
        "sources": sources,
        "first_seen": "2026-11-15T08:41:00Z",
        "last_seen": "2026-11-18T17:05:00Z",
        "sightings": seen,
    }
    for n, (kind, value, path, conf, sources, seen) in enumerate(
        [
            ("ipv4-addr", "203.0.113.7", "ipv4-addr:value", 85, 6, 412),
            ("domain-name", "update-cdn.example", "domain-name:value", 80, 5, 230),
            (
                "file",
                "3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855a",
                "file:hashes.'SHA-256'",
                95,
                3,
                17,
            ),
            ("ipv4-addr", "198.51.100.23", "ipv4-addr:value", 40, None, 9),
        ]
    )
]
ALERTS = [
    {
        "id": "alert-1",
        "kind": "outbreak",
        "state": "open",
        "title": "GrayWeasel is new at 6 organisations in 3 sectors",
        "at": "2026-11-16T11:20:00Z",
        "expected": 0.4,
        "seen": 6,
        "text": "Usually 0 or 1 organisation a week reports it for the first time.",
        "filter": {"dims": {"family": {"in": ["GrayWeasel"]}}, "time": {"last": "4d"}},
    },
    {
        "id": "alert-2",
        "kind": "hotspot",
        "state": "acknowledged",
        "title": "More failed sign-ins than usual in Hospitality",
        "at": "2026-11-12T03:00:00Z",
        "text": "Two organisations, one night.",
        "filter": {
            "dims": {"class": {"in": ["auth"]}, "sector": {"in": ["Hospitality"]}},
            "time": {"from": "2026-11-11T00:00:00Z", "to": "2026-11-13T00:00:00Z"},
        },
    },
]


def gateways(now: float) -> list[dict[str, Any]]:
    """Gateways of the reader: two well, one silent."""
    return [
        {
            "id": f"gw-{org}",
            "org": org,
            "name": f"{name} gateway",
            "enrolled": int(now) - 86400 * 40,
            "last_seen": int(now) - gap,
            "connected": gap < 60,
            "status": {
                "version": "0.1.0",
                "spool_rows": 0 if gap < 60 else 1834,
                "sent": 120_431 - gap,
                "quarantined": gap % 7,
                "snapshot": 41,
            },
        }
        for (org, name, *_), gap in zip(ORGS[:3], (2, 5, 5400), strict=True)
    ]
