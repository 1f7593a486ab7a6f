"""STIX 2.1 and 2.0 bundles, envelopes and single objects: sightings and observed data become events.

Rules held here: an indicator is intelligence and no event (it is skipped as `indicator`); what a sighting or observed
data refers to is read with it, not for itself, except indicators; everything else is context. Paths are the object's
type and its property; a single comparison of a sighted indicator's pattern counts as its observable. `parse` never
raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from commonwatch.events.event import Event
from commonwatch.events.labels import OCSF_CLASS, EventClass
from commonwatch.ingest.formats._stix_refs import Refs, brief, compared
from commonwatch.ingest.framing import sample
from commonwatch.ingest.outcome import MAX_DOCUMENT
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Col, Found, Table, Tables, Unreadable, put_back
from commonwatch.ingest.tables.json_paths import decode
from commonwatch.ingest.tables.parsing import parser
from commonwatch.ingest.tables.reading import items, text
from commonwatch.ingest.tables.writing import iso
from commonwatch.ingest.values import texts

NAME: Final = "stix_bundle"
TITLE: Final = "STIX bundles"
NUMBER: Final = 10
FRAMING: Final = "json"
COMMENTS: Final = True
MOST: Final = MAX_DOCUMENT
_TRAFFIC: Final = "network-traffic."
_LAST: Final = "network-traffic.protocols[-1]"
_IP_LAYERS: Final = frozenset({"ipv4", "ipv6", "ip"})


def _transport(value: Any) -> int | None:
    """The transport among a list of protocols."""
    found = (texts.protocol(p) for p in items(value) if p.lower() not in _IP_LAYERS)
    return next((number for number in found if number is not None), None)


_COLS: Final = (
    Col("rule_uid", ("sighting.sighting_of_ref",)),
    Col("count", ("sighting.count", "observed-data.number_observed")),
    Col("end_time", ("sighting.last_seen", "observed-data.last_observed")),
    Col("confidence_score", ("sighting.confidence", "observed-data.confidence")),
    Col("message", ("sighting.description", "indicator.name")),
    Col("src_ip", (f"{_TRAFFIC}src_ref",)),
    Col("dst_ip", (f"{_TRAFFIC}dst_ref", "ipv4-addr.value", "ipv6-addr.value")),
    Col("src_port", (f"{_TRAFFIC}src_port",)), Col("dst_port", (f"{_TRAFFIC}dst_port",)),
    Col("proto", (f"{_TRAFFIC}protocols",), _transport, lambda n: [str(n)]),
    Col("app_proto", (_LAST,)),
    Col("bytes_out", (f"{_TRAFFIC}src_byte_count",)), Col("bytes_in", (f"{_TRAFFIC}dst_byte_count",)),
    Col("domain", ("domain-name.value",)), Col("url", ("url.value",)),
    Col("file_sha256", ("file.hashes.SHA-256",)), Col("file_sha1", ("file.hashes.SHA-1",)),
    Col("file_md5", ("file.hashes.MD5",)), Col("file_name", ("file.name",)), Col("file_path", ("directory.path",)),
    Col("process_cmd", ("process.command_line",)),
    Col("src_user", ("user-account.user_id", "user-account.account_login")),
    Col("mail_from", ("email-message.from_ref", "email-addr.value")), Col("mail_to", ("email-message.to_refs",)),
    Col("mail_subject", ("email-message.subject",)), Col("malware_names", ("malware.name",)),
    Col("cve_uids", ("vulnerability.name",)), Col("attack_techniques", ("attack-pattern.external_id",)),
)  # fmt: skip
_SIGHTED: Final = ("sighting", "indicator", "malware", "vulnerability", "attack-pattern")


def _cols(*unused: str) -> tuple[Col, ...]:
    """The rows that need none of these types."""
    kept = ((c, tuple(s for s in c.sources if s.partition(".")[0] not in unused)) for c in _COLS)
    return tuple(c._replace(sources=sources) for c, sources in kept if sources)


#: Kind -> class, and the types of observables that decide for it, most telling first.
_OBSERVED: Final[dict[str, tuple[EventClass, frozenset[str]]]] = {
    "observed mail": (EventClass.MAIL, frozenset({"email-message", "email-addr"})),
    "observed traffic": (EventClass.FLOW, frozenset({"network-traffic"})),
    "observed process": (EventClass.APPLICATION, frozenset({"process"})),
    "observed file": (EventClass.INTEGRITY, frozenset({"file"})),
    "observed link": (EventClass.WEB, frozenset({"url"})),
    "observed domain": (EventClass.DNS, frozenset({"domain-name"})),
    "observed address": (EventClass.FLOW, frozenset({"ipv4-addr", "ipv6-addr"})),
    "observed": (EventClass.LOG, frozenset()),
}
_OF_MALWARE: Final = "sighting of malware"
_ALERT: Final = {"is_alert": True}


def _observed_tables() -> Iterator[Table]:
    """A type that decides for one kind stands in no later one."""
    earlier: list[str] = list(_SIGHTED)
    for kind, (event_class, types) in _OBSERVED.items():
        yield Table(kind, event_class, OCSF_CLASS[event_class], _cols(*earlier))
        earlier += sorted(types)


TABLES: Final = Tables(
    (
        Table(_OF_MALWARE, EventClass.MALWARE, OCSF_CLASS[EventClass.MALWARE], _cols("observed-data"), 1, _ALERT),
        Table("sighting", EventClass.INTRUSION, OCSF_CLASS[EventClass.INTRUSION], _cols("observed-data"), 1, _ALERT),
        *_observed_tables(),
    ),
    times=("sighting.first_seen", "observed-data.first_observed", "sighting.created", "observed-data.created"),
    skips={
        "indicator": "indicator", "context": "context", "observable": "context", "withdrawn": "withdrawn",
        "empty": "context",
    },
)  # fmt: skip
MAPPING: Final = TABLES.reference()
_LIKE: Final = re.compile(rb'"id"\s*:\s*"(?:bundle|[a-z0-9-]+)--[0-9a-f]{8}-|"type"\s*:\s*"bundle"')


def recognise(head: bytes) -> float:
    """Share of the first records that are bundles or STIX objects; a longer first one is looked at by its words."""
    hits = total = 0
    for record in sample(head):
        if isinstance(found := decode(record), Unreadable):
            continue
        total += 1
        hits += _is_stix(found)
    if total:
        return hits / total
    return 0.7 if _LIKE.search(head[:4_096]) else 0.0


def _is_stix(found: dict[str, Any]) -> bool:
    if found.get("type") == "bundle":
        return True
    objects = found.get("objects")
    if isinstance(objects, list) and objects and isinstance(objects[0], dict):
        found = objects[0]  # an envelope of a TAXII server
    named = f"{found.get('type')}--"
    return isinstance(found.get("id"), str) and found["id"].startswith(named)


def find(record: bytes, context: Context) -> list[Found | Unreadable] | Unreadable:
    """What each object of a bundle says; those read with another have nothing of their own to say."""
    decoded = decode(record)
    if isinstance(decoded, Unreadable):
        return decoded
    refs = Refs(_objects(decoded))
    found: list[Found | Unreadable] = [Unreadable("malformed")] * refs.malformed
    found += [_found(item, refs, context) for item in refs.alone()]
    return found or [Found("empty", {}, None)]


def _objects(decoded: dict[str, Any]) -> list[Any]:
    objects = decoded.get("objects")
    if isinstance(objects, list):
        return objects
    return [] if decoded.get("type") == "bundle" else [decoded]


def _found(item: dict[str, Any], refs: Refs, context: Context) -> Found:
    kind = item.get("type")
    if item.get("revoked") is True:
        return Found("withdrawn", {}, None)
    if kind == "indicator":
        return Found("indicator", {}, None)
    if kind not in {"sighting", "observed-data"}:
        return Found("observable" if "created" not in item else "context", {}, None)
    values = _own(item)
    _with(values, refs.observed(item))
    if kind == "sighting":
        _sighted(values, item, refs)
    stamp = next((s for path in TABLES.times if (s := text(values.get(path)))), None)
    return Found(_kind(item, values), values, context.times.read(stamp) if stamp else None)


def _own(item: dict[str, Any]) -> dict[str, Any]:
    """Plain properties under the object's type."""
    return {f"{item['type']}.{k}": v for k, v in item.items() if not isinstance(v, dict)}


