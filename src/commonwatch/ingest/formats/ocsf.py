"""OCSF events as JSON (1.x): the class decides; what belongs to a finding's evidence is read from its first evidence.

Rules held here: an unknown class is quarantined, never guessed; a major version other than 1 is from the future; hashes
go by their algorithm's number. `parse` never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from commonwatch.events.event import Event
from commonwatch.events.labels import EventClass, Severity
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Col, Found, Table, Tables, Unreadable, put_back
from commonwatch.ingest.tables.json_paths import decode, nest, paths, share
from commonwatch.ingest.tables.parsing import parser
from commonwatch.ingest.tables.reading import whole
from commonwatch.ingest.values.times import GIVEN

NAME: Final = "ocsf"
TITLE: Final = "OCSF JSON"
NUMBER: Final = 8
FRAMING: Final = "json"
COMMENTS: Final = True
_FIRST: Final = "evidences[0]"
_EVIDENCE: Final = f"{_FIRST}."
_HASHES: Final = {1: "md5", 2: "sha1", 3: "sha256"}


def _severity(value: Any) -> Severity | None:
    number = whole(value)
    return None if number is None else Severity(number) if number <= max(Severity) else Severity.UNKNOWN


_HEAD: Final = (
    Col("severity", ("severity_id",), _severity, note="as it is; other numbers unknown"),
    Col("activity_id", ("activity_id",)), Col("count", ("count",)),
    Col("status_id", ("status_id",)), Col("action_id", ("action_id",)), Col("disposition_id", ("disposition_id",)),
    Col("confidence_score", ("confidence_score",)), Col("is_alert", ("is_alert",)), Col("message", ("message",)),
    Col("product_vendor", ("metadata.product.vendor_name",)), Col("product_name", ("metadata.product.name",)),
    Col("product_version", ("metadata.product.version",)), Col("sensor_uid", ("metadata.loggers[].uid", "device.uid")),
    Col("rule_uid", ("finding_info.analytic.uid", "firewall_rule.uid")),
    Col("rule_rev", ("finding_info.analytic.version",)),
    Col("rule_name", ("finding_info.analytic.name", "firewall_rule.name")),
    Col("rule_category", ("finding_info.analytic.category",)),
    Col("attack_techniques", (
        "finding_info.attacks[].technique.uid", "finding_info.attacks[].sub_technique.uid", "attacks[].technique.uid",
        "attacks[].sub_technique.uid",
    ), every=True),
    Col("attack_tactics", ("finding_info.attacks[].tactic.uid", "attacks[].tactic.uid")),
    Col("malware_names", ("malware[].name",)), Col("cve_uids", ("vulnerabilities[].cve.uid",)),
)  # fmt: skip
_BODY: Final[dict[str, tuple[str, ...]]] = {
    "src_ip": ("src_endpoint.ip",), "src_port": ("src_endpoint.port",), "dst_ip": ("dst_endpoint.ip",),
    "dst_port": ("dst_endpoint.port",), "src_host": ("src_endpoint.hostname",),
    "dst_host": ("dst_endpoint.hostname", "device.hostname"), "src_user": ("actor.user.name",),
    "dst_user": ("user.name",), "proto": ("connection_info.protocol_num", "connection_info.protocol_name"),
    "app_proto": ("app_name",), "community_id": ("connection_info.community_uid",), "bytes_in": ("traffic.bytes_in",),
    "bytes_out": ("traffic.bytes_out",),
    "domain": ("query.hostname", "url.hostname", "tls.sni", "http_request.url.hostname"),
    "url": ("url.url_string", "http_request.url.url_string"), "user_agent": ("http_request.user_agent",),
    "file_name": ("file.name", "process.file.name"), "file_path": ("file.path", "process.file.path"),
    "file_sha256": ("file.hashes[3]", "process.file.hashes[3]"),
    "file_sha1": ("file.hashes[2]", "process.file.hashes[2]"),
    "file_md5": ("file.hashes[1]", "process.file.hashes[1]"), "process_name": ("process.name", "actor.process.name"),
    "process_cmd": ("process.cmd_line", "actor.process.cmd_line"), "mail_from": ("email.from",),
    "mail_to": ("email.to",), "mail_subject": ("email.subject",), "tls_fingerprint": ("tls.ja3_hash.value",),
}  # fmt: skip


def _cols(*, finding: bool) -> tuple[Col, ...]:
    """What is in the first evidence of a finding, and at the top of an activity."""
    inside = {name: tuple(_EVIDENCE + p for p in at) for name, at in _BODY.items()} if finding else dict[str, Any]()
    return (*_HEAD, *(Col(name, (*inside.get(name, ()), *at)) for name, at in _BODY.items()))


#: Kind -> (class of ours, OCSF class). A detection with malware in it is malware; a denied connection is firewall's.
_KINDS: Final[dict[str, tuple[EventClass, int]]] = {
    "detection of malware": (EventClass.MALWARE, 2004), "detection": (EventClass.INTRUSION, 2004),
    "security finding": (EventClass.INTRUSION, 2001), "vulnerability": (EventClass.VULNERABILITY, 2002),
    "compliance": (EventClass.VULNERABILITY, 2003), "file": (EventClass.INTEGRITY, 1001),
    "registry": (EventClass.INTEGRITY, 1009), "process": (EventClass.APPLICATION, 1007),
    "authentication": (EventClass.AUTH, 3002), "denied connection": (EventClass.FIREWALL, 4001),
    "connection": (EventClass.FLOW, 4001), "http": (EventClass.WEB, 4002), "dns": (EventClass.DNS, 4003),
    "ssh": (EventClass.FLOW, 4007), "email": (EventClass.MAIL, 4009), "application": (EventClass.SYSTEM, 6002),
}  # fmt: skip
_BY_CLASS: Final = {uid: kind for kind, (_, uid) in reversed(_KINDS.items())}
#: Our class numbers are those of the classes an event is kept under.
_KEPT: Final = {2001: 2004, 2003: 2002, 1009: 1001, 4007: 4001}
_DENIED: Final = 2
#: The category of findings.
_FINDINGS: Final = 2

TABLES: Final = Tables(
    tuple(
        Table(kind, c, _KEPT.get(uid, uid), _cols(finding=uid // 1000 == _FINDINGS), note=f"class_uid {uid}")
        for kind, (c, uid) in _KINDS.items()
    ),
    times=("time",),
)
MAPPING: Final = TABLES.reference()


def recognise(head: bytes) -> float:
    """Share of the first records with a class number and a schema version."""
    return share(head, _tells)


def _tells(found: dict[str, Any]) -> bool:
    metadata = found.get("metadata")
    return "class_uid" in found and isinstance(metadata, dict) and "version" in metadata


def find(record: bytes, context: Context) -> Found | Unreadable:
    """The values of an event; hashes under the numbers of their algorithms."""
    decoded = decode(record)
    if isinstance(decoded, Unreadable):
        return decoded
    evidences = decoded.pop("evidences", None)
    values = _values(decoded)
    if isinstance(evidences, list) and evidences and isinstance(evidences[0], dict):
        values |= _values(evidences[0], _FIRST)
    if not str(values.get("metadata.version", "1")).startswith("1."):
        return Unreadable("future_version")
    return Found(_kind(values), values, _when(values, context))


def _when(values: Mapping[str, Any], context: Context) -> tuple[int, int] | None:
    """Milliseconds since 1970, else ISO text in `time_dt`."""
    millis = whole(values.get("time"))
    if millis is not None:
        return millis * 1000, GIVEN
    stamp = values.get("time_dt")
    return context.times.read(stamp) if isinstance(stamp, str) else None


def _values(found: dict[str, Any], below: str = "") -> dict[str, Any]:
    """Values by path; hashes of the file, and of a process's, under `file.hashes[N]`."""
    process = found.get("process")
    hashed = _hashes("file", found) | (_hashes("process.file", process) if isinstance(process, dict) else {})
    values = paths(found, below)
    return values | {f"{below}.{path}" if below else path: value for path, value in hashed.items()}


