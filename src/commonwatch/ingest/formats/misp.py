"""MISP events, search answers and feeds: sightings of attributes, and objects that report a detection, become events.

Rules held here: an attribute marked `to_ids` is intelligence and no event (it is skipped as `indicator`) unless
somebody sighted it; every other attribute and object is context; what is deleted is skipped; taxonomies, templates and
feed manifests are known and carry no event. Paths are `Attribute.` with the type, `Object.` with the relation, and
`Event.` with the member. `parse` never raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from commonwatch.events.event import Event
from commonwatch.events.labels import OCSF_CLASS, EventClass, Severity
from commonwatch.ingest.formats._misp_parts import Part, parts
from commonwatch.ingest.framing import sample
from commonwatch.ingest.outcome import MAX_DOCUMENT
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Col, Found, Table, Tables, Unreadable, put_back
from commonwatch.ingest.tables.json_paths import decode
from commonwatch.ingest.tables.parsing import parser
from commonwatch.ingest.tables.reading import table_of, text, whole
from commonwatch.ingest.tables.writing import iso
from commonwatch.ingest.values.times import GIVEN, epoch

NAME: Final = "misp"
TITLE: Final = "MISP events and feeds"
NUMBER: Final = 11
FRAMING: Final = "json"
COMMENTS: Final = True
MOST: Final = MAX_DOCUMENT
_LEVELS: Final = (("1", Severity.HIGH), ("2", Severity.MEDIUM), ("3", Severity.LOW), ("4", Severity.UNKNOWN))
_FIRST, _LAST, _COUNT = "Sighting[0].date_sighting", "Sighting[-1].date_sighting", "Sighting[].count"
_HEAD: Final = (
    Col("severity", ("Event.threat_level_id",), table_of(_LEVELS), note="1 high, 2 medium, 3 low, 4 unknown"),
    Col("message", ("Event.info",)),
    Col("attack_techniques", ("Event.Tag[].name",)),
)  # fmt: skip
_ATTRIBUTE: Final = (
    *_HEAD, Col("rule_uid", ("Attribute.uuid",)), Col("count", (_COUNT,)), Col("end_time", (_LAST,)),
    Col("dst_ip", ("Attribute.ip-dst", "Attribute.ip")), Col("src_ip", ("Attribute.ip-src",)),
    Col("dst_port", ("Attribute.port",)),
    Col("domain", ("Attribute.domain", "Attribute.hostname")), Col("url", ("Attribute.url", "Attribute.uri")),
    Col("file_sha256", ("Attribute.sha256",)), Col("file_sha1", ("Attribute.sha1",)),
    Col("file_md5", ("Attribute.md5",)), Col("file_name", ("Attribute.filename",)),
    Col("mail_from", ("Attribute.email-src", "Attribute.email")), Col("mail_to", ("Attribute.email-dst",)),
    Col("mail_subject", ("Attribute.email-subject",)), Col("user_agent", ("Attribute.user-agent",)),
    Col("tls_fingerprint", ("Attribute.ja3-fingerprint-md5",)), Col("cve_uids", ("Attribute.vulnerability",)),
    Col("malware_names", ("Attribute.malware-type",)),
)  # fmt: skip


def _object(*rows: tuple[str, tuple[str, ...]]) -> tuple[Col, ...]:
    return (*_HEAD, Col("rule_uid", ("Object.uuid",)), *(Col(c, tuple(f"Object.{s}" for s in at)) for c, at in rows))


_CONNECTION: Final = _object(
    ("src_ip", ("ip-src",)), ("dst_ip", ("ip-dst",)), ("src_port", ("src-port",)), ("dst_port", ("dst-port",)),
    ("src_host", ("hostname-src",)), ("dst_host", ("hostname-dst",)), ("proto", ("layer4-protocol", "protocol")),
    ("app_proto", ("layer7-protocol",)), ("bytes_out", ("byte-count",)), ("community_id", ("community-id",)),
    ("end_time", ("last-packet-seen", "last_seen")),
)  # fmt: skip
_REQUEST: Final = _object(
    ("src_ip", ("ip-src",)), ("dst_ip", ("ip-dst",)), ("domain", ("host",)), ("url", ("url", "uri")),
    ("user_agent", ("user-agent",)), ("dst_port", ("dst-port",)),
)  # fmt: skip
_VERDICT: Final = _object(("malware_names", ("signature",)), ("product_name", ("software",)))
_LOGIN: Final = _object(
    ("src_ip", ("ip-src",)), ("dst_ip", ("ip-dst",)), ("dst_user", ("username",)), ("count", ("total",)),
    ("dst_port", ("dst-port",)),
)  # fmt: skip
_FAILED: Final = 2
_ALERT: Final = {"is_alert": True}
#: Kinds of sightings by what was sighted; names of objects that report what a tool saw.
_MALWARE, _MAIL, _OTHER = "sighting of malware", "sighting of mail", "sighting"
_CLASSES: Final = {_MALWARE: EventClass.MALWARE, _MAIL: EventClass.MAIL, _OTHER: EventClass.INTRUSION}
_OBJECTS: Final[dict[str, tuple[EventClass, tuple[Col, ...], dict[str, Any]]]] = {
    "network-connection": (EventClass.FLOW, _CONNECTION, {}), "netflow": (EventClass.FLOW, _CONNECTION, {}),
    "http-request": (EventClass.WEB, _REQUEST, {}), "av-signature": (EventClass.MALWARE, _VERDICT, _ALERT),
    "authentication-failure-report": (EventClass.AUTH, _LOGIN, {"status_id": _FAILED}),
}  # fmt: skip
_MALWARE_TYPES: Final = frozenset({"md5", "sha1", "sha256", "filename", "malware-type"})
_MAIL_TYPES: Final = frozenset({"email", "email-src", "email-dst", "email-subject"})
_NOT_SIGHTED: Final = {"indicator": "indicator", "context": "context"}
TABLES: Final = Tables(
    (
        *(Table(kind, c, OCSF_CLASS[c], _ATTRIBUTE, None, _ALERT) for kind, c in _CLASSES.items()),
        *(Table(kind, c, OCSF_CLASS[c], cols, None, more) for kind, (c, cols, more) in _OBJECTS.items()),
    ),
    times=(_FIRST, "Object.first-packet-seen", "Object.datetime", "Object.first_seen", "Object.timestamp"),
    skips=_NOT_SIGHTED | {"deleted": "withdrawn", "vocabulary": "context", "manifest": "context", "empty": "context"},
)  # fmt: skip
MAPPING: Final = TABLES.reference()
_LIKE: Final = re.compile(rb'"(?:to_ids|Attribute|threat_level_id|object_relation|RelatedEvent)"\s*:')
_WRAPPERS: Final = frozenset({"Event", "response", "Attribute", "Object"})
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def recognise(head: bytes) -> float:
    """Share of the first records that look like MISP; a longer first one is looked at by its words."""
    hits = total = 0
    for record in sample(head):
        if isinstance(found := decode(record), Unreadable):
            continue
        total += 1
        hits += bool(_WRAPPERS & found.keys()) or _carries_nothing(found) is not None
    if total:
        return 0.8 * hits / total
    return 0.6 if len(set(_LIKE.findall(head))) > 1 else 0.0


def _carries_nothing(found: Mapping[str, Any]) -> str | None:
    """The kind of a MISP document that describes others: a taxonomy, an object template, a feed's manifest."""
    if {"namespace", "predicates"} <= found.keys() or {"meta-category", "requiredOneOf"} <= found.keys():
        return "vocabulary"
    entries = list(found.items())[:3]
    listed = all(_UUID.fullmatch(k) and isinstance(v, dict) and "Orgc" in v for k, v in entries)
    return "manifest" if entries and listed else None


