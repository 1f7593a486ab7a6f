"""Wazuh 4 alerts (`alerts.json`): one object an alert, its class by the groups of the rule that made it.

Rules held here: a rule's description may have values written into it, so it is a message, never a rule's name; only an
embedded Suricata signature is static; `firedtimes` counts something else than events; keys of Windows event data vary
in case. `parse` never raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from commonwatch.events.event import Event
from commonwatch.events.labels import OCSF_CLASS, EventClass, Severity
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Col, Found, Table, Tables, Unreadable, put_back
from commonwatch.ingest.tables.json_paths import decode, nest, paths, share
from commonwatch.ingest.tables.parsing import parser
from commonwatch.ingest.tables.reading import items, whole
from commonwatch.ingest.tables.writing import iso

NAME: Final = "wazuh_alerts"
TITLE: Final = "Wazuh 4 alerts"
NUMBER: Final = 6
FRAMING: Final = "json"
COMMENTS: Final = True
_WIN: Final = "data.win.eventdata."
#: Sysmon's hashes in one text, `SHA1=..,MD5=..,SHA256=..,IMPHASH=..`; each counts under its name.
_SYSMON: Final = f"{_WIN}hashes"
_NAMED: Final = re.compile(r"(MD5|SHA1|SHA256)=([0-9A-Fa-f]{32,64})\b")
#: Groups of rules -> class; the first class that has one of an alert's groups (`events.md` 2).
GROUPS: Final[tuple[tuple[EventClass, frozenset[str]], ...]] = tuple(
    (event_class, frozenset(groups.split()))
    for event_class, groups in (
        (EventClass.MALWARE, "virus virustotal malware clamd windows_defender yara"),
        (EventClass.INTRUSION, "ids suricata snort attack exploit_attempt web_attack sql_injection recon"),
        (EventClass.MAIL, "mail postfix sendmail exchange spam dovecot"),
        (EventClass.WEB, "web accesslog squid web_scan"),
        (EventClass.AUTH, "authentication_success authentication_failed authentication_failures invalid_login "
                          "win_authentication_failed login_denied authentication"),
        (EventClass.INTEGRITY, "syscheck syscheck_file syscheck_registry rootcheck fim"),
        (EventClass.APPLICATION, "sysmon sysmon_event1 sysmon_process process audit_command software app_control"),
        (EventClass.VULNERABILITY, "vulnerability-detector vulnerability oscap sca"),
        (EventClass.FIREWALL, "firewall firewall_drop firewall_block iptables pf"),
        (EventClass.DNS, "dns named"),
        (EventClass.SYSTEM, "wazuh agent agent_flooding agent_restarting active_response"),
    )
)  # fmt: skip
_FAILED: Final = frozenset({"authentication_failed", "authentication_failures", "invalid_login", "login_denied",
                            "win_authentication_failed"})  # fmt: skip
_CHANGES: Final = {"added": 1, "modified": 3, "deleted": 4}
_CHANGE_OF: Final = {n: word for word, n in _CHANGES.items()}


def _severity(value: Any) -> Severity | None:
    """Rule levels 0 to 15 and above."""
    level = whole(value)
    if level is None:
        return None
    bounds = ((4, Severity.INFORMATIONAL), (7, Severity.LOW), (12, Severity.MEDIUM), (15, Severity.HIGH))
    return next((s for most, s in bounds if level < most), Severity.CRITICAL)


def _success(value: Any) -> int | None:
    groups = set(items(value))
    return 2 if groups & _FAILED else 1 if "authentication_success" in groups else None


def _change(value: Any) -> int | None:
    return _CHANGES.get(value) if isinstance(value, str) else None


_ENDS: Final = (
    Col("src_ip", ("data.srcip", "data.src_ip", f"{_WIN}ipAddress", f"{_WIN}sourceIp")),
    Col("src_port", ("data.srcport", "data.src_port", f"{_WIN}ipPort", f"{_WIN}sourcePort")),
    Col("dst_ip", ("data.dstip", "data.dest_ip", f"{_WIN}destinationIp")),
    Col("dst_port", ("data.dstport", "data.dest_port", f"{_WIN}destinationPort")),
    Col("src_user", ("data.srcuser", f"{_WIN}subjectUserName")),
    Col(
        "dst_user",
        ("data.dstuser", f"{_WIN}targetUserName", f"{_WIN}user", "syscheck.uname_after", "syscheck.audit.user.name"),
    ),
    Col("src_host", (f"{_WIN}workstationName",)),
    Col("dst_host", ("agent.name",)),
    Col("proto", ("data.protocol", "data.proto")),
    Col("app_proto", ("data.app_proto",)),
)
_WHAT: Final = (
    Col("sensor_uid", ("agent.id",)),
    Col("rule_uid", ("rule.id",)),
    Col("rule_name", ("data.alert.signature",), note="static text of the embedded signature"),
    Col("rule_category", ("rule.groups",), show=lambda text: text.split(", ")),
    Col(
        "severity",
        ("rule.level",),
        _severity,
        note="0-3 informational, 4-6 low, 7-11 medium, 12-14 high, 15 and more critical",
    ),
    Col("attack_techniques", ("rule.mitre.id",)),
    Col("attack_tactics", ("rule.mitre.tactic",)),
    Col("message", ("rule.description",), note="values may be written into it"),
    Col("cve_uids", ("data.vulnerability.cve",)),
    Col("malware_names", ("data.virustotal.malware", "data.malware.name", f"{_WIN}threat Name", "data.extra_data")),
    Col("verdict", ("data.action",)),
    Col("domain", ("data.hostname", "data.dns.rrname", f"{_WIN}queryName", "data.http.hostname", "data.tls.sni")),
    Col("url", ("data.url", "data.http.url")),
    Col("user_agent", ("data.http.http_user_agent", "data.browser")),
    Col("file_path", ("syscheck.path", "data.virustotal.source.file", f"{_WIN}targetFilename", "data.file")),
    Col("file_sha256", ("syscheck.sha256_after", "data.sha256", "data.fileinfo.sha256", f"{_SYSMON}[SHA256]")),
    Col("file_sha1", ("syscheck.sha1_after", "data.virustotal.source.sha1", "data.sha1", f"{_SYSMON}[SHA1]")),
    Col("file_md5", ("syscheck.md5_after", "data.virustotal.source.md5", "data.md5", f"{_SYSMON}[MD5]")),
    Col("process_name", (f"{_WIN}image", f"{_WIN}newProcessName", "data.audit.exe", "syscheck.audit.process.name")),
    Col("process_cmd", (f"{_WIN}commandLine", "data.command")),
    Col("mail_from", ("data.from", "data.mail.from")),
    Col("mail_to", ("data.to", "data.mail.to")),
    Col("mail_subject", ("data.subject",)),
)
_CONSTANTS: Final = {"product_vendor": "Wazuh", "product_name": "Wazuh"}
_MORE: Final[dict[EventClass, tuple[tuple[Col, ...], int | None, dict[str, Any]]]] = {
    EventClass.MALWARE: ((), 1, {"is_alert": True}),
    EventClass.INTRUSION: ((), 1, {"is_alert": True}),
    EventClass.AUTH: ((Col("status_id", ("rule.groups",), _success),), 1, {}),
    EventClass.INTEGRITY: ((Col("activity_id", ("syscheck.event",), _change, _CHANGE_OF.get),), 3, {}),
    EventClass.APPLICATION: ((), 1, {}),
    EventClass.VULNERABILITY: ((), 1, {}),
    EventClass.FIREWALL: ((), 6, {}),
    EventClass.LOG: ((), 1, {}),
}


def _table(event_class: EventClass) -> Table:
    cols, activity, constants = _MORE.get(event_class, ((), None, {}))
    whole_row = (*_ENDS, *_WHAT, *cols)
    return Table(
        event_class.word, event_class, OCSF_CLASS[event_class], whole_row, activity, {**_CONSTANTS, **constants},
        note=f"rule.groups {', '.join(sorted(groups))}" if (groups := dict(GROUPS).get(event_class)) else "any other",
    )  # fmt: skip


TABLES: Final = Tables(tuple(_table(c) for c in (*(c for c, _ in GROUPS), EventClass.LOG)), times=("timestamp",))
MAPPING: Final = TABLES.reference()


def recognise(head: bytes) -> float:
    """Share of the first records with a rule's level, an agent and a manager."""
    return share(head, _tells)


