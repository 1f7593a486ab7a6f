"""Attributes of MISP events that are marked `to_ids`.

Rules held here: an event is read whole, so that what it no longer lists is withdrawn; `deleted` and attributes without
`to_ids` give nothing; an attribute's own TLP tags add to those of its event; a name that stands beside a hash
(`filename|sha256`) or a port beside an address is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from commonwatch.ingest.formats._misp_parts import attributes
from commonwatch.ingest.intel import marking
from commonwatch.ingest.intel.candidate import Given, candidate
from commonwatch.ingest.intel.stix import moment
from commonwatch.ingest.tables.reading import whole

_KINDS: Final = {
    "ip-src": "ip", "ip-dst": "ip", "domain": "domain", "hostname": "domain", "url": "url", "uri": "url",
    "md5": "md5", "sha1": "sha1", "sha256": "sha256", "email-src": "mail", "email": "mail",
}  # fmt: skip
_BESIDE: Final = frozenset({"filename", "port"})
#: MISP says how sure an analyst is by tags; the rest is left to the source's weight.
_SURE: Final = {"completely-confident": 95, "usually-confident": 75, "fairly-confident": 50, "rarely-confident": 25}


def read(document: Mapping[str, Any]) -> Given:
    """The attributes of one or several events."""
    given = Given.nothing()
    for event, listed in attributes(document):
        parent = event.get("uuid")
        if isinstance(parent, str):
            given.parents.append(parent)
        tags = _tags(event)
        for one in listed:
            _attribute(one, tags, parent if isinstance(parent, str) else "", given)
    return given


def _attribute(one: Mapping[str, Any], tags: list[str], parent: str, given: Given) -> None:
    if one.get("deleted") in (True, "1", 1):
        if isinstance(one.get("uuid"), str):
            given.withdrawn.append(one["uuid"])
        return
    if one.get("to_ids") not in (True, "1", 1) or not isinstance(one.get("type"), str):
        given.refused["context"] += 1
        return
    types, value = one["type"].split("|"), one.get("value")
    values = value.split("|", len(types) - 1) if isinstance(value, str) else [value]
    pairs = [(t, v) for t, v in zip(types, values, strict=False) if t not in _BESIDE]
    for kind, text in pairs or [(one["type"], value)]:
        given.add(candidate(_KINDS.get(kind, kind), text, **_said(one, tags + _tags(one)), parent=parent))


def _said(one: Mapping[str, Any], tags: list[str]) -> dict[str, Any]:
    """Times, marking and confidence of an attribute."""
    stamp = (whole(one.get("timestamp")) or 0) * 1_000_000
    sure = [_SURE[w] for t in tags if (w := t.rpartition('="')[2].strip('"')) in _SURE]
    uuid = one.get("uuid")
    return {
        "external_id": uuid if isinstance(uuid, str) else "", "modified": stamp,
        "valid_from": moment(one.get("first_seen")) or stamp or None, "confidence": min(sure, default=None),
        "labels": tuple(t for t in tags if t.startswith("misp-galaxy:"))[:20], **marking.of_tags(tags)._asdict(),
    }  # fmt: skip


def _tags(found: Mapping[str, Any]) -> list[str]:
    tags = found.get("Tag")
    names = (t.get("name") for t in (tags if isinstance(tags, list) else ()) if isinstance(t, dict))
    return [n for n in names if isinstance(n, str)]