def find(record: bytes, context: Context) -> list[Found | Unreadable] | Unreadable:
    """What each attribute and object of an event, or of several, says."""
    decoded = decode(record)
    if isinstance(decoded, Unreadable):
        return decoded
    if (kind := _carries_nothing(decoded)) is not None:
        return [Found(kind, {}, None)]
    found = [_found(part, context) for part in parts(decoded)]
    return [*found] if found else [Found("empty", {}, None)]


def _found(part: Part, context: Context) -> Found | Unreadable:
    """One attribute or detecting object."""
    if part.kind == "malformed":
        return Unreadable("malformed")
    if part.deleted:
        return Found("deleted", {}, None)
    if part.kind == "object":
        return _reported(part, context) if part.name in _OBJECTS else Found("context", {}, None)
    if not part.sightings:
        return Found("indicator" if part.to_ids else "context", {}, None)
    first, last = min(part.sightings), max(part.sightings)
    values = {**part.event, **{f"Attribute.{k}": v for k, v in part.values.items()}, _COUNT: len(part.sightings)}
    values[_FIRST] = first
    if last > first:
        values[_LAST] = _iso(last)
    types = part.values.keys()
    kind = _MALWARE if types & _MALWARE_TYPES else _MAIL if types & _MAIL_TYPES else _OTHER
    return Found(kind, values, (first * 1_000_000, GIVEN))