def _with(values: dict[str, Any], observables: Iterable[Mapping[str, Any]]) -> None:
    """Add what the observables say; the first of a kind wins."""
    for one in observables:
        for path, value in one.items():
            values.setdefault(path, value)
    protocols = values.get(f"{_TRAFFIC}protocols")
    if isinstance(protocols, list) and protocols and isinstance(protocols[-1], str):
        last = protocols[-1].lower()
        if last not in _IP_LAYERS and texts.protocol(last) is None:
            values[_LAST] = last


def _sighted(values: dict[str, Any], item: dict[str, Any], refs: Refs) -> None:
    """What was sighted: the value of an indicator, the name of malware, of a vulnerability or of a technique."""
    known = refs.get(item.get("sighting_of_ref"))
    kind = known.get("type")
    if kind == "indicator":
        values.setdefault("indicator.name", brief(known.get("name")))
        pair = compared(known.get("pattern"))
        if pair is not None and not any(p.partition(".")[0] in refs.observable_types for p in values):
            values[pair[0]] = pair[1]
    elif kind in {"malware", "vulnerability"}:
        values[f"{kind}.name"] = brief(known.get("name"))
    elif kind == "attack-pattern":
        references = brief(known.get("external_references"))
        ids = [r.get("external_id") for r in references if isinstance(r, dict)] if isinstance(references, list) else []
        values["attack-pattern.external_id"] = [i for i in ids if isinstance(i, str)]


