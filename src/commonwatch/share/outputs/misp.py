"""A MISP feed: manifest, hashes and one event for each day indicators were first published (MISP core and feed format).

Rules held here: ids are uuid5 over what the reader may see, so that a second fetch updates and never doubles; the
strictest TLP of an event stands on the event, each value's own on the attribute; `to_ids` only where acting is
permitted.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid5

import msgspec

from commonwatch.events.labels import Tlp
from commonwatch.share.indicators import DAY, Indicator
from commonwatch.share.marking import NAMESPACE
from commonwatch.share.outputs.about import About, label
from commonwatch.share.outputs.choosing import may_block

_SECOND = 1_000_000
_TYPES: Mapping[str, tuple[str, str]] = {
    "ip": ("ip-dst", "Network activity"),
    "domain": ("domain", "Network activity"),
    "url": ("url", "Network activity"),
    "mail": ("email-src", "Payload delivery"),
    "sha256": ("sha256", "Payload delivery"),
    "sha1": ("sha1", "Payload delivery"),
    "md5": ("md5", "Payload delivery"),
}
_THREAT = {6: "1", 5: "1", 4: "1", 3: "2", 2: "3"}


def misp(items: Sequence[Indicator], about: About) -> dict[str, bytes]:
    """The feed's files by name: `manifest.json`, `hashes.csv`, and `<uuid>.json` for each event."""
    days: dict[int, list[Indicator]] = defaultdict(list)
    for item in items:
        if item.kind in _TYPES:
            days[max(item.valid_from, 0) // DAY].append(item)
    events = [_event(day, kept, about) for day, kept in sorted(days.items())]
    manifest = {event["uuid"]: _entry(event) for event in events}
    hashes = "".join(
        f"{hashlib.md5(a['value'].encode(), usedforsecurity=False).hexdigest()},{event['uuid']}\n"
        for event in events
        for a in event["Attribute"]
    )
    files = {f"{event['uuid']}.json": msgspec.json.encode({"Event": event}) for event in events}
    return {"manifest.json": msgspec.json.encode(manifest), "hashes.csv": hashes.encode(), **files}


def _event(day: int, items: Sequence[Indicator], about: About) -> dict[str, Any]:
    date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
    strictest, severity = max(item.tlp for item in items), max(item.severity or 0 for item in items)
    return {
        "uuid": _id("event", about, str(day)),
        "info": f"{about.publisher}: indicators of {date.isoformat()}",
        "date": date.isoformat(),
        "timestamp": str(about.made // _SECOND),
        "publish_timestamp": str(about.made // _SECOND),
        "analysis": "2",
        "threat_level_id": _THREAT.get(severity, "4"),
        "published": True,
        "Orgc": {"name": about.publisher, "uuid": str(uuid5(NAMESPACE, f"misp-org:{about.publisher}"))},
        "Tag": [_tag(strictest)],
        "Attribute": [_attribute(item, about) for item in items],
    }


def _attribute(item: Indicator, about: About) -> dict[str, Any]:
    kind, category = _TYPES[item.kind]
    found: dict[str, Any] = {
        "uuid": _id("attribute", about, item.kind, item.value),
        "type": kind,
        "category": category,
        "value": item.value,
        "to_ids": may_block(item),
        "comment": label(item),
        "timestamp": str(about.made // _SECOND),
        "Tag": [_tag(item.tlp)],
    }
    seen = {"first_seen": item.first_seen, "last_seen": item.last_seen}
    return found | {name: _when(at) for name, at in seen.items() if at is not None}


def _entry(event: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("info", "date", "analysis", "threat_level_id", "timestamp", "Orgc", "Tag")
    return {name: event[name] for name in kept}


def _tag(tlp: int) -> dict[str, str]:
    return {"name": f"tlp:{Tlp(tlp).word}"}


def _id(kind: str, about: About, *parts: str) -> str:
    named = "".join(f"{len(part)}:{part}" for part in (about.publisher, about.reader, about.product, *parts))
    return str(uuid5(NAMESPACE, f"misp-{kind}:{named}"))


def _when(at: int) -> str:
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=at)).isoformat()