def _tells(found: dict[str, Any]) -> bool:
    rule = found.get("rule")
    return isinstance(rule, dict) and "level" in rule and {"agent", "manager"} <= found.keys()


def find(record: bytes, context: Context) -> Found | Unreadable:
    """The values of an alert and its class by its groups."""
    decoded = decode(record)
    if isinstance(decoded, Unreadable):
        return decoded
    values = paths(_in_one_case(decoded))
    hashes = values.get(_SYSMON)
    if isinstance(hashes, str):
        values |= {f"{_SYSMON}[{name}]": value for name, value in _NAMED.findall(hashes)}
    stamp = values.get("timestamp")
    return Found(_kind(values), values, context.times.read(stamp) if isinstance(stamp, str) else None)


def _in_one_case(found: dict[str, Any]) -> dict[str, Any]:
    """Windows event data with a small first letter, as most versions write it."""
    inside: Any = found
    for name in ("data", "win"):
        inside = inside.get(name) if isinstance(inside, dict) else None
    data = inside.get("eventdata") if isinstance(inside, dict) else None
    if isinstance(data, dict):
        inside["eventdata"] = {k[:1].lower() + k[1:]: v for k, v in data.items()}
    return found


def _kind(values: Mapping[str, Any]) -> str:
    groups = set(items(values.get("rule.groups")))
    return next((c.word for c, known in GROUPS if groups & known), EventClass.LOG.word)


def write(event: Event, kind: str) -> bytes:
    """The alert of an event."""
    record = nest(put_back(TABLES, event, kind))
    return msgspec.json.encode({"timestamp": iso(event), "manager": {"name": "manager"}} | record | {
        "agent": record.get("agent", {}) or {"id": "000"}, "rule": {"level": 0} | record.get("rule", {}),
    })  # fmt: skip


parse = parser(find, TABLES, NUMBER, json=True)