def _hashes(path: str, holder: dict[str, Any]) -> dict[str, Any]:
    """Hashes of the `file` of something by the numbers of their algorithms, taken out of it."""
    file = holder.get("file")
    hashes = file.pop("hashes", None) if isinstance(file, dict) else None
    known = [h for h in hashes if isinstance(h, dict)] if isinstance(hashes, list) else []
    return {f"{path}.hashes[{n}]": h.get("value") for h in known if (n := whole(h.get("algorithm_id"))) in _HASHES}


def _kind(values: Mapping[str, Any]) -> str:
    number = whole(values.get("class_uid"))
    if number == 2004 and values.get("malware[].name"):
        return "detection of malware"
    if number == 4001 and values.get("action_id") == _DENIED:
        return "denied connection"
    kind = _BY_CLASS.get(number or 0, str(number))
    return {"detection of malware": "detection", "denied connection": "connection"}.get(kind, kind)


def write(event: Event, kind: str) -> bytes:
    """The OCSF event of an event."""
    values = put_back(TABLES, event, kind)
    inside = _EVIDENCE if _KINDS[kind][1] // 1000 == _FINDINGS else ""
    found = ((n, values.pop(f"{inside}file.hashes[{n}]", None)) for n in _HASHES)
    hashes = [{"algorithm_id": n, "value": value} for n, value in found if value]
    if hashes:
        values[f"{inside}file.hashes"] = hashes
    head = {"class_uid": _KINDS[kind][1], "time": event.time // 1000, "metadata.version": "1.6.0"}
    return msgspec.json.encode(nest(head | values))


parse = parser(find, TABLES, NUMBER, json=True)
