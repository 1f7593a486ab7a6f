"""Elastic Common Schema documents, among them those of Wazuh 5 (WCS) and of Elastic's own detections.

Rules held here: members may be nested or written with dots; a search hit's `_source` is the document; `@timestamp` of a
Wazuh 5 document is when it arrived, so the event's own time goes first; a title that may have values written into it is
a message. `parse` never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from commonwatch.events.event import Event
from commonwatch.events.labels import OCSF_CLASS, EventClass, Severity
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Col, Found, Table, Tables, Unreadable, put_back
from commonwatch.ingest.tables.json_paths import decode, nest, paths, share
from commonwatch.ingest.tables.parsing import parser
from commonwatch.ingest.tables.reading import items, table_of
from commonwatch.ingest.tables.writing import iso
from commonwatch.ingest.values.times import RECEIVED

NAME: Final = "ecs"
TITLE: Final = "Elastic Common Schema, Wazuh 5"
NUMBER: Final = 7
FRAMING: Final = "json"
COMMENTS: Final = True
#: Categories -> class, by the order of `events.md` 2.
_CATEGORIES: Final[tuple[tuple[EventClass, frozenset[str]], ...]] = tuple(
    (event_class, frozenset(words.split()))
    for event_class, words in (
        (EventClass.MALWARE, "malware anti-malware"),
        (EventClass.INTRUSION, "intrusion_detection threat ids network-security"),
        (EventClass.MAIL, "email mail"),
        (EventClass.WEB, "web"),
        (EventClass.AUTH, "authentication session iam access-management"),
        (EventClass.INTEGRITY, "file registry configuration system-integrity"),
        (EventClass.APPLICATION, "process driver library package applications"),
        (EventClass.VULNERABILITY, "vulnerability"),
        (EventClass.FIREWALL, "firewall"),
        (EventClass.DNS, "dns"),
        (EventClass.FLOW, "network network-activity"),
        (EventClass.SYSTEM, "host system-activity"),
    )
)
_MARKS: Final[dict[str, dict[str, Any]]] = {
    "firewall": {"event.category": ["network"], "event.type": ["denied"]},
    "dns": {"event.category": ["network"], "dns.type": "query"}, "flow": {"event.category": ["network"]},
}  # fmt: skip
_WORDS: Final = table_of([
    ("informational", Severity.INFORMATIONAL), ("low", Severity.LOW), ("medium", Severity.MEDIUM),
    ("high", Severity.HIGH), ("critical", Severity.CRITICAL),
])  # fmt: skip
_OUTCOMES: Final = {"success": 1, "failure": 2}
_OUTCOME_OF: Final = {n: word for word, n in _OUTCOMES.items()}
_TIMES: Final = ("event.start", "event.created", "@timestamp")

_COLS: Final = (
    Col("src_ip", ("source.ip", "client.ip")), Col("src_port", ("source.port", "client.port")),
    Col("dst_ip", ("destination.ip", "server.ip")), Col("dst_port", ("destination.port", "server.port")),
    Col("src_host", ("source.domain", "source.address")), Col("dst_host", ("host.name", "host.hostname")),
    Col("src_user", ("user.name", "source.user.name")), Col("dst_user", ("user.target.name", "destination.user.name")),
    Col("sensor_uid", ("wazuh.agent.id", "observer.name", "agent.id")),
    Col("end_time", ("event.end",)),
    Col("rule_uid", ("wazuh.rule.id", "rule.id", "kibana.alert.rule.uuid")),
    Col("rule_rev", ("rule.version",)), Col("rule_name", ("rule.name", "kibana.alert.rule.name")),
    Col("rule_category", ("rule.category", "wazuh.integration.category")),
    Col("message", ("wazuh.rule.title", "message"), note="values may be written into it"),
    Col("severity", ("wazuh.rule.level", "kibana.alert.severity", "log.level"), _WORDS,
        note="by the word, informational to critical"),
    Col("attack_techniques", ("threat.technique.id", "wazuh.rule.mitre.technique", "threat.technique.subtechnique.id"),
        every=True),
    Col("attack_tactics", ("threat.tactic.id", "wazuh.rule.mitre.tactic", "threat.tactic.name")),
    Col("malware_names", ("threat.software.name", "malware.name")), Col("cve_uids", ("vulnerability.id",)),
    Col("verdict", ("event.action",)),
    Col("status_id", ("event.outcome",), lambda v: _OUTCOMES.get(v) if isinstance(v, str) else None, _OUTCOME_OF.get),
    Col("proto", ("network.transport", "network.iana_number")), Col("app_proto", ("network.protocol",)),
    Col("community_id", ("network.community_id",)), Col("bytes_out", ("source.bytes",)),
    Col("bytes_in", ("destination.bytes",)),
    Col("url", ("url.original", "url.full")), Col("user_agent", ("user_agent.original",)),
    Col("file_name", ("file.name",)), Col("file_path", ("file.path",)),
    Col("file_sha256", ("file.hash.sha256", "process.hash.sha256")),
    Col("file_sha1", ("file.hash.sha1", "process.hash.sha1")), Col("file_md5", ("file.hash.md5", "process.hash.md5")),
    Col("process_name", ("process.name", "process.executable")), Col("process_cmd", ("process.command_line",)),
    Col("mail_from", ("email.from.address",)), Col("mail_to", ("email.to.address",)),
    Col("mail_subject", ("email.subject",)), Col("tls_fingerprint", ("tls.client.ja3", "tls.client.ja4")),
    Col("product_vendor", ("observer.vendor",)), Col("product_name", ("observer.product", "event.module")),
    Col("product_version", ("observer.version",)),
)  # fmt: skip
_ACTIVITY: Final = {
    EventClass.MALWARE: 1, EventClass.INTRUSION: 1, EventClass.AUTH: 1, EventClass.INTEGRITY: 3,
    EventClass.APPLICATION: 1, EventClass.VULNERABILITY: 1, EventClass.FIREWALL: 5, EventClass.DNS: 1,
    EventClass.FLOW: 6, EventClass.LOG: 1,
}  # fmt: skip


def _domain(event_class: EventClass) -> Col:
    """The domain asked for, in a DNS record; elsewhere the one connected to."""
    named = ("url.domain", "tls.client.server_name", "destination.domain")
    return Col("domain", ("dns.question.name", *named) if event_class is EventClass.DNS else named)


def _table(event_class: EventClass) -> Table:
    alert = event_class in {EventClass.MALWARE, EventClass.INTRUSION}
    cols, constants = (*_COLS, _domain(event_class)), {"is_alert": True} if alert else {}
    words = dict(_CATEGORIES).get(event_class)
    return Table(
        event_class.word, event_class, OCSF_CLASS[event_class], cols, _ACTIVITY.get(event_class), constants,
        note=f"categories {', '.join(sorted(words))}" if words else "any other",
    )  # fmt: skip


TABLES: Final = Tables(tuple(_table(c) for c in (*(c for c, _ in _CATEGORIES), EventClass.LOG)), times=_TIMES)
MAPPING: Final = TABLES.reference()


def recognise(head: bytes) -> float:
    """Share of the first records with `@timestamp` and a sign of ECS or of Wazuh 5."""
    return share(head, _tells)


def _tells(found: dict[str, Any]) -> bool:
    values = paths(_document(found))
    return "@timestamp" in values and any(
        k == "ecs.version" or k.startswith(("wazuh.", "kibana.alert.")) for k in values
    )


def _document(found: dict[str, Any]) -> dict[str, Any]:
    inner = found.get("_source")
    return inner if isinstance(inner, dict) else found


def find(record: bytes, context: Context) -> Found | Unreadable:
    """The values of a document, its class by its categories, its time by the best one there is."""
    decoded = decode(record)
    if isinstance(decoded, Unreadable):
        return decoded
    values = paths(_document(decoded))
    return Found(_kind(values), values, _when(values, context))


def _when(values: Mapping[str, Any], context: Context) -> tuple[int, int] | None:
    for path in _TIMES:
        stamp = values.get(path)
        if isinstance(stamp, str) and (read := context.times.read(stamp)) is not None:
            arrived = path == "@timestamp" and any(k.startswith("wazuh.") for k in values)
            return (read[0], RECEIVED) if arrived else read
    return None


def _kind(values: Mapping[str, Any]) -> str:
    found = {w.casefold() for p in ("event.category", "wazuh.integration.category") for w in items(values.get(p))}
    if "network" in found and any(k.startswith("dns.") for k in values):
        found = {"dns"} | (found - {"network"})
    if "network" in found and "denied" in items(values.get("event.type")):
        found = {"firewall"} | (found - {"network"})
    return next((c.word for c, words in _CATEGORIES if found & words), EventClass.LOG.word)


def write(event: Event, kind: str) -> bytes:
    """The document of an event."""
    category = next((min(words) for c, words in _CATEGORIES if c.word == kind), None)
    marks = _MARKS.get(kind, {"event.category": [category]} if category else {})
    when = "@timestamp" if event.time_quality == RECEIVED else "event.start"
    stamps = {"@timestamp": iso(event), when: iso(event)}
    wazuh = {"wazuh.manager.name": "manager"} if event.time_quality == RECEIVED else {}
    put = put_back(TABLES, event, kind)
    return msgspec.json.encode(nest({"ecs.version": "8.11.0", **stamps, **marks, **wazuh, **put}))


parse = parser(find, TABLES, NUMBER, json=True)
