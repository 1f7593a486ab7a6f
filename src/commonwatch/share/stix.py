"""STIX 2.1 objects as plain dicts: what `stix2` parses strictly and the validator accepts (`events.md` 11).

Rules held here:
- the id of an observable (SCO) is an unkeyed hash of its value: it is written only where the value itself is shown;
- ids of other objects are uuid5 in our own namespace over what the reader may see; equal content, equal bytes;
- `created` is the first publication to this reader, `modified` grows only when content changes;
- agreement, clauses and duties travel in our own property extension, never as bare custom properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

import msgspec
import rfc8785

from commonwatch.events.labels import Tlp
from commonwatch.share import marking
from commonwatch.share.indicators import Indicator
from commonwatch.share.marking import NAMESPACE

Stix = dict[str, Any]

SCO_NAMESPACE = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
OUR_EXTENSION = f"extension-definition--{uuid5(NAMESPACE, 'extension:sharing-agreement')}"
_TLP_IDS = {
    Tlp.CLEAR: "94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "e828b379-4e03-4974-9ac4-e53a884c97c1",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA_TIME = "2026-11-22T00:00:00.000Z"
_SCHEMA = (
    "agreements: ids of data sharing agreements; clauses: agreement@version#clause; duties: what the reader must do"
)


def stamp(micros: int) -> str:
    """RFC 3339 UTC with milliseconds."""
    return (_EPOCH + timedelta(milliseconds=micros // 1_000)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def micros(text: str) -> int:
    """An RFC 3339 instant as microseconds; raises ValueError on anything else, also without a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def exact_stamp(at: int) -> str:
    """RFC 3339 UTC with microseconds."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def encode(document: Stix) -> bytes:
    """The bytes of an object; equal objects give equal bytes."""
    return msgspec.json.encode(document, order="sorted")


def our_id(kind: str, *parts: str | int) -> str:
    """A stable id in our namespace over length-prefixed parts."""
    text = "".join(f"{len(str(part))}:{part}" for part in (kind, *parts))
    return f"{kind}--{uuid5(NAMESPACE, text)}"


@lru_cache(maxsize=64)
def identity_id(publisher: str) -> str:
    """The id of the publisher's identity."""
    return our_id("identity", publisher)


def tlp_marking(tlp: int) -> str:
    """The id of the TLP 2.0 marking."""
    return f"marking-definition--{_TLP_IDS[Tlp(tlp)]}"


def statics(publisher: str) -> list[Stix]:
    """What indicators refer to: the publisher's identity, the TLP 2.0 markings, our extension."""
    extensions = (extension_definition(publisher), duties_definition(publisher))
    return [identity(publisher), *extensions, *(marking_definition(tlp) for tlp in Tlp)]


def identity(publisher: str) -> Stix:
    """The community (or hub) that publishes."""
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": identity_id(publisher),
        "created": _SCHEMA_TIME,
        "modified": _SCHEMA_TIME,
        "name": publisher,
        "identity_class": "group",
    }


