"""Indicators of a STIX bundle or a TAXII envelope.

Rules held here: a pattern that is one equality, or alternatives of them, gives one candidate each; any other is refused
as `pattern`; `revoked` withdraws by id; times without a zone are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from commonwatch.ingest.formats._stix_refs import compared
from commonwatch.ingest.intel import marking
from commonwatch.ingest.intel.candidate import Given, candidate
from commonwatch.ingest.values.times import GIVEN, Times

_KINDS: Final = {
    "ipv4-addr.value": "ip", "ipv6-addr.value": "ip", "domain-name.value": "domain", "url.value": "url",
    "email-addr.value": "mail", "email-message.from_ref.value": "mail", "file.hashes.SHA-256": "sha256",
    "file.hashes.SHA256": "sha256", "file.hashes.SHA-1": "sha1", "file.hashes.SHA1": "sha1", "file.hashes.MD5": "md5",
}  # fmt: skip
_MOST_ALTERNATIVES: Final = 50
_OR: Final = re.compile(r"\s+OR\s+(?=\[|[a-z0-9-]+:)")
_TIMES: Final = Times()


def read(document: Mapping[str, Any]) -> Given:
    """The indicators of a document."""
    given, objects = Given.nothing(), _objects(document)
    known = {o["id"]: o for o in objects if isinstance(o.get("id"), str)}
    for item in objects:
        if item.get("type") == "indicator":
            _indicator(item, known, given)
        elif "pattern" not in item:
            given.refused["context"] += 1
    return given


def _objects(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = document.get("objects", [] if document.get("type") == "bundle" else [document])
    return [o for o in found if isinstance(o, dict)] if isinstance(found, list) else []


def _indicator(item: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], given: Given) -> None:
    named = item.get("id")
    if not isinstance(named, str) or not named.startswith("indicator--"):
        given.refused["no id"] += 1
        return
    if item.get("revoked") is True:
        given.withdrawn.append(named)
        return
    said = _said(item) | {"external_id": named} | marking.of_refs(item, known)._asdict()
    found = list(_values(item.get("pattern"))) if item.get("pattern_type", "stix") == "stix" else []
    for kind, value in found:
        given.add(candidate(kind, value, **said))
    if not found:
        given.refused["pattern"] += 1


def _said(item: Mapping[str, Any]) -> dict[str, Any]:
    labels = item.get("labels")
    confidence = item.get("confidence")
    sure = isinstance(confidence, int) and not isinstance(confidence, bool) and 0 <= confidence <= 100
    return {
        "valid_from": moment(item.get("valid_from")), "valid_until": moment(item.get("valid_until")),
        "modified": moment(item.get("modified")) or moment(item.get("created")) or 0,
        "confidence": confidence if sure else None,
        "labels": tuple(x for x in labels if isinstance(x, str))[:20] if isinstance(labels, list) else (),
    }  # fmt: skip


def _values(pattern: Any) -> Iterator[tuple[str, str]]:
    """The alternatives of a pattern, if it is nothing else."""
    if not isinstance(pattern, str) or len(pattern) > 1 << 16:
        return
    parts = _OR.split(pattern.strip())
    if len(parts) > _MOST_ALTERNATIVES:
        return
    pairs = [compared(f"[{p.strip().removeprefix('[').removesuffix(']').strip()}]") for p in parts]
    kinds = [(_KINDS.get(pair[0]), pair[1]) for pair in pairs if pair is not None]
    if len(kinds) == len(parts):
        yield from ((kind, value) for kind, value in kinds if kind is not None)


def moment(value: Any) -> int | None:
    """A time with its zone, as microseconds."""
    found = _TIMES.read(value) if isinstance(value, str) else None
    return found[0] if found is not None and found[1] == GIVEN else None