def _kind(item: dict[str, Any], values: Mapping[str, Any]) -> str:
    if item["type"] == "sighting":
        return _OF_MALWARE if str(item.get("sighting_of_ref")).startswith("malware--") else "sighting"
    present = {path.partition(".")[0] for path in values}
    return next(kind for kind, (_, types) in _OBSERVED.items() if not types or types & present)


def write(event: Event, kind: str) -> bytes:
    """A bundle with the one object that tells of the event, and what it refers to."""
    values = put_back(TABLES, event, kind)
    own = "sighting" if kind.startswith("sighting") else "observed-data"
    first = "first_seen" if own == "sighting" else "first_observed"
    last: Any = values.pop(_LAST, None)
    if last is not None:
        values[f"{_TRAFFIC}protocols"] = [*values.get(f"{_TRAFFIC}protocols", ()), last]
    return msgspec.json.encode({"type": "bundle", "objects": list(_written(values, own, first, event))})


def _written(values: dict[str, Any], own: str, first: str, event: Event) -> Iterator[dict[str, Any]]:
    """The object itself, observed data under it, the observables, and the object that was sighted."""
    made: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        kind, _, name = path.partition(".")
        made.setdefault(kind, {"type": kind, "id": f"{kind}--1"})[name] = value
    head = made.pop(own, {"type": own, "id": f"{own}--1"}) | {"created": iso(event), first: iso(event)}
    sighted = [k for k in ("malware", "vulnerability", "attack-pattern") if k in made]
    for one in [made.pop(kind) for kind in sighted]:
        yield one | {"id": head.get("sighting_of_ref")} | _references(one)
    observables = [_unfolded(one) for one in made.values()]
    refs = [one["id"] for one in observables]
    yield from observables
    yield from _ends(made)
    if own == "sighting":
        yield {"type": "observed-data", "id": "observed-data--2", "object_refs": refs}
        yield head | {"observed_data_refs": ["observed-data--2"]}
    else:
        yield head | {"object_refs": refs}


def _references(one: dict[str, Any]) -> dict[str, Any]:
    ids = one.get("external_id")
    return {"external_references": [{"external_id": i} for i in ids]} if isinstance(ids, list) else {}


def _unfolded(one: dict[str, Any]) -> dict[str, Any]:
    """Hashes as a member, and references to what ends are."""
    hashes = {k.removeprefix("hashes."): v for k, v in one.items() if k.startswith("hashes.")}
    plain = {k: v for k, v in one.items() if not k.startswith("hashes.")}
    for name in ("src_ref", "dst_ref", "from_ref"):
        if name in plain:
            plain[name] = f"end--{plain[name]}"
    if "to_refs" in plain:
        plain["to_refs"] = [f"end--{v}" for v in plain["to_refs"]]
    return plain | ({"hashes": hashes} if hashes else {})


def _ends(made: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in made.values():
        for name in ("src_ref", "dst_ref", "from_ref", "to_refs"):
            for value in items(one.get(name)) if name in one else ():
                yield {"type": "end", "id": f"end--{value}", "value": value}


parse = parser(find, TABLES, NUMBER, json=True)