def marking_definition(tlp: Tlp) -> Stix:
    """A TLP 2.0 marking, as OASIS publishes it."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": tlp_marking(tlp),
        "created": "2022-10-01T00:00:00.000Z",
        "name": f"TLP:{tlp.word.upper()}",
        "extensions": {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": tlp.word}},
    }


def extension_definition(publisher: str) -> Stix:
    """Our property extension: agreements, clauses, duties."""
    return {
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": OUR_EXTENSION,
        "created_by_ref": identity_id(publisher),
        "created": _SCHEMA_TIME,
        "modified": _SCHEMA_TIME,
        "name": "Data sharing agreement",
        "description": "Under which agreements and clauses the reader received this object, and the duties it carries.",
        "schema": _SCHEMA,
        "version": "1.0.0",
        "extension_types": ["property-extension"],
    }


def duties_definition(publisher: str) -> Stix:
    """The property extension that adds to an IEP marking what IEP has no word for."""
    return extension_definition(publisher) | {
        "id": marking.DUTIES_EXTENSION,
        "name": "Duties beyond IEP 2.0",
        "description": "Onward sharing, deletion after days, notice of breaches, TLP 2.0, agreements by version.",
        "schema": "onward: none, same-community or tlp; delete_after_days; breach_notice_hours; tlp_2_0; agreements",
    }


def indicator_id(publisher: str, pattern: str, generation: int) -> str:
    """The id of an indicator; a pattern shared again after `revoked` has the next generation."""
    return our_id("indicator", publisher, pattern, generation)


def indicator(item: Indicator, publisher: str, created: str, modified: str) -> Stix:
    """An indicator object. Times of sightings appear at the precision the reader has them."""
    found: Stix = {
        **_head("indicator", item.id, publisher, (created, modified), item),
        "name": item.value,
        "indicator_types": ["malicious-activity"],
        "pattern": item.pattern,
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": stamp(item.valid_from),
        "valid_until": stamp(item.valid_until),
    }
    if item.confidence is not None:
        found["confidence"] = item.confidence
    if item.malware is not None:
        found["labels"] = [f"malware:{item.malware}"]
    return found | _references(item) | _extension(item)


def sighting(item: Indicator, publisher: str, audience: str, created: str, modified: str) -> Stix:
    """That members saw the indicator: count and first and last time, each only where disclosed."""
    found: Stix = {
        **_head("sighting", sighting_id(item, audience), publisher, (created, modified), item),
        "sighting_of_ref": item.id,
    }
    if item.first_seen is not None and item.last_seen is not None:
        found["first_seen"] = stamp(item.first_seen)
        found["last_seen"] = stamp(max(item.first_seen, item.last_seen))
    if item.sightings is not None:
        found["count"] = min(item.sightings, 999_999_999)
    return found | _references(item) | _extension(item)


def sighting_id(item: Indicator, audience: str) -> str:
    """The id of the sighting; after it was revoked, another one."""
    return our_id("sighting", audience, item.id, *([item.unseen] if item.unseen else []))


def observable(item: Indicator) -> Stix:
    """The observable itself (SCO). Its id is a hash of the value, which this reader is shown."""
    if item.stix_type == "file":
        name = {"sha256": "SHA-256", "sha1": "SHA-1", "md5": "MD5"}[item.kind]
        content: Stix = {"hashes": {name: item.value.lower()}}
    else:
        content = {"value": item.value}
    return {"type": item.stix_type, "spec_version": "2.1", "id": observable_id(item.stix_type, content), **content}


def observable_id(kind: str, contributing: Mapping[str, Any]) -> str:
    """The deterministic id of an SCO over its id-contributing properties (STIX 2.1 section 2.9)."""
    return f"{kind}--{uuid5(SCO_NAMESPACE, rfc8785.dumps(dict(contributing)).decode())}"


def observed_data(item: Indicator, publisher: str, audience: str, created: str, modified: str) -> Stix | None:
    """Observed data about one observable; None where time or count is withheld (both are required by STIX)."""
    if item.first_seen is None or item.last_seen is None or not item.sightings:
        return None
    return (
        {
            **_head("observed-data", our_id("observed-data", audience, item.id), publisher, (created, modified), item),
            "first_observed": stamp(item.first_seen),
            "last_observed": stamp(max(item.first_seen, item.last_seen)),
            "number_observed": min(item.sightings, 999_999_999),
            "object_refs": [observable(item)["id"]],
        }
        | _references(item)
        | _extension(item)
    )


def _head(kind: str, object_id: str, publisher: str, times: tuple[str, str], item: Indicator) -> Stix:
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": object_id,
        "created_by_ref": identity_id(publisher),
        "created": times[0],
        "modified": times[1],
        "object_marking_refs": markings(item),
    }


def markings(item: Indicator) -> list[str]:
    """The TLP 2.0 marking, and the IEP 2.0 policy of the terms."""
    return [tlp_marking(item.tlp), *([marking.iep_marking(item.terms)] if item.terms else [])]


def _references(item: Indicator) -> Stix:
    """Under which signed texts the reader was given this, as far as it may be told, and what partners call it."""
    found = [marking.reference(name) for name in item.terms.named] if item.terms else []
    found += [{"source_name": source, "external_id": named} for source, named in item.given]
    return {"external_references": found} if found else {}


def _extension(item: Indicator) -> Stix:
    if not item.clauses:
        return {}
    body: Stix = {
        "extension_type": "property-extension",
        "agreements": sorted({c.agreement for c in item.clauses}),
        "clauses": [str(c) for c in item.clauses],
    }
    if item.terms:
        body["duties"] = msgspec.to_builtins(item.terms.duties)
    return {"extensions": {OUR_EXTENSION: body}}
