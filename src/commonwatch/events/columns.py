"""The canonical table: every column of an event, its physical kind, its OCSF path and the clause field that covers it.

Rules held here: a column with `field=None` is a label, a key or provenance and is never shown as a value; `follows`
gives the precision at which a derived column follows its parent field (country and AS follow the address at
`country`); columns marked `text` are identifying free text. Organisation attributes are not columns of the event.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from commonwatch.events.fields import FieldName

Kind = Literal["u8", "u16", "u32", "u64", "bool", "ts", "txt", "dict", "addr", "list", "bytes"]
Role = Literal["value", "label", "key", "provenance"]


class Column(NamedTuple):
    """One column. `field` is the clause field that discloses it, `follows` the lowest precision that shows it."""

    name: str
    kind: Kind
    ocsf: str
    field: FieldName | None = None
    follows: str = "exact"
    role: Role = "value"
    text: bool = False


def _c(name: str, kind: Kind, ocsf: str, field: FieldName | None = None, follows: str = "exact") -> Column:
    return Column(name, kind, ocsf, field, follows)


def _text(name: str, kind: Kind, ocsf: str, field: FieldName) -> Column:
    return Column(name, kind, ocsf, field, text=True)


def _meta(name: str, kind: Kind, ocsf: str, role: Role) -> Column:
    return Column(name, kind, ocsf, None, role=role)


_E = "evidences[0]."
COLUMNS: dict[str, Column] = {
    c.name: c
    for c in (
        _meta("event_uid", "bytes", "metadata.uid", "key"),
        _c("org_uid", "dict", "metadata.tenant_uid", "owner"),
        _meta("site_uid", "dict", "metadata.labels[site]", "label"),
        _c("sensor_uid", "dict", "metadata.loggers[0].uid", "sensor"),
        _meta("batch_uid", "u64", "metadata.tags[batch]", "provenance"),
        _meta("policy_no", "u32", "metadata.tags[policy]", "provenance"),
        _meta("dsa_uid", "dict", "metadata.tags[dsa]", "provenance"),
        _meta("dsa_version", "u32", "metadata.tags[dsa_version]", "provenance"),
        _meta("rules_version", "u16", "metadata.tags[rules_version]", "provenance"),
        _meta("handling", "u32", "-", "label"),
        _c("time", "ts", "time", "time", "window"),
        _c("end_time", "ts", "end_time", "time", "window"),
        _meta("ingest_time", "ts", "metadata.processed_time", "provenance"),
        _c("time_quality", "u8", "-", "time"),
        _c("count", "u32", "count", "volume", "magnitude"),
        _meta("event_class", "u8", "metadata.labels[class]", "label"),
        _meta("tlp", "u8", "metadata.labels[tlp]", "label"),
        _c("class_uid", "u16", "class_uid", "action"),
        _c("activity_id", "u8", "activity_id", "action"),
        _c("status_id", "u8", "status_id", "action"),
        _c("severity_id", "u8", "severity_id", "severity"),
        _c("severity_raw", "txt", "vendor_attributes.severity", "severity"),
        _c("is_alert", "bool", "is_alert", "severity"),
        _c("confidence_score", "u8", "confidence_score", "severity"),
        _c("action_id", "u8", "action_id", "action"),
        _c("disposition_id", "u8", "disposition_id", "action"),
        _c("product_vendor", "dict", "metadata.product.vendor_name", "signature"),
        _c("product_name", "dict", "metadata.product.name", "signature"),
        _c("product_version", "dict", "metadata.product.version", "signature"),
        _c("source_format", "u8", "metadata.log_name", "signature"),
        _c("rule_uid", "dict", "finding_info.analytic.uid", "signature"),
        _c("rule_rev", "dict", "finding_info.analytic.version", "signature"),
        _c("rule_name", "dict", "finding_info.analytic.name", "signature"),
        _c("rule_category", "dict", "finding_info.analytic.category", "signature", "family"),
        _c("attack_tactics", "list", "finding_info.attacks[].tactic.uid", "attack", "family"),
        _c("attack_techniques", "list", "finding_info.attacks[].technique.uid", "attack"),
        _c("malware_names", "list", "malware[].name", "malware"),
        _c("malware_family", "dict", "malware[0].name", "malware", "family"),
        _c("cve_uids", "list", "vulnerabilities[].cve.uid", "vulnerability", "family"),
        _c("src_ip", "addr", _E + "src_endpoint.ip", "src_ip", "network"),
        _c("dst_ip", "addr", _E + "dst_endpoint.ip", "dst_ip", "network"),
        _c("src_scope", "u8", _E + "src_endpoint.zone", "src_ip", "scope"),
        _c("dst_scope", "u8", _E + "dst_endpoint.zone", "dst_ip", "scope"),
        _c("src_country", "dict", _E + "src_endpoint.location.country", "src_ip", "country"),
        _c("dst_country", "dict", _E + "dst_endpoint.location.country", "dst_ip", "country"),
        _c("src_asn", "u32", _E + "src_endpoint.autonomous_system.number", "src_ip", "country"),
        _c("dst_asn", "u32", _E + "dst_endpoint.autonomous_system.number", "dst_ip", "country"),
        _c("src_port", "u16", _E + "src_endpoint.port", "src_port", "range"),
        _c("dst_port", "u16", _E + "dst_endpoint.port", "dst_port", "range"),
        _text("src_host", "txt", _E + "src_endpoint.hostname", "host"),
        _text("dst_host", "txt", _E + "dst_endpoint.hostname", "host"),
        _text("src_user", "txt", _E + "actor.user.name", "user"),
        _text("dst_user", "txt", _E + "user.name", "user"),
        _c("direction_id", "u8", _E + "connection_info.direction_id", "protocol"),
        _c("proto", "u8", _E + "connection_info.protocol_num", "protocol"),
        _c("app_proto", "dict", _E + "app_name", "protocol"),
        _c("bytes_in", "u64", "traffic.bytes_in", "volume", "magnitude"),
        _c("bytes_out", "u64", "traffic.bytes_out", "volume", "magnitude"),
        _c("community_id", "txt", _E + "connection_info.community_uid", "src_ip"),
        _c("domain", "txt", _E + "query.hostname", "domain", "registered"),
        _text("url", "txt", _E + "url.url_string", "url"),
        _text("user_agent", "txt", _E + "http_request.user_agent", "user_agent"),
        _text("file_name", "txt", _E + "file.name", "file_name"),
        _text("file_path", "txt", _E + "file.path", "file_path"),
        _c("file_sha256", "bytes", _E + "file.hashes[3]", "file_hash"),
        _c("file_sha1", "bytes", _E + "file.hashes[2]", "file_hash"),
        _c("file_md5", "bytes", _E + "file.hashes[1]", "file_hash"),
        _text("process_name", "txt", _E + "process.name", "command"),
        _text("process_cmd", "txt", _E + "process.cmd_line", "command"),
        _text("mail_from", "txt", _E + "email.from", "mail_from"),
        _text("mail_to", "list", _E + "email.to[]", "mail_to"),
        _text("mail_subject", "txt", _E + "email.subject", "mail_subject"),
        _c("tls_fingerprint", "txt", _E + "tls.ja3_hash", "fingerprint"),
        _text("message", "txt", "message", "message"),
    )
}

#: `community_id` is shown only where both addresses and both ports are exact (it is an unkeyed hash of them).
COMMUNITY_ID_NEEDS: tuple[FieldName, ...] = ("src_ip", "dst_ip", "src_port", "dst_port")


def columns_of(field: FieldName) -> tuple[Column, ...]:
    """The columns a clause field covers, in table order."""
    return tuple(c for c in COLUMNS.values() if c.field == field)


def disclosable() -> tuple[Column, ...]:
    """The columns some clause can disclose."""
    return tuple(c for c in COLUMNS.values() if c.field is not None)