def _reported(part: Part, context: Context) -> Found:
    """An object that reports what a tool saw."""
    values = {**part.event, **{f"Object.{k}": v for k, v in part.values.items()}}
    for path in TABLES.times[1:]:
        stamp = values.get(path)
        plain = epoch(stamp)
        when = (plain, GIVEN) if plain else context.times.read(stamp) if isinstance(stamp, str) else None
        if when is not None:
            return Found(part.name, values, when)
    return Found(part.name, values, None)


def _iso(seconds: int) -> str:
    return iso(Event(event_class=EventClass.LOG, class_uid=0, time=seconds * 1_000_000, time_quality=GIVEN))


def write(event: Event, kind: str) -> bytes:
    """An event with the one attribute or object that tells of it."""
    values = put_back(TABLES, event, kind)
    head = {k.removeprefix("Event."): v for k, v in values.items() if k.startswith("Event.")}
    tags = [{"name": f'misp-galaxy:mitre-attack-pattern="{t}"'} for t in head.pop("Tag[].name", ())]
    inner = _attribute(values, event) if kind in _CLASSES else _written(values, event, kind)
    return msgspec.json.encode({"Event": {**head, "Tag": tags, **inner}})


def _attribute(values: dict[str, Any], event: Event) -> dict[str, Any]:
    """The attribute with a sighting for each time; several values stand behind each other."""
    own = {k.removeprefix("Attribute."): v for k, v in values.items() if k.startswith("Attribute.")}
    uuid, seconds = own.pop("uuid", None), event.time // 1_000_000
    times = [seconds] * (whole(values.get(_COUNT)) or 1)
    if event.end_time is not None:
        times[-1] = event.end_time // 1_000_000
    one = {"uuid": uuid, "type": "|".join(own), "value": "|".join(_flat(v) for v in own.values())}
    return {"Attribute": [one | {"Sighting": [{"type": "0", "date_sighting": str(t)} for t in times]}]}


def _flat(value: Any) -> str:
    return text(value) or ""


def _written(values: dict[str, Any], event: Event, kind: str) -> dict[str, Any]:
    own = {k.removeprefix("Object."): v for k, v in values.items() if k.startswith("Object.")}
    uuid = own.pop("uuid", None)
    rows = [{"object_relation": k, "type": "text", "value": _flat(v)} for k, v in own.items()]
    rows.append({"object_relation": "first-packet-seen", "type": "datetime", "value": iso(event)})
    return {"Object": [{"name": kind, "uuid": uuid, "Attribute": rows}]}


parse = parser(find, TABLES, NUMBER, json=True)
